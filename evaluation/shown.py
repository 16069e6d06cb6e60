"""What the report of an evaluation shows."""

import numpy as np
from numpy.typing import NDArray

from datasets import SeriesTask
from drawing.colours import TOGETHER
from evaluation.alarms import Policy, limits
from evaluation.details import Detail
from evaluation.frames import Scored
from evaluation.incidents import incidents_of
from evaluation.judge import PARTS, POOLED, Labelled, Result, labelled_channels
from evaluation.results import Evaluation, judged_by, told
from evaluation.thresholds import squared
from metrics.table import columns
from report import (
    ALARM_RATE,
    ALARMS,
    EVENT_F1,
    EVENT_PRECISION,
    EVENT_RECALL,
    AlarmView,
    ChannelView,
    Curve,
    IncidentView,
    Report,
    SweepPoint,
    Table,
    count,
)
from settings.config import Config

MOST_SHOWN = 100  # channels on the page
MOST_COLUMNS = 8  # columns of a channel that are drawn
NEAREST_COLUMNS = 3  # columns of an alarm that the nearest training window is shown of


def report_of(evaluation: Evaluation, task: SeriesTask, config: Config) -> Report:
    """The page and pictures of an evaluation, as plain data."""
    model = evaluation.results[0]
    labelled = bool(labelled_channels(evaluation.labels))
    both_classes = labelled and model.parts[POOLED]["roc_auc"] is not None
    text, is_good = evaluation.verdict
    shown = _most_anomalous(evaluation.scored)
    roc, pr = _curves(evaluation.results) if both_classes else ([], [])
    return Report(
        title=f"{task.class_name}: anomalies in {count(len(evaluation.model.channels), 'channel')}",
        verdict=text,
        verdict_is_good=is_good,
        headline=_headline(evaluation.results) if labelled else None,
        roc=roc,
        pr=pr,
        prevalence=_prevalence(evaluation.labels),
        channels=[_channel(evaluation, task, number, config) for number in shown],
        left_out=len(evaluation.scored) - len(shown),
        warnings=evaluation.cautions,
        incidents=_incidents(evaluation.scored, shown),
        sweep=_sweep(evaluation, shown),
        facts=_facts(evaluation, config),
        notes=[
            f"{column.name}: {column.definition}" for column in told(labelled) if column.name in model.parts[POOLED]
        ],
    )


def _most_anomalous(scored: list[Scored]) -> list[int]:
    """The numbers of the channels that the report shows, in order: those with the highest scores if there are many."""
    if len(scored) <= MOST_SHOWN:
        return list(range(len(scored)))
    highest = [np.nan_to_num(channel.scores, nan=-np.inf).max() / (channel.learnt.threshold or 1) for channel in scored]
    return sorted(np.argsort(highest)[-MOST_SHOWN:].tolist())


def _incidents(scored: list[Scored], shown: list[int]) -> list[IncidentView]:
    """Alarms of several channels at one time by their number, as far as they are shown, the worst first."""
    numbers = incidents_of([channel.alarms for channel in scored], [channel.times for channel in scored])
    groups: dict[int, list[tuple[float, tuple[int, int]]]] = {}
    for place, channel in enumerate(shown):
        for alarm, number in enumerate(numbers[channel]):
            found = scored[channel].alarms[alarm]
            groups.setdefault(number, []).append((found.peak / max(found.limit, 1e-12), (place, alarm)))
    ranked = sorted(groups.items(), key=lambda group: -max(group[1])[0])
    return [
        IncidentView(number, [place for _, place in sorted(group, key=lambda one: -one[0])]) for number, group in ranked
    ]


def _sweep(evaluation: Evaluation, shown: list[int]) -> list[SweepPoint]:
    """What other thresholds would give: the alarms of the channels that are shown, figures of all."""
    labelled = bool(labelled_channels(evaluation.labels))
    points = []
    for point in evaluation.operating:
        figures = {ALARMS: sum(map(len, point.alarms)), ALARM_RATE: point.alarms_per_1000}
        if labelled:
            figures |= {EVENT_PRECISION: point.precision, EVENT_RECALL: point.recall, EVENT_F1: point.f1}
            figures["share of normal steps under alarm"] = point.normal_share
        alarms = [[(alarm.start, alarm.end) for alarm in point.alarms[number]] for number in shown]
        points.append(SweepPoint(point.factor, alarms, figures))
    return points


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


def _curves(results: list[Result]) -> tuple[list[Curve], list[Curve]]:
    """The ROC curves, and those of precision, of all scorings."""
    known = [(result.name, *result.curves, result.parts[POOLED]) for result in results if result.curves is not None]
    roc = [Curve(name, *points, reached["roc_auc"]) for name, points, _, reached in known]
    return roc, [Curve(name, *points, reached["average_precision"]) for name, _, points, reached in known]


def _channel(evaluation: Evaluation, task: SeriesTask, number: int, config: Config) -> ChannelView:
    scored, model = evaluation.scored[number], evaluation.results[0]
    name, labels, values = scored.channel, evaluation.labels[number], model.channels[number]
    series, names = task.source.series(name, "test"), task.source.columns(name)
    drawn = _drawn_columns(scored, names, evaluation.scores.config or config)
    labelled = bool(labelled_channels(evaluation.labels))
    shown = [column for column in told(labelled) if column.channels and column.name in values]
    needed = _limits(scored, Policy.of(config))
    return ChannelView(
        name=name,
        columns={names[column]: series[:, column] for column in drawn},
        hidden_columns=len(names) - len(drawn) if config.columns != TOGETHER else 0,
        scores=scored.scores,
        intervals=task.labels.intervals(name),
        alarms=_alarms(scored, task),
        threshold=scored.learnt.threshold if needed is None else float(np.nanmedian(needed)),
        limits=needed,
        times=scored.times,
        masked=np.isnan(scored.scores),
        metrics={
            "steps": len(series),
            **({"labelled": None if labels is None else float(labels.mean())} if labelled else {}),
            **{column.channels: values[column.name] for column in shown},
        },
    )


def _alarms(scored: Scored, task: SeriesTask) -> list[AlarmView]:
    source, name = task.source, scored.channel
    trained = name not in source.untrained and any(detail.nearest for detail in scored.details)
    train = source.series(name, "train") if trained else None
    times = source.times(name, "train") if trained else None
    found = []
    for number, alarm in enumerate(scored.alarms):
        detail, shares = scored.details[number] if scored.details else Detail(), scored.causes.shares(alarm)
        near = detail.nearest if train is not None else None
        names = source.columns(name)
        shown = [column for column, _ in shares[:NEAREST_COLUMNS]] or names[:1]
        found.append(
            AlarmView(
                start=alarm.start,
                end=alarm.end,
                at=alarm.at,
                peak=alarm.peak,
                threshold=alarm.limit,
                columns=shares,
                row=detail.row,
                kind=detail.kind,
                nearest=near,
                nearest_values={c: train[near[0] : near[1] + 1, names.index(c)] for c in shown} if near else {},
                nearest_at=detail.window[0] if near else None,
                nearest_times=None if near is None or times is None else times[list(near)],
            )
        )
    return found


def _limits(scored: Scored, policy: Policy) -> NDArray[np.float64] | None:
    """What the score of every step must exceed to start an alarm, (T,); None without a threshold."""
    learnt, steps = scored.learnt, np.flatnonzero(np.isfinite(scored.scores))
    if learnt.threshold is None or not len(steps):
        return None
    found = np.full(len(scored.scores), np.nan)
    floors = np.full(len(steps), learnt.threshold)
    found[steps] = squared(limits(scored.scores[steps], floors, learnt.usual, policy).start)
    return found


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
    settings = vars(evaluation.scores.config or config) | judged_by(config)
    return facts | {name: _words(value) for name, value in settings.items()}


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_words, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
