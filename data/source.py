"""What gives series: named channels with their columns, times and labelled intervals, whatever the files look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.labels import AS_PUBLISHED, Interval, LabelRow, LabelRules, clipped, step_labels
from runtime.errors import InputError, unknown_name, warn

KEPT_BYTES = 1 << 26  # of chosen columns, which are asked for again and again
ALL = ("all",)  # names every column
MEASURED = ("measured",)  # names those that a source says are measured, not commanded: all, where it does not tell
UNNAMED = (ALL, MEASURED)  # what chooses columns without their names


class SeriesSource(Protocol):
    """The channels of one fleet. `split` is train or test; a method raises InputError where its data are damaged.

    `untrained` are the channels without a training series, whose training split has 0 steps.
    """

    name: str
    channels: list[str]
    untrained: list[str]
    origin: str  # the file or folder that it was opened from, for messages

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """The channel's values (T, D), as `as_series` makes them: NaN where nothing was measured."""

    def num_steps(self, channel: str, split: str) -> int:
        """Its length T, without reading its values where that can be."""

    def columns(self, channel: str) -> list[str]:
        """The names of its D columns."""

    def times(self, channel: str, split: str) -> pd.DatetimeIndex | None:
        """When its steps were (T,), or None where they are only counted."""

    def rows(self, channel: str, split: str) -> NDArray[np.integer] | None:
        """The data rows (T,) of its file that its steps are, -1 where one fills a gap; None: every step is a row."""

    def step(self, channel: str) -> pd.Timedelta | None:
        """The usual time between two steps of its training series, or None where they are only counted."""

    def label_rows(self, channel: str) -> list[LabelRow] | None:
        """The label rows of its test series, or None where nobody has labelled it: that is not "normal"."""

    def unlabelled(self) -> list[str]:
        """The names of series, in or beside `channels`, that nobody has labelled."""

    def place(self, channel: str, split: str) -> str:
        """Where its series comes from, such as the path of a file: for messages and as its name in score files."""


def shape_of(values: NDArray, where: str) -> tuple[int, int]:
    """Steps and columns of an array (T, D), or of one column (T,).

    Raises InputError that names `where` it is from for what holds no such numbers.
    """
    if values.ndim not in (1, 2) or values.dtype.kind not in "fiub":
        raise InputError(f"{where} is {values.dtype} of shape {values.shape}, expected numbers of shape (T, D).")
    if values.size == 0:
        raise InputError(f"{where} is empty, of shape {values.shape}. Leave the channel out.")
    if values.ndim == 2 and len(values) == 1 < values.shape[1]:
        raise InputError(
            f"{where} has shape {values.shape}: one step of {values.shape[1]} columns. If these are time steps, save "
            "the array transposed (array.T), as (T, D)."
        )
    return len(values), 1 if values.ndim == 1 else values.shape[1]


def as_series(values: Any, where: str) -> NDArray[np.float64]:
    """An array of any real type as a series (T, D) of float64: cast once, where data enter, nothing wraps round later.

    NaN stays: nothing was measured there. Raises InputError that names `where` it is from for other types and shapes.
    """
    shape = shape_of(values, where)
    return values.astype(np.float64, copy=False).reshape(shape)


class LearntSource:
    """Channels that a detector knows, with the names of their columns, but no data of them."""

    def __init__(self, name: str, known: Mapping[str, list[str]], origin: str) -> None:
        self.name, self.channels, self.origin = name, list(known), origin
        self.untrained: list[str] = []
        self._known = known

    def columns(self, channel: str) -> list[str]:
        """The columns that were learnt."""
        return self._known[channel]

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """Raises InputError: the data that were learnt are not kept."""
        raise InputError(f"{self.origin}: keeps what was learnt of channel {channel}, not its data.")


class ChosenColumns:
    """Another source with some of its columns, the same for all channels, in the order of `names`.

    `all` names all of a channel's columns, `measured` those that the source says are so.

    Raises InputError where a channel lacks one of them.
    """

    def __init__(self, source: SeriesSource, names: tuple[str, ...]) -> None:
        self._source, self._names = source, names
        self._kept: dict[tuple[str, str], NDArray[np.float64]] = {}
        self._room = KEPT_BYTES
        self.name, self.channels, self.origin = source.name, source.channels, source.origin
        self.untrained = source.untrained

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """The chosen columns (T, D) of the channel; the first that fit into `KEPT_BYTES` are kept."""
        if (channel, split) in self._kept:
            return self._kept[channel, split].copy()
        known = self._source.columns(channel)
        found = self._source.series(channel, split)[:, [known.index(name) for name in self.columns(channel)]]
        if found.nbytes <= self._room:
            self._kept[channel, split] = found.copy()
            self._room -= found.nbytes
        return found

    def columns(self, channel: str) -> list[str]:
        """The names of the chosen columns."""
        known = self._source.columns(channel)
        if self._names == ALL:
            return known
        if self._names == MEASURED:
            return self._source.measured(channel) if hasattr(self._source, "measured") else known
        for name in self._names:
            if name not in known:
                raise unknown_name(f"column of {self._source.place(channel, 'test')}", name, known)
        return list(self._names)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the other source's."""
        return getattr(self._source, name)


@dataclass(frozen=True, eq=False)
class Labels:
    """What is labelled of the test series of a source, read by `rules`. None stands for a channel without labels."""

    source: SeriesSource
    rules: LabelRules = AS_PUBLISHED

    def has_anomaly(self, channel: str) -> bool | None:
        """Whether any interval of the channel is labelled."""
        rows = self.source.label_rows(channel)
        return None if rows is None else bool(self.rules.chosen(rows))

    def intervals(self, channel: str) -> list[Interval] | None:
        """Labelled intervals, inclusive and inside the series.

        Warns where one was reversed and is dropped, or reached outside and is clipped.
        """
        rows = self.source.label_rows(channel)
        if rows is None:
            return None
        num_steps = self.source.num_steps(channel, "test")
        written = self.rules.chosen(rows)
        changed = [x for x in written if x != clipped(x, num_steps) or np.diff(x) < 0]
        if changed:
            warn(
                f"{self.source.origin}: channel {channel}: {len(changed)} interval(s) reversed or outside its "
                f"{num_steps} steps, clipped: {changed}."
            )
        return self.rules.intervals(rows, num_steps)

    def steps(self, channel: str) -> NDArray[np.uint8] | None:
        """Labels (T,) of the test series: 1 inside a labelled interval, else 0."""
        intervals = self.intervals(channel)
        return None if intervals is None else step_labels(intervals, self.source.num_steps(channel, "test"))
