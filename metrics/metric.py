"""What a metric of time steps is: the figures it gives, how each is called and where it is shown."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Value = float | int | None


@dataclass(frozen=True)
class Options:
    """How scores are judged: settings of the same names in default.py."""

    threshold: str
    vus_window: int
    bootstrap: int
    point_adjust: bool


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps to judge: labels 0/1, scores and alarms 0/1, (T,) each, of channels of `lengths` steps in a row.

    Without labels, or without a threshold and so without alarms, these are None.
    """

    labels: NDArray[np.uint8] | None
    scores: NDArray[np.floating]
    alarmed: NDArray[np.bool_] | None
    lengths: list[int]
    options: Options


@dataclass(frozen=True)
class Column:
    """One figure: its name in metrics.json, what it is, and the headings under which it is shown, empty where not.

    `printed` heads it in the printed table of pooled metrics, `headline` and `channels` in the two tables of the page.
    """

    name: str
    definition: str
    printed: str = ""
    headline: str = ""
    channels: str = ""


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
