"""Folders of pictures: MVTec AD's layout and VisA's, and what people have of their own.

A class is a folder with `train/good`, `test/good`, `test/<defect>` and masks in `ground_truth/<defect>`, named like the
pictures, with or without `_mask`; a folder `good` beside folders of defects; or a folder of good pictures alone.
"""

import os
from collections.abc import Callable
from pathlib import Path

from data.picture_files import SUFFIXES, is_picture
from data.picture_lists import LABELLED, read_list
from data.pictures import Listing, PictureFile
from data.table.text import read_rows
from runtime.errors import InputError, note

GOOD = {"good", "ok", "normal"}  # names of folders and labels, in capitals too
TRAIN, TEST, MASKS = ("train",), ("test", "test_public"), ("ground_truth", "masks", "mask")
SAYS_BAD = {"bad", "ng", "ko", "nok", "defect", "defects", "defective", "anomaly", "anomalous", "anomalies", "abnormal"}
VISA_COLUMNS = {"object", "split", "image", "mask"}
LAYOUTS = (
    "train/good with, where you have them, test/good, test/<defect> and ground_truth/<defect>; folders of such classes;"
    " a folder of good pictures; or a csv with a column image"
)

Read = Callable[[Path, str, str], Listing]


def read_mvtec(folder: Path, class_name: str, split: str) -> Listing:
    """MVTec AD (Bergmann et al., CVPR 2019): <class>/{train,test}/<defect>/*, ground_truth/<defect>/*_mask.png.

    In train/ what is good alone is taken, all of it where nothing there is called good. Pictures right in test/ are
    unlabelled. A mask has the name of its picture, with or without `_mask`, and any format. MVTec AD 2 (Heckler-Kram et
    al., 2025) has test_public/ with the masks in it; its private tests are unlabelled, and not read here.
    """
    place = folder / class_name
    top = _child(place, TRAIN if split == "train" else TEST)
    if top is None:
        return Listing()
    if split == "train":
        return _training(top)
    files, skipped = _pictures_in(top, deep=False)
    found = Listing([PictureFile(path, None, anomalous=None) for path in files], skipped)
    masks = _child(place, MASKS) or _child(top, MASKS)
    for kind in _folders(top):
        if kind != masks:
            _add_kind(found, kind, masks)
    return found


def read_class(folder: Path, class_name: str, split: str) -> Listing:
    """A class of a user's own: as MVTec AD's, or good/ to learn from beside folders of defects to test with."""
    place = folder / class_name
    if _child(place, TRAIN) is not None:
        return read_mvtec(folder, class_name, split)
    found, masks = Listing(), _child(place, MASKS)
    for kind in _folders(place):
        if kind.name.casefold() not in MASKS and is_good(kind.name) == (split == "train"):
            _add_kind(found, kind, masks)
    return found


def read_good(folder: Path, class_name: str, split: str) -> Listing:
    """A folder of good pictures and nothing else: all are for training."""
    if split != "train":
        return Listing()
    files, skipped = _pictures_in(folder / class_name)
    return Listing([PictureFile(path) for path in files], skipped)


def read_visa(folder: Path, class_name: str, split: str) -> Listing:
    """VisA (Zou et al., ECCV 2022): split_csv/1cls.csv with object, split, label, image, mask.

    A copy prepared in the layout of MVTec AD is read as such.
    """
    table = folder / "split_csv" / "1cls.csv"
    if not table.is_file():
        return read_mvtec(folder, class_name, split)
    names, *rows = read_rows(table)
    if missing := VISA_COLUMNS - set(names):
        raise InputError(f"{table}: has no column {', '.join(sorted(missing))}. Fetch the file again.")
    found, rest = Listing(), []
    for cells in rows:
        row = dict(zip(names, map(str.strip, cells), strict=True))
        if (row["object"], row["split"]) != (class_name, split):
            continue
        anomalous = bool(row["mask"]) or not is_good(row.get("label") or "normal")
        picture = PictureFile(folder / row["image"], folder / row["mask"] if row["mask"] else None, anomalous)
        if split == "train" and anomalous:
            rest.append(picture.path)
        else:
            found.append(picture)
    if rest:
        found.left_out[LABELLED] = rest
    return found


def own_classes(path: Path) -> dict[str, tuple[Path, Read]]:
    """The classes at a path of a user's own: by name the folder and the reader that have them.

    Raises InputError where there are none.
    """
    if path.is_file() and is_picture(path):
        raise InputError(
            f"{path}: is one picture, and learning takes many. Set --data-path to a folder: {LAYOUTS}. One picture is "
            "judged by what a run has learnt: --mode score --run FOLDER."
        )
    if path.is_file():
        return {path.stem: (path.parent, lambda folder, name, split: read_list(path, split))}
    if not path.is_dir():
        raise InputError(f"{path}: does not exist. Set --data-path to a folder of pictures: {LAYOUTS}.")
    place = path.resolve()
    if _is_class(place):
        return {place.name: (place.parent, read_class)}
    classes = [inner.name for inner in _folders(place) if _is_class(inner)]
    if classes:
        others = [inner.name for inner in _folders(place) if inner.name not in classes and _pictures_in(inner)[0]]
        if others:
            note(f"{path}: skipped folders with pictures, but without train/good: {', '.join(others)}.")
        return {name: (place, read_class) for name in classes}
    files, skipped = _pictures_in(place)
    if not files:
        beside = f" It holds {len(skipped)} other files, such as {skipped[0].name}." if skipped else ""
        raise InputError(f"{path}: holds no pictures.{beside} Accepted ({_formats()}): {LAYOUTS}.")
    inside = [inner.name for inner in _folders(place) if _pictures_in(inner)[0]]
    odd = [name for name in inside if name.casefold() in {*SAYS_BAD, *TEST, *MASKS}]
    if odd:
        raise InputError(f"{path}: has a folder {odd[0]}, but none that says what is good. Accepted: {LAYOUTS}.")
    names = (
        f", in {len(inside)} folders ({', '.join(inside[:3])}{', ..' if len(inside) > 3 else ''})," if inside else ""
    )
    note(f"{path}: has no folder train: all of its {len(files)} pictures{names} are taken for good ones.")
    return {place.name: (place.parent, read_good)}


def is_good(name: str) -> bool:
    """Whether a folder or a label is called good."""
    return name.strip().casefold() in GOOD


def _is_class(place: Path) -> bool:
    """Whether a folder has training pictures where those of a class are."""
    return _child(place, TRAIN) is not None or any(is_good(inner.name) for inner in _folders(place))


def _training(top: Path) -> Listing:
    """The pictures of a folder train."""
    good = [kind for kind in _folders(top) if is_good(kind.name)]
    if not good:
        files, skipped = _pictures_in(top)
        bad = [path for path in files if {part.casefold() for part in path.relative_to(top).parts[:-1]} & SAYS_BAD]
        files = [path for path in files if path not in set(bad)]
        left_out = {"they are called bad": bad} if bad else {}
        return Listing([PictureFile(path) for path in files], skipped, left_out)
    found = Listing()
    for kind in good:
        files, skipped = _pictures_in(kind)
        found += [PictureFile(path) for path in files]
        found.skipped += skipped
    others, skipped = _pictures_in(top, deep=False)
    found.skipped += skipped
    others += [path for kind in _folders(top) if not is_good(kind.name) for path in _pictures_in(kind)[0]]
    if others:
        found.left_out["they are not in the folder of good ones"] = others
    return found


def _add_kind(found: Listing, kind: Path, masks: Path | None) -> None:
    """Add the pictures of a folder, good or of one defect, with those masks that there are.

    A folder of masks named like a picture holds several that count together (MVTec LOCO).
    """
    files, skipped = _pictures_in(kind)
    found.skipped += skipped
    if is_good(kind.name):
        found += [PictureFile(path) for path in files]
        return
    folder = _child(masks, (kind.name,)) if masks else None
    drawn = {}
    if folder is not None:
        masks_here, skipped = _pictures_in(folder)
        found.skipped += skipped
        drawn = {_key(path, folder): path for path in masks_here}
    for path in files:
        key = _key(path, kind)
        mask = drawn.get(f"{key}_mask", drawn.get(key))
        if mask is None and folder is not None and (folder / key).is_dir():
            mask = folder / key
        found.append(PictureFile(path, mask, anomalous=True))
    named = {_key(path, kind) for path in files}
    found.strays += [
        path for key, path in drawn.items() if not {key, key.removesuffix("_mask"), Path(key).parent.as_posix()} & named
    ]


def _key(path: Path, folder: Path) -> str:
    """The name of a file in a folder without its ending."""
    return path.relative_to(folder).with_suffix("").as_posix()


def _pictures_in(folder: Path, deep: bool = True) -> tuple[list[Path], list[Path]]:
    """The pictures in a folder and, `deep`, in those in it; and what is skipped. Links are followed."""
    files, skipped, seen = [], [], set()
    for place, inner, names in os.walk(folder, followlinks=True):
        here = Path(place)
        seen.add(here.resolve())
        hidden = [name for name in inner if name.startswith(".") or name == "__MACOSX"]
        skipped += [here / name for name in hidden]
        inner[:] = [name for name in inner if deep and name not in hidden and (here / name).resolve() not in seen]
        for name in names:
            (files if is_picture(here / name) else skipped).append(here / name)
    return sorted(files), sorted(skipped)


def _folders(place: Path) -> list[Path]:
    return sorted(inner for inner in place.iterdir() if inner.is_dir() and not inner.name.startswith("."))


def _child(place: Path, names: tuple[str, ...]) -> Path | None:
    """The folder in a place that has one of the names, in capitals too; the first name wins, then small letters."""
    inner = {folder.name: folder for folder in (_folders(place) if place.is_dir() else [])}
    for name in names:
        alike = sorted((found for found in inner if found.casefold() == name.casefold()), key=lambda n: n != name)
        if alike:
            return inner[alike[0]]
    return None


def _formats() -> str:
    return " ".join(sorted(SUFFIXES))
