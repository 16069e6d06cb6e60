"""What an evaluation found, and metrics.json."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.frames import Scored
from evaluation.judge import PARTS, POOLED, Labelled, Result, Scoring, compared, labelled_channels, verdict
from evaluation.operating import OperatingPoint
from metrics import METRICS
from metrics.metric import Column
from metrics.table import Values
from report import count
from runs.scores import ScoreFiles
from settings.config import Config
from settings.effects import JUDGED_BY


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A judged test run: score files, labels per channel, all scores and their results, the model first.

    `scored` are the model's channels with times, thresholds and alarms, `operating` the alarms that other thresholds
    give, where a report shows them, `cautions` what makes the result worse than it looks. `vus_windows` are the windows
    of the channels, where each has its own.
    """

    scores: ScoreFiles
    labels: Labelled
    scorings: list[Scoring]
    results: list[Result]
    scored: list[Scored]
    operating: list[OperatingPoint]
    cautions: list[str]
    vus_windows: tuple[int, ...] | None = None

    @property
    def model(self) -> Scoring:
        """The model's scores."""
        return self.scorings[0]

    @property
    def verdict(self) -> tuple[str, bool | None]:
        """One sentence that compares the model with the best trivial score, and whether it is above."""
        if not labelled_channels(self.labels):
            alarms = sum(len(channel.alarms) for channel in self.scored)
            return f"{count(alarms, 'alarm')} in {count(len(self.scored), 'channel')}.", None
        return verdict(self.results[0], self.results[1:])


def judged_by(config: Config) -> dict[str, str | int | list[str]]:
    """The settings that decide how given scores are judged."""
    return {name: getattr(config, name) for name in JUDGED_BY}


def metrics_of(evaluation: Evaluation, config: Config) -> dict[str, Any]:
    """The content of metrics.json."""
    known = labelled_channels(evaluation.labels)
    shown = told(bool(known))
    parts = list(PARTS) if known else [POOLED]
    measured = [evaluation.labels[n][np.isfinite(evaluation.model.test[n])] for n in known]
    counts = {
        "num_steps": sum(len(labels) for labels in measured),
        "num_anomalous": sum(int(labels.sum()) for labels in measured),
    }
    return {
        "definitions": {column.name: column.definition for column in shown},
        "parts": {name: PARTS[name].definition for name in parts},
        "settings": judged_by(config),
        "weights": evaluation.scores.weights,
        "verdict": evaluation.verdict[0],
        "cautions": evaluation.cautions,
        "num_alarms": sum(len(channel.alarms) for channel in evaluation.scored),
        **(counts if known else {}),
        "unlabelled_channels": [c for n, c in enumerate(evaluation.model.channels) if n not in known],
        "operating_curve": [_point(point) for point in evaluation.operating],
        "scores": {result.name: _result(result, evaluation, shown, parts) for result in evaluation.results},
    }


def _result(result: Result, evaluation: Evaluation, shown: list[Column], parts: list[str]) -> dict:
    """What one scoring reaches, of the figures `shown`."""
    names = {column.name for column in shown}

    def figures(values: Values) -> Values:
        return {name: value for name, value in values.items() if name in names}

    own = [{"threshold": known.threshold} for known in result.learnt]
    for facts, window in zip(own, evaluation.vus_windows or (), strict=False):
        facts["vus_window"] = window
    rows = zip(evaluation.model.channels, result.channels, own, strict=True)
    return {
        "parts": {name: figures(result.parts[name]) for name in parts if name in result.parts},
        "pooled_95_percent_interval_over_channels": result.confidence,
        **({} if result is evaluation.results[0] else _difference(evaluation.results[0], result)),
        "channels": {name: {**figures(values), **facts} for name, values, facts in rows},
    }


def _difference(model: Result, other: Result) -> dict[str, Any]:
    """The model against another score on the same resamples of the channels, and channel by channel."""
    found = compared(model, other)
    return {
        "model_less_this_95_percent_interval": found.differences,
        "channels_in_which_the_model_is_better": found.won,
        "channels_in_which_this_is_better": found.lost,
    }


def _point(point: OperatingPoint) -> dict[str, float | None]:
    return {
        "times_threshold": point.factor,
        "alarms_per_1000_steps": point.alarms_per_1000,
        "event_precision": point.precision,
        "event_recall": point.recall,
        "event_f1": point.f1,
        "normal_alarmed_share": point.normal_share,
    }


def told(labelled: bool) -> list[Column]:
    """The figures that mean something: without labels those that need none."""
    return [c for _, metric in METRICS.items() for c in metric.columns if labelled or not metric.needs_labels]
