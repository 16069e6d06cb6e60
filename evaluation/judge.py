"""The model's time-step scores beside the trivial ones: every metric, on the same steps, for the same parts of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evaluation.alarms import alarms_of, learn_threshold
from metrics.bootstrap import bootstrap_intervals
from metrics.events import Alarm
from metrics.table import Options, Values, step_metrics

POOLED, PER_CHANNEL, SECOND_HALF = "pooled", "mean per channel", "second half"
HEAVY, LIGHT = "channels with most labels", "other channels"
HEAVY_FACTOR = 2  # such a channel holds more than this many times the mean number of labelled steps


@dataclass(frozen=True, eq=False)
class Scoring:
    """One way to score: the scores (T,) of the test and training steps of every one of `channels`."""

    name: str
    channels: list[str]
    test: list[NDArray[np.floating]]
    train: list[NDArray[np.floating]]


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
