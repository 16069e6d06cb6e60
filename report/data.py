"""What a report shows, as plain data, and which points of a long series are worth drawing.

Nothing here knows of models or data sets: whoever writes a report fills these in.
Time steps count from 0; intervals are inclusive at both ends, as in the label files.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metrics.events import Alarm

Cell = str | int | float | None


@dataclass(frozen=True, eq=False)
class ChannelView:
    """One channel: raw `columns` (legend -> values (T,)), `scores` (T,), labelled `intervals`, `alarms`.
    Without labels `intervals` is None.

    `metrics` is its row of the channel table, column -> value; None stands for undefined.
    Raises ValueError where lengths differ or an interval or alarm lies outside the series.
    """

    name: str
    columns: dict[str, NDArray]
    scores: NDArray
    intervals: list[tuple[int, int]] | None
    alarms: list[Alarm]
    threshold: float | None
    metrics: dict[str, Cell]

    def __post_init__(self) -> None:
        for what, values in [("scores", self.scores), *self.columns.items()]:
            if np.shape(values) != (self.num_steps,) or self.num_steps == 0:
                raise ValueError(
                    f"channel {self.name}: {what} has shape {np.shape(values)}, expected a series of {self.num_steps}."
                )
        for start, end in [*(self.intervals or []), *((alarm.start, alarm.end) for alarm in self.alarms)]:
            if not 0 <= start <= end < self.num_steps:
                raise ValueError(
                    f"channel {self.name}: steps {start} to {end} are reversed or outside its {self.num_steps} steps."
                )

    @property
    def num_steps(self) -> int:
        """The length T."""
        return len(self.scores)

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each step is labelled anomalous, (T,)."""
        labels = np.zeros(self.num_steps, dtype=bool)
        for start, end in self.intervals or []:
            labels[start : end + 1] = True
        return labels


@dataclass(frozen=True, eq=False)
class Curve:
    """A ROC or precision-recall curve of one score, points (N,) from either end; `area` is under it."""

    name: str
    x: NDArray
    y: NDArray
    area: float


@dataclass(frozen=True)
class Table:
    """Rows of cells under `columns`. The first column names the row; None is shown as a dash.

    `groups` stand above the columns, (title, number of columns) from left to right. `ranked` are the columns, by
    index, whose highest value is set in bold; `highlight` is the row that the report is about.
    Raises ValueError where a row or the groups do not fit the columns.
    """

    columns: list[str]
    rows: list[list[Cell]]
    groups: list[tuple[str, int]] = field(default_factory=list)
    ranked: tuple[int, ...] = ()
    highlight: int | None = None

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table row {row} has {len(row)} cells, expected {len(self.columns)}: {self.columns}.")
        span = sum(width for _, width in self.groups)
        if self.groups and span != len(self.columns):
            raise ValueError(f"table groups {self.groups} span {span} columns, expected {len(self.columns)}.")


@dataclass(frozen=True, eq=False)
class Report:
    """Everything on the page. `verdict` is one sentence; `verdict_is_good` colours it, None leaves it neutral.

    The first curve is the model's, the others are what it must be compared with. `prevalence` is the share of
    anomalous steps, in [0, 1], or None where no channel is labelled. `facts` are settings, versions and weights;
    `notes` are definitions, "term: text". Raises ValueError where two channels have one name.
    """

    title: str
    verdict: str
    headline: Table
    roc: list[Curve]
    pr: list[Curve]
    prevalence: float | None
    channels: list[ChannelView]
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    verdict_is_good: bool | None = None

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"channels {', '.join(twice)} stand twice in the report, expected different names.")

    @property
    def late_share(self) -> float | None:
        """The share of labelled steps in the second half of their channel, or None where no step is labelled."""
        labels = [channel.labels for channel in self.channels]
        total = sum(int(each.sum()) for each in labels)
        return sum(int(each[len(each) // 2 :].sum()) for each in labels) / total if total else None


def bin_width(steps: int, limit: int) -> int:
    """How many steps share a bin when `steps` are drawn as about `limit` points, two per bin; 1 where all are drawn."""
    return 1 if steps <= limit else -(-steps // max(limit // 2, 1))


def extremes(values: NDArray, limit: int) -> NDArray[np.intp]:
    """Ascending indices of the lowest and highest value in each of `limit` / 2 bins of equal width, and of both ends.

    Values (T,) -> (K,), K <= limit + 2; all T where T <= limit. Where a bin holds NaN, its first one is kept
    as well, so that a gap stays a gap.
    """
    steps = len(values)
    if steps <= limit:
        return np.arange(steps)
    width = bin_width(steps, limit)
    values = np.asarray(values, dtype=float)
    # padding repeats the last value: its first occurrence, the one argmin and argmax return, is a real step
    bins = np.pad(values, (0, -steps % width), mode="edge").reshape(-1, width)
    gaps = np.isnan(bins)
    offsets = np.arange(len(bins)) * width
    kept = [
        np.argmin(np.where(gaps, np.inf, bins), axis=1) + offsets,
        np.argmax(np.where(gaps, -np.inf, bins), axis=1) + offsets,
        (np.argmax(gaps, axis=1) + offsets)[gaps.any(axis=1)],
        [0, steps - 1],
    ]
    return np.unique(np.concatenate(kept))


def decimate(values: NDArray, limit: int) -> NDArray[np.intp]:
    """`extremes` without the inside of flat runs: a line through what is left looks the same. (T,) -> (K,)."""
    kept = extremes(values, limit)
    drawn = np.asarray(values)[kept]
    inside = np.zeros(len(kept), dtype=bool)
    inside[1:-1] = (drawn[1:-1] == drawn[:-2]) & (drawn[1:-1] == drawn[2:])
    return kept[~inside]


def thin_curve(curve: Curve, limit: int) -> tuple[NDArray, NDArray]:
    """At most `limit` points of a curve, evenly spaced along its length, both ends included: x and y, (K,) each.

    From left to right, whatever the order of the curve.
    """
    x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
    if x[0] > x[-1]:
        x, y = x[::-1], y[::-1]
    if len(x) <= limit:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], limit - 1), side="left"))
    kept = np.union1d(kept.clip(max=len(x) - 1), [len(x) - 1])
    return x[kept], y[kept]


def is_switch(values: NDArray) -> bool:
    """Whether a column has at most two values, as a command does; such a column needs little height."""
    finite = np.asarray(values)[np.isfinite(values)]
    return len(finite) == 0 or bool(np.isin(finite, (finite.min(), finite.max())).all())


def alarm_peaks(channel: ChannelView) -> list[int]:
    """The step of the highest score inside each alarm; its start where the scores there are not numbers."""
    return [
        alarm.start
        + int(np.argmax(np.nan_to_num(channel.scores[alarm.start : alarm.end + 1], nan=-np.inf, neginf=-np.inf)))
        for alarm in channel.alarms
    ]
