"""A test run judged beside trivial scores."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data.source import SeriesSource
from datasets import UNKNOWN, SeriesTask
from drawing.colours import TOGETHER
from drawing.gaps import filled
from drawing.ranges import Ranges
from evaluation import BASELINES
from evaluation.alarms import Policy
from evaluation.baselines import MOST_WINDOWS, Baseline, TrainAndTest, trivial_scores
from evaluation.causes import Causes, usual_of
from evaluation.cautions import cautions
from evaluation.console import print_alarms, print_counts, print_headline, print_tables
from evaluation.details import Detail, RowScores, detail_of, usual_rows
from evaluation.frames import Scored, alarm_frame, step_frame, write_frames
from evaluation.judge import Labelled, Result, Scoring, judge, labelled_channels
from evaluation.operating import operating_points
from evaluation.quiet import holds_out
from evaluation.results import Evaluation, metrics_of
from evaluation.shown import report_of
from evaluation.thresholds import is_number
from evaluation.time_steps import scores_of_steps
from metrics.events import Alarm
from metrics.metric import Options
from metrics.windows import period_window
from report import write_report
from runs.folder import CONFIG_FILE, TRAIN_SCORES
from runs.rows import chosen_rows
from runs.scores import AGAIN, ScoreFiles, check_data, open_scores
from runtime.errors import InputError, note, unknown_name, warn
from runtime.files import atomic_file
from runtime.reading import understood
from runtime.threads import begun, collected, mapped, processors
from settings.config import Config
from settings.effects import scaling_name

MOST_STEPS = 5_000_000  # rows of timestep_scores.csv, about 300 MB


def evaluate(scores_folder: Path, task: SeriesTask, config: Config, train_folder: Path | None = None) -> Evaluation:
    """Judge a test run, beside the trivial scores where it is labelled: print, write alarms, metrics and the report.

    Training scores, from which thresholds are learnt, lie in `train_folder`, by default beside those of the test.
    Raises InputError where the score files are missing, damaged or of another data set.
    """
    train_folder = train_folder or scores_folder / TRAIN_SCORES
    files, train, model = _model_scores(scores_folder, train_folder, task.source, config)
    labels = [task.labels.steps(channel) for channel in model.channels]
    labelled = bool(labelled_channels(labels))
    print(f"Weights: {files.weights}")
    if model.train is None and not is_number(config.threshold):
        print(
            f"{train_folder}: no training scores, so no threshold can be learnt and no alarm raised. "
            "Give one as a number: --threshold X."
        )
    both_classes = labelled and print_counts(
        [None if known is None else known[np.isfinite(s)] for known, s in zip(labels, model.test, strict=True)]
    )
    windows = _windows(task.source, model.channels, config) if labelled else None
    # of what was learnt elsewhere there are no training series here, which trivial scores need
    with _trivial(task, model.channels, config) if labelled and task.trained else nullcontext([]) as trivial:
        judged = _judge_all([lambda: model, *trivial], labels, config, windows)
    scorings, results = map(list, zip(*judged, strict=True))
    scored = _scored(files, train, model, results[0], task, config)
    ranges = {} if train is None else _ranges(train)
    operating = operating_points(model, results[0], labels, Policy.of(config)) if config.report else []
    told = cautions(task, scored, config, ranges, model.held_out)
    evaluation = Evaluation(files, labels, scorings, results, scored, operating, told, windows)
    if both_classes:
        print_tables(results)
        print(f"\n{evaluation.verdict[0]}")
    alarms = alarm_frame(scored)
    if not labelled or config.dataset == "table":
        print_alarms(scored, alarms)
    for caution in evaluation.cautions:
        warn(caution)
    if config.save_npy:
        _save(scores_folder / "timestep_scores.npy", model.test)
        _save(scores_folder / "timestep_labels.npy", _written(labels, [len(scores) for scores in model.test]))
    write_frames(scores_folder / "alarms.csv", [alarms])
    if config.dataset == "table" and task.trained:
        _write_steps(scores_folder / "timestep_scores.csv", scored)
    if config.report:
        _write_json(scores_folder / "metrics.json", metrics_of(evaluation, config))
        drawn = [files.channels[number] for number in files.ranked[: config.vis_top_k]]
        print(f"Report: {write_report(scores_folder, report_of(evaluation, task, config), drawn)}")
    if both_classes:
        print_headline(results[0])
    print(f"Files: {scores_folder}")
    return evaluation


def _write_steps(path: Path, scored: list[Scored]) -> None:
    """Write the scores of all steps as csv, unless it would be one that no program opens."""
    num_steps = sum(len(channel.scores) for channel in scored)
    if num_steps <= MOST_STEPS:
        write_frames(path, (step_frame(channel) for channel in scored))
    else:
        print(f"{path}: is not written for {num_steps} steps. --save-npy keeps their scores, --mode score writes them.")


def _scored(
    files: ScoreFiles, train: ScoreFiles | None, model: Scoring, result: Result, task: SeriesTask, config: Config
) -> list[Scored]:
    """The model's scores and alarms with what else is known of the channels."""
    found = []
    raised = zip(result.learnt, result.alarms, result.going, strict=True)
    for channel, scores, (learnt, alarms, going) in zip(model.channels, model.test, raised, strict=True):
        names = task.source.columns(channel)
        usual = None if train is None else usual_of(train, channel, len(names))
        # of one that was not in training the columns that were are scored alone
        number = len(names) if train is not None and channel in train.channels else None
        causes = Causes(names, files.of_columns(channel, number), usual)
        times, rows = task.source.times(channel, "test"), task.source.rows(channel, "test")
        details = _details(files, train, channel, alarms, causes, task, config)
        found.append(Scored(channel, times, scores, learnt, alarms, going, causes, rows, details))
    return found


def _details(
    files: ScoreFiles,
    train: ScoreFiles | None,
    channel: str,
    alarms: list[Alarm],
    causes: Causes,
    task: SeriesTask,
    config: Config,
) -> list[Detail]:
    """What the alarms of a channel are like; of what was learnt elsewhere there is no training series to look at."""
    if not alarms:
        return []
    scores, series = None, None
    if "nll" in files.maps:
        chosen = chosen_rows(files.rows, config.levels)
        rows = files.maps["nll"][files.channels.index(channel)][chosen]
        known = train is not None and channel in train.channels
        of_train = train.maps["nll"][train.channels.index(channel)][chosen] if known else np.zeros((0, 0))
        usual = usual_rows(of_train)
        scores = RowScores([files.rows[number] for number in chosen], rows, usual)
    if channel not in task.source.untrained:
        series = task.source.series(channel, "train"), task.source.series(channel, "test")
    found, names = [], task.source.columns(channel)
    for alarm in alarms:
        shares = causes.shares(alarm)
        column = names.index(shares[0][0]) if shares else min(config.smap_used_dims[0], len(names) - 1)
        pair = () if series is None else (series[0][:, column], series[1][:, column])
        found.append(detail_of(alarm, scores, *pair))
    return found


def _ranges(train: ScoreFiles) -> dict[str, Ranges]:
    """What the training series of a run held, by group. Raises InputError where its config.json says nonsense of it."""
    with understood(str(train.folder / CONFIG_FILE), "the config.json of a run", AGAIN):
        return {name: Ranges.read(held) for name, held in train.facts.get("training", {}).items()}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _save(path: Path, arrays: Sequence[np.ndarray]) -> None:
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(arrays))


def _written(labels: Labelled, lengths: list[int]) -> list[np.ndarray]:
    """Labels as timestep_labels.npy holds them: UNKNOWN for the steps of channels that nobody has labelled."""
    if all(channel is not None for channel in labels):
        return labels
    return [
        np.full(length, UNKNOWN, dtype=np.int8) if channel is None else channel.astype(np.int8)
        for channel, length in zip(labels, lengths, strict=True)
    ]


def _model_scores(
    scores_folder: Path, train_folder: Path, source: SeriesSource, config: Config
) -> tuple[ScoreFiles, ScoreFiles | None, Scoring]:
    """The score files of a run, of test and training, and its scores of the channels that are evaluated."""
    files = open_scores(scores_folder)
    # arrays alone may come without those of the training split; a run of ours has them, or is damaged
    train = open_scores(train_folder) if files.config is not None or train_folder.is_dir() else None
    check_data(files, source)
    if train is not None and not set(files.channels) - set(source.untrained) <= set(train.channels):
        raise InputError(f"{train.folder}: of other channels than {scores_folder}. Run --mode test again.")
    for name in config.drop:
        if name not in source.channels:
            raise unknown_name("channel to drop", name, source.channels)
    kept = [number for number, channel in enumerate(files.channels) if channel not in config.drop]
    if not kept:
        raise InputError(f"drop = {' '.join(config.drop)}: leaves no channel to evaluate. Drop fewer.")
    found = scores_of_steps(files, train, source, config)
    test, train_steps = ([part[n] for n in kept] if part is not None else None for part in found)
    held_out = holds_out(files.config or config)
    return files, train, Scoring("model", [files.channels[n] for n in kept], test, train_steps, held_out)


@contextmanager
def _trivial(task: SeriesTask, channels: Sequence[str], config: Config) -> Iterator[list[Callable[[], Scoring]]]:
    """The trivial scores, each of which can be waited for: they are computed beside what is done inside."""
    source, scaling = task.source, None if config.columns == TOGETHER else scaling_name(config)
    lacking = set(channels) & set(source.untrained)  # for which all others stand, put together once
    of_all = np.concatenate([source.series(name, "train") for name in task.trained]) if lacking else None
    series = [
        (of_all if channel in lacking else source.series(channel, "train"), source.series(channel, "test"))
        for channel in channels
    ]
    if (longest := max(len(train) for train, _ in series)) > MOST_WINDOWS:
        note(
            f"nearest train window: of {longest} training steps of a channel the windows at {MOST_WINDOWS} are looked "
            "up, equally far apart."
        )

    def scoring(name: str, futures: list[Future[TrainAndTest]]) -> Scoring:
        pairs = collected(futures, desc=name, unit="channel")
        return Scoring(name, list(channels), [test for _, test in pairs], [train for train, _ in pairs])

    jobs = [(baseline, pair) for _, baseline in BASELINES.items() for pair in series]

    def scored(job: tuple[Baseline, TrainAndTest]) -> TrainAndTest:
        baseline, pair = job
        return trivial_scores(baseline, *pair, scaling, config.smooth, config.trailing)

    # the other half of the processors judges: more threads would wait for each other
    with begun(scored, jobs, at_once=_half()) as futures:
        yield [
            partial(scoring, name, futures[place * len(series) : (place + 1) * len(series)])
            for place, (name, _) in enumerate(BASELINES.items())
        ]


def _windows(source: SeriesSource, channels: Sequence[str], config: Config) -> tuple[int, ...] | None:
    """The largest window of every channel, by the period of its first column; None where one is set for all."""
    if config.vus_window != "auto":
        return None
    return tuple(period_window(filled(source.series(channel, "test")[:, 0])) for channel in channels)


def _judge_all(
    scorings: Sequence[Callable[[], Scoring]], labels: Labelled, config: Config, windows: tuple[int, ...] | None
) -> list[tuple[Scoring, Result]]:
    """The scorings, each waited for, and what each reaches."""
    policy = Policy.of(config)
    window = 0 if config.vus_window == "auto" else config.vus_window  # 0: without labels there is nothing to window
    options = Options(windows or window, config.bootstrap, config.point_adjust)

    def judged(scoring: Callable[[], Scoring]) -> tuple[Scoring, Result]:
        known = scoring()
        return known, judge(known, labels, policy, options)

    # the other half of the processors computes trivial scores, and judging is of steps too small for many threads
    return mapped(judged, scorings, desc="Judge", unit="score", at_once=_half())


def _half() -> int:
    """Half of the processors, one at least."""
    return max(processors() // 2, 1)
