"""MSFlow on pictures: its maps add and mul, the energy, and one score per picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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
from models.densities.base import Density, Part
from post_process import add_score_map, energy_score_map, mul_score_map, picture_scores
from runtime.progress import progress_bar
from settings.config import Config
from settings.effects import picture_score_name

PARTS = 5  # of the training pictures, each of which is held out in turn
MAP_OF = {"add": add_score_map, "mul": mul_score_map, "energy": energy_score_map}


class PictureMSFlow(Model):
    """MSFlow on pictures: its maps, and one score per picture.

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
        """Fit and train the density on the features of training pictures, less those that are held out."""
        numbers = range(len(train))
        if self.density.trained is not None:
            left_out = self._left_out(train)
            numbers = [number for number in numbers if number not in left_out]
        if self.density.needs_fit:
            origins = None if train.pictures.rows_alike else _origins(len(numbers))
            self.density.fit(train.by_channel(numbers), self.config.seed, origins)
        if self.density.trained is not None:
            config = self.config
            batches = PictureBatches(train, self.density, config.batch_size, config.feature_noise, numbers)
            course.train(self.density.trained, batches, evaluate)

    def _left_out(self, train: Features) -> list[int]:
        """The numbers of the pictures that a density is not trained on; none of channels, each of which is one."""
        return [] if train.pictures.rows_alike else every_so_many(len(train), self.config.held_out)

    @torch.inference_mode()
    def held_out(self, train: Features) -> dict[int, float]:
        """Scores of training pictures as if they were new, by number.

        What is fitted is fitted anew without each fifth of them; what is trained has left some out.
        """
        self.density.eval()
        if self.density.trained is not None:
            return self._scored(self.density, train, self._left_out(train), {})
        count, scores = len(train), {}
        for part, numbers in _parts(count) if count > 1 else ():
            rest = self.density.without(0, [(train.whole(numbers), part)])
            if rest is None:
                return {}
            scores |= self._scored(rest.to(self.device).eval(), train, numbers, {})
        return scores

    @torch.inference_mode()
    def score(self, opened: Features, numbers: list[int], maps: Maps) -> dict[int, float]:
        """Fill `maps` (N, H, W) with the score maps of the pictures `numbers`; returns their scores by number."""
        self.density.eval()
        return self._scored(self.density, opened, numbers, maps)

    def _scored(self, density: Density, opened: Features, numbers: list[int], maps: Maps) -> dict[int, float]:
        config, scores = self.config, {}
        of_score = picture_score_name(config)
        with progress_bar(len(numbers), desc="Score", unit="picture") as bar:
            for start in range(0, len(numbers), config.batch_size):
                batch = numbers[start : start + config.batch_size]
                energies: list[Tensor] = density(
                    opened.levels(batch), opened.channel_numbers(batch), None, opened.pictures.rows_alike
                )
                logp = [-level for level in energies]
                made = {name: MAP_OF[name](logp, config.input_size) for name in {*maps, of_score}}
                for name, file in maps.items():
                    for number, score_map in zip(batch, made[name].cpu().numpy(), strict=True):
                        file[number] = score_map
                scores |= zip(batch, picture_scores(made[of_score], config.top_k).tolist(), strict=True)
                bar.update(len(batch))
        return scores


def every_so_many(count: int, share: float) -> list[int]:
    """The numbers, evenly spaced, of a share of so many pictures: the first of them stay, so that some always do."""
    return [number for number in range(count) if math.floor((number + 1) * share) > math.floor(number * share)]


def _order(count: int) -> list[int]:
    """The numbers of pictures, every fifth together: pictures taken one after the other may be much alike."""
    return [number for first in range(PARTS) for number in range(first, count, PARTS)]


def _origins(count: int) -> Callable[[int, int], Tensor]:
    """Of pictures that are one series, the step of each: its place in `_order`."""
    steps = torch.empty(count, dtype=torch.int64)
    steps[_order(count)] = torch.arange(count)
    found = torch.stack([torch.zeros_like(steps), steps], dim=1)
    return lambda channel, level: found


def _parts(count: int) -> Iterator[tuple[Part, Sequence[int]]]:
    """Parts of the steps, and the pictures in each."""
    order, start = _order(count), 0
    for first in range(min(PARTS, count)):
        stop = start + len(range(first, count, PARTS))
        yield Part(0, start, stop), order[start:stop]
        start = stop
