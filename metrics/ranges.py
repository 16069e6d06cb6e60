"""Range-based ROC and PR areas and the volumes under their surfaces, exact over all thresholds."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.events import channel_bounds, intervals_of
from metrics.metric import Column, Metric


@dataclass(frozen=True)
class RangeMetrics:
    """Range areas at the largest window, and their means over all windows (VUS); None for labels all alike."""

    range_auc_roc: float | None
    range_auc_pr: float | None
    vus_roc: float | None
    vus_pr: float | None


def volume_under_surface(
    labels: ArrayLike, scores: ArrayLike, lengths: Sequence[int], max_window: int = 100
) -> RangeMetrics:
    """Range-AUC-ROC, range-AUC-PR, VUS-ROC and VUS-PR of labels (T,) 0/1 and scores (T,), windows in steps.

    Paparrizos et al., "Volume Under the Surface", VLDB 2022, section 4, as the authors' `RangeAUC_volume_opt`
    computes it. For a window w, each labelled interval gets on both sides a buffer of w // 2 steps, of weight
    sqrt(1 - d / w) at distance d; where buffers meet, weights add up, to 1 at most. Of P labelled steps out of T,
    at a threshold that predicts N steps, which hold F labelled steps and a buffer weight of B:

        TPR = min((F + B) / P', 1) * E,  FPR = (N - F - B) / (T - P'),  precision = (F + B) / N,  P' = P + B / 2,

    with E the share of extended intervals, overlapping ones taken as one, that hold a predicted step. ROC areas are
    trapezoids from (0, 0) to (1, 1), PR areas sums of precision times gain in TPR, volumes means over 0..max_window.

    Deviations from that code: every distinct score is a threshold, where it takes 250 quantiles, so that equal scores
    are one threshold and nothing else changes at them; buffers end at the border of their channel. The authors'
    `RangeAUC`, and aeon, differ further: they count the weight of all buffers in P', predicted or not, so a score
    that equals the labels stays below 1, and take trapezoids for PR, so a constant score gets over one half.
    """
    anomalous = np.asarray(labels) != 0
    bounds = channel_bounds(lengths, len(anomalous))
    if max_window < 0:
        raise ValueError(f"max_window is a number of steps >= 0, not {max_window}")
    if anomalous.all() or not anomalous.any():
        return RangeMetrics(None, None, None, None)
    intervals = intervals_of(anomalous, lengths)
    channels = np.searchsorted(bounds[:, 1], intervals[:, 0], side="right")
    reached = _reached_steps(intervals, bounds[channels], max_window // 2)
    curve = _Curve(anomalous, np.asarray(scores), reached)
    buffers = _Buffers(anomalous, reached, curve)
    first = _first_corners(anomalous, intervals, reached, curve.corner)
    gaps = np.where(channels[1:] == channels[:-1], intervals[1:, 0] - intervals[:-1, 1], np.inf)

    areas = np.empty((max_window + 1, 2))
    for window in range(max_window + 1):
        existence = _existence(first[window // 2], gaps > 2 * (window // 2), len(curve.found))
        areas[window] = curve.areas(buffers.weight_found(window), existence)
    return RangeMetrics(*map(float, areas[-1]), *map(float, areas.mean(axis=0)))


def _reached_steps(intervals: NDArray, bounds: NDArray, reach: int) -> NDArray[np.int64]:
    """Steps at distance 1..reach before and after each interval, (reach, 2, K).

    Where the channel ends sooner, the interval's own border stands in: a labelled step, which no buffer counts.
    """
    distance = np.arange(1, reach + 1)[:, None]
    before, after = intervals[:, 0] - distance, intervals[:, 1] + distance
    before = np.where(before < bounds[:, 0], intervals[:, 0], before)
    after = np.where(after >= bounds[:, 1], intervals[:, 1], after)
    return np.stack([before, after], axis=1)


class _Curve:
    """The thresholds at which the TPR can change: the distinct scores inside the widest extended intervals.

    Between two of them only false positives come in. There the PR area does not grow and the ROC curve is level, so
    these corners, each with the number of steps above its own score and from it on, give both areas exactly.
    Arrays of corners begin with one above every score, where nothing is predicted.
    """

    def __init__(self, anomalous: NDArray[np.bool_], scores: NDArray, reached: NDArray[np.int64]) -> None:
        distinct, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
        rank = len(distinct) - 1 - place
        relevant = anomalous.copy()
        relevant[reached] = True
        is_corner = np.zeros(len(distinct), dtype=bool)
        is_corner[rank[relevant]] = True
        predicted = np.cumsum(counts[::-1])
        self.corner = np.cumsum(is_corner)[rank]  # (T,) right for relevant steps only
        self.predicted = np.append(0, predicted[is_corner]).astype(float)
        self.predicted_above = np.append(0, (predicted - counts[::-1])[is_corner])
        self.found = np.cumsum(np.bincount(self.corner[anomalous], minlength=len(self.predicted)))
        self.num_steps = len(scores)

    def areas(self, buffer_weight: NDArray, existence: NDArray) -> tuple[float, float]:
        """ROC and PR area of one window from the buffer weight found and the share of intervals found by corner."""
        true = self.found + buffer_weight
        positives = self.found[-1] + buffer_weight / 2
        negatives = self.num_steps - positives
        tpr = np.minimum(true / positives, 1) * existence
        fpr = (self.predicted - true) / negatives
        fpr_above = (self.predicted_above[1:] - true[:-1]) / negatives[:-1]
        gain = np.diff(tpr)
        roc = np.dot(tpr[:-1], np.diff(fpr)) + np.dot(gain, fpr[1:] - fpr_above) / 2 + (1 - fpr[-1])
        return roc, np.dot(gain, true[1:] / self.predicted[1:])


class _Buffers:
    """Distances of the steps around the intervals; a step may lie in the buffers of several."""

    def __init__(self, anomalous: NDArray[np.bool_], reached: NDArray[np.int64], curve: _Curve) -> None:
        distances = np.broadcast_to(np.arange(1, len(reached) + 1)[:, None, None], reached.shape)
        outside = ~anomalous[reached]
        self.distances = distances[outside]  # ascending, so that each window needs the beginning only
        steps, self.step = np.unique(reached[outside], return_inverse=True)
        self.corner = curve.corner[steps]
        self.num_corners = len(curve.found)

    def weight_found(self, window: int) -> NDArray[np.float64]:
        """Buffer weight in the steps predicted at each corner."""
        size = np.searchsorted(self.distances, window // 2, side="right")
        if size == 0:
            return np.zeros(self.num_corners)
        weights = np.sqrt(1 - self.distances[:size] / window)
        weight_of_step = np.minimum(np.bincount(self.step[:size], weights, minlength=len(self.corner)), 1)
        return np.cumsum(np.bincount(self.corner, weight_of_step, minlength=self.num_corners))


def _first_corners(
    anomalous: NDArray[np.bool_], intervals: NDArray, reached: NDArray, corner: NDArray
) -> NDArray[np.int64]:
    """Corner from which on each interval, extended by 0..reach steps, holds a predicted step: (1 + reach, K)."""
    durations = intervals[:, 1] - intervals[:, 0] + 1
    own = np.minimum.reduceat(corner[anomalous], np.cumsum(durations) - durations)
    return np.minimum.accumulate(np.concatenate([own[None], corner[reached].min(axis=1)]))


def _existence(first: NDArray[np.int64], apart: NDArray[np.bool_], num_corners: int) -> NDArray[np.float64]:
    """Share of extended intervals that hold a predicted step, by corner; intervals not `apart` are one."""
    joined = np.minimum.reduceat(first, np.flatnonzero(np.append(True, apart)))
    return np.cumsum(np.bincount(joined, minlength=num_corners)) / len(joined)


_LARGEST = "range-based {} area at the largest window (Paparrizos et al., VLDB 2022)"
_MEAN = "mean of the range-based {} areas over all windows from 0 to vus_window (VLDB 2022)"
RANGES = Metric(
    (
        Column("range_auc_roc", _LARGEST.format("ROC"), printed="R-ROC"),
        Column("range_auc_pr", _LARGEST.format("PR"), printed="R-PR"),
        Column("vus_roc", _MEAN.format("ROC"), printed="VUS-ROC", channels="VUS-ROC"),
        Column("vus_pr", _MEAN.format("PR"), printed="VUS-PR", headline="VUS-PR", channels="VUS-PR"),
    ),
    lambda steps: astuple(volume_under_surface(steps.labels, steps.scores, steps.lengths, steps.options.vus_window)),
)
