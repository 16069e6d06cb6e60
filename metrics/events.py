"""Runs of ones per channel, and event-wise counts of found intervals and false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.metric import Column, Metric, Steps, Value


def channel_bounds(lengths: Sequence[int], num_steps: int) -> NDArray[np.int64]:
    """First step of each channel and the step after its last, (C, 2). ValueError where `lengths` do not fit."""
    stops = np.cumsum(lengths, dtype=np.int64)
    total = int(stops[-1]) if len(stops) else 0
    if total != num_steps or np.min(lengths, initial=0) < 0:
        raise ValueError(
            f"the lengths of {len(stops)} channels add up to {total} steps, but the series has {num_steps} steps; "
            "give one length >= 0 for each channel, in the order in which the channels were joined"
        )
    return np.column_stack([stops - lengths, stops]).astype(np.int64)


def intervals_of(mask: ArrayLike, lengths: Sequence[int]) -> NDArray[np.int64]:
    """Runs of ones of a mask (T,), inclusive at both ends: (K, 2) start and end, as positions in the pooled series.

    A run that reaches the border of its channel ends there, whatever the next channel begins with.
    """
    inside = np.asarray(mask) != 0
    if list(lengths) == [len(inside)]:  # as in most calls, which are many
        framed = np.zeros(len(inside) + 2, dtype=bool)
        framed[1:-1] = inside
        return np.flatnonzero(framed[1:] != framed[:-1]).reshape(-1, 2) - [0, 1]
    bounds = channel_bounds(lengths, len(inside))
    begins, ends = inside.copy(), inside.copy()
    begins[1:] &= ~inside[:-1]
    ends[:-1] &= ~inside[1:]
    filled = bounds[bounds[:, 0] < bounds[:, 1]]
    begins[filled[:, 0]] = inside[filled[:, 0]]
    ends[filled[:, 1] - 1] = inside[filled[:, 1] - 1]
    return np.column_stack([np.flatnonzero(begins), np.flatnonzero(ends)])


def touches(intervals: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether any step of each inclusive interval (K, 2) is set in the mask (T,)."""
    count = np.append(0, np.cumsum(mask))
    return count[intervals[:, 1] + 1] > count[intervals[:, 0]]


@dataclass(frozen=True)
class EventMetrics:
    """Counts of intervals and alarms, and the rates made of them; None where a rate is undefined."""

    num_found: int
    num_missed: int
    num_false_alarms: int
    precision: float | None
    recall: float | None
    f1: float | None


def event_metrics(labels: ArrayLike, alarms: ArrayLike, lengths: Sequence[int]) -> EventMetrics:
    """Event-wise precision, recall and F1 of the alarms (T,) against the labels (T,), both 0/1.

    Hundman et al., "Detecting Spacecraft Anomalies Using LSTMs and Nonparametric Dynamic Thresholding", KDD 2018,
    section 4.2: a labelled interval is found (TP) where an alarm overlaps it and missed (FN) otherwise; an alarm, a
    run of predicted steps, that overlaps no labelled interval is one false alarm (FP). Several alarms on one interval
    count once, one alarm over several intervals finds them all. Precision TP / (TP + FP) is None without alarms,
    recall TP / (TP + FN) and F1 2 TP / (2 TP + FP + FN) are None without labelled intervals. F1 without alarms is 0,
    so that silence cannot raise a mean over channels.
    """
    anomalous, alarmed = np.asarray(labels) != 0, np.asarray(alarms) != 0
    intervals, raised = intervals_of(anomalous, lengths), intervals_of(alarmed, lengths)
    found = int(np.count_nonzero(touches(intervals, alarmed)))
    false_alarms = len(raised) - int(np.count_nonzero(touches(raised, anomalous)))
    missed = len(intervals) - found
    return EventMetrics(
        num_found=found,
        num_missed=missed,
        num_false_alarms=false_alarms,
        precision=found / (found + false_alarms) if len(raised) else None,
        recall=found / len(intervals) if len(intervals) else None,
        f1=2 * found / (2 * found + false_alarms + missed) if len(intervals) else None,
    )


@dataclass(frozen=True)
class Alarm:
    """Steps `start` to `end` inclusive under alarm; `peak` is the highest score in them, at the step `at`.

    `limit` is the score that had to be exceeded at its start. `moved`: it lasted so long that the level was taken for
    moved, and what follows is compared with the new one.
    """

    start: int
    end: int
    peak: float
    at: int
    limit: float
    moved: bool = False


def _events(steps: Steps) -> tuple[Value, ...]:
    found = event_metrics(steps.labels, steps.alarmed, steps.lengths)
    return found.precision, found.recall, found.f1, found.num_found, found.num_missed, found.num_false_alarms


EVENTS = Metric(
    (
        Column(
            "event_precision",
            "labelled intervals found / (those + alarms that overlap none) (Hundman et al., KDD 2018)",
            printed="event P",
            table="alarms",
        ),
        Column(
            "event_recall",
            "labelled intervals that an alarm overlaps / all labelled intervals",
            printed="event R",
            table="alarms",
        ),
        Column(
            "event_f1",
            "harmonic mean of event precision and recall",
            printed="event F1",
            table="alarms",
            headline="event F1",
        ),
        Column(
            "events_found",
            "labelled intervals that an alarm overlaps",
            printed="found",
            table="alarms",
            digits=0,
            channels="found",
        ),
        Column("events_missed", "labelled intervals that no alarm overlaps", channels="missed"),
        Column(
            "false_alarms",
            "alarms that overlap no labelled interval",
            printed="false",
            table="alarms",
            digits=0,
            channels="false alarms",
        ),
    ),
    _events,
    needs_alarms=True,
)
