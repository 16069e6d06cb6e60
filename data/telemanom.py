"""Telemetry in the published format of NASA's SMAP and MSL data (Hundman et al., KDD 2018).

A folder holds `labeled_anomalies.csv` (chan_id, spacecraft, anomaly_sequences, ...) and, beside it or under
`data/` or `data/data/`, `train/<chan_id>.npy` and `test/<chan_id>.npy`: arrays (T, D), column 0 the telemetry
value, the others 0/1 commands. Intervals of `anomaly_sequences` are inclusive at both ends.
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError, unknown_name, warn

LABEL_FILE = "labeled_anomalies.csv"
NESTINGS = ("", "data", "data/data")
ACCEPTED = (
    f"Accepted: a folder with {LABEL_FILE}, and train/ and test/ with one .npy per channel in it, "
    "in its data/ or in its data/data/."
)

Interval = tuple[int, int]


class TelemanomSource:
    """The channels of one spacecraft: `channels` in the order of the label file, the last row of a channel winning.

    Raises InputError where the folder or its label file is not as published.
    """

    def __init__(self, folder: Path, spacecraft: str) -> None:
        self.folder = folder
        self.arrays_folder = _find(folder, lambda place: (place / "train").is_dir() and (place / "test").is_dir())
        self.label_path = _find(folder, lambda place: (place / LABEL_FILE).is_file()) / LABEL_FILE
        self._intervals = _read_intervals(self.label_path, spacecraft)
        self.channels = list(self._intervals)
        if not self.channels:
            raise InputError(f"{self.label_path}: has no row of spacecraft {spacecraft}. Choose another --data-path.")

    def select(self, names: tuple[str, ...]) -> list[str]:
        """The channels named, in the order of the label file; `all` names all. Raises InputError for an unknown one."""
        if names == ("all",):
            return self.channels
        for name in names:
            if name not in self.channels:
                raise unknown_name(f"channel of {self.label_path}", name, self.channels)
        return [channel for channel in self.channels if channel in names]

    def path(self, channel: str, split: str) -> Path:
        """The file of a channel in `split`, train or test."""
        return self.arrays_folder / split / f"{channel}.npy"

    def series(self, channel: str, split: str) -> NDArray[np.floating]:
        """The channel's array (T, D). Raises InputError where the file is missing, damaged or not finite."""
        path = self.path(channel, split)
        series = _read_array(path)
        if series.ndim != 2 or series.dtype.kind not in "fiub":
            raise InputError(f"{path}: is {series.dtype} of shape {series.shape}, expected numbers of shape (T, D).")
        if series.size == 0:
            raise InputError(f"{path}: is empty, of shape {series.shape}. Remove the channel from {self.label_path}.")
        broken = np.flatnonzero(~np.isfinite(series).all(axis=1))
        if len(broken):
            value = series[broken[0]][~np.isfinite(series[broken[0]])][0]
            raise InputError(
                f"{path}: channel {channel} has {value} at step {broken[0]} (and {len(broken) - 1} more steps). "
                "Fill or cut the gaps first."
            )
        return series

    def num_steps(self, channel: str, split: str) -> int:
        """The length T of a channel, without reading its values."""
        return len(_read_array(self.path(channel, split), mmap_mode="r"))

    def has_anomaly(self, channel: str) -> bool:
        """Whether any interval of the channel's test series is labelled."""
        return bool(self._intervals[channel])

    def intervals(self, channel: str) -> list[Interval]:
        """Labelled intervals of the test series, inclusive, clipped to it; a reversed one is dropped with a warning."""
        last = self.num_steps(channel, "test") - 1
        inside = [(max(start, 0), min(end, last)) for start, end in self._intervals[channel]]
        changed = [
            old for old, new in zip(self._intervals[channel], inside, strict=True) if old != new or old[0] > old[1]
        ]
        if changed:
            warn(
                f"{self.label_path}: channel {channel}: {len(changed)} interval(s) reversed or outside its "
                f"{last + 1} steps, clipped: {changed}."
            )
        return [(start, end) for start, end in inside if start <= end]

    def timestep_labels(self, channel: str) -> NDArray[np.uint8]:
        """Labels (T,) of the test series: 1 inside a labelled interval, both ends included."""
        labels = np.zeros(self.num_steps(channel, "test"), dtype=np.uint8)
        for start, end in self.intervals(channel):
            labels[start : end + 1] = 1
        return labels


def _find(folder: Path, fits: Callable[[Path], bool]) -> Path:
    for nesting in NESTINGS:
        if fits(folder / nesting):
            return folder / nesting
    found = "does not exist" if not folder.is_dir() else "is not a folder of SMAP / MSL telemetry"
    raise InputError(
        f"{folder}: {found}. {ACCEPTED} Get the data: python -m data.download smap, or by hand as data/README.md "
        "says; then set --data-path."
    )


def _read_array(path: Path, mmap_mode: str | None = None) -> NDArray:
    try:
        array = np.load(path, allow_pickle=False, mmap_mode=mmap_mode)
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: missing, though {path.stem} has a label row. Fetch the data again, or leave the channel out "
            "with --class-names."
        ) from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: is truncated, pickled or no .npy file ({error}). Fetch it again.") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path}: is an archive, expected one array of shape (T, D). Save it with numpy.save.")
    return array


def _read_intervals(path: Path, spacecraft: str) -> dict[str, list[Interval]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = {"chan_id", "spacecraft", "anomaly_sequences"} - set(rows.fieldnames or ())
        if missing:
            raise InputError(f"{path}: has no column {', '.join(sorted(missing))}. Fetch the file again.")
        intervals = {}
        for row in rows:
            if row["spacecraft"] == spacecraft:
                where = f"{path}, line {rows.line_num}, channel {row['chan_id']}"
                intervals[row["chan_id"]] = _parse_intervals(row["anomaly_sequences"], where)
        return intervals


def _parse_intervals(text: str, where: str) -> list[Interval]:
    try:
        return [(_step(start), _step(end)) for start, end in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{where}: anomaly_sequences is {text!r}, expected a list like [[100, 200], [350, 360]]. Correct the row."
        ) from error


def _step(value: object) -> int:
    if type(value) is not int:
        raise ValueError(value)
    return value
