"""Test mode: score a split with a checkpoint and write the score files of runs.py. Called by main.py."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from data.pictures import PictureDataset
from detectors.msflow.features import Features
from detectors.run import Run, checkpoint_to_test, facts, load_progress, normalisation
from evaluation.time_steps import combined
from metrics.pictures import picture_metrics
from models.checkpoints import Progress
from post_process import add_score_map, log_likelihood_maps, mul_score_map, picture_scores
from runs.folder import CONFIG_FILE, MAP_NAMES, TRAIN_SCORES, level_map_file, map_file
from runtime import distributed
from runtime.arrays import ArrayFile
from runtime.files import atomic_file, make_folder
from runtime.progress import progress_bar
from settings.load import save_config

Maps = Mapping[str, NDArray[np.float32] | ArrayFile]


def _score(run: Run, features: Features, maps: Maps, numbers: list[int]) -> dict[int, float]:
    """Fill `maps` (N, H, W) with the score maps of the pictures `numbers`; returns their scores by number."""
    size, scores = run.config.input_size, {}
    run.flow.eval()
    with torch.inference_mode(), progress_bar(len(numbers), desc=f"Score {run.class_name}", unit="picture") as bar:
        for start in range(0, len(numbers), run.config.batch_size):
            batch = numbers[start : start + run.config.batch_size]
            z, _ = run.flow.transform(features.levels(batch))
            logp = log_likelihood_maps(z)
            mul_map = mul_score_map(logp, size)
            for name, made in (("add", add_score_map(logp, size)), ("mul", mul_map)):
                for number, score_map in zip(batch, made.cpu().numpy(), strict=True):
                    maps[name][number] = score_map
            scores |= zip(batch, picture_scores(mul_map, run.config.top_k).tolist(), strict=True)
            bar.update(len(batch))
    return scores


def evaluate_pictures(run: Run, features: Features, pictures: PictureDataset) -> dict[str, float | None]:
    """Picture metrics of the flows as they are."""
    maps = {name: np.empty((len(pictures), *run.config.input_size), dtype=np.float32) for name in MAP_NAMES}
    scores = _score(run, features, maps, list(range(len(pictures))))
    return _metrics(run, pictures, _in_order(scores), maps["add"])


def _in_order(scores: dict[int, float]) -> NDArray[np.float32]:
    return np.array([scores[number] for number in range(len(scores))], dtype=np.float32)


def _metrics(
    run: Run, pictures: PictureDataset, scores: NDArray[np.float32], score_maps: NDArray[np.float32]
) -> dict[str, float | None]:
    masks = np.stack([pictures.mask(number) for number in range(len(pictures))])
    return picture_metrics(pictures.labels, scores, masks, score_maps, run.config.pro_eval)


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
    with distributed.folder_of_all(folder) as temporary:
        metrics = _write_scores(run, "test", progress, temporary)
        if run.data.is_series:
            _write_scores(run, "train", progress, temporary / TRAIN_SCORES)
    return folder, metrics


def _write_scores(run: Run, split: str, progress: Progress, folder: Path) -> dict[str, float | None]:
    """Score a split and write its score files into `folder`; returns picture metrics, none for series.

    Of several processes each scores a share and writes its maps; one writes the rest.
    """
    make_folder(folder)
    pictures = run.data.dataset(run.config, run.class_name, split, progress.img_mean, progress.img_std)
    if run.series is not None:
        scores = _write_energies(run, split, progress, folder)
    else:
        shape = (len(pictures), *run.config.input_size)
        with distributed.writer_first():
            maps = {name: _map_file(map_file(folder, name), shape) for name in MAP_NAMES}
        numbers = distributed.share_of(list(range(len(pictures))))
        scores = _score(run, Features(run, pictures, split), maps, numbers)
    scores = _in_order(distributed.gathered(scores))
    if not distributed.is_writer():
        return {}
    np.save(folder / "anomaly_score.npy", scores)
    np.save(folder / "labels.npy", np.array(pictures.labels, dtype=np.uint8))
    np.save(folder / "filenames.npy", np.array(pictures.filenames))
    save_config(folder / CONFIG_FILE, run.config, facts(run, progress))
    if run.data.is_series:
        return {}
    return _metrics(run, pictures, scores, np.load(map_file(folder, "add"), mmap_mode="r", allow_pickle=False))


def _map_file(path: Path, shape: tuple[int, ...]) -> ArrayFile:
    """The file of the score maps, made by the first who asks."""
    return ArrayFile(path) if path.exists() else ArrayFile.create(path, shape)


def _write_energies(run: Run, split: str, progress: Progress, folder: Path) -> dict[int, float]:
    """Write the raw -log p of a share of the channels; returns their scores by number, means of their highest steps."""
    if run.flow is not None:
        run.flow.eval()
    scores, numbers = {}, distributed.share_of(list(range(len(run.series.channels))))
    with progress_bar(len(numbers), desc=f"Score {split}", unit="channel") as bar:
        for number in numbers:
            energies = run.series.energies(run.series.channels[number], split, progress.img_mean, progress.img_std)
            path = level_map_file(folder, run.series.channels[number])
            with atomic_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, energies)
            steps = np.sort(combined(energies, energies, run.config.levels, "none", run.config.smooth)[0])
            scores[number] = float(steps[-max(1, int(len(steps) * run.config.top_k)) :].mean())
            bar.update()
    return scores
