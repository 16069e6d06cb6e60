"""Test mode: score a split with a checkpoint and write the score files of runs.py. Called by main.py."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from atomic import atomic_folder, make_folder
from config import save_config
from datasets import PictureDataset
from detector import Run, checkpoint_to_test, facts, load_progress, normalisation
from evaluations import picture_metrics
from features import Features
from models.checkpoints import Progress
from post_process import add_score_map, log_likelihood_maps, mul_score_map, picture_scores
from runs import CONFIG_FILE, MAP_NAMES, TRAIN_SCORES, map_file
from timestep import combined
from tracking import progress_bar


def _score(run: Run, features: Features, maps: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Fill `maps` (N, H, W) with the score maps of all pictures; returns picture scores (N,)."""
    size, total = run.config.input_size, len(features)
    scores = np.empty(total, dtype=np.float32)
    run.flow.eval()
    with torch.inference_mode(), progress_bar(total, desc=f"Score {run.class_name}", unit="picture") as bar:
        for start in range(0, total, run.config.batch_size):
            numbers = list(range(start, min(start + run.config.batch_size, total)))
            z, _ = run.flow.transform(features.levels(numbers))
            logp = log_likelihood_maps(z)
            mul_map = mul_score_map(logp, size)
            batch = slice(start, start + len(numbers))
            maps["add"][batch] = add_score_map(logp, size).cpu().numpy()
            maps["mul"][batch] = mul_map.cpu().numpy()
            scores[batch] = picture_scores(mul_map, run.config.top_k).cpu().numpy()
            bar.update(len(numbers))
    return scores


def evaluate_pictures(run: Run, features: Features, pictures: PictureDataset) -> dict[str, float | None]:
    """Picture metrics of the flows as they are."""
    maps = {name: np.empty((len(pictures), *run.config.input_size), dtype=np.float32) for name in MAP_NAMES}
    return _metrics(run, pictures, _score(run, features, maps), maps)


def _metrics(
    run: Run, pictures: PictureDataset, scores: NDArray[np.float32], maps: dict[str, NDArray[np.float32]]
) -> dict[str, float | None]:
    masks = np.stack([pictures.mask(number) for number in range(len(pictures))])
    return picture_metrics(pictures.labels, scores, masks, maps["add"], run.config.pro_eval)


def test(run: Run) -> tuple[Path, dict[str, float | None]]:
    """Score the test split with a checkpoint and write the score files; returns their folder and picture metrics.

    For series the training split is scored too, as thresholds are learnt from it, and there are no picture metrics:
    labels are per time step.
    """
    progress = load_progress(checkpoint_to_test(run.config, run.folder), run)
    auto_mean, auto_std = (progress.img_mean, progress.img_std) if progress.img_mean else normalisation(run)
    progress.img_mean = auto_mean if run.config.img_mean == "auto" else run.config.img_mean
    progress.img_std = auto_std if run.config.img_std == "auto" else run.config.img_std
    folder = run.folder / "scores"
    with atomic_folder(folder) as temporary:
        metrics = _write_scores(run, "test", progress, temporary)
        if run.data.is_series:
            _write_scores(run, "train", progress, temporary / TRAIN_SCORES)
    return folder, metrics


def _write_scores(run: Run, split: str, progress: Progress, folder: Path) -> dict[str, float | None]:
    """Score a split and write its score files into `folder`; returns picture metrics, none for series."""
    make_folder(folder)
    pictures = run.data.dataset(run.config, run.class_name, split, progress.img_mean, progress.img_std)
    metrics = {}
    if run.series is not None:
        scores = _write_energies(run, split, progress, folder)
    else:
        shape = (len(pictures), *run.config.input_size)
        maps = {name: np.lib.format.open_memmap(map_file(folder, name), "w+", np.float32, shape) for name in MAP_NAMES}
        scores = _score(run, Features(run, pictures, split), maps)
        for score_map in maps.values():
            score_map.flush()
        if not run.data.is_series:
            metrics = _metrics(run, pictures, scores, maps)
    np.save(folder / "anomaly_score.npy", scores)
    np.save(folder / "labels.npy", np.array(pictures.labels, dtype=np.uint8))
    np.save(folder / "filenames.npy", np.array(pictures.filenames))
    save_config(folder / CONFIG_FILE, run.config, facts(run, progress))
    return metrics


def _write_energies(run: Run, split: str, progress: Progress, folder: Path) -> NDArray[np.float32]:
    """Write the raw -log p of every channel; returns the channels' scores (N,): means of their highest steps."""
    if run.flow is not None:
        run.flow.eval()
    scores = []
    with progress_bar(len(run.series.channels), desc=f"Score {split}", unit="channel") as bar:
        for energies in run.series.write_energies(folder, split, progress.img_mean, progress.img_std, bar):
            steps = np.sort(combined(energies, energies, run.config.levels, "none", run.config.smooth)[0])
            scores.append(steps[-max(1, int(len(steps) * run.config.top_k)) :].mean())
    return np.array(scores, dtype=np.float32)
