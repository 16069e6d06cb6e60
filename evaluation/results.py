"""What an evaluation leaves beside the score files: metrics.json, and the pictures and the page of the report."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from datasets import SeriesTask
from evaluation.judge import PARTS, POOLED, Labelled, Result, Scoring, labelled_channels, verdict
from metrics.table import columns
from report import ChannelView, Curve, Report, Table, write_report
from runs.scores import ScoreFiles
from runtime.files import atomic_file
from settings.config import Config
from settings.effects import JUDGED_BY


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A judged test run: score files, labels per channel, all scores and their results, the model first."""

    scores: ScoreFiles
    labels: Labelled
    scorings: list[Scoring]
    results: list[Result]

    @property
    def model(self) -> Scoring:
        """The model's scores."""
        return self.scorings[0]

    @property
    def verdict(self) -> tuple[str, bool | None]:
        """One sentence that compares the model with the best trivial score, and whether it is above."""
        if not labelled_channels(self.labels):
            return "No channel is labelled: there is nothing to judge the scores by.", None
        return verdict(self.results[0], self.results[1:])


def write_results(folder: Path, evaluation: Evaluation, task: SeriesTask, config: Config) -> Path:
    """Write metrics.json, the pictures and report.html into `folder`; returns the page."""
    with atomic_file(folder / "metrics.json") as temporary:
        text = json.dumps(_metrics(evaluation, config), indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return write_report(folder, _report(evaluation, task, config))


def _judged_by(config: Config) -> dict[str, str | int | list[str]]:
    """The settings that decide how given scores are judged."""
    return {name: getattr(config, name) for name in JUDGED_BY}


def _metrics(evaluation: Evaluation, config: Config) -> dict:
    known = labelled_channels(evaluation.labels)
    return {
        "definitions": {column.name: column.definition for column in columns()},
        "parts": {name: part.definition for name, part in PARTS.items()},
        "settings": _judged_by(config),
        "weights": evaluation.scores.weights,
        "verdict": evaluation.verdict[0],
        "num_steps": sum(len(evaluation.labels[number]) for number in known),
        "num_anomalous": sum(int(evaluation.labels[number].sum()) for number in known),
        "unlabelled_channels": [c for n, c in enumerate(evaluation.model.channels) if n not in known],
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


def _report(evaluation: Evaluation, task: SeriesTask, config: Config) -> Report:
    model = evaluation.results[0]
    both_classes = model.parts[POOLED]["roc_auc"] is not None
    text, is_good = evaluation.verdict
    return Report(
        title=f"{task.class_name}: anomalies in {len(evaluation.model.channels)} channels",
        verdict=text,
        verdict_is_good=is_good,
        headline=_headline(evaluation.results),
        roc=_curves(evaluation, "roc_auc") if both_classes else [],
        pr=_curves(evaluation, "average_precision") if both_classes else [],
        prevalence=_prevalence(evaluation.labels),
        channels=[_channel(evaluation, task, number, config) for number in range(len(evaluation.labels))],
        facts=_facts(evaluation, config),
        notes=[f"{column.name}: {column.definition}" for column in columns() if column.name in model.parts[POOLED]],
    )


def _prevalence(labels: Labelled) -> float | None:
    """The share of anomalous steps of the labelled channels."""
    known = labelled_channels(labels)
    return float(np.concatenate([labels[number] for number in known]).mean()) if known else None


def _headline(results: list[Result]) -> Table:
    parts = [name for name in PARTS if name in results[0].parts]
    details = [column for column in columns() if column.headline]
    rows = []
    for result in results:
        pairs = [result.parts[name][metric] for name in parts for metric in ("roc_auc", "average_precision")]
        rows.append([result.name, *pairs, *(result.parts[POOLED][column.name] for column in details)])
    heads = ["score", *["ROC AUC", "AP"] * len(parts), *(column.headline for column in details)]
    groups = [("", 1), *((name, 2) for name in parts), ("pooled, others", len(details))]
    return Table(heads, rows, groups, ranked=tuple(range(1, len(heads))), highlight=0)


def _curves(evaluation: Evaluation, metric: str) -> list[Curve]:
    known = labelled_channels(evaluation.labels)
    labels = np.concatenate([evaluation.labels[number] for number in known])
    curves = []
    for result, scoring in zip(evaluation.results, evaluation.scorings, strict=True):
        scores = np.concatenate([scoring.test[number] for number in known])
        if metric == "roc_auc":
            x, y, _ = roc_curve(labels, scores)
        else:
            precision, recall, _ = precision_recall_curve(labels, scores)
            x, y = recall[::-1], precision[::-1]
        curves.append(Curve(result.name, x, y, result.parts[POOLED][metric]))
    return curves


def _channel(evaluation: Evaluation, task: SeriesTask, number: int, config: Config) -> ChannelView:
    name, model = evaluation.model.channels[number], evaluation.results[0]
    series, names = task.source.series(name, "test"), task.source.columns(name)
    labels = evaluation.labels[number]
    drawn = (evaluation.scores.config or config).smap_used_dims
    columns_drawn = [column for column in dict.fromkeys(drawn) if column < len(names)]
    values = model.channels[number]
    shown = [column for column in columns() if column.channels and column.name in values]
    return ChannelView(
        name=name,
        columns={names[column]: series[:, column] for column in columns_drawn or [0]},
        scores=evaluation.model.test[number],
        intervals=task.labels.intervals(name),
        alarms=model.alarms[number],
        threshold=model.thresholds[number],
        metrics={
            "steps": len(series),
            "labelled": None if labels is None else float(labels.mean()),
            **{column.channels: values[column.name] for column in shown},
        },
    )


def _facts(evaluation: Evaluation, config: Config) -> dict[str, str]:
    """Settings, versions and weights of the run, in words."""
    recorded = dict(evaluation.scores.facts)
    versions = recorded.pop("versions", {})
    facts = {name.replace("_", " "): _words(value) for name, value in recorded.items()}
    facts["versions"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    settings = vars(evaluation.scores.config or config) | _judged_by(config)
    return facts | {name: _words(value) for name, value in settings.items()}


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_words, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
