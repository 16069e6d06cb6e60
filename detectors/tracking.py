"""Where the course of a training is shown and kept: progress bar or plain lines, log.jsonl, TensorBoard, W&B."""

import importlib
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.errors import InputError
from runtime.files import atomic_file, writing
from settings.load import Config


def _optional(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{extra} = True needs a package that is not installed ({error}). "
            f"Install it: uv sync --extra {extra}, or pip install {extra}; or set {extra} = False."
        ) from error


def _epoch(line: str) -> float:
    """The meta epoch of a record; infinite of what is none, as of the half line that a killed run leaves."""
    try:
        return float(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return math.inf


class Tracker:
    """Writes one JSON line per record to `folder`/log.jsonl, and the numbers in it to the loggers asked for.

    Records of a continued run after its `first_epoch` finished meta epochs are dropped: they are made again. So is
    what is no record.
    """

    def __init__(self, folder: Path, config: Config, first_epoch: int) -> None:
        self._path = folder / "log.jsonl"
        self._writer = self._run = None
        kept = []
        if first_epoch and self._path.exists():
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
            kept = [line for line in lines if _epoch(line) <= first_epoch]
        with atomic_file(self._path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        if config.tensorboard:
            tensorboard = _optional("torch.utils.tensorboard", "tensorboard")
            self._writer = tensorboard.SummaryWriter(str(folder / "tensorboard"))
        if config.wandb:
            wandb = _optional("wandb", "wandb")
            self._run = wandb.init(project="msflow", dir=str(folder), config=dict(vars(config)), name=folder.name)

    def log(self, step: int, **record: Any) -> None:
        """Keep a record; `step` counts finished sub-epochs."""
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        numbers = {name: value for name, value in record.items() if isinstance(value, int | float)}
        if self._writer is not None:
            for name, value in numbers.items():
                self._writer.add_scalar(name, value, step)
        if self._run is not None:
            self._run.log(numbers, step=step)

    def close(self) -> None:
        """Flush what the loggers hold back."""
        if self._writer is not None:
            self._writer.close()
        if self._run is not None:
            self._run.finish()
