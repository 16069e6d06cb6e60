"""The model's time-step scores beside the trivial ones: every metric, on the same steps, for the same parts of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.alarms import Policy, raise_alarms, under_alarm
from evaluation.quiet import quiet_alarms
from evaluation.thresholds import Learnt, learn
from metrics.bootstrap import channel_draws, channels_won, percentile_intervals, resampled_metrics
from metrics.events import Alarm
from metrics.metric import Options, Steps
from metrics.ranking import Points, precision_points, roc_points
from metrics.table import Values, step_metrics

POOLED, PER_CHANNEL, SECOND_HALF = "pooled", "mean per channel", "second half"
HEAVY, LIGHT = "channels with most labels", "other channels"
HEAVY_FACTOR = 2  # such a channel holds more than this many times the mean number of labelled steps


class Part(NamedTuple):
    """A part of the steps: the heading of its columns in the printed table, and what it holds."""

    heading: str
    definition: str


PARTS = {
    POOLED: Part("pooled", "all steps of all channels together"),
    PER_CHANNEL: Part("per channel", "the mean over the channels for which the metric is defined"),
    SECOND_HALF: Part("second half", "the second half of every channel, pooled"),
    HEAVY: Part("heavy", "channels with more than twice the mean number of labelled steps, pooled"),
    LIGHT: Part("others", "all other channels, pooled"),
}


@dataclass(frozen=True, eq=False)
class Scoring:
    """One way to score: the scores (T,) of the test and training steps of every one of `channels`.

    They are NaN where nothing was measured. Without training scores, `train` is None; not `held_out` are those of steps
    that were learnt.
    """

    name: str
    channels: list[str]
    test: list[NDArray[np.floating]]
    train: list[NDArray[np.floating]] | None
    held_out: bool = True


@dataclass(frozen=True, eq=False)
class Result:
    """What a scoring reaches: metrics by part of the steps and by channel, with what was learnt, alarms and intervals.

    `going` (T,) are the steps that keep an alarm going, by channel. `confidence` holds 95 % intervals of the pooled
    metrics, from a bootstrap over the channels whose values are `resampled`, ROC AUC and AP (R,). `curves` are the
    points of the pooled ROC curve and of precision by recall; None where the labels hold one class only.
    """

    name: str
    parts: dict[str, Values]
    channels: list[Values]
    learnt: list[Learnt]
    alarms: list[list[Alarm]]
    going: list[NDArray[np.bool_]]
    confidence: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    resampled: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    curves: tuple[Points, Points] | None = None


Labelled = list[NDArray[np.uint8] | None]  # labels (T,) of every channel, None where nobody has labelled it


def labelled_channels(labels: Labelled) -> list[int]:
    """The numbers of the channels that are labelled."""
    return [number for number, channel in enumerate(labels) if channel is not None]


def parts_of(labels: Labelled) -> dict[str, list[tuple[int, slice]]]:
    """Which steps of which labelled channels each pooled part holds, by the labels (T,) of every channel.

    Channels are told apart by their number of labels where some hold more than `HEAVY_FACTOR` times the mean.
    """
    numbers = labelled_channels(labels)
    counts = {number: int(labels[number].sum()) for number in numbers}
    heavy = {number for number in numbers if counts[number] > HEAVY_FACTOR * np.mean(list(counts.values()))}
    whole = {POOLED: numbers}
    if heavy:
        whole[HEAVY] = [number for number in numbers if number in heavy]
        whole[LIGHT] = [number for number in numbers if number not in heavy]
    parts = {name: [(number, slice(None)) for number in chosen] for name, chosen in whole.items()}
    parts[SECOND_HALF] = [(number, slice(len(labels[number]) // 2, None)) for number in numbers]
    return parts


def judge(scoring: Scoring, labels: Labelled, policy: Policy, options: Options) -> Result:
    """Every metric of one scoring against the test labels (T,) of every channel; unlabelled ones count in no part.

    Nor do steps at which nothing was measured, nor in figures of alarms channels without a threshold.
    """
    train = scoring.train or [None] * len(labels)
    measured = [np.isfinite(scores) for scores in scoring.test]
    learnt = _found_of(train, lambda scores: learn(policy.threshold, policy.risk, scores))
    raised = [raise_alarms(scores, known, policy) for scores, known in zip(scoring.test, learnt, strict=True)]
    alarmed = [
        None if known.threshold is None else under_alarm(alarms, len(scores))
        for scores, known, (alarms, _) in zip(scoring.test, learnt, raised, strict=True)
    ]
    asked = train if scoring.held_out else [None] * len(train)
    quiet = _found_of(asked, lambda scores: None if scores is None else quiet_alarms(scores, policy))

    def steps_of(places: list[tuple[int, slice]]) -> Steps:
        def pooled(arrays: Sequence[NDArray | None]) -> NDArray | None:
            pieces = [
                None if arrays[number] is None else arrays[number][steps][measured[number][steps]]
                for number, steps in places
            ]
            return None if any(piece is None for piece in pieces) or not pieces else np.concatenate(pieces)

        scores = pooled(scoring.test) if places else np.zeros(0)
        lengths = [int(measured[number][steps].sum()) for number, steps in places]
        counts = [quiet[number] for number in dict.fromkeys(number for number, _ in places)]
        held_out = None if None in counts or not counts else tuple(map(sum, zip(*counts, strict=True)))
        own = options.of([number for number, _ in places])
        return Steps(pooled(labels), scores, pooled(alarmed), lengths, own, held_out)

    def values(places: list[tuple[int, slice]], steps: Steps) -> Values:
        watched = [place for place in places if alarmed[place[0]] is not None]
        return step_metrics(steps, steps if watched == places else steps_of(watched))

    def part_of(whole: Steps, numbers: list[int], places: list[tuple[int, slice]]) -> Steps:
        """A part of the pooled steps of channels `numbers`."""
        held = [np.zeros(len(measured[number]), dtype=bool) for number in numbers]
        for number, steps in places:
            held[numbers.index(number)][steps] = True
        chosen = [mask[measured[number]] for mask, number in zip(held, numbers, strict=True)]
        return replace(steps_of(places), among=(whole, np.concatenate(chosen)))

    divided = parts_of(labels)
    numbers = [number for number, _ in divided[POOLED]]
    pooled = steps_of(divided[POOLED])
    parts = {
        name: values(places, part_of(pooled, numbers, places) if places and name != POOLED else pooled)
        for name, places in divided.items()
    }
    channels = [values([(number, slice(None))], steps_of([(number, slice(None))])) for number in range(len(labels))]
    parts[PER_CHANNEL] = {
        name: _mean(channels[number][name] for number in labelled_channels(labels)) for name in parts[POOLED]
    }
    alarms, going = zip(*raised, strict=True)
    ranked = pooled.labels is not None and not pooled.ranks.is_one_class
    curves = (roc_points(pooled.ranks), precision_points(pooled.ranks)) if ranked else None
    resampled = _resampled(pooled)
    ends = {} if resampled is None else percentile_intervals(resampled).by_metric()
    return Result(scoring.name, parts, channels, learnt, list(alarms), list(going), ends, resampled, curves)


def _found_of(arrays: Sequence[NDArray | None], work: Callable[[NDArray | None], Any]) -> list[Any]:
    """What the work finds of every array, once of one that stands several times: of all channels, for those without."""
    found = {id(array): work(array) for array in {id(array): array for array in arrays}.values()}
    return [found[id(array)] for array in arrays]


def _resampled(steps: Steps) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """ROC AUC and average precision of resamples of the channels, (R,) each, the same ones for every scoring.

    None where there is nothing to resample: of one channel every resample is the same.
    """
    if not steps.options.bootstrap or len(steps.lengths) < 2 or steps.ranks.is_one_class:
        return None
    draws = channel_draws(len(steps.lengths), steps.options.bootstrap)
    return resampled_metrics(steps.labels, steps.scores, steps.lengths, draws, steps.ranks)


class Comparison(NamedTuple):
    """The model beside another score: 95 % intervals of the differences, and channels with a higher, lower ROC AUC."""

    differences: dict[str, tuple[float, float] | None]
    won: int
    lost: int


def compared(model: Result, other: Result) -> Comparison:
    """The model against another score by paired resamples of the channels."""
    ends: dict[str, tuple[float, float] | None] = {}
    if model.resampled is not None and other.resampled is not None:
        pairs = zip(model.resampled, other.resampled, strict=True)
        ends = percentile_intervals(tuple(mine - its for mine, its in pairs)).by_metric()
    aucs = ([channel["roc_auc"] for channel in result.channels] for result in (model, other))
    return Comparison(ends, *channels_won(*aucs))


def _mean(values: Iterable[float | int | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def verdict(model: Result, trivial: list[Result]) -> tuple[str, bool | None]:
    """One sentence that compares the model's pooled metrics with the best trivial score, and whether all are above.

    None where the labels hold one class only.
    """
    if model.parts[POOLED]["roc_auc"] is None:
        return "All steps have one label: no metric that ranks them is defined.", None
    if not trivial:
        values = model.parts[POOLED]
        return f"ROC AUC {values['roc_auc']:.3f}; AP {values['average_precision']:.3f}.", None
    told, above = [], True
    for metric, words in (("roc_auc", "ROC AUC"), ("average_precision", "AP")):
        best = max(trivial, key=lambda result: result.parts[POOLED][metric])
        value, reached = model.parts[POOLED][metric], best.parts[POOLED][metric]
        above &= value > reached
        digits = 3 if round(value, 3) != round(reached, 3) or value == reached else 6
        standing = "above" if value > reached else "equal to" if value == reached else "BELOW"
        ends = compared(model, best).differences.get(metric)
        interval = "" if ends is None else f" (difference {ends[0]:+.3f} to {ends[1]:+.3f})"
        told.append(f"{words} {value:.{digits}f} is {standing} {reached:.{digits}f} of {best.name}{interval}")
    return f"Against the best trivial score: {'; '.join(told)}.", above
