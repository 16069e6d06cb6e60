"""The run of one class of a data set: its detector, its folder, and what identifies them."""

import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import timm
import torch
import torchvision

from datasets import PictureTask, SeriesTask
from detectors import DETECTORS
from detectors.base import Detector, PictureDetector, PictureMetrics
from detectors.loop import LAST, Course
from detectors.pictures import PictureWay
from detectors.series import SeriesWay
from models.checkpoints import read_checkpoint
from runs.folder import run_folder
from runtime.errors import InputError
from runtime.files import make_folder
from settings.config import Config
from settings.effects import score_name


class Way(Protocol):
    """How a class is learnt and scored: as series or as pictures. `splits` are what a test scores."""

    splits: tuple[str, ...]

    def fit(self, course: Course) -> None:
        """Learn from the training split."""

    def write(self, split: str, folder: Path) -> tuple[dict[str, Any], PictureMetrics]:
        """Score a split and write its score files into `folder`.

        Returns what config.json must say of them, and picture metrics where there are any; of several processes only
        the writer has either.
        """


@dataclass
class Run:
    """One class of one data set with its detector, its folder and what identifies them."""

    config: Config
    task: SeriesTask | PictureTask
    folder: Path
    device: torch.device
    detector: Detector | PictureDetector
    way: Way = field(init=False)

    def __post_init__(self) -> None:
        make = SeriesWay if score_name(self.config) == "nll" else PictureWay
        self.way = make(self.config, self.task, self.detector)

    def facts(self) -> dict[str, Any]:
        """What config.json says beside the settings: how the run came about."""
        told = {"class_name": self.task.class_name, "weights": self.detector.weights}
        return {**told, **self.detector.facts(), **self._made_with}

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        return {
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else platform.machine(),
            "git_commit": _git_commit(),
            "versions": {
                "python": platform.python_version(),
                **{module.__name__: module.__version__ for module in (torch, torchvision, timm, np)},
            },
        }


def open_run(config: Config, task: SeriesTask | PictureTask) -> Run:
    """Build the detector, seeded. Raises InputError for bad settings or an unwritable work_dir."""
    if score_name(config) == "nll" and task.kind == "pictures":
        raise InputError(
            f"dataset = {config.dataset}: pictures have no time steps. Set detector = msflow, layout = stretch and no "
            "timestep_map = nll."
        )
    folder = run_folder(config, task.class_name)
    device = _device(config.device)
    channels = _trained_channels(config, folder) or task.channels
    detector = DETECTORS[config.detector](config, task, channels, folder, device)
    make_folder(folder)
    return Run(config, task, folder, device, detector)


def checkpoint_to_test(config: Config, folder: Path) -> Path:
    """The checkpoint that is tested."""
    return Path(config.eval_ckpt or folder / LAST)


def _trained_channels(config: Config, folder: Path) -> list[str]:
    """The channels that the checkpoint to test was trained on; none where a training comes first."""
    if config.mode != "test":
        return []
    return list(read_checkpoint(checkpoint_to_test(config, folder)).get("channels", []))


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device = cuda: no CUDA device is to be had here. Set --device cpu or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _git_commit() -> str | None:
    """The commit of this code, where it lies in a repository and git is to be had."""
    if shutil.which("git") is None:
        return None
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
