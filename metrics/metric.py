"""What a metric of time steps is: the figures it gives, how each is called and where it is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from metrics.ranks import Ranks, ranks_among, ranks_of

Value = float | int | None
PrintedTable = Literal["ranking", "alarms"]  # how well the scores rank the steps, and what the alarms are worth


@dataclass(frozen=True)
class Options:
    """How scores are judged: settings of the same names in default.py. `vus_window` may be one for every channel."""

    vus_window: int | tuple[int, ...]
    bootstrap: int
    point_adjust: bool

    def of(self, channels: Sequence[int]) -> "Options":
        """Those of some channels by number: of windows of their own the (lower) median counts for all of them."""
        if isinstance(self.vus_window, int):
            return self
        windows = sorted(self.vus_window[number] for number in channels)
        return replace(self, vus_window=windows[(len(windows) - 1) // 2] if windows else 0)


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps to judge: labels 0/1, scores and alarms 0/1, (T,) each, of channels of `lengths` steps in a row.

    Without labels, or without a threshold and so without alarms, these are None. `quiet` counts the alarms on training
    steps that were held out, where nothing is anomalous, and those steps; None where none were held out. `among` are
    more steps that have been sorted, and which of them (T',) these are, in the same order.
    """

    labels: NDArray[np.uint8] | None
    scores: NDArray[np.floating]
    alarmed: NDArray[np.bool_] | None
    lengths: list[int]
    options: Options
    quiet: tuple[int, int] | None = None
    among: tuple["Steps", NDArray[np.bool_]] | None = None

    @cached_property
    def ranks(self) -> Ranks:
        """The steps in the order of their scores, by their labels."""
        if self.among is None:
            return ranks_of(self.labels, self.scores)
        more, chosen = self.among
        return ranks_among(more.ranks, chosen, self.labels, self.scores)


@dataclass(frozen=True)
class Column:
    """One figure: its name in metrics.json, what it is, and the headings under which it is shown, empty where not.

    `printed` heads it in that one of the two printed tables of pooled metrics that `table` names, with `digits` behind
    the point; `headline` and `channels` in the two tables of the page. The best of a headline is the highest.
    """

    name: str
    definition: str
    printed: str = ""
    table: PrintedTable = "ranking"
    digits: int = 3
    headline: str = ""
    channels: str = ""

    @property
    def width(self) -> int:
        """Characters of the printed column: the heading or a number such as 0.123, and a space before it."""
        return 1 + max(len(self.printed), 5)

    def cell(self, value: Value) -> str:
        """The value as it stands in the printed column, `width` characters."""
        return f"{'-' if value is None else format(value, f'.{self.digits}f'):>{self.width}}"


@dataclass(frozen=True)
class Metric:
    """Figures that are computed together: `measure` gives one value for each of `columns`, None where undefined."""

    columns: tuple[Column, ...]
    measure: Callable[[Steps], tuple[Value, ...]]
    needs_labels: bool = True
    needs_alarms: bool = False
    asked: Callable[[Options], bool] = lambda options: True

    def values(self, steps: Steps) -> tuple[Value, ...]:
        """What `measure` gives, or None throughout where what it needs is not there."""
        lacking = (self.needs_labels and steps.labels is None) or (self.needs_alarms and steps.alarmed is None)
        return (None,) * len(self.columns) if lacking or not len(steps.scores) else self.measure(steps)
