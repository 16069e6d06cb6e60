"""Alarms under other thresholds than the learnt ones: what a slider shows, and the operating curve."""

from dataclasses import dataclass

import numpy as np

from evaluation.alarms import Policy, raise_by_factor, under_alarm
from evaluation.judge import Labelled, Result, Scoring, labelled_channels
from metrics.burden import normal_alarmed_share
from metrics.events import Alarm, event_metrics

FACTORS = tuple(float(2.0**power) for power in np.linspace(-2, 2, 25))  # of the thresholds, in the middle 1


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """The alarms of every channel with all thresholds times `factor`, and what they are worth.

    `alarms_per_1000` steps; without labels all else is None. Channels without a threshold count in no figure.
    """

    factor: float
    alarms: list[list[Alarm]]
    alarms_per_1000: float
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    normal_share: float | None = None


def operating_points(scoring: Scoring, result: Result, labels: Labelled, policy: Policy) -> list[OperatingPoint]:
    """The scores (T,) of all channels under every one of FACTORS, from the lowest threshold on."""
    pairs = zip(scoring.test, result.learnt, strict=True)
    raised = [[alarms for alarms, _ in raise_by_factor(*pair, policy, FACTORS)] for pair in pairs]
    watched = [number for number, learnt in enumerate(result.learnt) if learnt.threshold is not None]
    return [_point(scoring, labels, watched, factor, alarms) for factor, *alarms in zip(FACTORS, *raised, strict=True)]


def _point(
    scoring: Scoring, labels: Labelled, watched: list[int], factor: float, alarms: list[list[Alarm]]
) -> OperatingPoint:
    measured = {number: np.isfinite(scoring.test[number]) for number in watched}
    total = sum(int(steps.sum()) for steps in measured.values())
    rate = 1000 * sum(map(len, alarms)) / max(total, 1)
    known = [number for number in labelled_channels(labels) if number in measured]
    if not known:
        return OperatingPoint(factor, alarms, rate)
    covered = [under_alarm(alarms[n], len(scoring.test[n]))[measured[n]] for n in known]
    lengths, truth = list(map(len, covered)), np.concatenate([labels[n][measured[n]] for n in known])
    found = event_metrics(truth, np.concatenate(covered), lengths)
    share = normal_alarmed_share(truth, np.concatenate(covered))
    return OperatingPoint(factor, alarms, rate, found.precision, found.recall, found.f1, share)
