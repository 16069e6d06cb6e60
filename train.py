"""Training and testing one class: pictures -> pyramid -> flows -> loss, or score maps.

`open_run` builds the model, `train` fits it and leaves checkpoints, `test` scores the test split and leaves the
score files of `runs.py`. Both are called by main.py.
"""

import json
import math
import platform
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from tqdm import tqdm

from atomic import atomic_folder, make_folder
from config import Config, save_config
from datasets import DATASETS, PictureDataset, SMAPDataset
from errors import InputError
from evaluations import picture_metrics
from models.checkpoints import Progress, load_checkpoint, save_checkpoint
from models.extractors import Extractor, build_extractor
from models.flows import MSFlow, negative_log_likelihood
from post_process import add_score_map, log_likelihood_maps, mul_score_map, picture_scores
from runs import CONFIG_FILE, MAP_NAMES, TRAIN_SCORES, map_file, run_folder
from tracking import Tracker, progress_bar

LAST = "last.pt"
# a continued run must agree with the stopped one in these, or it would not be its continuation
COURSE_SETTINGS = (
    "dataset", "class_names", "seed", "input_size", "smap_used_dims", "img_mean", "img_std", "extractor", "weights",
    "pool_type", "c_conds", "parallel_blocks", "clamp_alpha", "batch_size", "sub_epochs", "lr", "lr_warmup_epochs",
    "lr_warmup_from", "lr_decay_milestones", "lr_decay_gamma", "grad_clip",
)  # fmt: skip


@dataclass
class Run:
    """One class of one data set with its model, its folder and what identifies them."""

    config: Config
    class_name: str
    folder: Path
    device: torch.device
    extractor: Extractor
    flow: MSFlow
    extractor_sha256: str

    @property
    def data(self) -> Any:
        """The registry's entry of the data set."""
        return DATASETS[self.config.dataset]


def open_run(config: Config, class_name: str) -> Run:
    """Build extractor and flows, seeded. Raises InputError for bad settings or an unwritable work_dir."""
    folder = run_folder(config, class_name)
    make_folder(folder)
    device = _device(config.device)
    extractor = build_extractor(config.extractor, config.weights, config.seed)
    torch.manual_seed(config.seed)
    flow = MSFlow(extractor.num_features, config.c_conds, config.parallel_blocks, config.clamp_alpha, config.pool_type)
    fingerprint = extractor.fingerprint()
    return Run(config, class_name, folder, device, extractor.to(device), flow.to(device), fingerprint)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device = cuda: no CUDA device is to be had here. Set --device cpu or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _normalisation(run: Run) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per colour: as set, or those of the data set where the setting is auto."""
    mean, std = run.config.img_mean, run.config.img_std
    if "auto" in (mean, std):
        auto_mean, auto_std = run.data.normalisation(run.config, run.class_name)
        mean, std = (auto_mean if mean == "auto" else mean), (auto_std if std == "auto" else std)
    return mean, std


def _facts(run: Run, progress: Progress) -> dict[str, Any]:
    """What config.json says beside the settings: how the run came about."""
    root = Path(__file__).parent
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return {
        "class_name": run.class_name,
        "weights": run.extractor.weights,
        "extractor_sha256": run.extractor_sha256,
        "img_mean": progress.img_mean,
        "img_std": progress.img_std,
        "device": torch.cuda.get_device_name() if run.device.type == "cuda" else platform.machine(),
        "git_commit": git.stdout.strip() or None,
        "versions": {
            "python": platform.python_version(),
            **{module.__name__: module.__version__ for module in (torch, torchvision, timm, np)},
        },
    }


def learning_rate(config: Config, step: int, steps_per_sub_epoch: int) -> float:
    """Linear warm-up from `lr_warmup_from` * lr over `lr_warmup_epochs` meta epochs; decay at each milestone.

    `step` counts optimizer steps from 0.
    """
    decays = sum(step >= milestone * steps_per_sub_epoch for milestone in config.lr_decay_milestones)
    rate = config.lr * config.lr_decay_gamma**decays
    warmup_steps = config.lr_warmup_epochs * config.sub_epochs * steps_per_sub_epoch
    if step < warmup_steps:
        rate *= config.lr_warmup_from + (1 - config.lr_warmup_from) * step / warmup_steps
    return rate


def train(run: Run) -> None:
    """Fit the flows; a checkpoint after every meta epoch, a line in log.jsonl after every sub-epoch.

    Raises InputError where the loss stops being finite; the last checkpoint stays.
    """
    config, last = run.config, run.folder / LAST
    optimizer = torch.optim.Adam(run.flow.parameters(), lr=config.lr)
    mean, std = _normalisation(run)
    progress = Progress(0, 0, run.extractor_sha256, mean, std)
    if config.resume and last.exists():
        _check_same_course(run)
        progress = load_checkpoint(last, run.flow, optimizer)
        _check_extractor(last, run, progress)
        print(f"Continues after meta epoch {progress.epoch} of {last}.")
    # the test split is opened too, so that a bad file in it is found now and not after hours of training
    pictures, test_pictures = (
        run.data.dataset(config, run.class_name, split, progress.img_mean, progress.img_std)
        for split in ("train", "test")
    )
    save_config(run.folder / CONFIG_FILE, config, _facts(run, progress))
    tracker = Tracker(run.folder, config, progress.epoch)
    steps = math.ceil(len(pictures) / config.batch_size)
    total = config.meta_epochs * config.sub_epochs * steps
    with progress_bar(total, progress.step, desc=f"Train {run.class_name}", unit="step") as bar:
        started = (time.monotonic(), progress.step)
        for epoch in range(progress.epoch, config.meta_epochs):
            for sub_epoch in range(config.sub_epochs):
                record = _sub_epoch(run, pictures, optimizer, progress, epoch, sub_epoch, steps, bar)
                tracker.log(epoch * config.sub_epochs + sub_epoch + 1, **record)
                if bar.disable:
                    left = (time.monotonic() - started[0]) / (progress.step - started[1]) * (total - progress.step)
                    print(_line(config, record) + f"  left {tqdm.format_interval(left)}", flush=True)
            progress.epoch = epoch + 1
            if not run.data.is_series:
                metrics = _evaluate(run, test_pictures)
                tracker.log(progress.epoch * config.sub_epochs, epoch=progress.epoch, **metrics)
                tqdm.write(f"meta epoch {progress.epoch}/{config.meta_epochs}  {format_metrics(metrics)}")
                _keep_best(run, progress, metrics)
            save_checkpoint(last, run.flow, progress, optimizer)
    tracker.close()


def _line(config: Config, record: dict[str, Any]) -> str:
    return (
        f"meta epoch {record['epoch']}/{config.meta_epochs}, sub-epoch {record['sub_epoch']}/{config.sub_epochs}  "
        f"loss {record['loss']:.2f}  lr {record['lr']:.2e}  {record['seconds']:.1f} s"
    )


def _batches(run: Run, pictures: PictureDataset | SMAPDataset, **order: Any) -> Iterator[list[torch.Tensor]]:
    """Batches (pictures, labels, masks) of a data set, loaded as the settings say."""
    try:
        yield from DataLoader(pictures, run.config.batch_size, num_workers=run.config.num_workers, **order)
    except InputError as error:  # one of a loading process comes with that process's traceback before it
        raise InputError(str(error).rsplit("InputError: ", 1)[-1].strip()) from error


def _sub_epoch(
    run: Run,
    pictures: PictureDataset | SMAPDataset,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    epoch: int,
    sub_epoch: int,
    steps: int,
    bar: tqdm,
) -> dict[str, Any]:
    """One pass over the training pictures; returns its record for the log."""
    config, start, losses = run.config, time.monotonic(), []
    # the order depends on seed and sub-epoch alone, so a continued run needs no generator's state
    order = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch * config.sub_epochs + sub_epoch)
    run.flow.train()
    for batch, (images, _, _) in enumerate(_batches(run, pictures, shuffle=True, generator=order)):
        rate = learning_rate(config, progress.step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = negative_log_likelihood(*run.flow(run.extractor(images.to(run.device, non_blocking=True))))
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(run.flow.parameters(), config.grad_clip)
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            raise InputError(
                f"the loss is {loss.item()} (norm of the gradient {norm.item()}) at meta epoch {epoch + 1}, sub-epoch "
                f"{sub_epoch + 1}, batch {batch + 1}. The last good checkpoint is kept: "
                f"{run.folder / LAST if progress.epoch else 'none yet'}. Lower --lr, or look at the data."
            )
        optimizer.step()
        progress.step += 1
        losses.append(loss.item())
        bar.update()
        bar.set_postfix(epoch=f"{epoch + 1}.{sub_epoch + 1}", loss=f"{losses[-1]:.1f}", lr=f"{rate:.1e}", refresh=False)
    return {
        "epoch": epoch + 1,
        "sub_epoch": sub_epoch + 1,
        "loss": float(np.mean(losses)),
        "lr": rate,
        "seconds": round(time.monotonic() - start, 3),
    }


def _check_same_course(run: Run) -> None:
    """Raises InputError where --resume meets a run that was started with other settings."""
    path = run.folder / CONFIG_FILE
    try:
        started = json.loads(path.read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}), so --resume cannot check the settings. Train anew."
        ) from error
    now = json.loads(json.dumps(vars(run.config)))
    changed = [f"{n} was {started.get(n)}, now {now[n]}" for n in COURSE_SETTINGS if started.get(n) != now[n]]
    if changed:
        raise InputError(f"{path}: --resume with other settings: {'; '.join(changed)}. Set them back, or train anew.")


def _check_extractor(path: Path, run: Run, progress: Progress) -> None:
    """Raises InputError where the flows were trained on the features of other extractor weights."""
    if progress.extractor_sha256 not in ("", run.extractor_sha256):
        raise InputError(
            f"{path}: was trained on other extractor weights than {run.extractor.weights}. "
            "Set weights and seed as in the config.json beside it."
        )


def _keep_best(run: Run, progress: Progress, metrics: dict[str, float | None]) -> None:
    for name, value in metrics.items():
        if value is not None and value > progress.best.get(name, -math.inf):
            progress.best[name] = value
            save_checkpoint(run.folder / f"best_{name}.pt", run.flow, progress)


def format_metrics(metrics: dict[str, float | None]) -> str:
    """One line: names and values of picture metrics."""
    names = {"detection": "detection AUROC", "localisation": "localisation AUROC", "pro": "PRO"}
    shown = {name: "undefined (one class only)" if value is None else f"{value:.4f}" for name, value in metrics.items()}
    return "  ".join(f"{names[name]} {value}" for name, value in shown.items())


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
        for images, _, batch_masks in _batches(run, pictures):
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


def _evaluate(run: Run, pictures: PictureDataset) -> dict[str, float | None]:
    maps = {name: np.empty((len(pictures), *run.config.input_size), dtype=np.float32) for name in MAP_NAMES}
    scores, masks = _score(run, pictures, maps)
    return picture_metrics(pictures.labels, scores, masks, maps["add"], run.config.pro_eval)


def test(run: Run) -> tuple[Path, dict[str, float | None]]:
    """Score the test split with a checkpoint and write the score files; returns their folder and picture metrics.

    For series the training split is scored too, as thresholds are learnt from it, and there are no picture metrics:
    labels are per time step.
    """
    checkpoint = Path(run.config.eval_ckpt or run.folder / LAST)
    progress = load_checkpoint(checkpoint, run.flow)
    _check_extractor(checkpoint, run, progress)
    auto_mean, auto_std = (progress.img_mean, progress.img_std) if progress.img_mean else _normalisation(run)
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
    shape = (len(pictures), *run.config.input_size)
    maps = {name: np.lib.format.open_memmap(map_file(folder, name), "w+", np.float32, shape) for name in MAP_NAMES}
    scores, masks = _score(run, pictures, maps)
    for score_map in maps.values():
        score_map.flush()
    np.save(folder / "anomaly_score.npy", scores)
    np.save(folder / "labels.npy", np.array(pictures.labels, dtype=np.uint8))
    np.save(folder / "filenames.npy", np.array(pictures.filenames))
    save_config(folder / CONFIG_FILE, run.config, _facts(run, progress))
    if run.data.is_series:
        return {}
    return picture_metrics(pictures.labels, scores, masks, maps["add"], run.config.pro_eval)
