"""The model's time-step scores beside the trivial ones: every metric, on the same steps, for the same parts of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metrics.affiliation import affiliation_metrics
from metrics.bootstrap import bootstrap_intervals
from metrics.events import event_metrics
from metrics.ranges import volume_under_surface
from metrics.ranking import auroc, average_precision, best_f1, point_adjusted_best_f1
from thresholds import Alarm, alarms_of, learn_threshold

Scores = NDArray[np.floating]
Values = dict[str, float | int | None]

POOLED, PER_CHANNEL, SECOND_HALF = "pooled", "mean per channel", "second half"
HEAVY, LIGHT = "channels with most labels", "other channels"
HEAVY_FACTOR = 2  # such a channel holds more than this many times the mean number of labelled steps
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


@dataclass(frozen=True, eq=False)
class Scoring:
    """One way to score: the scores (T,) of the test and training steps of every one of `channels`."""

    name: str
    channels: list[str]
    test: list[Scores]
    train: list[Scores]


@dataclass(frozen=True)
class Options:
    """How scores are judged: settings of the same names in default.py."""

    threshold: str
    vus_window: int
    bootstrap: int
    point_adjust: bool


@dataclass(frozen=True, eq=False)
class Result:
    """What a scoring reaches: metrics by part of the steps and by channel, with thresholds, alarms and intervals.

    `confidence` holds 95 % intervals of the pooled metrics, from a bootstrap over the channels.
    """

    name: str
    parts: dict[str, Values]
    channels: list[Values]
    thresholds: list[float]
    alarms: list[list[Alarm]]
    confidence: dict[str, tuple[float, float] | None] = field(default_factory=dict)


def parts_of(labels: list[NDArray[np.uint8]]) -> dict[str, list[tuple[int, slice]]]:
    """Which steps of which channels each pooled part holds, by the labels (T,) of every channel.

    Channels are told apart by their number of labels where some hold more than `HEAVY_FACTOR` times the mean.
    """
    numbers = range(len(labels))
    counts = np.array([int(channel.sum()) for channel in labels])
    heavy = counts > HEAVY_FACTOR * counts.mean()
    whole = {POOLED: list(numbers)}
    if heavy.any():
        whole[HEAVY] = [number for number in numbers if heavy[number]]
        whole[LIGHT] = [number for number in numbers if not heavy[number]]
    parts = {name: [(number, slice(None)) for number in chosen] for name, chosen in whole.items()}
    parts[SECOND_HALF] = [(number, slice(len(labels[number]) // 2, None)) for number in numbers]
    return parts


def judge(scoring: Scoring, labels: list[NDArray[np.uint8]], options: Options) -> Result:
    """Every metric of one scoring against the test labels (T,) of every channel."""
    thresholds = [learn_threshold(options.threshold, train) for train in scoring.train]
    alarms = [alarms_of(*pair) for pair in zip(scoring.test, thresholds, strict=True)]
    alarmed = [scores > threshold for scores, threshold in zip(scoring.test, thresholds, strict=True)]

    def values(places: list[tuple[int, slice]]) -> Values:
        pieces = [[array[number][steps] for number, steps in places] for array in (labels, scoring.test, alarmed)]
        return step_metrics(*map(np.concatenate, pieces), [len(piece) for piece in pieces[0]], options)

    parts = {name: values(places) for name, places in parts_of(labels).items()}
    channels = [values([(number, slice(None))]) for number in range(len(labels))]
    parts[PER_CHANNEL] = {name: _mean(channel[name] for channel in channels) for name in parts[POOLED]}
    confidence = {}
    if options.bootstrap:
        lengths = [len(channel) for channel in labels]
        ends = bootstrap_intervals(
            np.concatenate(labels), np.concatenate(scoring.test), lengths, num_resamples=options.bootstrap
        )
        confidence = {"roc_auc": ends.auroc, "average_precision": ends.average_precision}
    return Result(scoring.name, parts, channels, thresholds, alarms, confidence)


def step_metrics(
    labels: NDArray[np.uint8], scores: Scores, alarmed: NDArray[np.bool_], lengths: list[int], options: Options
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


def _mean(values: Iterable[float | int | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def verdict(model: Result, trivial: list[Result]) -> tuple[str, bool | None]:
    """One sentence that compares the model's pooled metrics with the best trivial score, and whether all are above.

    None where the labels hold one class only.
    """
    if model.parts[POOLED]["roc_auc"] is None:
        return "All steps have one label: no metric that ranks them is defined.", None
    told, above = [], True
    for metric, words in (("roc_auc", "ROC AUC"), ("average_precision", "AP")):
        reached = {result.name: result.parts[POOLED][metric] for result in trivial}
        best = max(reached, key=reached.get)
        value = model.parts[POOLED][metric]
        above &= value > reached[best]
        told.append(
            f"{words} {value:.3f} is {'above' if value > reached[best] else 'BELOW'} {reached[best]:.3f} of {best}"
        )
    return f"Against the best trivial score: {'; '.join(told)}.", above
