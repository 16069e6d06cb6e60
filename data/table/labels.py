"""Label files: intervals of a channel, as steps of its test part or as times.

Either as published for SMAP (chan_id, anomaly_sequences), or with one interval a row (channel, start, end), both ends
inclusive. A channel whose row names no interval is labelled as normal; one without a row is unlabelled.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.labels import Interval, LabelRow, pairs_of
from data.recording import Recording
from data.table import times as reading
from data.table.files import kind_of, stem_of
from data.table.format import NOTHING
from data.table.sheet import column_names
from data.table.text import Lines, read_lines
from runtime.errors import InputError, note, unknown_name
from runtime.reading import quoted

CHANNELS = ("channel", "chan_id", "series", "file")
STARTS, ENDS = ("start", "begin", "from"), ("end", "stop", "to")
SEQUENCES = "anomaly_sequences"
WHOLE = re.compile(r"[+-]?\d{1,18}(\.0*)?")


@dataclass(frozen=True, eq=False)
class Written:
    """One labelled interval as written, `line` names its place."""

    line: str
    start: int | pd.Timestamp
    end: int | pd.Timestamp


class LabelFile:
    """The label file of a table source; `rows` are its rows by channel, each with any number of intervals.

    Raises InputError that names the line for what is no label file of these channels.
    """

    def __init__(self, path: Path, channels: list[str], time_format: str, encoding: str) -> None:
        self.path = path
        lines = read_lines(path, encoding=encoding)
        header, *rows = lines.head(len(lines.numbers))
        lower = column_names((name.lower() for name in header), str(path))
        names = {name: position for position, name in enumerate(lower)}
        channel, start, end = (_position(names, known) for known in (CHANNELS, STARTS, ENDS))
        if SEQUENCES not in names and (start is None or end is None):
            raise InputError(
                f"{path}: has the columns {', '.join(header)}, expected channel, start and end, or chan_id and "
                f"{SEQUENCES}. Name them so in its first line."
            )
        if channel is None and len(channels) > 1:
            raise InputError(f"{path}: has no column channel, and there are {len(channels)} channels. Add one.")
        owners = [channels[0] if channel is None else _owner(row[channel], channels) for row in rows]
        self._check_owners(owners, rows, channel, channels)
        self.rows: dict[str, list[list[Written]]] = {}
        if SEQUENCES in names:
            found = _sequences(lines, [row[names[SEQUENCES]] for row in rows], time_format)
            for owner, intervals in zip(owners, found, strict=True):
                self.rows.setdefault(owner, []).append(intervals)
        else:
            for owner, interval in zip(owners, _ends(lines, rows, start, end, time_format), strict=True):
                self.rows.setdefault(owner, [[]])[0].extend(interval)

    def _check_owners(
        self, owners: list[str | None], rows: list[list[str]], channel: int | None, channels: list[str]
    ) -> None:
        strangers = [row[channel].strip() for row, owner in zip(rows, owners, strict=True) if owner is None]
        if strangers and len(strangers) == len(rows):
            raise unknown_name(f"channel in {self.path}", strangers[0], channels)
        if strangers:
            some = ", ".join(list(dict.fromkeys(strangers))[:5])
            note(f"{self.path}: rows of channels that are not here are passed over ({some}).")


def _position(names: Mapping[str, int], known: tuple[str, ...]) -> int | None:
    return next((names[name] for name in known if name in names), None)


def _owner(name: str, channels: list[str]) -> str | None:
    """The channel that a cell names, by its name or by its file."""
    name = name.strip()
    if name not in channels and kind_of(Path(name)):
        name = stem_of(Path(name.replace("\\", "/")))
    return name if name in channels else None


def _sequences(lines: Lines, cells: list[str], time_format: str) -> list[list[Written]]:
    """The intervals of each row, written as a JSON list of pairs."""
    pairs: list[tuple[int, object, object]] = []
    for row, cell in enumerate(cells):
        if cell.strip():
            pairs += [(row, start, end) for start, end in pairs_of(cell, _spot(lines, row))]
    found: list[list[Written]] = [[] for _ in cells]
    texts = [str(end) for pair in pairs for end in pair[1:]]
    values = _parsed(lines, texts, [row for row, _, _ in pairs for _ in range(2)], time_format)
    for (row, _, _), start, end in zip(pairs, values[::2], values[1::2], strict=True):
        found[row].append(_interval(lines, row, start, end))
    return found


def _ends(lines: Lines, rows: list[list[str]], start: int, end: int, time_format: str) -> list[list[Written]]:
    """The interval of each row, or none where both its ends are empty."""
    cells = [[row[start].strip(), row[end].strip()] for row in rows]
    filled = [row for row, pair in enumerate(cells) if any(cell.lower() not in NOTHING for cell in pair)]
    ends = [(row, cell) for row in filled for cell in cells[row]]
    values = _parsed(lines, [cell for _, cell in ends], [row for row, _ in ends], time_format)
    found: list[list[Written]] = [[] for _ in rows]
    for row, first, last in zip(filled, values[::2], values[1::2], strict=True):
        found[row].append(_interval(lines, row, first, last))
    return found


def _spot(lines: Lines, row: int) -> str:
    return f"{lines.where}, line {lines.numbers[row + 1]}"


def _parsed(lines: Lines, texts: list[str], rows: list[int], time_format: str) -> list[int | pd.Timestamp]:
    """All ends as steps where all are small whole numbers, else as times."""
    if all(WHOLE.fullmatch(text) for text in texts):
        numbers = pd.Series([int(float(text)) if "." in text else int(text) for text in texts], dtype=np.int64)
        if time_format not in reading.UNITS and reading.epoch_unit(numbers.to_numpy()) is None:
            return numbers.tolist()
        return list(reading.from_numbers(numbers, time_format, lines.where).times)
    odd = next((row for text, row in zip(texts, rows, strict=True) if text.lower() in NOTHING), None)
    if odd is not None:
        raise InputError(f"{_spot(lines, odd)}: has only one end of an interval. Write both, or none.")
    if texts and WHOLE.fullmatch(texts[0]):
        text, odd = next(x for x in zip(texts, rows, strict=True) if not WHOLE.fullmatch(x[0]))
        raise InputError(
            f"{_spot(lines, odd)}: {quoted(text)} is no step like {texts[0]!r}. Write steps only, or times only."
        )
    column = pd.Series(texts, dtype=object)
    spot = [f"line {lines.numbers[row + 1]}" for row in rows].__getitem__
    if "%" in time_format:
        try:
            return list(reading.from_texts(column, time_format, spot, lines.where).times)
        except InputError:  # the label file may write its times in another way than the table
            pass
    return list(reading.from_texts(column, reading.beside(time_format), spot, lines.where).times)


def _interval(lines: Lines, row: int, start: int | pd.Timestamp, end: int | pd.Timestamp) -> Written:
    if end < start:
        raise InputError(f"{_spot(lines, row)}: the interval from {start} ends before it begins, at {end}. Correct it.")
    return Written(_spot(lines, row), start, end)


def inside(written: Written, recording: Recording, first_row: int) -> NDArray[np.bool_]:
    """Which rows of a recording (T,) lie in an interval of times, or of steps counted from a row of the input.

    Raises InputError where one has an offset from UTC and the other none.
    """
    if isinstance(written.start, int):
        return (recording.rows >= first_row + written.start) & (recording.rows <= first_row + written.end)
    if recording.times is None:
        raise InputError(f"{written.line}: has times, the series has none. Write steps of the test part, from 0.")
    start, end = (_in_zone(end, recording.times, written.line) for end in (written.start, written.end))
    return np.asarray((recording.times >= start) & (recording.times <= end))


def _in_zone(stamp: pd.Timestamp, times: pd.DatetimeIndex, line: str) -> pd.Timestamp:
    if stamp.tzinfo is None:
        return stamp.tz_localize(times.tz, ambiguous=True, nonexistent="shift_forward")
    if times.tz is None:
        raise InputError(f"{line}: {stamp} has an offset from UTC, the times of the series have none. Leave it out.")
    return stamp


def runs(marked: NDArray) -> tuple[Interval, ...]:
    """The intervals of steps, inclusive, in which a mask (T,) is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(marked, dtype=np.int8), [0]])))
    return tuple((int(start), int(stop) - 1) for start, stop in edges.reshape(-1, 2))


def filled_up(marked: NDArray[np.bool_], recording: Recording) -> NDArray[np.bool_]:
    """A mask of the steps (T,) that were measured, and of the empty ones between two such in it."""
    measured = np.flatnonzero(recording.rows >= 0)
    before = np.searchsorted(measured, np.arange(len(recording)), side="right") - 1
    after = np.searchsorted(measured, np.arange(len(recording)), side="left")
    return marked[measured[before]] & marked[measured[np.minimum(after, len(measured) - 1)]]


def label_row(channel: str, intervals: list[Written], test: Recording, first_row: int) -> LabelRow:
    """One row of a label file as steps of the test part, which begins at `first_row` of its file; gaps are counted.

    Raises InputError for intervals of steps that lie outside.
    """
    found: list[Interval] = []
    rows = int(test.rows.max()) + 1 - first_row
    for written in intervals:
        if isinstance(written.start, int) and not 0 <= written.start <= written.end < rows:
            raise InputError(
                f"{written.line}: the interval from {written.start} to {written.end} is not in the {rows} rows of the "
                f"test part of {channel}, counted from 0. Correct it."
            )
        found += runs(filled_up(inside(written, test, first_row), test))
    return LabelRow(channel, tuple(found))
