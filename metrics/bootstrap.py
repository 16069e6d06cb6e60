"""Bootstrap confidence intervals over channels for the pooled ROC AUC and average precision."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.events import channel_bounds

BLOCK = 4096  # thresholds at a time: bounds the memory, whatever the size of the series


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

    nan for a resample of one class only. Both metrics need counts at the distinct scores of labelled steps alone, and
    the counts of a resample are its weights times those of the channels: with p and n the numbers of labelled and
    normal steps by channel and L[i, j] the number of pairs of a labelled step of i that does not lie above a normal
    step of j (a tie counts one half), AUROC is 1 - w L w / (w p)(w n), and average precision is a sum over
    the thresholds of new labelled steps times labelled over all predicted steps, by w p.
    """
    anomalous, scores = np.asarray(labels) != 0, np.asarray(scores)
    weights = np.asarray(weights, dtype=np.float64)
    channels = [slice(start, stop) for start, stop in channel_bounds(lengths, len(anomalous))]
    positive = [np.sort(scores[channel][anomalous[channel]]) for channel in channels]
    negative = [np.sort(scores[channel][~anomalous[channel]]) for channel in channels]
    thresholds = np.unique(scores[anomalous])

    lost = np.zeros((len(channels), len(channels)))
    precision_sum = np.zeros(len(weights))
    for begin in range(0, len(thresholds), BLOCK):
        block = thresholds[begin : begin + BLOCK]
        found, found_above = _counts(positive, block)
        false, false_above = _counts(negative, block)
        gain = found - found_above
        lost += gain.T @ (false + false_above) / 2
        true = found @ weights.T
        predicted = true + false @ weights.T
        # a threshold none of whose channels was drawn may predict nothing; it also gains nothing
        precision_sum += np.sum(gain @ weights.T * true / np.maximum(predicted, 1), axis=0)

    num_positive = weights @ [len(part) for part in positive]
    num_negative = weights @ [len(part) for part in negative]
    defined = (num_positive > 0) & (num_negative > 0)
    aurocs, precisions = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    pairs = (num_positive * num_negative)[defined]
    aurocs[defined] = 1 - np.sum((weights @ lost) * weights, axis=1)[defined] / pairs
    precisions[defined] = precision_sum[defined] / num_positive[defined]
    return aurocs, precisions


def _counts(parts: list[NDArray], thresholds: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of scores at or above, and above, each threshold in each channel's ascending scores: (K, C) both."""
    at_or_above = [len(part) - np.searchsorted(part, thresholds, side="left") for part in parts]
    above = [len(part) - np.searchsorted(part, thresholds, side="right") for part in parts]
    return np.array(at_or_above, dtype=np.float64).T, np.array(above, dtype=np.float64).T
