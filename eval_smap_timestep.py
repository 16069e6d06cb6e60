"""Score maps of a test run -> one score per time step -> metrics beside those of trivial scores, alarms and a report.

    python eval_smap_timestep.py --root-dir . --save-npy      the run that default.py describes
    python eval_smap_timestep.py --config configs/sample.py   that of a recipe
    python eval_smap_timestep.py --scores-dir DIR             the scores in DIR, with the settings they were made with
    python eval_smap_timestep.py --check-labels               what is odd about the data set; needs no scores

Time steps of all channels are pooled, without point adjustment: a step counts as found by its own score only.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baselines import BASELINES
from comparison import HEAVY, HEAVY_FACTOR, LIGHT, PER_CHANNEL, POOLED, SECOND_HALF, Result, Scoring, judge
from data.label_check import print_check
from data.telemanom import TelemanomSource
from metrics.table import Options
from results import Evaluation, write_results
from runs import TRAIN_SCORES, Scores, check_channels, open_scores, scores_parser
from runtime.errors import InputError, exit_code, unknown_name
from runtime.files import atomic_file
from runtime.progress import progress_bar
from settings.effects import JUDGED_BY
from settings.load import Config
from thresholds import write_alarms
from timestep import timestep_scores

FLAGS = ["save_npy", "report", *JUDGED_BY]  # all other settings stand as the scores were made
PARTS = {POOLED: "pooled", PER_CHANNEL: "per channel", SECOND_HALF: "second half", HEAVY: "heavy", LIGHT: "others"}
DETAILS = {
    "best_f1": "best F1", "range_auc_roc": "R-ROC", "range_auc_pr": "R-PR", "vus_roc": "VUS-ROC", "vus_pr": "VUS-PR",
    "affiliation_precision": "affil P", "affiliation_recall": "affil R", "affiliation_f1": "affil F1",
    "event_precision": "event P", "event_recall": "event R", "event_f1": "event F1", "point_adjusted_f1": "PA-F1",
}  # fmt: skip


def evaluate(scores_folder: Path, source: TelemanomSource, config: Config) -> Evaluation:
    """Judge a test run beside the trivial scores: print the tables, write alarms, metrics and the report.

    Raises InputError where the score files are missing, damaged or of another data set.
    """
    scores, model = _model_scores(scores_folder, source, config)
    labels = [source.timestep_labels(channel) for channel in model.channels]
    print(f"Weights: {scores.weights}")
    both_classes = _print_counts(labels)
    scorings = [model, *_trivial(source, model.channels)]
    results = _judge_all(scorings, labels, config)
    evaluation = Evaluation(scores, labels, scorings, results)
    if both_classes:
        _print_tables(results)
        print(f"\n{evaluation.verdict}")
    if config.save_npy:
        for name, arrays in (("timestep_scores", model.test), ("timestep_labels", labels)):
            with atomic_file(scores_folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, np.concatenate(arrays))
    write_alarms(scores_folder / "alarms.csv", dict(zip(model.channels, results[0].alarms, strict=True)))
    if config.report:
        print(f"Report: {write_results(scores_folder, evaluation, source, config)}")
    if both_classes:
        _print_headline(results[0])
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


def _print_tables(results: list[Result]) -> None:
    """AUROC and average precision by part of the steps, then the other metrics of the pooled steps."""
    parts = [name for name in PARTS if name in results[0].parts]
    print(f"\n{'':22}" + "".join(f"{PARTS[name]:>16}" for name in parts))
    print(f"{'':22}" + f"{'AUROC':>9}{'AP':>7}" * len(parts))
    for result in results:
        cells = [
            f"{_cell(result.parts[n]['roc_auc'], 9)}{_cell(result.parts[n]['average_precision'], 7)}" for n in parts
        ]
        print(f"{result.name:22}" + "".join(cells))
    if HEAVY in parts:
        print(f"{'':22}heavy: channels with more than {HEAVY_FACTOR} times the mean number of labelled steps")
    details = [name for name in DETAILS if name in results[0].parts[POOLED]]
    print(f"\n{'pooled':22}" + "".join(f"{DETAILS[name]:>9}" for name in details))
    for result in results:
        print(f"{result.name:22}" + "".join(_cell(result.parts[POOLED][name], 9) for name in details))


def _cell(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>{width}}"


def _print_counts(labels: list[NDArray[np.uint8]]) -> bool:
    """Print the counts of steps; returns whether both classes are there, and says why nothing follows if not."""
    num_steps, anomalous = sum(map(len, labels)), sum(int(channel.sum()) for channel in labels)
    print(f"Time steps: {num_steps}, anomalous: {anomalous}, normal: {num_steps - anomalous}")
    if 0 < anomalous < num_steps:
        return True
    kind = "anomalous" if anomalous else "normal"
    print(f"Time-step ROC AUC and average precision are not defined: all {num_steps} time steps are {kind}.")
    return False


def _print_headline(model: Result) -> None:
    """The two numbers that stand for the run."""
    for metric, words in (("roc_auc", "ROC AUC"), ("average_precision", "Average Precision (AP)")):
        low, high = model.confidence.get(metric) or (None, None)
        interval = "" if low is None else f"  (95 % interval over channels {low:.3f} to {high:.3f})"
        print(f"Time-step {words}: {model.parts[POOLED][metric]:.4f}{interval}")


def run(argv: list[str] | None) -> None:
    """Find the scores, then evaluate them; or check the labels."""
    switches = {"check-labels": "print what is odd about labels and series of the data set, and stop"}
    scores_folder, config, source, chosen = scores_parser(__doc__, FLAGS, argv, switches)
    if chosen:
        print_check(source)
    else:
        evaluate(scores_folder, source, config)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
