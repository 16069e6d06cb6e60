"""Test mode: score a class with a checkpoint and write its score files (runs/scores.py). Called by main.py."""

from collections.abc import Sequence
from pathlib import Path

from detectors.base import PictureMetrics
from detectors.loop import BEST
from detectors.run import Run, checkpoint_to_test
from models.checkpoints import read_checkpoint
from runs.folder import CONFIG_FILE, TRAIN_SCORES
from runtime import distributed
from runtime.errors import warn
from runtime.files import make_folder
from settings.load import save_config


def test(run: Run) -> tuple[Path, PictureMetrics]:
    """Score the test split with a checkpoint and write the score files; returns their folder and picture metrics.

    For series the training split is scored too, as thresholds are learnt from it, and there are no picture metrics:
    labels are per time step.
    """
    checkpoint = checkpoint_to_test(run.config, run.folder)
    run.detector.load_state(checkpoint, read_checkpoint(checkpoint))
    run.checkpoint = checkpoint
    if checkpoint.name.startswith(BEST):
        warn(f"{checkpoint.name} was chosen by the test pictures: what it reaches on them is better than it is.")
    return run.folder / "scores", write_scores(run, run.folder / "scores", run.way.splits)


def write_scores(run: Run, folder: Path, splits: Sequence[str]) -> PictureMetrics:
    """Write the score files of some splits into a folder, whole or not at all; returns picture metrics."""
    metrics: PictureMetrics = {}
    with distributed.folder_of_all(folder) as temporary:
        for split in splits:
            place = temporary / TRAIN_SCORES if split == "train" else temporary
            make_folder(place)
            told, of_split = run.way.write(split, place)
            metrics = of_split or metrics
            if distributed.is_writer():
                save_config(place / CONFIG_FILE, run.config, run.facts() | told)
    return metrics
