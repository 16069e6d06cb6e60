"""What gives series: named channels with their columns, times and labelled intervals, whatever the files look like."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data.labels import AS_PUBLISHED, Interval, LabelRow, LabelRules, clipped, step_labels
from runtime.errors import InputError, warn

LARGEST = float(np.finfo(np.float32).max)  # features are computed in float32


class SeriesSource(Protocol):
    """The channels of one fleet. `split` is train or test; a method raises InputError where its data are damaged."""

    name: str
    channels: list[str]
    origin: str  # the file or folder that it was opened from, for messages

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """The channel's values (T, D), as `as_series` makes them."""

    def num_steps(self, channel: str, split: str) -> int:
        """Its length T, without reading its values where that can be."""

    def columns(self, channel: str) -> list[str]:
        """The names of its D columns."""

    def times(self, channel: str, split: str) -> NDArray[np.datetime64] | None:
        """When its steps were (T,), or None where they are only counted."""

    def label_rows(self, channel: str) -> list[LabelRow] | None:
        """The label rows of its test series, or None where nobody has labelled it: that is not "normal"."""

    def unlabelled(self) -> list[str]:
        """The names of series, in or beside `channels`, that nobody has labelled."""

    def place(self, channel: str, split: str) -> str:
        """Where its series comes from, such as the path of a file: for messages and as its name in score files."""


def check_shape(values: NDArray, where: str) -> None:
    """Raises InputError that names `where` an array is from for what holds no numbers of shape (T, D)."""
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise InputError(f"{where} is {values.dtype} of shape {values.shape}, expected numbers of shape (T, D).")
    if values.size == 0:
        raise InputError(f"{where} is empty, of shape {values.shape}. Leave the channel out.")


def as_series(values: Any, where: str) -> NDArray[np.float64]:
    """An array of any real type as a series (T, D) of float64: cast once, where data enter, nothing wraps round later.

    Raises InputError that names `where` it is from for what is no series: other types or shapes, nothing at all, values
    that are not finite or that float32 cannot hold.
    """
    check_shape(values, where)
    series = values.astype(np.float64, copy=False)
    with np.errstate(invalid="ignore"):
        good = np.abs(series) <= LARGEST
    if not good.all():
        steps = np.flatnonzero(~good.all(axis=1))
        value = series[steps[0]][~good[steps[0]]][0]
        too_large = f" Larger than {LARGEST:.2g} either way is no reading: correct it, or" if np.isfinite(value) else ""
        remedy = f"{too_large} fill or cut the gaps first." if too_large else " Fill or cut the gaps first."
        raise InputError(f"{where} has {value} at step {steps[0]} (and {len(steps) - 1} more steps).{remedy}")
    return series


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
