"""Which channels a path holds: one file, a folder of files, or a folder with train/ and test/."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data.table.files import KINDS, kind_of, stem_of
from runtime.arrays import npz_names
from runtime.errors import InputError, warn

LABEL_FILE = "labeled_anomalies.csv"
SPLITS = ("train", "test")
ACCEPTED = f"Accepted: {', '.join(KINDS)}, or a folder of such files."


@dataclass(frozen=True)
class Entry:
    """Where one channel lies. Without `train` its training part is cut from the file `test`."""

    test: Path
    train: Path | None
    key: str  # of one array in an .npz, else empty
    untrained: bool  # all of the file is the test part


def channels_of(path: Path, whole: bool) -> dict[str, Entry]:
    """The channels in a file or a folder by name. `whole`: every file is a test part from its first row to its last.

    Raises InputError where there are none, or two of one name.
    """
    if path.is_file():
        if kind_of(path) is None:
            raise InputError(f"{path}: cannot be read as a table. {ACCEPTED}")
        return _entries([path], whole)
    if not path.is_dir():
        raise InputError(f"{path}: does not exist. {ACCEPTED} Set --data-path.")
    if all((path / split).is_dir() for split in SPLITS):
        return _split_folder(path, whole)
    return _entries(_files(path), whole)


def label_file_of(path: Path) -> Path | None:
    """The label file that lies in a folder without being asked for."""
    return path / LABEL_FILE if (path / LABEL_FILE).is_file() else None


def _files(folder: Path) -> list[Path]:
    """The tables in a folder, in the order of their names. Warns of other files."""
    seen = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    seen = [path for path in seen if path.name != LABEL_FILE]
    others = [path.name for path in seen if kind_of(path) is None]
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        warn(f"{folder}: left out what is no table: {', '.join(others[:5])}{more}.")
    tables = [path for path in seen if kind_of(path) is not None]
    if not tables:
        raise InputError(f"{folder}: holds no table. {ACCEPTED}")
    return tables


def _entries(files: Iterable[Path], whole: bool) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    several = len(list(files)) > 1
    for path in files:
        keys = npz_names(path) if kind_of(path) == ".npz" else [""]
        for key in keys:
            name = (f"{stem_of(path)} {key}" if several else key) if len(keys) > 1 else stem_of(path)
            if name in entries:
                raise InputError(f"{path} and {entries[name].test.name} are both channel {name}. Rename one of them.")
            entries[name] = Entry(path, None, key, whole)
    return entries


def _split_folder(folder: Path, whole: bool) -> dict[str, Entry]:
    beside = [path for path in folder.iterdir() if path.is_file() and kind_of(path) and path.name != LABEL_FILE]
    beside = [path.name for path in beside if not path.name.startswith(".")]
    if beside:
        warn(f"{folder}: left out what lies beside train/ and test/: {', '.join(sorted(beside)[:5])}.")
    test = _entries(_files(folder / "test"), True)
    if whole:
        return test
    train = _entries(_files(folder / "train"), True)
    if only := [name for name in train if name not in test]:
        warn(f"{folder}: left out channels without a file in test/: {', '.join(only[:5])} ({len(only)}).")
    if not set(train) & set(test):
        raise InputError(
            f"{folder}: no file has the same name in train/ and in test/. Name each channel's two files alike."
        )
    return {
        name: Entry(entry.test, train[name].test if name in train else None, entry.key, name not in train)
        for name, entry in test.items()
    }
