"""How long a labelled interval lasts before an alarm tells of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.events import intervals_of
from metrics.metric import Column, Metric, Steps, Value


def delays(labels: ArrayLike, alarms: ArrayLike, lengths: Sequence[int]) -> NDArray[np.int64]:
    """Steps from the start of each found interval to its first step under alarm, (F,), in the order of the intervals.

    Labels and alarms (T,), both 0/1. An interval is found where an alarm overlaps it. Where an alarm is running already
    when it starts, the delay is 0: whoever is on call has been told.
    """
    intervals, raised = intervals_of(labels, lengths), intervals_of(alarms, lengths)
    nearest = np.searchsorted(raised[:, 1], intervals[:, 0])  # the first alarm that is not over before the interval
    begun = np.append(raised[:, 0], np.iinfo(np.int64).max)[nearest]
    found = begun <= intervals[:, 1]
    return np.maximum(begun - intervals[:, 0], 0)[found]


def _quantiles(steps: Steps) -> tuple[Value, ...]:
    found = delays(steps.labels, steps.alarmed, steps.lengths)
    return tuple(np.quantile(found, [0.5, 0.9]).tolist()) if len(found) else (None, None)


DELAYS = Metric(
    (
        Column(
            "delay_median",
            "median of the steps from the start of a labelled interval to its first alarm, over the intervals found",
            printed="delay",
            table="alarms",
            digits=0,
            channels="delay",
        ),
        Column(
            "delay_90",
            "90 % quantile of the steps from the start of a labelled interval to its first alarm, over those found",
        ),
    ),
    _quantiles,
    needs_alarms=True,
)
