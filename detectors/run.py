"""The detector of one class of one data set: extractor, flows, their folder, and what identifies them."""

import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from torch.utils.data import DataLoader

from data.pictures import PictureDataset
from datasets import DATASETS, SMAPDataset
from detectors.msflow.series import SeriesModel
from models.checkpoints import Progress, load_checkpoint, load_memories, read_progress
from models.extractors import Extractor, build_extractor
from models.flows import MSFlow
from runs.folder import run_folder
from runtime.errors import InputError
from runtime.files import make_folder
from settings.effects import DRAWN_BY, course_settings, score_name
from settings.load import Config

LAST = "last.pt"


@dataclass
class Run:
    """One class of one data set with its model, its folder and what identifies them.

    `flow` is None where the head needs none; `series` is None where MSFlow's own maps are what is scored.
    """

    config: Config
    class_name: str
    folder: Path
    device: torch.device
    extractor: Extractor
    flow: MSFlow | None
    extractor_sha256: str
    series: SeriesModel | None

    @property
    def data(self) -> Any:
        """The registry's entry of the data set."""
        return DATASETS[self.config.dataset]


def open_run(config: Config, class_name: str) -> Run:
    """Build extractor and flows, seeded. Raises InputError for bad settings or an unwritable work_dir."""
    folder = run_folder(config, class_name)
    device = _device(config.device)
    data = DATASETS[config.dataset]
    raw = score_name(config) == "nll"
    if raw and not data.is_series:
        raise InputError(f"dataset = {config.dataset}: pictures have no time steps. Set layout = stretch and no nll.")
    extractor = build_extractor(config.extractor, config.weights, config.seed)
    fingerprint = extractor.fingerprint()
    line = config.layout == "line"
    extractor = (extractor.as_line() if line else extractor).to(device)
    torch.manual_seed(config.seed)
    flow, trained = None, _trained_channels(config, folder) or data.channels(config) if raw else []
    if config.head == "flow":
        num_channels = len(trained) * len(config.time_scales)
        make = (extractor.num_features, config.c_conds, config.parallel_blocks, config.clamp_alpha, config.pool_type)
        flow = MSFlow(*make, config.condition, num_channels, line, config.amp, config.recompute).to(device)
    series = SeriesModel(config, data, extractor, flow, trained) if raw else None
    make_folder(folder)
    return Run(config, class_name, folder, device, extractor, flow, fingerprint, series)


def checkpoint_to_test(config: Config, folder: Path) -> Path:
    """The checkpoint that is tested."""
    return Path(config.eval_ckpt or folder / LAST)


def _trained_channels(config: Config, folder: Path) -> list[str]:
    """The channels that the checkpoint to test was trained on; none where a training comes first."""
    path = checkpoint_to_test(config, folder)
    return read_progress(path).channels if config.mode == "test" and path.exists() else []


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device = cuda: no CUDA device is to be had here. Set --device cpu or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def normalisation(run: Run) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per colour: as set, or those of the data set where the setting is auto."""
    mean, std = run.config.img_mean, run.config.img_std
    if "auto" in (mean, std):
        auto_mean, auto_std = run.data.normalisation(run.config, run.class_name)
        mean, std = (auto_mean if mean == "auto" else mean), (auto_std if std == "auto" else std)
    return mean, std


def facts(run: Run, progress: Progress) -> dict[str, Any]:
    """What config.json says beside the settings: how the run came about."""
    root = Path(__file__).parents[1]
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


def changed_settings(progress: Progress, config: Config, names: Sequence[str]) -> str:
    """Which of the settings `names` are others than those of a checkpoint, in words; empty where none or unknown."""
    now, then = course_settings(config), progress.settings
    return "; ".join(f"{n} was {then[n]}, now {now[n]}" for n in names if n in then and then[n] != now[n])


def load_progress(path: Path, run: Run, optimizer: torch.optim.Optimizer | None = None) -> Progress:
    """Load a checkpoint into the run's model, and the optimizer where one is given.

    Raises InputError where it does not fit, or was trained on other extractor weights.
    """
    if run.flow is not None:
        progress = load_checkpoint(path, run.flow, optimizer)
    if run.series is not None and (run.series.memories or run.flow is None):
        progress = load_memories(path, run.series.memories)
    changed = changed_settings(progress, run.config, DRAWN_BY)
    if changed:
        raise InputError(f"{path}: was made with other settings: {changed}. Set them back, or train anew.")
    if progress.extractor_sha256 not in ("", run.extractor_sha256):
        raise InputError(
            f"{path}: was trained on other extractor weights than {run.extractor.weights}. "
            "Set weights and seed as in the config.json beside it."
        )
    return progress


def load_pictures(config: Config, pictures: PictureDataset | SMAPDataset) -> Iterator[list[torch.Tensor]]:
    """Batches (pictures, labels, masks) of a data set, loaded as the settings say."""
    try:
        yield from DataLoader(pictures, config.batch_size, num_workers=config.num_workers)
    except InputError as error:  # one of a loading process comes with that process's traceback before it
        raise InputError(str(error).rsplit("InputError: ", 1)[-1].strip()) from error
