"""What holds of a place at any moment, and at the end."""

import hashlib
import os
from pathlib import Path

from runtime.files import TEMPORARY

LITTER = 4  # temporary files and folders, those in one another not counted, that one program has at most


def sums(path: Path, name: str) -> dict[str, str]:
    """SHA-256 of a file, or of all files in a folder, under the name that it is about to get."""
    if not path.is_dir():
        return {name: _sum(path)} if path.exists() else {}
    found = [Path(folder, file) for folder, _, files in os.walk(path) for file in files]
    return {f"{name}/{file.relative_to(path).as_posix()}": _sum(file) for file in found}


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_temporary(name: str) -> bool:
    """Whether it is, or lies in, what is not yet called by its name, or is a lock."""
    return any(TEMPORARY.fullmatch(part) or part.endswith(".lock") for part in name.split("/"))


def files_of(place: Path) -> dict[str, str]:
    """All files of a place by name, with their SHA-256."""
    return {name: content for name, content in sums(place, "").items() for name in [name.lstrip("/")]}


def half_written(
    place: Path, before: dict[str, str], after: dict[str, bytes], contents: dict[str, set[str]], changing: set[str]
) -> list[str]:
    """The files that have a name and a content which no finished operation of the whole course has given them.

    `before` is what was there at the beginning, `after` the bytes at the end. Of files that grow (csv, jsonl) the
    beginning will do, of those whose bytes are of the day (`changing`) their end.
    """
    wrong = []
    for name, content in files_of(place).items():
        if is_temporary(name) or content in {before.get(name), *contents.get(name, set())}:
            continue
        found, end = (place / name).read_bytes(), after.get(name)
        grows = "followed/" in name or name.endswith("log.jsonl")
        if end is None:
            wrong.append(f"{name}: is not there at the end")
        elif name in changing:
            if not grows and found[-8:] != end[-8:]:
                wrong.append(f"{name}: has no end")
        elif found != end and not (grows and end.startswith(found)):
            wrong.append(f"{name}: is neither of before nor whole")
    return wrong


def differing(place: Path, after: dict[str, bytes], changing: set[str]) -> list[str]:
    """The files that are others than at the end of the whole course, missing, or too many."""
    found = files_of(place)
    wrong = [f"{name}: is left" for name in found if name not in after]
    wrong += [f"{name}: is missing" for name in after if name not in found]
    same = [name for name in found if name in after and name not in changing]
    return wrong + [f"{name}: has other bytes" for name in same if (place / name).read_bytes() != after[name]]


def litter(place: Path) -> list[str]:
    """The temporary files and folders of a place, but for those that lie in another."""
    found = [path.relative_to(place).as_posix() for path in place.rglob(".*") if TEMPORARY.fullmatch(path.name)]
    return [name for name in found if not is_temporary(name.rpartition("/")[0])]
