"""What an evaluation leaves beside the score files: metrics.json, and the pictures and the page of the report."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from data.telemanom import TelemanomSource
from evaluation.judge import HEAVY, LIGHT, PER_CHANNEL, POOLED, SECOND_HALF, Result, Scoring, verdict
from metrics.table import DEFINITIONS
from report import ChannelView, Curve, Report, Table, write_report
from runs.scores import Scores
from runtime.files import atomic_file
from settings.effects import JUDGED_BY
from settings.load import Config

HEADLINE = (POOLED, PER_CHANNEL, SECOND_HALF, HEAVY, LIGHT)
DETAILS = ("best_f1", "vus_pr", "event_f1")
CHANNEL_METRICS = {
    "roc_auc": "ROC AUC", "average_precision": "AP", "vus_roc": "VUS-ROC", "vus_pr": "VUS-PR",
    "affiliation_f1": "affiliation F1", "events_found": "found", "events_missed": "missed",
    "false_alarms": "false alarms", "alarmed_share": "alarmed",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A judged test run: score files, labels (T,) per channel, all scores and their results, the model first."""

    scores: Scores
    labels: list[NDArray[np.uint8]]
    scorings: list[Scoring]
    results: list[Result]

    @property
    def model(self) -> Scoring:
        """The model's scores."""
        return self.scorings[0]

    @property
    def verdict(self) -> str:
        """One sentence that compares the model with the best trivial score."""
        return verdict(self.results[0], self.results[1:])[0]


def write_results(folder: Path, evaluation: Evaluation, source: TelemanomSource, config: Config) -> Path:
    """Write metrics.json, the pictures and report.html into `folder`; returns the page."""
    with atomic_file(folder / "metrics.json") as temporary:
        text = json.dumps(_metrics(evaluation, config), indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return write_report(folder, _report(evaluation, source, config))


def _judged_by(config: Config) -> dict[str, str | int | list[str]]:
    """The settings that decide how given scores are judged."""
    return {name: getattr(config, name) for name in JUDGED_BY}


def _metrics(evaluation: Evaluation, config: Config) -> dict:
    labels = np.concatenate(evaluation.labels)
    return {
        "definitions": DEFINITIONS,
        "parts": {
            POOLED: "all steps of all channels together",
            PER_CHANNEL: "the mean over the channels for which the metric is defined",
            SECOND_HALF: "the second half of every channel, pooled",
            HEAVY: "channels with more than twice the mean number of labelled steps, pooled",
            LIGHT: "all other channels, pooled",
        },
        "settings": _judged_by(config),
        "weights": evaluation.scores.weights,
        "verdict": evaluation.verdict,
        "num_steps": len(labels),
        "num_anomalous": int(labels.sum()),
        "scores": {
            result.name: {
                "parts": result.parts,
                "pooled_95_percent_interval_over_channels": result.confidence,
                "channels": {
                    name: {**values, "threshold": threshold}
                    for name, values, threshold in zip(
                        evaluation.model.channels, result.channels, result.thresholds, strict=True
                    )
                },
            }
            for result in evaluation.results
        },
    }


def _report(evaluation: Evaluation, source: TelemanomSource, config: Config) -> Report:
    labels = np.concatenate(evaluation.labels)
    both_classes = 0 < labels.sum() < len(labels)
    text, is_good = verdict(evaluation.results[0], evaluation.results[1:])
    return Report(
        title=f"{evaluation.scores.facts['class_name']}: anomalies in {len(evaluation.model.channels)} channels",
        verdict=text,
        verdict_is_good=is_good,
        headline=_headline(evaluation.results),
        roc=_curves(evaluation, "roc_auc") if both_classes else [],
        pr=_curves(evaluation, "average_precision") if both_classes else [],
        prevalence=float(labels.mean()),
        channels=[_channel(evaluation, source, number) for number in range(len(evaluation.labels))],
        facts=_facts(evaluation, config),
        notes=[f"{name}: {text}" for name, text in DEFINITIONS.items() if name in evaluation.results[0].parts[POOLED]],
    )


def _headline(results: list[Result]) -> Table:
    parts = [name for name in HEADLINE if name in results[0].parts]
    rows = []
    for result in results:
        pairs = [result.parts[name][metric] for name in parts for metric in ("roc_auc", "average_precision")]
        rows.append([result.name, *pairs, *(result.parts[POOLED][name] for name in DETAILS)])
    columns = ["score", *["ROC AUC", "AP"] * len(parts), "best F1", "VUS-PR", "event F1"]
    groups = [("", 1), *((name, 2) for name in parts), ("pooled, others", len(DETAILS))]
    return Table(columns, rows, groups, ranked=tuple(range(1, len(columns))), highlight=0)


def _curves(evaluation: Evaluation, metric: str) -> list[Curve]:
    labels = np.concatenate(evaluation.labels)
    curves = []
    for result, scores in zip(evaluation.results, evaluation.scorings, strict=True):
        if metric == "roc_auc":
            x, y, _ = roc_curve(labels, np.concatenate(scores.test))
        else:
            precision, recall, _ = precision_recall_curve(labels, np.concatenate(scores.test))
            x, y = recall[::-1], precision[::-1]
        curves.append(Curve(result.name, x, y, result.parts[POOLED][metric]))
    return curves


def _channel(evaluation: Evaluation, source: TelemanomSource, number: int) -> ChannelView:
    name, model = evaluation.model.channels[number], evaluation.results[0]
    series = source.series(name, "test")
    columns = {
        "telemetry value" if column == 0 else f"column {column}": series[:, column]
        for column in dict.fromkeys(evaluation.scores.config.smap_used_dims)
    }
    values = model.channels[number]
    return ChannelView(
        name=name,
        columns=columns,
        scores=evaluation.model.test[number],
        intervals=source.intervals(name),
        alarms=model.alarms[number],
        threshold=model.thresholds[number],
        metrics={
            "steps": len(series),
            "labelled": float(evaluation.labels[number].mean()),
            **{words: values[metric] for metric, words in CHANNEL_METRICS.items()},
        },
    )


def _facts(evaluation: Evaluation, config: Config) -> dict[str, str]:
    """Settings, versions and weights of the run, in words."""
    recorded = dict(evaluation.scores.facts)
    versions = recorded.pop("versions", {})
    facts = {name.replace("_", " "): _words(value) for name, value in recorded.items()}
    facts["versions"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    settings = vars(evaluation.scores.config) | _judged_by(config)
    return facts | {name: _words(value) for name, value in settings.items()}


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_words, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
