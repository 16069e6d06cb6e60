"""Score maps of a test run -> one score per time step -> ROC AUC and average precision over all time steps.

    python eval_smap_timestep.py --root-dir . --save-npy      the run that default.py describes
    python eval_smap_timestep.py --config configs/sample.py   that of a recipe
    python eval_smap_timestep.py --scores-dir DIR             the scores in DIR, with the settings they were made with

Time steps of all channels are pooled, without point adjustment: a step counts as found by its own score only.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atomic import atomic_file
from data.telemanom import TelemanomSource
from errors import exit_code
from evaluations import TimestepMetrics, timestep_metrics
from layouts import Stretch
from runs import Scores, check_channels, open_scores, scores_parser


def timestep_scores(scores: Scores, source: TelemanomSource, map_name: str) -> dict[str, NDArray[np.float64]]:
    """One score per time step, (T,) per channel: the score map read back at the channel's own length."""
    layout = Stretch(*scores.maps[map_name].shape[1:])
    return {
        channel: layout.to_series(score_map, source.num_steps(channel, "test"))
        for channel, score_map in zip(scores.channels, scores.maps[map_name], strict=True)
    }


def evaluate(scores_folder: Path, source: TelemanomSource, map_name: str, save_npy: bool) -> TimestepMetrics:
    """Print and return the time-step metrics of a test run; with `save_npy` keep scores and labels beside the maps.

    Raises InputError where the score files are missing, damaged or of another data set.
    """
    scores = open_scores(scores_folder)
    check_channels(scores, source.channels)
    by_channel = timestep_scores(scores, source, map_name)
    pooled = np.concatenate(list(by_channel.values()))
    labels = np.concatenate([source.timestep_labels(channel) for channel in by_channel])
    # position in the file, which never looks at the data: what a result must be compared with
    positions = np.concatenate([np.arange(len(series)) / len(series) for series in by_channel.values()])
    metrics = timestep_metrics(labels, pooled)
    print(f"Weights: {scores.weights}")
    print(
        f"Time steps: {metrics.num_steps}, anomalous: {metrics.num_anomalous}, "
        f"normal: {metrics.num_steps - metrics.num_anomalous}"
    )
    if metrics.auroc is None or metrics.average_precision is None:
        kind = "anomalous" if metrics.num_anomalous else "normal"
        print(
            f"Time-step ROC AUC and average precision are not defined: all {metrics.num_steps} time steps are {kind}."
        )
    else:
        trivial = timestep_metrics(labels, positions)
        print(f"Position alone (t/T, no data): ROC AUC {trivial.auroc:.4f}, AP {trivial.average_precision:.4f}")
        print(f"Time-step ROC AUC: {metrics.auroc:.4f}")
        print(f"Time-step Average Precision (AP): {metrics.average_precision:.4f}")
    if save_npy:
        for name, array in (("timestep_scores", pooled), ("timestep_labels", labels)):
            with atomic_file(scores_folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, array)
    print(f"Files: {scores_folder}")
    return metrics


def run(argv: list[str] | None) -> None:
    """Find the scores, then evaluate them."""
    scores_folder, config, source = scores_parser(__doc__, ["save_npy", "timestep_map"], argv)
    evaluate(scores_folder, source, config.timestep_map, config.save_npy)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
