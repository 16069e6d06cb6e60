"""Metrics of the order of the scores: ROC AUC, average precision, and the best F1 that labels can buy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.events import intervals_of
from metrics.metric import Column, Metric
from metrics.ranks import Ranks, ranks_of

Points = tuple[NDArray[np.float64], NDArray[np.float64]]  # of a curve, x and y (K + 1,)


def one_class(labels: ArrayLike) -> bool:
    """Whether the labels are all alike, so that nothing can be ranked. Any shape."""
    anomalous = np.asarray(labels) != 0
    return bool(anomalous.all() or not anomalous.any())


def auroc(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Area under the ROC curve, or None where the labels are all alike and there is no curve. Any equal shapes."""
    return _auroc(ranks_of(labels, scores))


def _auroc(ranks: Ranks) -> float | None:
    if ranks.is_one_class:
        return None
    # trapezoids in whole numbers: labelled steps at two thresholds, and normal steps between these
    both = ranks.found + np.append(0, ranks.found[:-1])
    return float(np.dot(both, np.diff(ranks.predicted - ranks.found, prepend=0))) / (
        2.0 * ranks.num_labelled * ranks.num_normal
    )


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Sum of precision times gain in recall over all thresholds, or None where the labels are all alike."""
    return _average_precision(ranks_of(labels, scores))


def _average_precision(ranks: Ranks) -> float | None:
    if ranks.is_one_class:
        return None
    return float(np.dot(np.diff(ranks.found, prepend=0), ranks.found / ranks.predicted)) / ranks.num_labelled


def best_f1(labels: ArrayLike, scores: ArrayLike) -> tuple[float, float] | None:
    """Highest F1 over all thresholds and that threshold, an alarm being a score >= it; None for labels all alike.

    The threshold is chosen WITH the labels: no detector can reach this F1 without knowing them, it is an upper bound.
    Of several best thresholds it is the highest. Equal scores are alarms together or not at all.
    """
    return _best_f1(ranks_of(labels, scores))


def _best_f1(ranks: Ranks) -> tuple[float, float] | None:
    if ranks.is_one_class:
        return None
    f1 = 2 * ranks.found / (ranks.num_labelled + ranks.predicted)  # 2 TP / (labelled steps + predicted steps)
    best = int(np.argmax(f1))
    return float(f1[best]), float(ranks.thresholds[best])


def roc_points(ranks: Ranks) -> Points:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1); labels of both classes."""
    false = (ranks.predicted - ranks.found) / ranks.num_normal
    return np.append(0.0, false), np.append(0.0, ranks.found / ranks.num_labelled)


def precision_points(ranks: Ranks) -> Points:
    """Recall and precision at every threshold, from (0, 1) on; labels of both classes."""
    return np.append(0.0, ranks.found / ranks.num_labelled), np.append(1.0, ranks.found / ranks.predicted)


def point_adjusted_best_f1(labels: ArrayLike, scores: ArrayLike, lengths: Sequence[int]) -> tuple[float, float] | None:
    """Highest point-adjusted F1 over all thresholds and that threshold; None for labels all alike.

    Xu et al., "Unsupervised Anomaly Detection via Variational Auto-Encoder for Seasonal KPIs in Web Applications",
    WWW 2018, section 4.2: all steps of a labelled interval count as found once one of them is. Then every step of an
    interval is found exactly where the interval's highest score is, so this is `best_f1` of those highest scores,
    exact over all thresholds. The threshold is chosen WITH the labels, and Kim et al., "Towards a Rigorous Evaluation
    of Time-Series Anomaly Detection", AAAI 2022, show that random scores come out high: print theirs beside it.
    """
    return best_f1(labels, _interval_maxima(np.asarray(labels) != 0, np.asarray(scores), lengths))


def _interval_maxima(anomalous: NDArray[np.bool_], scores: NDArray, lengths: Sequence[int]) -> NDArray:
    """Scores (T,) with those of every labelled interval raised to the highest one in it."""
    intervals = intervals_of(anomalous, lengths)
    raised = scores.copy()
    if len(intervals):
        durations = intervals[:, 1] - intervals[:, 0] + 1
        first = np.cumsum(durations) - durations
        raised[anomalous] = np.repeat(np.maximum.reduceat(scores[anomalous], first), durations)
    return raised


ROC_AUC = Metric(
    (
        Column(
            "roc_auc",
            "area under the ROC curve of the time steps, without point adjustment",
            printed="ROC AUC",
            channels="ROC AUC",
        ),
    ),
    lambda steps: (_auroc(steps.ranks),),
)
AVERAGE_PRECISION = Metric(
    (
        Column(
            "average_precision",
            "sum over thresholds of precision times gain in recall, without point adjustment",
            printed="AP",
            channels="AP",
        ),
    ),
    lambda steps: (_average_precision(steps.ranks),),
)
BEST_F1 = Metric(
    (
        Column(
            "best_f1",
            "highest F1 over all thresholds, the threshold chosen with the labels: an upper bound",
            printed="best F1",
            headline="best F1",
        ),
        Column("best_f1_threshold", "the threshold of best_f1; a score at or above it is an alarm"),
    ),
    lambda steps: _best_f1(steps.ranks) or (None, None),
)
POINT_ADJUSTED_F1 = Metric(
    (
        Column(
            "point_adjusted_f1",
            "best F1 after whole intervals count as found at one hit; random scores reach as much",
            printed="PA-F1",
        ),
    ),
    lambda steps: (point_adjusted_best_f1(steps.labels, steps.scores, steps.lengths) or (None,))[:1],
    asked=lambda options: options.point_adjust,
)
