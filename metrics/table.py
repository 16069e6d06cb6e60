"""All metrics of time steps in one table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.affiliation import affiliation_metrics
from metrics.events import event_metrics
from metrics.ranges import volume_under_surface
from metrics.ranking import auroc, average_precision, best_f1, point_adjusted_best_f1

Values = dict[str, float | int | None]

DEFINITIONS = {
    "roc_auc": "area under the ROC curve of the time steps, without point adjustment",
    "average_precision": "sum over thresholds of precision times gain in recall, without point adjustment",
    "best_f1": "highest F1 over all thresholds, the threshold chosen with the labels: an upper bound",
    "best_f1_threshold": "the threshold of best_f1; a score at or above it is an alarm",
    "range_auc_roc": "range-based ROC area at the largest window (Paparrizos et al., VLDB 2022)",
    "range_auc_pr": "range-based PR area at the largest window (Paparrizos et al., VLDB 2022)",
    "vus_roc": "mean of the range-based ROC areas over all windows from 0 to vus_window (VLDB 2022)",
    "vus_pr": "mean of the range-based PR areas over all windows from 0 to vus_window (VLDB 2022)",
    "affiliation_precision": "closeness of alarms to labelled intervals against chance (Huet et al., KDD 2022)",
    "affiliation_recall": "closeness of labelled intervals to alarms against chance (Huet et al., KDD 2022)",
    "affiliation_f1": "harmonic mean of affiliation precision and recall",
    "event_precision": "labelled intervals found / (those + alarms that overlap none) (Hundman et al., KDD 2018)",
    "event_recall": "labelled intervals that an alarm overlaps / all labelled intervals",
    "event_f1": "harmonic mean of event precision and recall",
    "events_found": "labelled intervals that an alarm overlaps",
    "events_missed": "labelled intervals that no alarm overlaps",
    "alarmed_share": "share of the steps that an alarm covers: an alarm over everything finds every event",
    "false_alarms": "alarms that overlap no labelled interval",
    "point_adjusted_f1": "best F1 after whole intervals count as found at one hit; random scores reach as much",
}


@dataclass(frozen=True)
class Options:
    """How scores are judged: settings of the same names in default.py."""

    threshold: str
    vus_window: int
    bootstrap: int
    point_adjust: bool


def step_metrics(
    labels: NDArray[np.uint8],
    scores: NDArray[np.floating],
    alarmed: NDArray[np.bool_],
    lengths: list[int],
    options: Options,
) -> Values:
    """The metrics of DEFINITIONS for labels, scores and alarms (T,) of channels of `lengths` steps; None: undefined."""
    f1 = best_f1(labels, scores)
    volumes = volume_under_surface(labels, scores, lengths, options.vus_window)
    affiliation = affiliation_metrics(labels, alarmed, lengths)
    events = event_metrics(labels, alarmed, lengths)
    values: Values = {
        "roc_auc": auroc(labels, scores),
        "average_precision": average_precision(labels, scores),
        "best_f1": f1 and f1[0],
        "best_f1_threshold": f1 and f1[1],
        "range_auc_roc": volumes.range_auc_roc,
        "range_auc_pr": volumes.range_auc_pr,
        "vus_roc": volumes.vus_roc,
        "vus_pr": volumes.vus_pr,
        "affiliation_precision": affiliation.precision,
        "affiliation_recall": affiliation.recall,
        "affiliation_f1": affiliation.f1,
        "event_precision": events.precision,
        "event_recall": events.recall,
        "event_f1": events.f1,
        "events_found": events.num_found,
        "events_missed": events.num_missed,
        "false_alarms": events.num_false_alarms,
        "alarmed_share": float(alarmed.mean()),
    }
    if options.point_adjust:
        adjusted = point_adjusted_best_f1(labels, scores, lengths)
        values["point_adjusted_f1"] = adjusted and adjusted[0]
    return values
