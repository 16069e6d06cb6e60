"""From time-step scores to alarms: thresholds learnt from training scores, never from test labels."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import genpareto

from metrics.events import Alarm, intervals_of

POT_START = 0.98  # quantile of the training scores from which on the tail is fitted (Siffer et al., section 4.3)
POT_RISK = 1e-4  # probability of a higher score on normal data
POT_FEWEST = 10  # scores in the tail, below which none is fitted


def learns(rule: str) -> bool:
    """Whether the rule learns from training scores."""
    return rule == "pot" or rule.startswith("q")


def learn_threshold(rule: str, train_scores: NDArray[np.floating] | None) -> float | None:
    """The threshold that `rule` makes of training scores (T,); scores above it are alarms.

    `rule` is a number, taken as it is; q and a number such as q0.99, that quantile of the training scores; or pot,
    peaks over threshold. None where there are no scores to learn from.
    """
    if not learns(rule):
        return float(rule)
    if train_scores is None or not len(train_scores):
        return None
    return peaks_over_threshold(train_scores) if rule == "pot" else float(np.quantile(train_scores, float(rule[1:])))


def peaks_over_threshold(train_scores: NDArray[np.floating], risk: float = POT_RISK) -> float:
    """The score that normal data exceed with probability `risk`.

    Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017, section 3.2: a generalised
    Pareto distribution (shape g, scale s) is fitted to the excesses over a high quantile t, and
    z = t + s / g ((risk n / n_t)^-g - 1), n scores in all, n_t of them above t. With too few different scores above t
    to fit anything it is the highest training score.
    """
    start = float(np.quantile(train_scores, POT_START))
    excesses = train_scores[train_scores > start] - start
    if len(np.unique(excesses)) < POT_FEWEST:
        return float(train_scores.max())
    scale = float(excesses.mean())  # fitted in units of their mean, so that the size of the scores does not matter
    shape, _, spread = genpareto.fit(excesses / scale, floc=0)
    tail = len(excesses) / len(train_scores)
    return start + scale * float(genpareto.isf(min(risk / tail, 1), shape, scale=spread))


def alarms_of(scores: NDArray[np.floating], threshold: float | None) -> list[Alarm]:
    """The runs of steps whose scores (T,) lie above the threshold; none without one.

    Steps at which nothing was measured (NaN) start and end no alarm, and do not cut one in two.
    """
    if threshold is None:
        return []
    measured = np.flatnonzero(np.isfinite(scores))
    found = scores[measured]
    runs = intervals_of(found > threshold, [len(found)]).tolist()
    return [Alarm(int(measured[a]), int(measured[b]), float(found[a : b + 1].max())) for a, b in runs]
