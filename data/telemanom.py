"""Telemetry in the published format of NASA's SMAP and MSL data (Hundman et al., KDD 2018).

A folder holds `labeled_anomalies.csv` (chan_id, spacecraft, anomaly_sequences, ...) and, beside it or under
`data/` or `data/data/`, `train/<chan_id>.npy` and `test/<chan_id>.npy`: arrays (T, D), column 0 the telemetry
value, the others 0/1 commands. Intervals of `anomaly_sequences` are inclusive at both ends.
"""

from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from data.labels import Interval, LabelRow, no_pairs, pairs_of
from data.source import as_series, shape_of
from data.table.sheet import column_names
from data.table.text import read_lines
from runtime.arrays import read_npy
from runtime.errors import InputError
from runtime.reading import quoted

LABEL_FILE = "labeled_anomalies.csv"
NESTINGS = ("", "data", "data/data")
ACCEPTED = (
    f"Accepted: a folder with {LABEL_FILE}, and train/ and test/ with one .npy per channel in it, "
    "in its data/ or in its data/data/."
)


class TelemanomSource:
    """The channels of one spacecraft, `channels` in the order of the label file, a data source (data/source.py).

    Raises InputError where the folder or its label file is not as published.
    """

    def __init__(self, folder: Path, spacecraft: str) -> None:
        self.folder, self.name = folder, spacecraft
        self.untrained: list[str] = []
        self.arrays_folder = _find(folder, lambda place: (place / "train").is_dir() and (place / "test").is_dir())
        self.label_path = _find(folder, lambda place: (place / LABEL_FILE).is_file()) / LABEL_FILE
        self.origin = str(self.label_path)
        everything = _read_rows(self.label_path)
        self._labelled_names = {row.channel for rows in everything.values() for row in rows}
        self._shapes: dict[str, tuple[int, int]] = {}
        self._rows: dict[str, list[LabelRow]] = {}
        for row in everything.get(spacecraft, []):
            self._rows.setdefault(row.channel, []).append(row)
        self.channels = list(self._rows)
        if not self.channels:
            raise InputError(f"{self.label_path}: has no row of spacecraft {spacecraft}. Choose another --data-path.")

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """The channel's array (T, D). Raises InputError where the file is missing, damaged or no series."""
        place = self.place(channel, split)
        return as_series(_read_array(Path(place)), f"{place}: channel {channel}")

    def num_steps(self, channel: str, split: str) -> int:
        """The length T of a channel, without reading its values."""
        return self._shape(channel, split)[0]

    def columns(self, channel: str) -> list[str]:
        """The telemetry value, then commands."""
        return ["telemetry value", *(f"column {number}" for number in range(1, self._shape(channel, "train")[1]))]

    def measured(self, channel: str) -> list[str]:
        """The telemetry value alone: all other columns are commands."""
        return self.columns(channel)[:1]

    def _shape(self, channel: str, split: str) -> tuple[int, int]:
        """Steps and columns, without reading the values; they are asked for often."""
        place = self.place(channel, split)
        if place not in self._shapes:
            self._shapes[place] = shape_of(_read_array(Path(place), mapped=True), f"{place}: channel {channel}")
        return self._shapes[place]

    def times(self, channel: str, split: str) -> None:
        """Published without times: steps are counted."""

    def rows(self, channel: str, split: str) -> None:
        """Every step is a row of the array."""

    def step(self, channel: str) -> None:
        """Steps are counted."""

    def label_rows(self, channel: str) -> list[LabelRow]:
        """The rows of the label file that name the channel."""
        return self._rows[channel]

    def place(self, channel: str, split: str) -> str:
        """The path of the channel's file."""
        return str(self.arrays_folder / split / f"{channel}.npy")

    def unlabelled(self) -> list[str]:
        """The names of series files of either split that no row of the label file names, of any spacecraft."""
        files = {path.stem for split in ("train", "test") for path in (self.arrays_folder / split).glob("*.npy")}
        return sorted(files - self._labelled_names)


def _find(folder: Path, fits: Callable[[Path], bool]) -> Path:
    for nesting in NESTINGS:
        if fits(folder / nesting):
            return folder / nesting
    found = "does not exist" if not folder.is_dir() else "is not a folder of SMAP / MSL telemetry"
    raise InputError(
        f"{folder}: {found}. {ACCEPTED} Get the data: python -m data.download smap, or by hand as data/README.md "
        "says; then set --data-path."
    )


def _read_array(path: Path, mapped: bool = False) -> NDArray:
    missing = f"Put it there, as {path.stem} has a label row, or leave the channel out with --class-names."
    return read_npy(path, missing=missing, mapped=mapped)


def _read_rows(path: Path) -> dict[str, list[LabelRow]]:
    """The rows of a label file by spacecraft."""
    lines = read_lines(path, encoding=None)
    header, *table = lines.head(len(lines.numbers))
    header = column_names(header, str(path))
    missing = {"chan_id", "spacecraft", "anomaly_sequences"} - set(header)
    if missing:
        raise InputError(f"{path}: has no column {', '.join(sorted(missing))}. Name its columns so in the first line.")
    rows: dict[str, list[LabelRow]] = {}
    for number, cells in zip(lines.numbers[1:], table, strict=True):
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        where = f"{path}, line {number}, channel {row['chan_id']}"
        _check_name(row["chan_id"], where)
        intervals = tuple(_parse_intervals(row["anomaly_sequences"], where))
        length = _parse_length(row.get("num_values"), where)
        rows.setdefault(row["spacecraft"], []).append(LabelRow(row["chan_id"], intervals, length))
    return rows


def _check_name(channel: str, where: str) -> None:
    """A name is part of a path: it must not lead out of the folder."""
    parts = PureWindowsPath(channel)  # takes / and \\ for separators
    if not channel or parts.anchor or ".." in parts.parts:
        raise InputError(f"{where}: chan_id is a path that leads out of the folder. Rename the channel.")


def _parse_length(text: str | None, where: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError as error:
        raise InputError(
            f"{where}: num_values is {quoted(text)}, expected a number of steps. Correct the row."
        ) from error


def _parse_intervals(text: str, where: str) -> list[Interval]:
    return [(_step(start, text, where), _step(end, text, where)) for start, end in pairs_of(text, where)]


def _step(value: object, text: str, where: str) -> int:
    if type(value) is not int:
        raise no_pairs(text, where)
    return value
