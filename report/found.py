"""What was found, as plain data: alarms, incidents of several of them, and what other thresholds would give.

Time steps count from 0; intervals are inclusive at both ends.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

# figures of a SweepPoint that the page draws by name; all others are only shown
ALARMS, ALARM_RATE = "alarms", "alarms per 1,000 steps"
EVENT_PRECISION, EVENT_RECALL, EVENT_F1 = "event precision", "event recall", "event F1"


@dataclass(frozen=True, eq=False)
class AlarmView:
    """One alarm: steps `start` to `end`, its highest score `peak` at step `at`, and the threshold that this passed.

    `columns` are (name, share in [0, 1]) of the columns it comes from, the highest first. `row` says which time scale
    and level carries it and `kind` what it looks like, where that is known.
    `nearest` is the training window most like it, (start, end) in steps of the training series, `nearest_times` the
    times of these two steps, and `nearest_values` what columns held there (name -> (N,)). They are drawn over the
    series from step `nearest_at` on, which may be left out: then their middle lies at `at`.
    Raises ValueError where the steps are out of order or the nearest window is of another length than its values.
    """

    start: int
    end: int
    at: int
    peak: float
    threshold: float | None = None
    columns: list[tuple[str, float]] = field(default_factory=list)
    row: str = ""
    kind: str = ""
    nearest: tuple[int, int] | None = None
    nearest_values: dict[str, NDArray] = field(default_factory=dict)
    nearest_at: int | None = None
    nearest_times: "pd.DatetimeIndex | None" = None

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.at <= self.end:
            raise ValueError(
                f"an alarm from step {self.start} to {self.end} is reversed or has its peak outside, at step {self.at}."
            )
        length = None if self.nearest is None else self.nearest[1] - self.nearest[0] + 1
        for name, values in self.nearest_values.items():
            if np.shape(values) != (length,):
                raise ValueError(
                    f"alarm at step {self.at}: {name} has {np.shape(values)} values in the window {self.nearest}."
                )

    @property
    def size(self) -> float | None:
        """How many times the threshold the peak is, or None where that says nothing."""
        return ratio(self.peak, self.threshold)


def ratio(score: float, threshold: float | None) -> float | None:
    """How many times the threshold a score is, or None where that says nothing."""
    if threshold is None or not 0 < threshold < math.inf:
        return None
    times = float(score) / threshold
    return times if math.isfinite(times) else None


@dataclass(frozen=True)
class IncidentView:
    """Alarms that belong together, the worst first: (number of the channel, number of its alarm) in the report.

    `number` is what people call it by.
    """

    number: int
    alarms: list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class SweepPoint:
    """What `factor` times the learnt thresholds would give: alarms (start, end) of every channel of the report.

    `figures` are of the whole data, also of channels that the report leaves out: counts as integers, all others as
    floats, None where undefined. The page draws ALARMS, ALARM_RATE and EVENT_RECALL against each other.
    """

    factor: float
    alarms: list[list[tuple[int, int]]]
    figures: dict[str, float | int | None]
