"""The training and the test part of a channel: without labelled anomalies in the first, gaps filled in both."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.labels import LabelRow
from data.recording import Recording, typical_step, with_gaps
from data.table.cells import UNLABELLED
from data.table.labels import Written, inside, label_row, runs
from runtime.errors import InputError, note


@dataclass(frozen=True, eq=False)
class Cut:
    """The rows of a channel, cut in two, one of which may have none; labels may be -1 still."""

    channel: str
    where: str  # the file, for messages
    train: Recording
    test: Recording
    first_row: int = 0  # row of the input at which the test part begins


@dataclass(frozen=True)
class Facts:
    """What stays known of a channel whose series is kept no longer."""

    columns: list[str]
    num_steps: dict[str, int]
    step: pd.Timedelta | None
    label_rows: list[LabelRow] | None


@dataclass(frozen=True, eq=False)
class Parts:
    """The series of a channel, and what is known about it."""

    series: dict[str, Recording]  # split -> steps
    step: pd.Timedelta | None
    label_rows: list[LabelRow] | None
    empty: list[str]  # columns left out because the training part has nothing in them

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(part.values.nbytes + 8 * len(part) for part in self.series.values())

    @property
    def facts(self) -> Facts:
        """All but the series."""
        num_steps = {split: len(part) for split, part in self.series.items()}
        return Facts(self.series["test"].columns, num_steps, self.step, self.label_rows)


class PartsSource(ABC):
    """A data source (data/source.py) of channels that are loaded as parts."""

    @abstractmethod
    def _load(self, channel: str) -> Parts:
        """The parts of a channel. Raises InputError for an unknown one."""

    def _known(self, channel: str) -> Facts:
        """What is known of a channel."""
        return self._load(channel).facts

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """The values (T, D), NaN where nothing was measured; no steps in a part that is not there."""
        return self._load(channel).series[split].values

    def num_steps(self, channel: str, split: str) -> int:
        """The number of steps, gaps counted."""
        return self._known(channel).num_steps[split]

    def columns(self, channel: str) -> list[str]:
        """The names of the columns that are measured values; those of an array are column 0 and so on."""
        return self._known(channel).columns

    def times(self, channel: str, split: str) -> pd.DatetimeIndex | None:
        """When the steps were (T,), in the zone given, or None where they are only counted."""
        return self._load(channel).series[split].times

    def rows(self, channel: str, split: str) -> NDArray[np.integer]:
        """The data rows (T,) that the steps are, -1 where one fills a gap."""
        return self._load(channel).series[split].rows

    def label_rows(self, channel: str) -> list[LabelRow] | None:
        """The rows of a label file, else the intervals of a label column; None where neither says anything."""
        return self._known(channel).label_rows

    def unlabelled(self) -> list[str]:
        """None beside `channels`: whether a channel is labelled, `label_rows` tells."""
        return []

    def step(self, channel: str) -> pd.Timedelta | None:
        """The typical distance of the training part's rows, by which gaps are measured; None without times."""
        return self._known(channel).step


def parts_of(
    cut: Cut, step: pd.Timedelta | None, written: list[list[Written]] | None = None, keep_empty: bool = False
) -> Parts:
    """The parts of a channel with labels as `written` in the rows of a label file, or where that is None in its own.

    Gaps are measured by `step`, or where that is None by the typical step of the training part (of the test part where
    there is no other). Columns without any value in the training part are left out unless `keep_empty`. Raises
    InputError where no column is left, or a labelled interval lies outside.
    """
    train, test = _without_anomalies(cut, written), _labelled(cut.test, cut.where)
    kept = train.columns
    if len(train) and not keep_empty:
        filled = ~np.isnan(train.values).all(axis=0)
        kept = [name for name, some in zip(train.columns, filled, strict=True) if some]
    if not kept:
        raise InputError(f"{cut.where}: no column has a value in the training part. Set another --train-until.")
    if missing := [name for name in kept if name not in test.columns]:
        raise InputError(
            f"{cut.where}: the test part has no column {', '.join(map(repr, missing))}, the training part has. "
            "Add it, or leave it out of --columns."
        )
    series = {"train": train.select(kept), "test": test.select(kept)}
    if step is None:
        stamped = next((part for part in series.values() if len(part)), None)
        step = typical_step(stamped.times) if stamped.times is not None and len(stamped) > 1 else None
    if step is not None:
        series = {split: with_gaps(part, step) for split, part in series.items()}
    empty = [name for name in train.columns if name not in kept]
    return Parts(series, step, _label_rows(cut, series["test"], written), empty)


def _labelled(part: Recording, where: str) -> Recording:
    """Without any label where all cells are empty; else an empty cell counts as normal."""
    if part.labels is None or not (part.labels != UNLABELLED).any():
        return replace(part, labels=None)
    if unsaid := int((part.labels == UNLABELLED).sum()):
        note(f"{where}: {unsaid} rows without a label count as normal.")
    return replace(part, labels=np.maximum(part.labels, 0).astype(np.int8))


def _without_anomalies(cut: Cut, written: list[list[Written]] | None) -> Recording:
    """The training part with nothing measured in rows that are labelled anomalous."""
    train = cut.train
    anomalous = np.zeros(len(train), dtype=bool) if train.labels is None else train.labels == 1
    for interval in _of_times(written):
        anomalous |= inside(interval, train, 0)
    if anomalous.any():
        note(
            f"{cut.where}: {anomalous.sum()} rows of the training part are labelled anomalous and are not learnt from."
        )
        values = train.values.copy()
        values[anomalous] = np.nan
        train = replace(train, values=values)
    return replace(train, labels=None)


def _of_times(written: list[list[Written]] | None) -> list[Written]:
    """The intervals that are times: steps are always of the test part."""
    return [interval for row in written or () for interval in row if not isinstance(interval.start, int)]


def _label_rows(cut: Cut, test: Recording, written: list[list[Written]] | None) -> list[LabelRow] | None:
    if written is None:
        return None if test.labels is None else [LabelRow(cut.channel, runs(test.labels))]
    if not written:
        return None
    for interval in _of_times(written):
        if not (inside(interval, test, 0).any() or inside(interval, cut.train, 0).any()):
            raise InputError(
                f"{interval.line}: no row of {cut.channel} lies between {interval.start} and {interval.end}. "
                "Correct the interval."
            )
    return [label_row(cut.channel, row, test, cut.first_row) for row in written]


def cut_at(recording: Recording, rows: int, channel: str, where: str) -> Cut:
    """A recording cut in two: the first rows are the training part."""
    train, test = recording.take(slice(rows)), recording.take(slice(rows, None))
    return Cut(channel, where, train, test, int(test.rows.min()) if rows and len(test) else 0)


def all_of(recording: Recording, split: str, channel: str, where: str) -> Cut:
    """A recording that is the training part, or the test part, as a whole."""
    nothing = recording.take(slice(0, 0))
    return Cut(channel, where, *((recording, nothing) if split == "train" else (nothing, recording)))
