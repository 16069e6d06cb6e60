"""What is said of the pictures of a split before anything is learnt from them or scored."""

from collections.abc import Sequence
from pathlib import Path

from data.picture_files import PictureReader
from data.pictures import Listing, PictureFile
from runtime.errors import note, warn

NAMED = 3  # files of a kind that are named


def tell(files: Sequence[PictureFile], where: str, reader: PictureReader, all_masked: bool) -> None:
    """Say what was left out of a listing, and what of its pictures is not shown as it is in the file.

    `all_masked`: every anomalous picture should have a mask. Every file is opened, none is decoded. Raises InputError
    for a file that is no picture.
    """
    if isinstance(files, Listing):
        _tell_skipped(files, where)
    _tell_masks(files, where, all_masked, reader)
    heads = {file.path: reader.head(file.path) for file in files}
    alpha = [path for path, head in heads.items() if head.alpha]
    moving = [path for path, head in heads.items() if head.frames > 1]
    if alpha:
        note(f"{where}: {_of(alpha, len(files))} have alpha: what is transparent is laid on black.")
    deep = [path for path, head in heads.items() if head.deep]
    if deep and reader.white is None:
        warn(
            f"{where}: {_of(deep, len(files))} have more than 8 bits, as none in training has: they are read as if "
            "they used all of their depth. Set --picture-depth to their white where they do not, such as 4095."
        )
    if moving:
        note(f"{where}: {_of(moving, len(files))} have several frames: the first is taken.")
    other, unturned = [], []
    for file in files:
        if file.mask is None or file.mask.is_dir():
            continue
        head, drawn = heads[file.path], reader.head(file.mask).stored
        if drawn != head.size:
            (unturned if drawn == head.stored else other).append(file.path)
    if other:
        note(
            f"{where}: the masks of {_of(other, len(files))} have another size than these, and are stretched over them."
        )
    if unturned:
        warn(
            f"{where}: the masks of {_of(unturned, len(files))} have the size of these before they are turned "
            "as their EXIF says, and do not lie on what is shown. Turn the masks, or save the pictures upright."
        )


def _tell_skipped(files: Listing, where: str) -> None:
    kinds: dict[str, list[Path]] = {}
    for path in files.skipped:
        kinds.setdefault(_kind(path), []).append(path)
    if kinds:
        told = "; ".join(f"{len(paths)} {kind} ({_names(paths)})" for kind, paths in sorted(kinds.items()))
        note(f"{where}: skipped what is no picture: {told}.")
    for reason, paths in files.left_out.items():
        warn(f"{where}: {len(paths)} picture(s) left out, because {reason}: {_names(paths)}.")
    if files.strays:
        warn(f"{where}: {len(files.strays)} mask(s) named like no picture: {_names(files.strays)}.")


def _tell_masks(files: Sequence[PictureFile], where: str, all_masked: bool, reader: PictureReader) -> None:
    """Of what was published no mask may be missing; of one's own all may, but some are missed where others are."""
    anomalous = [file for file in files if file.anomalous]
    without = [file.path for file in anomalous if file.mask is None]
    if without and (all_masked or len(without) < len(anomalous)):
        remedy = f" {reader.remedy}" if all_masked else ""
        warn(
            f"{where}: {len(without)} of {len(anomalous)} anomalous pictures have no mask (first {without[0]}): "
            f"localisation and PRO leave them out.{remedy}"
        )


def _kind(path: Path) -> str:
    if path.is_dir():
        return "hidden folder(s)"
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file():
        return "that are no files, or links to nothing"
    return path.suffix.lower() or "without an ending"


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths[:NAMED]) + (", .." if len(paths) > NAMED else "")


def _of(paths: Sequence[Path], total: int) -> str:
    return f"{len(paths)} of {total} pictures (first {paths[0].name})"
