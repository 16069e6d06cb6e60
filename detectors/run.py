"""The run of one class of a data set: its detector, its folder, and what identifies them."""

import platform
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch

from data.source import Labels, LearntSource
from datasets import DATASETS, PictureTask, SeriesTask, Task
from detectors import DETECTORS
from detectors.base import Detector, PictureDetector, PictureMetrics
from detectors.loop import LAST, Course
from detectors.pictures import PictureWay
from detectors.series import SeriesWay
from models.checkpoints import fitting, read_checkpoint
from runs.fingerprints import of_split, require_of
from runs.folder import CONFIG_FILE, FEATURES, TRAIN_SCORES, run_folder
from runs.known import listed
from runs.scores import read_facts
from runtime import distributed
from runtime.errors import InputError
from runtime.files import make_folder
from runtime.threads import processors
from settings.config import Config
from settings.effects import score_name
from settings.load import recorded_config


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
    """One class of one data set with its detector, its folder and what identifies them.

    `known`: the channels that the detector is trained on, with the names of their columns; `steps`: the usual time
    between two steps of theirs, where it is known.
    """

    config: Config
    task: Task
    known: dict[str, list[str]]
    folder: Path
    device: torch.device
    detector: Detector | PictureDetector
    steps: dict[str, pd.Timedelta]
    checkpoint: Path | None = None  # that it was loaded from
    way: Way = field(init=False)

    def __post_init__(self) -> None:
        if score_name(self.config) == "nll":
            self.way = SeriesWay(self.config, self.task, self.detector, self.known)
        else:
            self.way = PictureWay(self.config, self.task, self.detector)

    def state(self) -> dict[str, Any]:
        """The content of a checkpoint: the detector's, and what it was trained on."""
        steps = {channel: step.as_unit("ns").value for channel, step in self.steps.items()}
        known = {"channels": self.detector.channels, "columns": self.known, "steps_ns": steps, "data": self.data}
        return {**self.detector.state(), **known}

    @cached_property
    def data(self) -> dict[str, str]:
        """Checksums of the training data by channel."""
        return of_split(self.task, "train")

    def tidy(self) -> None:
        """Remove the features of pictures at the end of a run, unless they are to be kept: they outweigh all else."""
        if self.task.kind == "pictures" and not self.config.keep_features and distributed.is_writer():
            shutil.rmtree(self.folder / FEATURES, ignore_errors=True)

    def facts(self) -> dict[str, Any]:
        """What config.json says beside the settings: how the run came about."""
        told = {"class_name": self.task.class_name, "weights": self.detector.weights}
        if self.task.kind == "pictures" and self.checkpoint is not None:
            told["checkpoint"] = self.checkpoint.name
        return {**told, **self.detector.facts(), **self._made_with}

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        return {
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else platform.machine(),
            "git_commit": _git_commit(),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,  # tells which build
                **{name: version(name) for name in ("torchvision", "timm", "numpy")},
            },
        }


def open_run(config: Config, task: Task) -> Run:
    """Build the detector, seeded. Raises InputError for bad settings or an unwritable work_dir."""
    if score_name(config) == "nll" and task.kind == "pictures":
        raise InputError(
            f"dataset = {config.dataset}: pictures have no time steps. Set detector = msflow, layout = stretch and no "
            "timestep_map = nll."
        )
    folder = run_folder(config, task.class_name)
    device = _device(config.device)
    known = known_columns(config, folder, task)
    detector = DETECTORS[config.detector](config, task, known, folder, device)
    make_folder(folder)
    found = {channel: task.step(channel) for channel in known if channel in task.channels}
    steps = {channel: step for channel, step in found.items() if step is not None}
    return Run(config, task, known, folder, device, detector, steps)


def reopened(folder: Path, config: Config | None = None) -> Run:
    """The run in a folder with its detector as trained, to score what is given to it: its data are not needed.

    `config` replaces the settings that it was made with. Raises InputError where the folder holds no run that can.
    """
    if not (folder / LAST).is_file():
        raise InputError(f"{folder}: is not the folder of a run: it has no {LAST}. Runs lie in work_dirs/.")
    config = config or recorded_config(folder / CONFIG_FILE)
    if DATASETS[config.dataset].kind == "pictures":
        return _reopened_pictures(folder, config)
    content = read_checkpoint(folder / LAST)
    if (train := folder / "scores" / TRAIN_SCORES / CONFIG_FILE).is_file():  # who needs them says that they are missing
        require_of(folder / LAST, read_facts(train), train.parent)
    if score_name(config) != "nll":
        raise InputError(
            f"{folder}: is a run of channels drawn as pictures (layout = stretch); new series need --layout line."
        )
    known = content.get("columns") or {channel: [] for channel in content.get("channels", [])}
    source = LearntSource(folder.name, known, str(folder))
    task = SeriesTask(folder.name, source, list(known), Labels(source))
    device = _device(config.device)
    detector = DETECTORS[config.detector](config, task, known, folder, device)
    with fitting(folder / LAST):
        detector.load_state(folder / LAST, content)
    steps = {channel: pd.Timedelta(step, unit="ns") for channel, step in content.get("steps_ns", {}).items()}
    return Run(config, task, known, folder, device, detector, steps)


def _reopened_pictures(folder: Path, config: Config) -> Run:
    """The run of a class of pictures, with the checkpoint that its scores, and so its threshold, were made with."""
    train = folder / "scores" / TRAIN_SCORES / CONFIG_FILE
    if not train.is_file():
        raise InputError(f"{train}: missing. Score its own pictures first, for a threshold: main.py --mode test.")
    scored, facts = recorded_config(train), read_facts(train)
    config = replace(config, picture_score=scored.picture_score, top_k=scored.top_k, feature_cache=False)
    checkpoint = folder / facts.get("checkpoint", LAST)
    if not checkpoint.is_file() or checkpoint.parent != folder:
        raise InputError(f"{folder}: was scored by a checkpoint from elsewhere. Run --mode test with its last.pt.")
    require_of(checkpoint, facts, train.parent)
    content = read_checkpoint(checkpoint)
    name = facts.get("class_name", folder.name)
    known = {channel: [] for channel in content.get("channels") or [name]}
    task = PictureTask(name, folder, lambda *_: [])
    device = _device(config.device)
    detector = DETECTORS[config.detector](config, task, known, folder, device)
    with fitting(checkpoint):
        detector.load_state(checkpoint, content)
    return Run(config, task, known, folder, device, detector, {}, checkpoint)


def checkpoint_to_test(config: Config, folder: Path) -> Path:
    """The checkpoint that is tested. Raises InputError where the run has none, with the runs that there are."""
    checkpoint = Path(config.eval_ckpt or folder / LAST)
    if not checkpoint.exists():
        raise InputError(
            f"{checkpoint}: no such checkpoint. Train first (--mode train), set --eval-ckpt, or name another run by "
            f"its recipe (--config). {listed(Path(config.work_dir))}"
        )
    return checkpoint


def known_columns(config: Config, folder: Path, task: Task) -> dict[str, list[str]]:
    """The channels with their columns: those of the checkpoint to test, or those of the training that comes first."""
    content = read_checkpoint(checkpoint_to_test(config, folder)) if config.mode == "test" else {}
    channels = content.get("channels") or task.trained
    return content.get("columns") or {c: task.columns(c) if c in task.channels else [] for c in channels}


def _device(name: str) -> torch.device:
    """The device to work on; the CPU with no more threads than there are processors for them."""
    torch.set_num_threads(min(torch.get_num_threads(), processors()))
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
