"""Test mode: score a class with a checkpoint and write its score files (runs/scores.py). Called by main.py."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from detectors.base import PictureMetrics
from detectors.loop import BEST, LAST
from detectors.run import Run, checkpoint_to_test
from models.checkpoints import fitting, read_checkpoint
from runs import fingerprints
from runs.fingerprints import CHECKPOINT, changed, of_file, of_files
from runs.folder import CONFIG_FILE, TRAIN_SCORES
from runtime import distributed
from runtime.errors import warn
from runtime.files import make_folder, writing
from settings.config import Config
from settings.effects import LEARNT_BY, SCORED_BY, changed_settings, counting
from settings.load import save_config


def test(run: Run) -> tuple[Path, PictureMetrics]:
    """Score the test split with a checkpoint and write the score files; returns their folder and picture metrics.

    For series the training split is scored too, as thresholds are learnt from it, and there are no picture metrics:
    labels are per time step.
    """
    checkpoint = checkpoint_to_test(run.config, run.folder)
    content = read_checkpoint(checkpoint)
    with fitting(checkpoint):
        run.detector.load_state(checkpoint, content)
    run.checkpoint = checkpoint
    if checkpoint.name.startswith(BEST):
        warn(f"{checkpoint.name} was chosen by the test pictures: what it reaches on them is better than it is.")
    recorded = _as_trained(run, checkpoint, content)
    return run.folder / "scores", write_scores(run, run.folder / "scores", run.way.splits, recorded)


def score_held_out(run: Run) -> Path:
    """Score the training pictures that were held out with last.pt: what a threshold comes from; returns the folder.

    Scores of an earlier training go.
    """
    last = run.folder / LAST
    with fitting(last):
        run.detector.load_state(last, read_checkpoint(last))
    write_scores(run, run.folder / "scores", ["train"])
    return run.folder / "scores" / TRAIN_SCORES


def _as_trained(run: Run, checkpoint: Path, content: dict[str, Any]) -> Config:
    """The settings that the scores are of: those of this run, and what only counts in training as it was there.

    Warns where settings or training data are others than those of the checkpoint, and the scores are so too.
    """
    before = content.get("settings", {})
    if told := changed_settings(before, run.config, SCORED_BY):
        warn(f"{checkpoint}: was trained with other settings, the scores are of those of now: {told}.")
    if content.get("data") and (others := changed(content["data"], run.data)):
        warn(
            f"{checkpoint}: was trained on other data than there are here for training, from which thresholds are "
            f"learnt: channel {', '.join(others[:5])}{' ..' if len(others) > 5 else ''}."
        )
    known = {name: before[name] for name in counting(run.config, LEARNT_BY) if name in before}
    if told := changed_settings(before, run.config, LEARNT_BY):
        print(f"{checkpoint}: was trained with other settings, which stay those of the run: {told}.")
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
    return replace(run.config, **plain)


def write_scores(run: Run, folder: Path, splits: Sequence[str], recorded: Config | None = None) -> PictureMetrics:
    """Write the score files of some splits into a folder, whole or not at all; returns picture metrics.

    `recorded`: the settings that config.json is to tell, where they are not all those of the run.
    """
    metrics: PictureMetrics = {}
    checkpoint = run.checkpoint or run.folder / LAST
    with writing(checkpoint):  # it may have vanished by now
        made_with = {CHECKPOINT: of_file(checkpoint)} if distributed.is_writer() else {}
    with distributed.folder_of_all(folder) as temporary:
        for split in splits:
            place = temporary / TRAIN_SCORES if split == "train" else temporary
            make_folder(place)
            told, of_split = run.way.write(split, place)
            metrics = of_split or metrics
            distributed.wait()  # until every process has written its share
            if distributed.is_writer():
                made_from = {"data": fingerprints.of_split(run.task, split)} if run.task.kind == "series" else {}
                files = {"files": of_files(place, without=TRAIN_SCORES)}
                facts = run.facts() | told | made_from | made_with | files
                save_config(place / CONFIG_FILE, recorded or run.config, facts)
    return metrics
