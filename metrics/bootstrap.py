"""Bootstrap over channels of the pooled ROC AUC and average precision: of one score, and of two against each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from metrics.events import channel_bounds
from metrics.ranking import one_class
from metrics.ranks import Ranks, ranks_of

SLICE, BLOCK = 512, 8  # thresholds that are looked at at a time, and whose sums are products with one triangle
MOST_EXACT = 2**24  # whole numbers up to here are exact in float32, in which all takes half the time
MANY = 2048  # summands, of which the rounding to float32 leaves eight digits of the sum


@dataclass(frozen=True)
class BootstrapIntervals:
    """Lower and upper ends of the percentile intervals; None where the labels of every resample are all alike."""

    auroc: tuple[float, float] | None
    average_precision: tuple[float, float] | None

    def by_metric(self) -> dict[str, tuple[float, float] | None]:
        """Both by the names of the figures in metrics.json."""
        return {"roc_auc": self.auroc, "average_precision": self.average_precision}


def bootstrap_intervals(
    labels: ArrayLike,
    scores: ArrayLike,
    lengths: Sequence[int],
    num_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> BootstrapIntervals:
    """Percentile intervals of pooled AUROC and average precision, channels drawn with replacement.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3. Steps of one channel depend on each
    other, so whole channels are drawn, as many as there are. Labels (T,) 0/1, scores (T,). Resamples that hold one
    class only are left out. The same seed draws the same channels for every score, so scores can be compared.
    """
    if one_class(labels):
        return BootstrapIntervals(None, None)
    weights = channel_draws(len(lengths), num_resamples, seed)
    return percentile_intervals(resampled_metrics(labels, scores, lengths, weights), confidence)


def bootstrap_differences(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    lengths: Sequence[int],
    num_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> BootstrapIntervals:
    """Percentile intervals of the pooled AUROC and average precision of scores a, less those of scores b.

    The bootstrap of `bootstrap_intervals`, both scores (T,) on the same draws: a channel that is hard for both moves
    both alike and their difference little. An interval that excludes 0 is a difference beyond the choice of channels.
    Whoever has `resampled_metrics` of both scores on the same draws gets this from `percentile_intervals` of their
    differences.
    """
    if one_class(labels):
        return BootstrapIntervals(None, None)
    weights = channel_draws(len(lengths), num_resamples, seed)
    a, b = (resampled_metrics(labels, scores, lengths, weights) for scores in (scores_a, scores_b))
    return percentile_intervals((a[0] - b[0], a[1] - b[1]), confidence)


def mean_interval(
    values: Sequence[float], num_resamples: int = 10_000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of values, one per channel, channels drawn with replacement."""
    weights = channel_draws(len(values), num_resamples, seed)
    means = weights @ np.asarray(values, dtype=np.float64) / len(values)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return low, high


def channels_won(values_a: Sequence[float | None], values_b: Sequence[float | None]) -> tuple[int, int]:
    """In how many channels a's value is the higher one, and in how many b's. Ties count for neither, nor does None."""
    pairs = [(a, b) for a, b in zip(values_a, values_b, strict=True) if a is not None and b is not None]
    return sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)


def channel_draws(num_channels: int, num_resamples: int, seed: int = 0) -> NDArray[np.int64]:
    """How often each of at least one channel is taken when as many are drawn with replacement, (R, C)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_channels, np.full(num_channels, 1 / num_channels), size=num_resamples)


def percentile_intervals(resampled: tuple[NDArray, NDArray], confidence: float = 0.95) -> BootstrapIntervals:
    """Percentile intervals of resampled AUROC and average precision, (R,) each, without the resamples that are nan."""
    values = np.stack(resampled)
    defined = ~np.isnan(values).any(axis=0)
    if not defined.any():
        return BootstrapIntervals(None, None)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(values[:, defined], ends, axis=1).tolist()
    return BootstrapIntervals((low[0], high[0]), (low[1], high[1]))


def resampled_metrics(
    labels: ArrayLike, scores: ArrayLike, lengths: Sequence[int], weights: ArrayLike, ranks: Ranks | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact pooled AUROC and average precision, (R,) each, with channel c taken weights[r, c] >= 0 times.

    nan for a resample of one class only. Both metrics are sums over the distinct scores of labelled steps, highest
    first: with g newly labelled, t labelled and f normal steps at or above a threshold, e of the latter at it, P
    labelled and N normal steps in all, average precision is the sum of g / P times t / (t + f), and AUROC is 1 less the
    sum of g (f - e / 2) / P N, the pairs in which the normal step has the higher score. A step counts in a resample
    as often as its channel was taken, so the work grows with labelled steps times resamples.

    The pairs are counted once for all resamples, by the channel c of the labelled and d of the normal step: the sum of
    AUROC is that of w_c w_d times the number of pairs.
    """
    anomalous, ranks = np.asarray(labels) != 0, ranks or ranks_of(labels, scores)
    bounds = channel_bounds(lengths, len(anomalous))
    channels = np.repeat(np.arange(len(bounds)), bounds[:, 1] - bounds[:, 0])
    # of all distinct scores those of labelled steps are thresholds here
    is_threshold = np.diff(ranks.found, prepend=0) > 0
    num_thresholds, higher = int(is_threshold.sum()), np.cumsum(is_threshold) - is_threshold
    first = higher[ranks.place]  # the highest one that a step reaches
    by_channel = np.ascontiguousarray(np.asarray(weights, dtype=np.float64).T)  # (C, R)
    num_positive, num_negative = (
        np.bincount(channels[a], minlength=len(bounds)) @ by_channel for a in (anomalous, ~anomalous)
    )

    def count(chosen: NDArray[np.bool_]) -> csr_array:
        """Numbers of chosen steps by the threshold that they reach first and by channel: (K, C)."""
        places = first[chosen], channels[chosen]
        return csr_array((np.ones(len(places[0])), places), shape=(num_thresholds, len(bounds)))

    gain, predicted = count(anomalous), count(first < num_thresholds)
    lost = _pairs(gain, predicted - gain, count(~anomalous & is_threshold[ranks.place]))
    exact = np.max(num_positive + num_negative, initial=0) < MOST_EXACT
    kind = np.float32 if exact and num_thresholds >= MANY else np.float64
    precision_sum = _precision_sum(gain, predicted, by_channel.astype(kind))

    defined = (num_positive > 0) & (num_negative > 0)
    aurocs, precisions = np.full((2, by_channel.shape[1]), np.nan)
    lost_pairs = np.sum((lost.T @ by_channel) * by_channel, axis=0)
    aurocs[defined] = 1 - lost_pairs[defined] / (num_positive * num_negative)[defined]
    precisions[defined] = precision_sum[defined] / num_positive[defined]
    return aurocs, precisions


def _pairs(gain: csr_array, false: csr_array, level: csr_array) -> NDArray[np.float64]:
    """Pairs of labelled and normal steps in which the latter has the higher score, ties half, by channel: (C, C).

    Labelled steps, normal steps and those of the latter that are at the threshold, by threshold and channel (K, C).
    """
    pairs, above = np.zeros((gain.shape[1], gain.shape[1])), np.zeros(gain.shape[1])
    for begin in range(0, gain.shape[0], SLICE):
        part = slice(begin, begin + SLICE)
        predicted = above + np.cumsum(false[part].toarray(), axis=0)
        pairs += gain[part].T @ (predicted - level[part].toarray() / 2)
        above = predicted[-1]
    return pairs


def _precision_sum(gain: csr_array, predicted: csr_array, weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sum of g t / (t + f) over the thresholds, (R,), from the labelled and all steps that reach each first, (K, C).

    Weights (C, R), whose type must hold all sums exactly; quotients are rounded to it.
    """
    total = np.zeros(weights.shape[1])
    found, reached = np.zeros((2, weights.shape[1]), dtype=weights.dtype)
    gain, predicted = gain.astype(weights.dtype), predicted.astype(weights.dtype)
    for begin in range(0, gain.shape[0], SLICE):
        new_found, new_reached = (counts[begin : begin + SLICE] @ weights for counts in (gain, predicted))
        precision, predicted_so_far = _cumulated(new_found, found), _cumulated(new_reached, reached)
        found, reached = precision[-1].copy(), predicted_so_far[-1].copy()
        # a threshold none of whose channels was taken may predict nothing; it also gains nothing
        precision /= np.maximum(predicted_so_far, 1, out=predicted_so_far)
        precision *= new_found
        total += precision.sum(axis=0, dtype=np.float64)
    return total


def _cumulated(rows: NDArray[np.floating], before: NDArray[np.floating]) -> NDArray[np.floating]:
    """The sums of all rows (K, R) up to each, and of what came `before` (R,).

    As products with triangles of ones, of blocks and then of their last rows: a third of the time of np.cumsum, and in
    few steps, so that several threads seldom wait for each other.
    """
    missing = -len(rows) % BLOCK
    blocks = (np.pad(rows, ((0, missing), (0, 0))) if missing else rows).reshape(-1, BLOCK, rows.shape[1])
    sums = np.matmul(np.tri(BLOCK, dtype=rows.dtype), blocks)
    sums += (np.tri(len(sums), k=-1, dtype=rows.dtype) @ sums[:, -1] + before)[:, None]
    return sums.reshape(-1, rows.shape[1])[: len(rows)]
