"""What a run was made from and what it made, by checksums: the data of every channel, and the score files."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from datasets import PictureTask, SeriesSource, SeriesTask
from runtime.errors import InputError

Checksums = dict[str, str]
CHECKPOINT = "checkpoint_sha256"  # in the config.json of scores, that of the checkpoint that they were made with


def of_series(source: SeriesSource, channel: str, split: str) -> str:
    """SHA-256 of the values (T, D) of a channel, and of their shape."""
    series = np.ascontiguousarray(source.series(channel, split), dtype="<f8")
    return hashlib.sha256(f"{series.shape}".encode() + series.tobytes()).hexdigest()


def of_split(task: SeriesTask | PictureTask, split: str) -> Checksums:
    """SHA-256 by channel of what a split holds: for pictures of the names and bytes of all files of the class."""
    if task.kind == "series":
        names = task.trained if split == "train" else task.channels
        return {channel: of_series(task.source, channel, split) for channel in names}
    digest = hashlib.sha256()
    for file in task.read(task.folder, task.class_name, split):
        digest.update(f"{file.path.name} {of_file(file.path)} ".encode(errors="surrogateescape"))
    return {task.class_name: digest.hexdigest()}


def require_of(checkpoint: Path, facts: Mapping[str, Any], scores: Path) -> None:
    """Raises InputError where the scores in a folder, with these facts in their config.json, are of other weights.

    A run that was killed between training and scoring leaves such, and thresholds learnt from them would be wrong.
    """
    if facts.get(CHECKPOINT, of_file(checkpoint)) != of_file(checkpoint):
        raise InputError(
            f"{scores}: the scores that thresholds are learnt from are not of {checkpoint}, but of another training or "
            "checkpoint. Make them anew: main.py --mode test, with the settings of the run."
        )


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The channels that hold other data than before, of those that are known of both."""
    return [channel for channel in now if before.get(channel, now[channel]) != now[channel]]


def of_files(folder: Path, without: str) -> Checksums:
    """SHA-256 of all files of a folder by their names in it, but for those in its folder `without`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: of_file(path) for name, path in names.items() if not name.startswith(f"{without}/")}


def damaged(folder: Path, known: Mapping[str, str]) -> list[str]:
    """The names of files in a folder that are not as they were written, of those that are there."""
    paths = {name: folder / name for name in known if ".." not in PurePath(name).parts and not PurePath(name).anchor}
    return [name for name, path in paths.items() if path.is_file() and of_file(path) != known[name]]


def of_file(path: Path) -> str:
    """SHA-256 of a file."""
    state = path.stat()
    return _of_state(path, state.st_ino, state.st_size, state.st_mtime_ns)


@cache
def _of_state(path: Path, *state: int) -> str:
    """SHA-256 of a file; one that has not changed since is not read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
