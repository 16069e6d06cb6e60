"""Test mode: score a split with a checkpoint and write the score files of runs.py. Called by main.py."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from atomic import atomic_folder, make_folder
from config import save_config
from datasets import PictureDataset, SMAPDataset
from detector import Run, checkpoint_to_test, facts, load_pictures, load_progress, normalisation
from evaluations import picture_metrics
from models.checkpoints import Progress
from post_process import add_score_map, log_likelihood_maps, mul_score_map, picture_scores
from runs import CONFIG_FILE, MAP_NAMES, TRAIN_SCORES, map_file
from timestep import combined
from tracking import progress_bar


def _score(
    run: Run, pictures: PictureDataset | SMAPDataset, maps: dict[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Fill `maps` (N, H, W) with the score maps of all pictures; returns picture scores (N,) and masks (N, H, W)."""
    size = run.config.input_size
    scores = np.empty(len(pictures), dtype=np.float32)
    masks = np.empty((len(pictures), *size), dtype=np.uint8)
    run.flow.eval()
    start = 0
    with torch.inference_mode(), progress_bar(len(pictures), desc=f"Score {run.class_name}", unit="picture") as bar:
        for images, _, batch_masks in load_pictures(run.config, pictures):
            z, _ = run.flow(run.extractor(images.to(run.device, non_blocking=True)))
            logp = log_likelihood_maps(z)
            mul_map = mul_score_map(logp, size)
            batch = slice(start, start + len(images))
            maps["add"][batch] = add_score_map(logp, size).cpu().numpy()
            maps["mul"][batch] = mul_map.cpu().numpy()
            scores[batch] = picture_scores(mul_map, run.config.top_k).cpu().numpy()
            masks[batch] = batch_masks.numpy()
            start += len(images)
            bar.update(len(images))
    return scores, masks


def evaluate_pictures(run: Run, pictures: PictureDataset) -> dict[str, float | None]:
    """Picture metrics of the flows as they are."""
    maps = {name: np.empty((len(pictures), *run.config.input_size), dtype=np.float32) for name in MAP_NAMES}
    scores, masks = _score(run, pictures, maps)
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
        scores, masks = _score(run, pictures, maps)
        for score_map in maps.values():
            score_map.flush()
        if not run.data.is_series:
            metrics = picture_metrics(pictures.labels, scores, masks, maps["add"], run.config.pro_eval)
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
