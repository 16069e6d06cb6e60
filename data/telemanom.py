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

from data.labels import AS_PUBLISHED, Interval, LabelRow, LabelRules, clipped, step_labels
from runtime.errors import InputError, unknown_name, warn

LABEL_FILE = "labeled_anomalies.csv"
NESTINGS = ("", "data", "data/data")
ACCEPTED = (
    f"Accepted: a folder with {LABEL_FILE}, and train/ and test/ with one .npy per channel in it, "
    "in its data/ or in its data/data/."
)


class TelemanomSource:
    """The channels of one spacecraft: `channels` in the order of the label file, its `rows` read by `rules`.

    Raises InputError where the folder or its label file is not as published.
    """

    def __init__(self, folder: Path, spacecraft: str, rules: LabelRules = AS_PUBLISHED) -> None:
        self.folder = folder
        self.arrays_folder = _find(folder, lambda place: (place / "train").is_dir() and (place / "test").is_dir())
        self.label_path = _find(folder, lambda place: (place / LABEL_FILE).is_file()) / LABEL_FILE
        self.rules = rules
        everything = _read_rows(self.label_path)
        self._labelled_names = {row.channel for rows in everything.values() for row in rows}
        self.rows = everything.get(spacecraft, [])
        self.channels = list(dict.fromkeys(row.channel for row in self.rows))
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

    def unlabelled_files(self) -> list[str]:
        """The names of series files of either split that no row of the label file names, of any spacecraft."""
        files = {path.stem for split in ("train", "test") for path in (self.arrays_folder / split).glob("*.npy")}
        return sorted(files - self._labelled_names)

    def _rows_of(self, channel: str) -> list[LabelRow]:
        return [row for row in self.rows if row.channel == channel]

    def has_anomaly(self, channel: str) -> bool:
        """Whether any interval of the channel's test series is labelled."""
        return bool(self.rules.chosen(self._rows_of(channel)))

    def intervals(self, channel: str) -> list[Interval]:
        """Labelled intervals of the test series, inclusive and inside it.

        Warns where one was reversed and is dropped, or reached outside and is clipped.
        """
        rows, num_steps = self._rows_of(channel), self.num_steps(channel, "test")
        written = self.rules.chosen(rows)
        changed = [
            interval for interval in written if interval != clipped(interval, num_steps) or np.diff(interval) < 0
        ]
        if changed:
            warn(
                f"{self.label_path}: channel {channel}: {len(changed)} interval(s) reversed or outside its "
                f"{num_steps} steps, clipped: {changed}."
            )
        return self.rules.intervals(rows, num_steps)

    def timestep_labels(self, channel: str) -> NDArray[np.uint8]:
        """Labels (T,) of the test series: 1 inside a labelled interval, else 0."""
        return step_labels(self.intervals(channel), self.num_steps(channel, "test"))


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


def _read_rows(path: Path) -> dict[str, list[LabelRow]]:
    """The rows of a label file by spacecraft."""
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        missing = {"chan_id", "spacecraft", "anomaly_sequences"} - set(table.fieldnames or ())
        if missing:
            raise InputError(f"{path}: has no column {', '.join(sorted(missing))}. Fetch the file again.")
        rows: dict[str, list[LabelRow]] = {}
        for row in table:
            where = f"{path}, line {table.line_num}, channel {row['chan_id']}"
            intervals = tuple(_parse_intervals(row["anomaly_sequences"], where))
            length = _parse_length(row.get("num_values"), where)
            rows.setdefault(row["spacecraft"], []).append(LabelRow(row["chan_id"], intervals, length))
        return rows


def _parse_length(text: str | None, where: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError as error:
        raise InputError(f"{where}: num_values is {text!r}, expected a number of steps. Correct the row.") from error


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
