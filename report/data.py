"""What a report shows, as plain data.

Nothing here knows of models or data sets: whoever writes a report fills these in.
Time steps count from 0; intervals are inclusive at both ends, as in the label files.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from report.found import AlarmView, IncidentView, SweepPoint, ratio

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float | None


@dataclass(frozen=True, eq=False)
class ChannelView:
    """One channel: raw `columns` (legend -> values (T,)), `scores` (T,), labelled `intervals`, `alarms`.
    Without labels `intervals` is None.

    `metrics` is its row of the channel table, column -> value; None stands for undefined. `times` (T,) are shown in
    their own zone; without them steps are counted. In `masked` steps (T,) nothing was measured. `hidden_columns` more
    columns exist than are drawn. Values and scores may be NaN: no line is drawn there. Scores are told as
    multiples of the `threshold`. `limits` (T,) are what the score of each step must exceed to start an alarm, where
    that is not the threshold throughout.
    Raises ValueError where lengths differ, times are missing or go back, or an interval or alarm lies outside the
    series.
    """

    name: str
    columns: dict[str, NDArray]
    scores: NDArray
    intervals: list[tuple[int, int]] | None
    alarms: list[AlarmView]
    threshold: float | None
    metrics: dict[str, Cell]
    times: "pd.DatetimeIndex | None" = None
    masked: NDArray[np.bool_] | None = None
    hidden_columns: int = 0
    limits: NDArray | None = None

    def __post_init__(self) -> None:
        parts = [
            (what, getattr(self, what)) for what in ("times", "masked", "limits") if getattr(self, what) is not None
        ]
        for what, values in [("scores", self.scores), *parts, *self.columns.items()]:
            if np.shape(values) != (self.num_steps,) or self.num_steps == 0:
                raise ValueError(
                    f"channel {self.name}: {what} has shape {np.shape(values)}, expected a series of {self.num_steps}."
                )
        for start, end in [*(self.intervals or []), *((alarm.start, alarm.end) for alarm in self.alarms)]:
            if not 0 <= start <= end < self.num_steps:
                raise ValueError(
                    f"channel {self.name}: steps {start} to {end} are reversed or outside its {self.num_steps} steps."
                )
        if self.times is not None and not self.times.is_monotonic_increasing:
            raise ValueError(f"channel {self.name}: some times are missing or earlier than the one before; sort them.")

    @property
    def num_steps(self) -> int:
        """The length T."""
        return len(self.scores)

    @property
    def relative(self) -> bool:
        """Whether scores can be told as multiples of the threshold."""
        return ratio(1.0, self.threshold) is not None

    @property
    def highest(self) -> float | None:
        """The highest score in units of the threshold, or as it is where there is none to compare it with."""
        scores = np.asarray(self.scores)[np.isfinite(self.scores)]
        if not len(scores):
            return None
        times = ratio(float(scores.max()), self.threshold)
        return float(scores.max()) if times is None else times

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each step is labelled anomalous, (T,)."""
        return _covered(self.num_steps, self.intervals or [])

    @property
    def alarmed(self) -> NDArray[np.bool_]:
        """Whether each step lies under an alarm, (T,)."""
        return _covered(self.num_steps, [(alarm.start, alarm.end) for alarm in self.alarms])


def _covered(steps: int, spans: list[tuple[int, int]]) -> NDArray[np.bool_]:
    covered = np.zeros(steps, dtype=bool)
    for start, end in spans:
        covered[start : end + 1] = True
    return covered


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
    `notes` are definitions, "term: text". `left_out` channels with lower scores are not among the `channels`.
    `warnings` are sentences on what makes the result worse than it looks.
    `incidents` group the alarms, the worst first; an alarm in none of them is one of its own. `sweep` is what other
    thresholds would give, by ascending factor; one factor is 1, the thresholds that are used.
    Without a `headline` and without a labelled channel, the report says nothing about labels.
    Raises ValueError where two channels have one name, or incidents or a sweep do not fit the channels.
    """

    title: str
    verdict: str
    headline: Table | None
    roc: list[Curve]
    pr: list[Curve]
    prevalence: float | None
    channels: list[ChannelView]
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    verdict_is_good: bool | None = None
    left_out: int = 0
    warnings: list[str] = field(default_factory=list)
    incidents: list[IncidentView] = field(default_factory=list)
    sweep: list[SweepPoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"channels {', '.join(twice)} stand twice in the report, expected different names.")
        grouped = [place for incident in self.incidents for place in incident.alarms]
        there = {
            (number, place) for number, channel in enumerate(self.channels) for place in range(len(channel.alarms))
        }
        if len(set(grouped)) < len(grouped) or not there.issuperset(grouped):
            raise ValueError("incidents name an alarm twice, or one that no channel of the report has.")
        factors = [point.factor for point in self.sweep]
        fitting = factors == sorted(set(factors)) and min(factors, default=1) > 0
        if factors and not (fitting and math.isclose(factors[self.in_use], 1)):
            raise ValueError(f"a sweep needs ascending factors above 0 with 1 among them, not {factors}.")
        if any(len(point.alarms) != len(self.channels) for point in self.sweep):
            raise ValueError(f"a point of the sweep needs the alarms of all {len(self.channels)} channels.")

    @property
    def labelled(self) -> bool:
        """Whether the report is about labels at all."""
        return self.headline is not None or any(channel.intervals is not None for channel in self.channels)

    @property
    def in_use(self) -> int | None:
        """The place in the sweep of the thresholds that are used."""
        factors = [abs(math.log(point.factor)) for point in self.sweep]
        return factors.index(min(factors)) if factors else None

    @property
    def late_share(self) -> float | None:
        """The share of labelled steps in the second half of their channel, or None where no step is labelled."""
        labels = [channel.labels for channel in self.channels]
        total = sum(int(each.sum()) for each in labels)
        return sum(int(each[len(each) // 2 :].sum()) for each in labels) / total if total else None


def labels_text(channel: ChannelView) -> str:
    """How many labelled intervals a channel has, in words."""
    return "not labelled" if channel.intervals is None else count(len(channel.intervals), "labelled interval")


def count(number: int, noun: str) -> str:
    """1 alarm, 1,234 alarms."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
