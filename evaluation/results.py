"""What an evaluation leaves beside the score files: metrics.json, and the pictures and the page of the report."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from datasets import SeriesTask
from drawing.colours import TOGETHER
from evaluation.causes import in_words
from evaluation.frames import Scored
from evaluation.judge import PARTS, POOLED, Labelled, Result, Scoring, labelled_channels, verdict
from metrics import METRICS
from metrics.metric import Column
from metrics.table import Values, columns
from report import ChannelView, Curve, Report, Table, write_report
from runs.scores import ScoreFiles
from runtime.files import atomic_file
from settings.config import Config
from settings.effects import JUDGED_BY

MOST_SHOWN = 100  # channels on the page
MOST_COLUMNS = 8  # columns of a channel that are drawn


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A judged test run: score files, labels per channel, all scores and their results, the model first.

    `scored` are the model's channels with times, thresholds and alarms, `cautions` what makes them worse than they
    look.
    """

    scores: ScoreFiles
    labels: Labelled
    scorings: list[Scoring]
    results: list[Result]
    scored: list[Scored]
    cautions: list[str]

    @property
    def model(self) -> Scoring:
        """The model's scores."""
        return self.scorings[0]

    @property
    def verdict(self) -> tuple[str, bool | None]:
        """One sentence that compares the model with the best trivial score, and whether it is above."""
        if not labelled_channels(self.labels):
            alarms = sum(len(channel.alarms) for channel in self.scored)
            return f"{alarms} alarm(s) in {len(self.scored)} channel(s).", None
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
    told = _told(bool(known))
    parts = list(PARTS) if known else [POOLED]
    measured = [evaluation.labels[n][np.isfinite(evaluation.model.test[n])] for n in known]
    counts = {
        "num_steps": sum(len(labels) for labels in measured),
        "num_anomalous": sum(int(labels.sum()) for labels in measured),
    }
    return {
        "definitions": {column.name: column.definition for column in told},
        "parts": {name: PARTS[name].definition for name in parts},
        "settings": _judged_by(config),
        "weights": evaluation.scores.weights,
        "verdict": evaluation.verdict[0],
        "cautions": evaluation.cautions,
        "num_alarms": sum(len(channel.alarms) for channel in evaluation.scored),
        **(counts if known else {}),
        "unlabelled_channels": [c for n, c in enumerate(evaluation.model.channels) if n not in known],
        "scores": {result.name: _result(result, evaluation, told, parts) for result in evaluation.results},
    }


def _result(result: Result, evaluation: Evaluation, told: list[Column], parts: list[str]) -> dict:
    """What one scoring reaches, of the figures `told`."""
    names = {column.name for column in told}

    def figures(values: Values) -> Values:
        return {name: value for name, value in values.items() if name in names}

    rows = zip(evaluation.model.channels, result.channels, result.thresholds, strict=True)
    return {
        "parts": {name: figures(result.parts[name]) for name in parts if name in result.parts},
        "pooled_95_percent_interval_over_channels": result.confidence,
        "channels": {name: {**figures(values), "threshold": threshold} for name, values, threshold in rows},
    }


def _report(evaluation: Evaluation, task: SeriesTask, config: Config) -> Report:
    model = evaluation.results[0]
    labelled = bool(labelled_channels(evaluation.labels))
    both_classes = labelled and model.parts[POOLED]["roc_auc"] is not None
    text, is_good = evaluation.verdict
    shown = _most_anomalous(evaluation.scored)
    return Report(
        title=f"{task.class_name}: anomalies in {len(evaluation.model.channels)} channels",
        verdict=text,
        verdict_is_good=is_good,
        headline=_headline(evaluation.results) if labelled else None,
        roc=_curves(evaluation, "roc_auc") if both_classes else [],
        pr=_curves(evaluation, "average_precision") if both_classes else [],
        prevalence=_prevalence(evaluation.labels),
        channels=[_channel(evaluation, task, number, config) for number in shown],
        left_out=len(evaluation.scored) - len(shown),
        warnings=evaluation.cautions,
        facts=_facts(evaluation, config),
        notes=[
            f"{column.name}: {column.definition}" for column in _told(labelled) if column.name in model.parts[POOLED]
        ],
    )


def _most_anomalous(scored: list[Scored]) -> list[int]:
    """The numbers of the channels that the report shows, in order: those with the highest scores if there are many."""
    if len(scored) <= MOST_SHOWN:
        return list(range(len(scored)))
    highest = [np.nan_to_num(channel.scores, nan=-np.inf).max() / (channel.threshold or 1) for channel in scored]
    return sorted(np.argsort(highest)[-MOST_SHOWN:].tolist())


def _told(labelled: bool) -> list[Column]:
    """The figures that mean something: without labels those that need none."""
    return [c for _, metric in METRICS.items() for c in metric.columns if labelled or not metric.needs_labels]


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
    measured = {number: np.isfinite(evaluation.model.test[number]) for number in known}
    labels = np.concatenate([evaluation.labels[number][measured[number]] for number in known])
    curves = []
    for result, scoring in zip(evaluation.results, evaluation.scorings, strict=True):
        scores = np.concatenate([scoring.test[number][measured[number]] for number in known])
        if metric == "roc_auc":
            x, y, _ = roc_curve(labels, scores)
        else:
            precision, recall, _ = precision_recall_curve(labels, scores)
            x, y = recall[::-1], precision[::-1]
        curves.append(Curve(result.name, x, y, result.parts[POOLED][metric]))
    return curves


def _channel(evaluation: Evaluation, task: SeriesTask, number: int, config: Config) -> ChannelView:
    scored, model = evaluation.scored[number], evaluation.results[0]
    name, labels, values = scored.channel, evaluation.labels[number], model.channels[number]
    series, names = task.source.series(name, "test"), task.source.columns(name)
    drawn = _drawn_columns(scored, names, evaluation.scores.config or config)
    labelled = bool(labelled_channels(evaluation.labels))
    shown = [column for column in _told(labelled) if column.channels and column.name in values]
    return ChannelView(
        name=name,
        columns={names[column]: series[:, column] for column in drawn},
        hidden_columns=len(names) - len(drawn) if config.columns != TOGETHER else 0,
        scores=scored.scores,
        intervals=task.labels.intervals(name),
        alarms=scored.alarms,
        alarm_causes=[in_words(scored.causes.shares(alarm)) for alarm in scored.alarms],
        threshold=scored.threshold,
        times=scored.times,
        masked=np.isnan(scored.scores),
        metrics={
            "steps": len(series),
            **({"labelled": None if labels is None else float(labels.mean())} if labelled else {}),
            **{column.channels: values[column.name] for column in shown},
        },
    )


def _drawn_columns(scored: Scored, names: list[str], config: Config) -> list[int]:
    """The columns that are shown: what was drawn as colours, or those that the alarms come from, then the others."""
    if config.columns == TOGETHER:
        return [column for column in dict.fromkeys(config.smap_used_dims) if column < len(names)] or [0]
    named = [name for alarm in sorted(scored.alarms, key=lambda a: -a.peak) for name, _ in scored.causes.shares(alarm)]
    order = dict.fromkeys([*(names.index(name) for name in named), *range(len(names))])
    return list(order)[:MOST_COLUMNS]


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
