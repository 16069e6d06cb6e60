"""Range-based ROC and PR areas and the volumes under their surfaces, exact over all thresholds."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.events import channel_bounds, intervals_of
from metrics.metric import Column, Metric
from metrics.ranks import Ranks, ranks_of

CELLS = 32_768  # numbers of several windows that are looked at together: few enough for the cache of a processor


@dataclass(frozen=True)
class RangeMetrics:
    """Range areas at the largest window, and their means over all windows (VUS); None for labels all alike."""

    range_auc_roc: float | None
    range_auc_pr: float | None
    vus_roc: float | None
    vus_pr: float | None


def volume_under_surface(
    labels: ArrayLike, scores: ArrayLike, lengths: Sequence[int], max_window: int = 100, ranks: Ranks | None = None
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
    are one threshold and nothing else changes at them. Of series with few anomalies that moves the PR volume, by up to
    .1, mostly up; of `at_quantiles` of the scores both agree. Buffers end at the border of their channel. The authors'
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
    curve = _Curve(anomalous, ranks or ranks_of(labels, scores), reached)
    buffers = _Buffers(anomalous, reached, curve.corner)
    first = _first_corners(anomalous, intervals, reached, curve.corner)
    gaps = np.where(channels[1:] == channels[:-1], intervals[1:, 0] - intervals[:-1, 1], np.inf)

    # buffer weight and E change at few of the corners; and near the end the TPR may reach 1
    heaviest = float(buffers.weights(np.array([max_window])).sum())
    knots = np.union1d(np.append(curve.near_the_end(heaviest), np.append(0, buffers.corner)), first)
    first, buffer_knots = np.searchsorted(knots, first), np.searchsorted(knots, buffers.corner)
    pieces = _Pieces(curve, knots)

    areas = np.empty((max_window + 1, 2))
    size = max(CELLS // max(len(knots), len(buffers.distances)), 1)
    for begin in range(0, max_window + 1, size):
        windows = np.arange(begin, min(begin + size, max_window + 1))
        existence = _existence(first, gaps, windows // 2, len(knots))
        weight = np.cumsum(_row_sums(buffer_knots, buffers.weights(windows), len(knots)), axis=1)
        areas[windows] = pieces.areas(weight, existence)
    return RangeMetrics(*map(float, areas[-1]), *map(float, areas.mean(axis=0)))


def at_quantiles(scores: ArrayLike, number: int = 250) -> NDArray[np.float64]:
    """Scores (T,) lowered to the next of `number` of them, which lie at equal distances in their order, with both ends.

    As thresholds these are all that the authors' code takes, so that it gives the volumes of the scores returned.
    """
    values = np.asarray(scores, dtype=float)
    places = np.linspace(0, len(values) - 1, number).astype(int)
    thresholds = np.sort(-np.sort(-values)[places])
    return thresholds[np.searchsorted(thresholds, values, side="right") - 1]


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

    def __init__(self, anomalous: NDArray[np.bool_], ranks: Ranks, reached: NDArray[np.int64]) -> None:
        relevant = anomalous.copy()
        relevant[reached] = True
        is_corner = np.zeros(len(ranks.thresholds), dtype=bool)
        is_corner[ranks.place[relevant]] = True
        self.corner = np.cumsum(is_corner)[ranks.place]  # (T,) right for relevant steps only
        self.predicted = np.append(0, ranks.predicted[is_corner]).astype(float)
        self.predicted_above = np.append(0, np.append(0, ranks.predicted[:-1])[is_corner])
        self.found = np.append(0, ranks.found[is_corner])
        self.num_steps = len(anomalous)

    def near_the_end(self, heaviest: float) -> NDArray[np.int64]:
        """Corners at which so heavy a buffer can bring F + B beyond P'."""
        return np.flatnonzero(self.found + heaviest / 2 > self.found[-1])


class _Pieces:
    """Runs of corners, one from each of some `knots` to the next, between which buffer weight and E do not change.

    With F labelled and N predicted steps at a corner and A above it, B, E, P' and T - P' of the run, the sums over the
    corners after its first are, as long as F + B is no more than P',

        ROC: E / P' (T - P') * (sum of F- d(N - F) + B sum of d(N - F) + 1/2 sum of dF (N - A - dF)),
        PR:  E / P' * (sum of F dF / N + B sum of dF / N),

    F- being the one before and d the change. None of these sums depends on the window.
    """

    def __init__(self, curve: _Curve, knots: NDArray[np.int64]) -> None:
        found, predicted, above = curve.found.astype(float), curve.predicted, curve.predicted_above
        gain, false = np.diff(found), np.diff(predicted - found)
        shares = gain / np.maximum(predicted[1:], 1)
        steps = (found[:-1] * false, false, gain * (predicted[1:] - above[1:] - gain) / 2, found[1:] * shares, shares)
        sums = np.cumsum(np.pad(np.stack(steps), ((0, 0), (1, 0))), axis=1)
        last = np.append(knots[1:] - 1, len(found) - 1)
        self.roc, self.false, ties, self.pr, self.shares = sums[:, last] - sums[:, knots]
        self.roc += ties
        self.found, self.predicted = (np.stack([x[knots], x[last]]) for x in (found, predicted))  # first, last (2, K)
        self.above, self.num_labelled, self.num_steps = above[knots], found[-1], curve.num_steps

    def areas(self, buffer_weight: NDArray, existence: NDArray) -> NDArray[np.float64]:
        """ROC and PR area of windows, (W, 2), from their buffer weight and E by knot, (W, K) each."""
        positives = self.num_labelled + buffer_weight / 2
        negatives = self.num_steps - positives
        first, last = (found + buffer_weight for found in self.found)
        of_first, of_last = (np.minimum(true / positives, 1) * existence for true in (first, last))
        fpr, fpr_last = (
            (predicted - true) / negatives for predicted, true in zip(self.predicted, (first, last), strict=True)
        )
        within = existence / positives
        roc = np.vecdot(within / negatives, self.roc + buffer_weight * self.false)
        pr = np.vecdot(within, self.pr + buffer_weight * self.shares)
        # from the last corner of a run to the first of the next
        gain, fpr = of_first[:, 1:] - of_last[:, :-1], fpr[:, 1:]
        fpr_above = (self.above[1:] - last[:, :-1]) / negatives[:, :-1]
        roc += np.vecdot(of_last[:, :-1], fpr - fpr_last[:, :-1]) + np.vecdot(gain, fpr - fpr_above) / 2
        pr += np.vecdot(gain, first[:, 1:] / self.predicted[0, 1:])
        return np.column_stack([roc + (1 - fpr_last[:, -1]), pr])


class _Buffers:
    """Distances of the steps around the intervals; a step may lie in the buffers of several."""

    def __init__(self, anomalous: NDArray[np.bool_], reached: NDArray[np.int64], corner: NDArray[np.int64]) -> None:
        distances = np.broadcast_to(np.arange(1, len(reached) + 1)[:, None, None], reached.shape)
        outside = ~anomalous[reached]
        self.distances = distances[outside]  # ascending, so that narrow windows need the beginning only
        steps, self.step = np.unique(reached[outside], return_inverse=True)
        self.corner = corner[steps]

    def weights(self, windows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weight of each step in any buffer, (W, S), for windows (W,), the widest one last."""
        reach = windows[:, None] // 2
        distances = self.distances[: np.searchsorted(self.distances, reach[-1, 0], side="right")]
        weights = np.sqrt(np.maximum(1 - distances / np.maximum(windows, 1)[:, None], 0)) * (distances <= reach)
        return np.minimum(_row_sums(self.step[: len(distances)], weights, len(self.corner)), 1)


def _row_sums(places: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Sums of the values (R, N) of each row by their places, (N,) or (R, N): (R, size)."""
    rows = np.arange(len(values))[:, None]
    return np.bincount((rows * size + places).ravel(), values.ravel(), len(rows) * size).reshape(len(rows), size)


def _first_corners(
    anomalous: NDArray[np.bool_], intervals: NDArray, reached: NDArray, corner: NDArray
) -> NDArray[np.int64]:
    """Corner from which on each interval, extended by 0..reach steps, holds a predicted step: (1 + reach, K)."""
    durations = intervals[:, 1] - intervals[:, 0] + 1
    own = np.minimum.reduceat(corner[anomalous], np.cumsum(durations) - durations)
    return np.minimum.accumulate(np.concatenate([own[None], corner[reached].min(axis=1)]))


def _existence(first: NDArray[np.int64], gaps: NDArray, reaches: NDArray, num_knots: int) -> NDArray[np.float64]:
    """Share of the intervals, extended by ascending reaches (R,), that hold a predicted step, by knot (R, num_knots).

    Intervals that fill the gap between them are one.
    """
    num_joined = np.searchsorted(np.sort(gaps), 2 * reaches, side="right")
    found = []
    for number in np.unique(num_joined):
        alike = reaches[num_joined == number]
        joined = np.minimum.reduceat(first[alike], np.flatnonzero(np.append(True, gaps > 2 * alike[0])), axis=1)
        counts = _row_sums(joined, np.ones(joined.shape), num_knots)
        found.append(np.cumsum(counts, axis=1) / joined.shape[1])
    return np.concatenate(found)


_LARGEST = "range-based {} area at the largest window (Paparrizos et al., VLDB 2022)"
_MEAN = (
    "mean of the range-based {} areas over all windows from 0 to vus_window (VLDB 2022); auto: the period of a channel "
    "by the rule of TSB-AD, of several channels the median of theirs"
)
RANGES = Metric(
    (
        Column("range_auc_roc", _LARGEST.format("ROC"), printed="R-ROC"),
        Column("range_auc_pr", _LARGEST.format("PR"), printed="R-PR"),
        Column("vus_roc", _MEAN.format("ROC"), printed="VUS-ROC", channels="VUS-ROC"),
        Column("vus_pr", _MEAN.format("PR"), printed="VUS-PR", headline="VUS-PR", channels="VUS-PR"),
    ),
    lambda steps: astuple(
        volume_under_surface(steps.labels, steps.scores, steps.lengths, steps.options.vus_window, steps.ranks)
    ),
)
