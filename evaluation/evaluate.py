"""A test run judged beside trivial scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.telemanom import TelemanomSource
from evaluation.alarms import write_alarms
from evaluation.baselines import BASELINES
from evaluation.console import print_counts, print_headline, print_tables
from evaluation.judge import Result, Scoring, judge
from evaluation.results import Evaluation, write_results
from evaluation.time_steps import timestep_scores
from metrics.table import Options
from runs.folder import TRAIN_SCORES
from runs.scores import Scores, check_channels, open_scores
from runtime.errors import InputError, unknown_name
from runtime.files import atomic_file
from runtime.progress import progress_bar
from settings.load import Config


def evaluate(scores_folder: Path, source: TelemanomSource, config: Config) -> Evaluation:
    """Judge a test run beside the trivial scores: print the tables, write alarms, metrics and the report.

    Raises InputError where the score files are missing, damaged or of another data set.
    """
    scores, model = _model_scores(scores_folder, source, config)
    labels = [source.timestep_labels(channel) for channel in model.channels]
    print(f"Weights: {scores.weights}")
    both_classes = print_counts(labels)
    scorings = [model, *_trivial(source, model.channels)]
    results = _judge_all(scorings, labels, config)
    evaluation = Evaluation(scores, labels, scorings, results)
    if both_classes:
        print_tables(results)
        print(f"\n{evaluation.verdict}")
    if config.save_npy:
        for name, arrays in (("timestep_scores", model.test), ("timestep_labels", labels)):
            with atomic_file(scores_folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, np.concatenate(arrays))
    write_alarms(scores_folder / "alarms.csv", dict(zip(model.channels, results[0].alarms, strict=True)))
    if config.report:
        print(f"Report: {write_results(scores_folder, evaluation, source, config)}")
    if both_classes:
        print_headline(results[0])
    print(f"Files: {scores_folder}")
    return evaluation


def _model_scores(scores_folder: Path, source: TelemanomSource, config: Config) -> tuple[Scores, Scoring]:
    """The score files of a run, and its scores of the channels that are evaluated."""
    scores, train_scores = open_scores(scores_folder), open_scores(scores_folder / TRAIN_SCORES)
    check_channels(scores, source.channels)
    if train_scores.channels != scores.channels:
        raise InputError(f"{train_scores.folder}: of other channels than {scores_folder}. Run --mode test again.")
    for name in config.drop:
        if name not in source.channels:
            raise unknown_name("channel to drop", name, source.channels)
    channels = [channel for channel in scores.channels if channel not in config.drop]
    if not channels:
        raise InputError(f"drop = {' '.join(config.drop)}: leaves no channel to evaluate. Drop fewer.")
    test, train = timestep_scores(scores, train_scores, source, config)
    chosen = [number for number, channel in enumerate(scores.channels) if channel in channels]
    return scores, Scoring("model", channels, [test[n] for n in chosen], [train[n] for n in chosen])


def _trivial(source: TelemanomSource, channels: Sequence[str]) -> list[Scoring]:
    series = [(source.series(channel, "train"), source.series(channel, "test")) for channel in channels]
    scored = {name: [baseline(*pair) for pair in series] for name, baseline in BASELINES.items()}
    return [
        Scoring(name, list(channels), [test for _, test in pairs], [train for train, _ in pairs])
        for name, pairs in scored.items()
    ]


def _judge_all(scorings: list[Scoring], labels: list[NDArray[np.uint8]], config: Config) -> list[Result]:
    options = Options(config.threshold, config.vus_window, config.bootstrap, config.point_adjust)
    results = []
    with progress_bar(len(scorings), desc="Evaluate", unit="score") as bar:
        for scoring in scorings:
            results.append(judge(scoring, labels, options))
            bar.update()
    return results
