"""What alarms ask of those who answer them: time under alarm, the same news twice, and calls when all is well."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from metrics.events import intervals_of
from metrics.metric import Column, Metric

QUIET_STEPS = 10_000  # alarms are counted on so many held-out steps


def normal_alarmed_share(labels: ArrayLike, alarms: ArrayLike) -> float | None:
    """Share of the steps labelled normal that an alarm covers; None without any. Labels and alarms (T,), both 0/1."""
    normal = np.asarray(labels) == 0
    return float(np.mean(np.asarray(alarms)[normal] != 0)) if normal.any() else None


def repeated_alarms(labels: ArrayLike, alarms: ArrayLike, lengths: Sequence[int]) -> int:
    """Alarms that overlap a labelled interval beyond the first one of it, added up over the intervals.

    Labels and alarms (T,), both 0/1. An alarm over several intervals counts in each in which it is not the first.
    """
    intervals, raised = intervals_of(labels, lengths), intervals_of(alarms, lengths)
    begun = np.searchsorted(raised[:, 0], intervals[:, 1], side="right")
    over = np.searchsorted(raised[:, 1], intervals[:, 0], side="left")
    return int(np.maximum(begun - over - 1, 0).sum())


def quiet_alarms(quiet: tuple[int, int] | None) -> float | None:
    """Alarms per 10,000 steps, of a number of alarms and of the steps they were raised on; None without any steps."""
    return QUIET_STEPS * quiet[0] / quiet[1] if quiet is not None and quiet[1] else None


ALARMED_SHARE = Metric(
    (
        Column(
            "alarmed_share",
            "share of the steps that an alarm covers: an alarm over everything finds every event",
            channels="alarmed",
        ),
    ),
    lambda steps: (float(steps.alarmed.mean()),),
    needs_labels=False,
    needs_alarms=True,
)
NORMAL_ALARMED_SHARE = Metric(
    (
        Column(
            "normal_alarmed_share",
            "share of the steps labelled normal that an alarm covers",
            printed="normal",
            table="alarms",
        ),
    ),
    lambda steps: (normal_alarmed_share(steps.labels, steps.alarmed),),
    needs_alarms=True,
)
REPEATED_ALARMS = Metric(
    (
        Column(
            "repeated_alarms",
            "alarms that overlap a labelled interval which an earlier alarm has told of, over all intervals",
        ),
    ),
    lambda steps: (repeated_alarms(steps.labels, steps.alarmed, steps.lengths),),
    needs_alarms=True,
)
QUIET_ALARMS = Metric(
    (
        Column(
            "quiet_alarms",
            "alarms per 10,000 steps of training data that were held out, where nothing is anomalous",
            printed="quiet",
            table="alarms",
            digits=2,
        ),
    ),
    lambda steps: (quiet_alarms(steps.quiet),),
    needs_labels=False,
)
