"""Bootstrap confidence intervals over channels for the pooled ROC AUC and average precision."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from metrics.events import channel_bounds

BLOCK = 64  # thresholds at a time: bounds the memory, and few enough for the cache of a processor


@dataclass(frozen=True)
class BootstrapIntervals:
    """Lower and upper ends of the percentile intervals; None where the labels are all alike."""

    auroc: tuple[float, float] | None
    average_precision: tuple[float, float] | None


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
    anomalous = np.asarray(labels) != 0
    if anomalous.all() or not anomalous.any():
        return BootstrapIntervals(None, None)
    num_channels = len(lengths)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(num_channels, np.full(num_channels, 1 / num_channels), size=num_resamples)
    aurocs, precisions = resampled_metrics(labels, scores, lengths, weights)
    defined = ~np.isnan(aurocs)
    if not defined.any():
        return BootstrapIntervals(None, None)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(np.stack([aurocs, precisions])[:, defined], ends, axis=1).tolist()
    return BootstrapIntervals((low[0], high[0]), (low[1], high[1]))


def resampled_metrics(
    labels: ArrayLike, scores: ArrayLike, lengths: Sequence[int], weights: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact pooled AUROC and average precision, (R,) each, with channel c taken weights[r, c] >= 0 times.

    nan for a resample of one class only. Both metrics are sums over the distinct scores of labelled steps, highest
    first: with g newly labelled, t labelled and f normal steps at or above a threshold, e of the latter at it, P
    labelled and N normal steps in all, average precision is the sum of g / P times t / (t + f), and AUROC is 1 less the
    sum of g (f - e / 2) / P N, the pairs in which the normal step has the higher score. A step counts in a resample
    as often as its channel was taken, so the work grows with steps times resamples.
    """
    anomalous, scores = np.asarray(labels) != 0, np.asarray(scores)
    by_channel = np.ascontiguousarray(np.asarray(weights, dtype=np.float64).T)  # (C, R)
    thresholds = np.unique(scores[anomalous])  # ascending
    bounds = channel_bounds(lengths, len(anomalous))
    channels = np.repeat(np.arange(len(bounds)), bounds[:, 1] - bounds[:, 0])
    first = len(thresholds) - np.searchsorted(thresholds, scores, side="right")  # the highest one that a step reaches
    shape = len(thresholds), len(bounds)

    def count(chosen: NDArray[np.bool_]) -> csr_array:
        """Numbers of chosen steps by the threshold that they reach first and by channel: (K, C)."""
        return csr_array((np.ones(np.count_nonzero(chosen)), (first[chosen], channels[chosen])), shape=shape)

    counts = [count(anomalous), count(~anomalous & (first < shape[0])), count(~anomalous & np.isin(scores, thresholds))]
    true, false, lost, precision_sum = (np.zeros(by_channel.shape[1]) for _ in range(4))
    for begin in range(0, len(thresholds), BLOCK):
        gain, new_false, level = (matrix[begin : begin + BLOCK] @ by_channel for matrix in counts)  # (BLOCK, R)
        found, predicted_false = true + np.cumsum(gain, axis=0), false + np.cumsum(new_false, axis=0)
        lost += np.sum(gain * (predicted_false - level / 2), axis=0)
        # a threshold none of whose channels was taken may predict nothing; it also gains nothing
        precision_sum += np.sum(gain * found / np.maximum(found + predicted_false, 1), axis=0)
        true, false = found[-1], predicted_false[-1]

    num_positive, num_negative = (
        np.bincount(channels[a], minlength=shape[1]) @ by_channel for a in (anomalous, ~anomalous)
    )
    defined = (num_positive > 0) & (num_negative > 0)
    aurocs, precisions = np.full(len(true), np.nan), np.full(len(true), np.nan)
    aurocs[defined] = 1 - lost[defined] / (num_positive * num_negative)[defined]
    precisions[defined] = precision_sum[defined] / num_positive[defined]
    return aurocs, precisions
