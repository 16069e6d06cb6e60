"""MSFlow as a detector: of series by the raw -log p of every step, or of pictures by MSFlow's maps."""

from functools import partial
from pathlib import Path

import torch

from datasets import Task
from detectors.msflow.pictures import PictureMSFlow
from detectors.msflow.series import SeriesMSFlow
from settings.config import Config
from settings.effects import score_name


def msflow(
    config: Config, task: Task, known: dict[str, list[str]], folder: Path, device: torch.device
) -> SeriesMSFlow | PictureMSFlow:
    """The detector that the settings describe."""
    statistics = partial(task.normalisation, config)
    if score_name(config) != "nll":
        return PictureMSFlow(config, list(known), statistics, partial(task.white, config), device, folder)
    return SeriesMSFlow(config, known, statistics, device)
