"""Data in memory as a source of series (data/source.py): DataFrames and arrays, one channel or several."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from data.recording import known_step
from data.source import ALL
from data.table.files import array_sheet, frame_sheet
from data.table.format import AUTO, TableFormat
from data.table.parts import Parts, PartsSource, all_of, parts_of
from data.table.reading import read_recording
from data.table.sheet import Sheet
from runtime.errors import InputError, unknown_name, warn

FOUND = TableFormat(
    *(AUTO, AUTO, AUTO, AUTO, AUTO, AUTO, AUTO), missing=(), columns=ALL, label_file="", train_until="0.5"
)


class FrameSource(PartsSource):
    """Channels in memory, all of them the training part (`train`) or all of them the test part.

    `data` is a DataFrame, an array (T,) or (T, D), or channels by name, each one of these; a single one is the channel
    `name`. Times are the index of a DataFrame or found among its columns, as for a file. `steps` are the steps of
    channels that are known from training: then no column is left out for being empty. Raises InputError for all else.
    """

    def __init__(self, data: Any, name: str, train: bool, steps: Mapping[str, pd.Timedelta] | None = None) -> None:
        self.name, self.origin = name, name
        split = "train" if train else "test"
        self._parts: dict[str, Parts] = {}
        for channel, given in (data if isinstance(data, Mapping) else {name: data}).items():
            where = f"{name}: channel {channel}" if isinstance(data, Mapping) else name
            reading = read_recording(_sheet(given, where), FOUND)
            cut = all_of(reading.recording, split, str(channel), where)
            parts = parts_of(cut, known_step(steps, str(channel)), keep_empty=not train)
            left_out = reading.left_out | dict.fromkeys(parts.empty, "no value")
            if left_out:
                reasons = ", ".join(f"{column!r} ({reason})" for column, reason in left_out.items())
                warn(f"{where}: columns left out: {reasons}.")
            self._parts[str(channel)] = parts
        if not self._parts:
            raise InputError(f"{name}: holds no channel. Give one or more as {{name: DataFrame or array}}.")
        self.channels = list(self._parts)
        self.untrained = [] if train else list(self._parts)

    def place(self, channel: str, split: str) -> str:
        """The name of the data and of the channel."""
        return self.name if self.channels == [self.name] else f"{self.name}: {channel}"

    def _load(self, channel: str) -> Parts:
        if channel not in self._parts:
            raise unknown_name(f"channel of {self.name}", channel, self.channels)
        return self._parts[channel]


def _sheet(given: Any, where: str) -> Sheet:
    if isinstance(given, pd.Series):
        given = given.to_frame("value" if given.name is None else given.name)
    if isinstance(given, pd.DataFrame):
        return frame_sheet(given, where)
    if isinstance(given, np.ndarray):
        return array_sheet(given, where)
    raise InputError(
        f"{where} is a {type(given).__name__}, expected a DataFrame, an array (T,) or (T, D), or channels by name."
    )
