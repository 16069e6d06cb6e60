"""A test run judged beside trivial scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.source import SeriesSource
from datasets import UNKNOWN, SeriesTask
from evaluation import BASELINES
from evaluation.alarms import learns, write_alarms
from evaluation.console import print_counts, print_headline, print_tables
from evaluation.judge import Labelled, Result, Scoring, judge
from evaluation.results import Evaluation, write_results
from evaluation.time_steps import scores_of_steps
from metrics.metric import Options
from runs.folder import TRAIN_SCORES
from runs.scores import ScoreFiles, check_channels, open_scores
from runtime.errors import InputError, unknown_name
from runtime.files import atomic_file
from runtime.progress import progress_bar
from settings.config import Config


def evaluate(scores_folder: Path, task: SeriesTask, config: Config) -> Evaluation:
    """Judge a test run beside the trivial scores: print the tables, write alarms, metrics and the report.

    Raises InputError where the score files are missing, damaged or of another data set.
    """
    files, model = _model_scores(scores_folder, task.source, config)
    labels = [task.labels.steps(channel) for channel in model.channels]
    print(f"Weights: {files.weights}")
    if model.train is None and learns(config.threshold):
        print(
            f"{scores_folder / TRAIN_SCORES}: no training scores, so no threshold can be learnt and no alarm raised. "
            "Give one as a number: --threshold X."
        )
    both_classes = print_counts(labels)
    scorings = [model, *_trivial(task.source, model.channels)]
    results = _judge_all(scorings, labels, config)
    evaluation = Evaluation(files, labels, scorings, results)
    if both_classes:
        print_tables(results)
        print(f"\n{evaluation.verdict[0]}")
    if config.save_npy:
        _save(scores_folder / "timestep_scores.npy", model.test)
        _save(scores_folder / "timestep_labels.npy", _written(labels, [len(scores) for scores in model.test]))
    write_alarms(scores_folder / "alarms.csv", dict(zip(model.channels, results[0].alarms, strict=True)))
    if config.report:
        print(f"Report: {write_results(scores_folder, evaluation, task, config)}")
    if both_classes:
        print_headline(results[0])
    print(f"Files: {scores_folder}")
    return evaluation


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


def _model_scores(scores_folder: Path, source: SeriesSource, config: Config) -> tuple[ScoreFiles, Scoring]:
    """The score files of a run, and its scores of the channels that are evaluated."""
    files = open_scores(scores_folder)
    # arrays alone may come without those of the training split; a run of ours has them, or is damaged
    train = None
    if files.config is not None or (scores_folder / TRAIN_SCORES).is_dir():
        train = open_scores(scores_folder / TRAIN_SCORES)
    check_channels(files, source.channels)
    if train is not None and train.channels != files.channels:
        raise InputError(f"{train.folder}: of other channels than {scores_folder}. Run --mode test again.")
    for name in config.drop:
        if name not in source.channels:
            raise unknown_name("channel to drop", name, source.channels)
    kept = [number for number, channel in enumerate(files.channels) if channel not in config.drop]
    if not kept:
        raise InputError(f"drop = {' '.join(config.drop)}: leaves no channel to evaluate. Drop fewer.")
    found = scores_of_steps(files, train, source, config)
    test, train_steps = ([part[n] for n in kept] if part is not None else None for part in found)
    return files, Scoring("model", [files.channels[n] for n in kept], test, train_steps)


def _trivial(source: SeriesSource, channels: Sequence[str]) -> list[Scoring]:
    series = [(source.series(channel, "train"), source.series(channel, "test")) for channel in channels]
    scored = {name: [baseline(*pair) for pair in series] for name, baseline in BASELINES.items()}
    return [
        Scoring(name, list(channels), [test for _, test in pairs], [train for train, _ in pairs])
        for name, pairs in scored.items()
    ]


def _judge_all(scorings: list[Scoring], labels: Labelled, config: Config) -> list[Result]:
    options = Options(config.threshold, config.vus_window, config.bootstrap, config.point_adjust)
    results = []
    with progress_bar(len(scorings), desc="Evaluate", unit="score") as bar:
        for scoring in scorings:
            results.append(judge(scoring, labels, options))
            bar.update()
    return results
