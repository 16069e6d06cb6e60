"""MSFlow on pictures: its maps add and mul, and one score per picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.pictures import Colours
from datasets import Pictures
from detectors.base import Maps, PictureMetrics
from detectors.loop import Course
from detectors.msflow.features import Features, PictureBatches
from detectors.msflow.model import Model
from post_process import add_score_map, mul_score_map, picture_scores
from runtime.progress import progress_bar
from settings.config import Config


class PictureMSFlow(Model):
    """MSFlow on pictures: its maps add and mul, and one score per picture.

    `folder` is where features are kept; `white` finds that of deep training pictures, where no checkpoint has it.
    """

    def __init__(
        self,
        config: Config,
        channels: list[str],
        statistics: Callable[[], tuple[Colours, Colours]],
        white: Callable[[], float | None],
        device: torch.device,
        folder: Path,
    ) -> None:
        super().__init__(config, channels, len(channels), False, statistics, device)
        self.folder, self._find_white = folder, white

    @cached_property
    def white(self) -> float | None:
        """The value of full brightness in deep pictures (see data/picture_files.py): that of the training."""
        return self._find_white()

    def normalisation(self) -> tuple[Colours, Colours, float | None]:
        """Mean and deviation per colour, and the white: how pictures are to be read."""
        return *super().normalisation(), self.white

    def facts(self) -> dict[str, Any]:
        """Which extractor it has, the normalisation, and the white where pictures are deep."""
        return super().facts() | ({} if self.white is None else {"picture_white": self.white})

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of a checkpoint, and the white that it was trained with."""
        super().load_state(path, content)
        if self.config.picture_depth == "auto":
            self.white = content.get("picture_white")

    def opened(self, pictures: Pictures, split: str) -> Features:
        """The features of a split, kept in the run's folder where the settings say so."""
        return Features(self, pictures, split, self.folder)

    def fit(self, train: Features, course: Course, evaluate: Callable[[], PictureMetrics] | None) -> None:
        """Fit and train the density on the features of training pictures."""
        if self.density.needs_fit:
            self.density.fit(train.by_channel(), self.config.seed)
        if self.density.trained is not None:
            batches = PictureBatches(train, self.density, self.config.batch_size, self.config.feature_noise)
            course.train(self.density.trained, batches, evaluate)

    @torch.inference_mode()
    def score(self, opened: Features, numbers: list[int], maps: Maps) -> dict[int, float]:
        """Fill `maps` (N, H, W) with the score maps of the pictures `numbers`; returns their scores by number."""
        config, scores = self.config, {}
        self.density.eval()
        with progress_bar(len(numbers), desc="Score", unit="picture") as bar:
            for start in range(0, len(numbers), config.batch_size):
                batch = numbers[start : start + config.batch_size]
                energies: list[Tensor] = self.density(
                    opened.levels(batch), opened.channel_numbers(batch), None, opened.pictures.rows_alike
                )
                logp = [-level for level in energies]
                mul_map = mul_score_map(logp, config.input_size)
                for name, made in (("add", add_score_map(logp, config.input_size)), ("mul", mul_map)):
                    for number, score_map in zip(batch, made.cpu().numpy(), strict=True):
                        maps[name][number] = score_map
                scores |= zip(batch, picture_scores(mul_map, config.top_k).tolist(), strict=True)
                bar.update(len(batch))
        return scores
