"""MSFlow as a detector: of series by the raw -log p of every step, or of pictures by MSFlow's maps.

Every channel of series is drawn at each of the time scales, and each drawing is a channel of its own to the density:
with K channels, number k + K s is channel k at the s-th scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.pictures import Colours
from datasets import Pictures, PictureTask, SeriesTask
from detectors.base import Maps, PictureMetrics
from detectors.loop import Course
from detectors.msflow.features import Features, PictureBatches
from detectors.msflow.model import Model
from detectors.msflow.pieces import PyramidMaker, make_maker
from detectors.msflow.pyramids import training_pyramids
from drawing.colours import Drawing, normalisation
from drawing.layouts import make_layout
from drawing.steps import coarsen, refine
from post_process import add_score_map, mul_score_map, picture_scores
from runs.rows import level_row
from runtime.progress import progress_bar
from settings.config import Config
from settings.effects import score_name

STEP_SHARE = 4  # pictures of a window begin a quarter of it apart
MAPS_SHARE = 2  # .. in a test, half of it


class SeriesMSFlow(Model):
    """MSFlow on series: one row of energies per time scale and pyramid level."""

    def __init__(
        self,
        config: Config,
        channels: list[str],
        statistics: Callable[[], tuple[Colours, Colours]],
        device: torch.device,
    ) -> None:
        self.layout = make_layout(config)
        super().__init__(config, channels, len(config.time_scales), self.layout.cuttable, statistics, device)
        self.drawing = Drawing.of(config)
        levels = range(1, len(self.extractor.num_features) + 1)
        self.rows = [level_row(level, scale) for scale in config.time_scales for level in levels]

    def maker(self, share: int) -> PyramidMaker:
        """What makes the pyramids, with pictures a `share` of their window apart."""
        reach, columns = self.density.reach, self.config.max_columns
        return make_maker(self.extractor, self.pool, self.layout, reach, columns, share)

    def fit(self, train: Mapping[str, NDArray[np.float64]], course: Course) -> None:
        """Draw the training series, extract their pyramids, and fit and train the density on them."""
        config = self.config
        drawn = [self.drawing(series, f"channel {channel}") for channel, series in train.items()]
        self.record(normalisation(drawn))
        mean, std = self.normalisation()
        series = [coarsen((planes - mean) / std, scale) for scale in config.time_scales for planes in drawn]
        pyramids = training_pyramids(
            self.maker(STEP_SHARE), series, config.batch_size, config.train_window, config.feature_noise
        )
        self.density.fit(pyramids.channels, config.seed)
        if self.density.trained is not None:
            pyramids.prepare(self.density)
            course.train(self.density.trained, pyramids)

    @torch.inference_mode()
    def scores(self, channel: str, series: NDArray[np.float64]) -> NDArray[np.float32]:
        """The raw -log p of every step, by time scale and level: (scales * levels, T)."""
        maker, rows = self.maker(MAPS_SHARE), []
        mean, std = self.normalisation()
        planes = (self.drawing(series, f"channel {channel}") - mean) / std
        self.density.eval()
        for place, scale in enumerate(self.config.time_scales):
            drawn = coarsen(planes, scale)
            number = self.number(channel, place)
            found, kept = [], []
            for piece in maker.pieces(drawn):
                channels = self.numbers(number, piece.levels[0])
                found.append(self.density(piece.levels, channels, piece.offsets(), self.layout.rows_alike))
                kept.append(piece.keep)
            by_level = [list(maps) for maps in zip(*found, strict=True)]
            rows.append(refine(maker.to_series(by_level, kept, len(drawn)), scale, len(series)))
        return np.concatenate(rows).astype(np.float32)


class PictureMSFlow(Model):
    """MSFlow on pictures: its maps add and mul, and one score per picture. `folder` is where features are kept."""

    def __init__(
        self,
        config: Config,
        channels: list[str],
        statistics: Callable[[], tuple[Colours, Colours]],
        device: torch.device,
        folder: Path,
    ) -> None:
        super().__init__(config, channels, 1, False, statistics, device)
        self.folder = folder

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


def msflow(
    config: Config, task: SeriesTask | PictureTask, channels: list[str], folder: Path, device: torch.device
) -> SeriesMSFlow | PictureMSFlow:
    """The detector that the settings describe."""
    statistics = partial(task.normalisation, config)
    if score_name(config) != "nll":
        return PictureMSFlow(config, channels, statistics, device, folder)
    return SeriesMSFlow(config, channels, statistics, device)
