"""Slow references of the time-step metrics, from the definitions: loops, and nothing of the product. And series."""

import math
from itertools import product

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

unhurried = settings(deadline=None, max_examples=60, database=None)


@st.composite
def pooled_series(draw: st.DrawFn, both_classes: bool = True) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Labels, scores and lengths of 1 to 4 channels, some of one step, of one class or with ties."""
    lengths = draw(st.lists(st.sampled_from([1, 2, 5, 12, 30]), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = np.zeros(sum(lengths), dtype=int)
    for _ in range(draw(st.integers(0, 5))):
        start = rng.integers(0, len(labels))
        labels[start : start + rng.integers(1, 9)] = 1  # may well cross the border of a channel
    if both_classes:
        if len(labels) == 1:
            labels, lengths = np.append(labels, 0), [1, 1]
        if labels.all() or not labels.any():
            labels[0] = 1 - labels[0]
    scores = rng.normal(size=len(labels)) + draw(st.sampled_from([-1.0, 0.0, 1.0, 3.0])) * labels
    return labels, np.round(scores, draw(st.sampled_from([0, 1, 8]))), lengths


@st.composite
def alarmed_series(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Labels, alarms and lengths of channels as in `pooled_series`, with 0 to 8 runs of alarms of any length."""
    labels, _, lengths = draw(pooled_series(both_classes=False))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    alarms = np.zeros(len(labels), dtype=bool)
    for _ in range(draw(st.integers(0, 8))):
        start = rng.integers(0, len(alarms))
        alarms[start : start + rng.integers(1, draw(st.sampled_from([2, 8, 60])))] = True
    return labels, alarms, lengths


def split(values: np.ndarray, lengths: list[int]) -> list[np.ndarray]:
    """The channels of a pooled series."""
    return np.split(values, np.cumsum(lengths)[:-1])


def slow_intervals(mask: np.ndarray, lengths: list[int]) -> list[tuple[int, int]]:
    """Runs of ones of every channel, inclusive, as positions in the pooled series."""
    intervals, offset = [], 0
    for channel in split(mask, lengths):
        start = None
        for step, inside in enumerate([*channel, 0]):
            if inside and start is None:
                start = step
            if not inside and start is not None:
                intervals.append((offset + start, offset + step - 1))
                start = None
        offset += len(channel)
    return intervals


def slow_f1(labels: np.ndarray, alarms: np.ndarray) -> float:
    true = sum(1 for label, alarm in zip(labels, alarms, strict=True) if label and alarm)
    return 2 * true / (sum(map(bool, labels)) + sum(map(bool, alarms)))


def slow_best_f1(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """The best F1, and the highest threshold that reaches it."""
    return max((slow_f1(labels, scores >= threshold), float(threshold)) for threshold in scores)


def slow_point_adjusted_best_f1(labels: np.ndarray, scores: np.ndarray, lengths: list[int]) -> tuple[float, float]:
    results = []
    for threshold in scores:
        alarms = scores >= threshold
        for start, end in slow_intervals(labels, lengths):
            if alarms[start : end + 1].any():
                alarms[start : end + 1] = True
        results.append((slow_f1(labels, alarms), float(threshold)))
    return max(results)


def slow_event_counts(labels: np.ndarray, alarms: np.ndarray, lengths: list[int]) -> tuple[int, int, int]:
    """Found intervals, missed intervals, false alarms."""
    intervals = [set(range(start, end + 1)) for start, end in slow_intervals(labels, lengths)]
    raised = [set(range(start, end + 1)) for start, end in slow_intervals(alarms, lengths)]
    found = [any(interval & alarm for alarm in raised) for interval in intervals]
    false_alarms = [alarm for alarm in raised if not any(interval & alarm for interval in intervals)]
    return sum(found), len(found) - sum(found), len(false_alarms)


def slow_corrected_event_f05(labels: np.ndarray, alarms: np.ndarray, lengths: list[int]) -> float:
    """By the formula of precision and recall, for at least one labelled interval; 0 where nothing is found."""
    found, missed, false_alarms = slow_event_counts(labels, alarms, lengths)
    if not found:
        return 0.0
    false_steps = sum(1 for label, alarm in zip(labels, alarms, strict=True) if alarm and not label)
    normal_steps = sum(1 for label in labels if not label)
    rate = 1 - false_steps / normal_steps if normal_steps else 1
    precision, recall = found / (found + false_alarms) * rate, found / (found + missed)
    return 1.25 / (1 / precision + 0.25 / recall) if precision else 0.0


def slow_delays(labels: np.ndarray, alarms: np.ndarray, lengths: list[int]) -> list[int]:
    """Of every interval that holds an alarmed step, how many steps of it come before the first one."""
    delays = []
    for start, end in slow_intervals(labels, lengths):
        waited = [step - start for step in range(start, end + 1) if alarms[step]]
        delays += waited[:1]
    return delays


def slow_repeated_alarms(labels: np.ndarray, alarms: np.ndarray, lengths: list[int]) -> int:
    """Of every interval, the alarms with a step in it, without one."""
    raised = [set(range(start, end + 1)) for start, end in slow_intervals(alarms, lengths)]
    repeated = 0
    for start, end in slow_intervals(labels, lengths):
        overlapping = [alarm for alarm in raised if alarm & set(range(start, end + 1))]
        repeated += len(overlapping[1:])
    return repeated


def slow_extended_labels(labels: np.ndarray, lengths: list[int], window: int) -> tuple[list[float], list[set[int]]]:
    """Labels with buffers of window // 2 steps, and the steps of each extended interval, overlapping ones joined."""
    extended, groups, offset = [float(label) for label in labels], [], 0
    intervals = slow_intervals(labels, lengths)
    for length in lengths:
        joined = []
        for start, end in [pair for pair in intervals if offset <= pair[0] < offset + length]:
            for distance in range(1, window // 2 + 1):
                for step in (start - distance, end + distance):
                    if offset <= step < offset + length:
                        extended[step] += math.sqrt(1 - distance / window)
            steps = set(range(max(start - window // 2, offset), min(end + window // 2 + 1, offset + length)))
            if joined and joined[-1] & steps:
                joined[-1] |= steps
            else:
                joined.append(steps)
        groups += joined
        offset += length
    return [min(weight, 1.0) for weight in extended], groups


def slow_range_areas(labels: np.ndarray, scores: np.ndarray, lengths: list[int], window: int) -> tuple[float, float]:
    """Range-AUC-ROC and range-AUC-PR: one threshold after the other, each counted from scratch."""
    extended, groups = slow_extended_labels(labels, lengths, window)
    points = [(0.0, 0.0, 1.0)]  # TPR, FPR, precision
    for threshold in sorted(set(scores.tolist()), reverse=True):
        predicted = [step for step in range(len(scores)) if scores[step] >= threshold]
        true = sum(extended[step] for step in predicted)
        buffer = sum(extended[step] for step in predicted if not labels[step])
        positives = (labels.sum() + (labels.sum() + buffer)) / 2
        existence = sum(1 for group in groups if group & set(predicted)) / len(groups)
        tpr = min(true / positives, 1) * existence
        fpr = (len(predicted) - true) / (len(scores) - positives)
        points.append((tpr, fpr, true / len(predicted)))
    points.append((1.0, 1.0, math.nan))
    pairs = list(zip(points, points[1:], strict=False))
    roc = sum((right[1] - left[1]) * (left[0] + right[0]) / 2 for left, right in pairs)
    return roc, sum((right[0] - left[0]) * right[2] for left, right in pairs[:-1])


def slow_volumes(labels: np.ndarray, scores: np.ndarray, lengths: list[int], max_window: int) -> tuple[float, ...]:
    """Range-AUC-ROC and -PR at the largest window, VUS-ROC and VUS-PR."""
    areas = [slow_range_areas(labels, scores, lengths, window) for window in range(max_window + 1)]
    return *areas[-1], float(np.mean([roc for roc, _ in areas])), float(np.mean([pr for _, pr in areas]))


def slow_affiliation(labels: np.ndarray, alarms: np.ndarray, lengths: list[int]) -> tuple[float | None, float]:
    """Affiliation precision and recall by numeric integration over a grid of 8 points per step.

    All kinks of the integrands lie at multiples of 1/4 step, so the midpoint rule has no error but rounding.
    """
    precisions, recalls = [], []
    for channel_labels, channel_alarms in zip(split(labels, lengths), split(alarms, lengths), strict=True):
        length = len(channel_labels)
        grid = [(cell + 0.5) / 8 for cell in range(8 * length)]
        events = [(start, end + 1) for start, end in slow_intervals(channel_labels, [length])]
        for start, stop in events:
            # the zone: what lies nearer to this event than to any other; its bounds are the midpoints between them
            left = max([(other[1] + start) / 2 for other in events if other[1] <= start], default=0.0)
            right = min([(stop + other[0]) / 2 for other in events if other[0] >= stop], default=float(length))
            predicted = [time for time in grid if left < time < right and channel_alarms[int(time)]]
            bounds = [
                (max(first, left), min(last + 1, right))
                for first, last in slow_intervals(channel_alarms, [length])
                if last + 1 > left and first < right
            ]

            def share_further(low: float, high: float, left: float = left, right: float = right) -> float:
                return 1 - (min(high, right) - max(low, left)) / (right - left)

            further = []
            for time in predicted:
                distance = max(start - time, time - stop, 0)
                further.append(share_further(start - distance, stop + distance) if distance else 1.0)
            if further:
                precisions.append(np.mean(further))
            further = []
            for time in [time for time in grid if start < time < stop]:
                distance = min([max(low - time, time - high, 0) for low, high in bounds], default=math.inf)
                further.append(0.0 if bounds == [] else share_further(time - distance, time + distance))
            recalls.append(np.mean(further))
    return (float(np.mean(precisions)) if precisions else None), float(np.mean(recalls))


def slow_affiliation_f1(labels: np.ndarray, alarms: np.ndarray, lengths: list[int]) -> float:
    """The harmonic mean of `slow_affiliation`, 0 where no zone holds an alarm."""
    precision, recall = slow_affiliation(labels, alarms, lengths)
    return 2 * precision * recall / (precision + recall) if precision and recall else 0.0


def moved(alarms: np.ndarray, lengths: list[int], shifts: np.ndarray) -> np.ndarray:
    """The alarms of every channel moved on by its shift, round the end of the channel."""
    return np.concatenate([np.roll(part, shift) for part, shift in zip(split(alarms, lengths), shifts, strict=True)])


def all_resamples(num_channels: int) -> list[list[int]]:
    """Every equally likely draw with replacement, as the number of times each channel is drawn."""
    draws = product(range(num_channels), repeat=num_channels)
    return [[draw.count(channel) for channel in range(num_channels)] for draw in draws]


def resample(values: np.ndarray, lengths: list[int], weights: list[int]) -> np.ndarray:
    """The pooled series of a draw."""
    repeated = [np.tile(part, weight) for part, weight in zip(split(values, lengths), weights, strict=True)]
    return np.concatenate(repeated)
