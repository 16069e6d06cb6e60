"""A csv that lists pictures: their files, and where known whether they are good, their masks and their split."""

from contextlib import suppress
from pathlib import Path

from data.pictures import Listing, PictureFile
from data.table.sheet import column_names
from data.table.text import read_lines
from runtime.errors import InputError, unknown_name
from runtime.reading import quoted

COLUMNS = {
    "image": ("image", "images", "image_path", "picture", "path", "file", "filename", "file_name", "img"),
    "label": ("label", "labels", "class", "target", "anomalous", "anomaly"),
    "mask": ("mask", "masks", "mask_path", "ground_truth"),
    "split": ("split", "subset", "set", "part"),
}
LABELLED = "they are labelled anomalous"  # why pictures are not learnt from
IS_GOOD = {"good", "ok", "normal", "0", "0.0", "false", "no"}
UNLABELLED = {"", "-1", "?", "nan", "none", "unknown", "unlabelled", "unlabeled"}
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}


def read_list(path: Path, split: str) -> Listing:
    """The pictures of a split in a csv with a column image and, each where there is one, label, mask and split.

    Good is good, ok, normal, 0; every other label is a defect, an empty one unlabelled. Paths are relative to the csv.
    Without a split, good pictures are learnt from and all others are tested; without a label, pictures with a mask are
    anomalous and those in training good.

    Raises InputError that names the line for what cannot be understood.
    """
    lines = read_lines(path, encoding=None)
    rows = lines.head(len(lines.numbers))
    if len(rows) < 2:
        raise InputError(f"{path}: lists no pictures. It wants a line of names, such as image,label, and a line each.")
    places = _columns(path, rows[0])
    found, rest = Listing(), []
    for number, row in zip(lines.numbers[1:].tolist(), rows[1:], strict=True):
        cells = {name: row[place].strip() for name, place in places.items()}
        where = f"{path}, line {number}"
        anomalous = _anomalous(cells, "label" in places)
        if _split(cells, anomalous, where) != split:
            continue
        picture = _file(path, cells["image"], where)
        mask = _file(path, cells["mask"], where) if cells.get("mask") and anomalous is not False else None
        if split == "train" and (anomalous or mask):
            rest.append(picture)
        else:
            found.append(PictureFile(picture, mask, False if split == "train" else anomalous))
    if rest:
        found.left_out[LABELLED] = rest
    return found


def _columns(path: Path, names: list[str]) -> dict[str, int]:
    """The columns by what they hold."""
    given = column_names((name.casefold() for name in names), str(path))
    named = {what: [name for name in known if name in given] for what, known in COLUMNS.items()}
    found = {what: given.index(known[0]) for what, known in named.items() if known}
    if "image" not in found:
        raise InputError(
            f"{path}: has no column image, but {', '.join(names)}. Name the columns in its first line: image and, "
            "where you have them, label, mask, split."
        )
    return found


def _anomalous(cells: dict[str, str], has_labels: bool) -> bool | None:
    """Whether a row says that its picture is anomalous; None where it does not say."""
    label = cells.get("label", "").casefold()
    if label in IS_GOOD:
        return False
    if label in UNLABELLED:
        return True if cells.get("mask") else None if has_labels or "split" in cells else False
    return True


def _split(cells: dict[str, str], anomalous: bool | None, where: str) -> str:
    if "split" not in cells:
        return "train" if anomalous is False else "test"
    name = cells["split"].casefold()
    if name not in SPLITS:
        raise InputError(f"{where}: {unknown_name('split', cells['split'], ['train', 'test'])}")
    return SPLITS[name]


def _file(table: Path, name: str, where: str) -> Path:
    """A file that a row names."""
    for spelling in (name, name.replace("\\", "/")):
        with suppress(OSError):  # a name that is too long
            if name and (table.parent / spelling).is_file():
                return table.parent / spelling
    raise InputError(
        f"{where}: there is no file {quoted(name)}. Paths are relative to the folder of the csv, {table.parent}."
    )
