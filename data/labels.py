"""Labelled intervals of time steps: the rows of a label file, the rules that read them, steps as labels.

Intervals are (start, end) in time steps from 0, inclusive at both ends, unless a rule says otherwise.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.reading import quoted

Interval = tuple[int, int]


@dataclass(frozen=True)
class LabelRow:
    """One row of a label file: intervals as written, and the length of the test series it claims (None: none)."""

    channel: str
    intervals: tuple[Interval, ...]
    num_values: int | None = None


@dataclass(frozen=True)
class LabelRules:
    """How label rows become labelled steps; the fields are the settings of the same names in default.py."""

    duplicate_rows: str
    interval_ends: str
    merge_gap: int
    widen: int

    def chosen(self, rows: list[LabelRow]) -> list[Interval]:
        """The intervals of one channel as written: of several rows the last or the first counts, or all (union)."""
        counted = {"last": rows[-1:], "first": rows[:1], "union": rows}[self.duplicate_rows]
        return [interval for row in counted for interval in row.intervals]

    def intervals(self, rows: list[LabelRow], num_steps: int) -> list[Interval]:
        """The labelled intervals of one channel from its rows: inclusive, inside 0..num_steps - 1.

        Reversed intervals are dropped, the others clipped. Then the end of each is taken as labelled or not, gaps of
        fewer than `merge_gap` normal steps are closed, and every interval grows by `widen` steps on both sides.
        """
        kept = [clipped(interval, num_steps) for interval in self.chosen(rows)]
        shortened = [(start, end - (self.interval_ends == "exclusive")) for start, end in kept]
        merged = [(start, end) for start, end in shortened if start <= end]
        if self.merge_gap:
            merged = _merge(merged, self.merge_gap)
        return [clipped((start - self.widen, end + self.widen), num_steps) for start, end in merged]


AS_PUBLISHED = LabelRules(duplicate_rows="last", interval_ends="inclusive", merge_gap=0, widen=0)


def pairs_of(text: str, where: str) -> list[list[object]]:
    """The pairs of a cell of `anomaly_sequences`, a JSON list of lists of two. Raises InputError for anything else."""
    try:
        pairs = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise no_pairs(text, where) from error
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise no_pairs(text, where)  # {} and "" have no items either, and are no list of none
    return pairs


def no_pairs(text: str, where: str) -> InputError:
    """The error about a cell of `anomaly_sequences` that is none."""
    return InputError(
        f"{where}: anomaly_sequences is {quoted(text)}, expected a list like [[100, 200], [350, 360]]. Correct the row."
    )


def clipped(interval: Interval, num_steps: int) -> Interval:
    """The part of an interval inside 0..num_steps - 1; reversed (start > end) where there is none."""
    return max(interval[0], 0), min(interval[1], num_steps - 1)


def _merge(intervals: list[Interval], gap: int) -> list[Interval]:
    """Join intervals with fewer than `gap` steps between them, in order of time."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start - merged[-1][1] - 1 < gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def step_labels(intervals: Iterable[Interval], num_steps: int) -> NDArray[np.uint8]:
    """Labels (num_steps,): 1 inside an interval, both ends included, else 0."""
    labels = np.zeros(num_steps, dtype=np.uint8)
    for start, end in intervals:
        labels[start : end + 1] = 1
    return labels
