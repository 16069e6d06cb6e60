"""MSFlow as a detector: of series by the raw -log p of every step, or of pictures by MSFlow's maps.

Series are drawn at each of the time scales, all columns or each by itself; every drawing is a channel to the density.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.pictures import Colours
from datasets import Pictures, PictureTask, SeriesTask
from detectors.base import Maps, PictureMetrics
from detectors.columns import ChannelScores, Combination
from detectors.loop import Course
from detectors.msflow.drawings import Drawings
from detectors.msflow.evidence import discount
from detectors.msflow.features import Features, PictureBatches
from detectors.msflow.model import Model
from detectors.msflow.pieces import LineMaker, PyramidMaker, make_maker
from detectors.msflow.pyramids import Pyramids, joined_channels, series_pyramid, training_pyramids
from drawing.colours import TOGETHER, normalisation
from drawing.layouts import make_layout
from drawing.steps import coarsen, refine
from post_process import add_score_map, mul_score_map, picture_scores
from runs.rows import level_row
from runtime.progress import progress_bar
from settings.config import Config
from settings.effects import counting, score_name

STEP_SHARE = 4  # pictures of a window begin a quarter of it apart
MAPS_SHARE = 2  # .. in a test, half of it
BEYOND = 256  # steps that columns of their own are drawn beyond both ends


class SeriesMSFlow(Model):
    """MSFlow on series: one row of energies per time scale and pyramid level, put together from those of all drawings.

    `known` names the columns of the channels that it is trained on. With K drawings in all, the density knows number
    k + K s as drawing k at the s-th time scale.
    """

    def __init__(
        self,
        config: Config,
        known: dict[str, list[str]],
        statistics: Callable[[], tuple[Colours, Colours]],
        device: torch.device,
    ) -> None:
        self.layout = make_layout(config)
        self.drawings = Drawings(config, known)
        count = self.drawings.total * len(config.time_scales)
        super().__init__(config, list(known), count, self.layout.cuttable, statistics, device)
        levels = range(1, len(self.extractor.num_features) + 1)
        self.rows = [level_row(level, scale) for scale in config.time_scales for level in levels]
        maker = self.maker(MAPS_SHARE)
        self._strides = [scale * stride for scale in config.time_scales for stride in maker.strides]
        self.grid = math.lcm(*config.time_scales) * maker.strides[-1]
        self.reach = self._reach(maker)
        # drawn so far beyond the ends, by whole cells
        own_columns = config.columns != TOGETHER and self.reach is not None
        self._beyond = -(-BEYOND // self.grid) * self.grid if own_columns else 0

    def _reach(self, maker: PyramidMaker) -> int | None:
        """Steps that a score sees: of the picture, the interpolation between cells, and the colours."""
        by_position = counting(self.config, ["condition"]) and self.config.condition in ("position", "both")
        if not isinstance(maker, LineMaker) or maker.context is None or by_position:
            return None
        scale = max(self.config.time_scales)
        return scale * (maker.context + maker.strides[-1] + 1) + self.config.colour_window

    def maker(self, share: int) -> PyramidMaker:
        """What makes the pyramids, with pictures a `share` of their window apart."""
        reach, columns = self.density.reach, self.config.max_columns
        return make_maker(self.extractor, self.pool, self.layout, reach, columns, share)

    def fit(self, train: Mapping[str, NDArray[np.float64]], course: Course) -> None:
        """Learn the units of the columns, draw them, extract their pyramids, and fit and train the density on them."""
        config, series = self.config, {channel: train[channel] for channel in self.channels}
        self.drawings.learn(series)
        if "auto" in (config.img_mean, config.img_std):
            drawn = [self.drawings.planes(c, series[c], k) for c in series for k in range(self.drawings.count(c))]
            self.record(normalisation(drawn))
        maker, parts = self.maker(STEP_SHARE), self._drawn_by_number()

        def pyramid(number: int) -> list[Tensor]:
            place, scale = number % self.drawings.total, config.time_scales[number // self.drawings.total]
            found = []
            for channel, drawing in parts[place]:
                drawn = coarsen(self._normalised(channel, series[channel], drawing), scale)
                seen = ~self.drawings.made_up(series[channel], drawing)
                found.append(series_pyramid(maker, drawn, config.train_window, coarsen(seen[:, None], scale)[:, 0]))
            return joined_channels(found, self.layout.cuttable)

        pyramids = Pyramids(pyramid, self.drawings.total * len(config.time_scales))
        self.density.fit(pyramids, config.seed)
        if self.density.trained is not None:
            batches = training_pyramids(
                maker, list(pyramids), config.batch_size, config.train_window, config.feature_noise
            )
            batches.prepare(self.density)
            course.train(self.density.trained, batches)

    def _drawn_by_number(self) -> list[list[tuple[str, int]]]:
        """The channels, and which of their drawings, that make up each number of the density."""
        parts: list[list[tuple[str, int]]] = [[] for _ in range(self.drawings.total)]
        for channel in self.channels:
            for place, number in enumerate(self.drawings.numbers(channel)):
                parts[number].append((channel, place))
        return parts

    def _normalised(self, channel: str, series: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        mean, std = self.normalisation()
        return (self.drawings.planes(channel, series, place) - mean) / std

    @torch.inference_mode()
    def scores(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """The raw -log p of every step, by time scale and level: (scales * levels, T)."""
        known = self.channels[self.place(channel)]
        combined = Combination(self.config.combine, self.config.combine_highest)
        self.density.eval()
        for place, number in enumerate(self.drawings.numbers(known)):
            planes = self._normalised(known if self.drawings.shared else channel, series, place)
            energies = self._energies_beyond(planes, number) if self._beyond else self._energies(planes, number)
            discount(energies, self._strides, self.drawings.made_up(series, place), ends=self._beyond > 0)
            combined.add(energies, self.drawings.measured(series, place))
        return combined.scores()

    def _energies_beyond(self, planes: NDArray[np.float64], number: int) -> NDArray[np.float32]:
        """Energies of a drawing that goes on beyond both ends as in a mirror: an end is no event."""
        beyond = np.pad(planes, ((self._beyond, self._beyond), (0, 0)), mode="reflect" if len(planes) > 1 else "edge")
        return self._energies(beyond, number)[:, self._beyond : self._beyond + len(planes)]

    def _energies(self, planes: NDArray[np.float64], number: int) -> NDArray[np.float32]:
        """Energies (scales * levels, T) of a drawing (T, 3) with a number at the first time scale."""
        maker, rows = self.maker(MAPS_SHARE), []
        for turn, scale in enumerate(self.config.time_scales):
            drawn = coarsen(planes, scale)
            found, kept = [], []
            for piece in maker.pieces(drawn):
                channels = self.numbers(number + turn * self.drawings.total, piece.levels[0])
                found.append(self.density(piece.levels, channels, piece.offsets(), self.layout.rows_alike))
                kept.append(piece.keep)
            by_level = [list(maps) for maps in zip(*found, strict=True)]
            rows.append(refine(maker.to_series(by_level, kept, len(drawn)), scale, len(planes)))
        return np.concatenate(rows).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """The density's content of a checkpoint, what it stands on, and the units of the columns."""
        return {**super().state(), "scaling": self.drawings.state()}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of a checkpoint. Raises InputError where it does not fit."""
        super().load_state(path, content)
        self.drawings.load_state(content.get("scaling", {}))


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
        super().__init__(config, channels, len(channels), False, statistics, device)
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
    config: Config, task: SeriesTask | PictureTask, known: dict[str, list[str]], folder: Path, device: torch.device
) -> SeriesMSFlow | PictureMSFlow:
    """The detector that the settings describe."""
    statistics = partial(task.normalisation, config)
    if score_name(config) != "nll":
        return PictureMSFlow(config, list(known), statistics, device, folder)
    return SeriesMSFlow(config, known, statistics, device)
