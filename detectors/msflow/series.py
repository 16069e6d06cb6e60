"""MSFlow on series: the raw -log p of every step.

Series are drawn at each of the time scales, all columns or each by itself; every drawing is a channel to the density.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data.pictures import Colours
from detectors.columns import ChannelScores, Combination
from detectors.loop import Course
from detectors.msflow.drawings import Drawings
from detectors.msflow.evidence import discount
from detectors.msflow.model import Model
from detectors.msflow.pieces import LineMaker, PyramidMaker, make_maker
from detectors.msflow.pyramids import Pyramids, joined_channels, training_pyramids
from detectors.msflow.training import Learnt, Place, drawn_beyond, energies_without, learn_pyramid, origins
from drawing.colours import normalisation
from drawing.layouts import make_layout
from drawing.steps import learnt_steps, refine, training_parts
from models.densities.base import Levels
from runs.rows import scale_row
from runtime.errors import warn
from settings.config import Config
from settings.effects import counting

STEP_SHARE = 4  # pictures of a window begin a quarter of it apart
MAPS_SHARE = 2  # .. in a test, half of it
BEYOND = 256  # steps that series are drawn beyond both ends


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
        self.rows = [scale_row(scale, name) for scale in config.time_scales for name in self.extractor.level_names]
        if self.extractor.planes == 1 and not self.drawings.alike:
            warn(
                f"extractor = {config.extractor} reads the first of the three colours alone. Set --columns to look at "
                "several columns, or choose --extractor resnet18."
            )
        maker = self.maker(MAPS_SHARE)
        self.strides = [scale * stride for scale in config.time_scales for stride in maker.strides]
        self.grid = math.lcm(*config.time_scales) * maker.strides[-1]
        self.reach = self._reach(maker)
        # as many as torch has threads, which bring more to a channel each than all to small pieces of one
        self.at_once = torch.get_num_threads() if device.type == "cpu" else 1
        # drawn so far beyond the ends, by whole cells
        self._whole = self.layout.window is None and not self.layout.cuttable  # one picture of any length
        self.beyond = 0 if self._whole else -(-BEYOND // self.grid) * self.grid

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
        parts = self._drawn_by_number()

        def parts_at(number: int) -> tuple[list[tuple[str, int]], int]:
            return parts[number % self.drawings.total], config.time_scales[number // self.drawings.total]

        def pyramid(number: int) -> Levels:
            drawn, scale = parts_at(number)
            found = []
            for channel, d in drawn:
                part = self._trained_on(series[channel])
                found.append(self._learnt(channel, part, self._normalised(channel, part, d), d, scale).levels)
            return joined_channels(found, self.layout.cuttable)

        @lru_cache(maxsize=1)  # asked for level by level
        def origins_of(number: int) -> Levels:
            drawn, scale = parts_at(number)
            places = [(self._measured(series[channel], d), self._place(channel, d, scale)) for channel, d in drawn]
            found = [origins(self.maker(STEP_SHARE), *pair) for pair in places]
            return [torch.cat(level) for level in zip(*found, strict=True)]

        pyramids = Pyramids(pyramid, self.drawings.total * len(config.time_scales))
        # what is trained cannot do without a part afterwards
        told = None if self.density.trained is not None else lambda number, level: origins_of(number)[level]
        self.density.fit(pyramids, config.seed, told)
        if self.density.trained is not None:
            batches = training_pyramids(
                self.maker(STEP_SHARE), list(pyramids), config.batch_size, config.train_window, config.feature_noise
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

    def _trained_on(self, series: NDArray[np.float64]) -> NDArray[np.float64]:
        """The part of a training series (T, D) that is learnt from: what is trained leaves its last part out."""
        held_out = 0 if self.density.trained is None or self._whole else self.config.held_out
        return series[: learnt_steps(len(series), held_out)]

    def _learnt(
        self,
        channel: str,
        series: NDArray[np.float64],
        planes: NDArray[np.float64],
        drawing: int,
        scale: int,
        whole: Levels | None = None,
    ) -> Learnt:
        """What is learnt of a drawing of a training series, by its normalised `planes` and `whole` pyramid if known."""
        trained = self.density.trained is not None and self.layout.cuttable
        least, place = self.config.train_window if trained else 0, self._place(channel, drawing, scale)
        return learn_pyramid(self.maker(STEP_SHARE), planes, self._measured(series, drawing), place, least, whole)

    def _measured(self, series: NDArray[np.float64], drawing: int) -> NDArray[np.bool_]:
        """Where a drawing is not made up, (T,)."""
        return ~self.drawings.made_up(series, drawing)

    def _place(self, channel: str, drawing: int, scale: int) -> Place:
        return Place(self.drawings.series_number(channel, drawing), scale, self.beyond)

    @torch.inference_mode()
    def scores(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """The raw -log p of every step, by time scale and level: (scales * levels, T)."""
        known = self.channels[self.place(channel)]

        def energies(drawing: int, number: int) -> NDArray[np.float32]:
            return self._energies(self._normalised(known if self.drawings.shared else channel, series, drawing), number)

        return self._combined(known, series, energies)

    @torch.inference_mode()
    def held_out(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """The raw -log p of every step of a training series by what was learnt without its part of the series.

        Of what is trained by gradient that is the last part, the steps before it are NaN; all else is learnt anew
        without each of some parts. Of one picture of the whole series nothing can be held out.
        """
        if channel not in self.channels:  # all of it is new to what was learnt
            return self.scores(channel, series)

        def energies(drawing: int, number: int) -> NDArray[np.float32]:
            planes = self._normalised(channel, series, drawing)
            if self.density.trained is None:
                return self._energies_in_parts(channel, series, planes, drawing, number)
            found = self._energies(planes, number)
            if not self._whole:
                found[:, : len(self._trained_on(series))] = np.nan
            return found

        return self._combined(channel, series, energies)

    def _combined(
        self, known: str, series: NDArray[np.float64], energies: Callable[[int, int], NDArray[np.float32]]
    ) -> ChannelScores:
        """The scores of a series from the energies (rows, T) of each of its drawings, by place and number."""
        combined = Combination(self.config.combine, self.config.combine_highest)
        self.density.eval()
        for drawing, number in enumerate(self.drawings.numbers(known)):
            found = energies(drawing, number)
            discount(found, self.strides, self.drawings.made_up(series, drawing))
            combined.add(found, self.drawings.measured(series, drawing))
        return combined.scores()

    def _energies(self, planes: NDArray[np.float64], number: int) -> NDArray[np.float32]:
        """Energies (scales * levels, T) of a drawing (T, 3) with a number at the first time scale."""
        maker, rows = self.maker(MAPS_SHARE), []
        for turn, scale in enumerate(self.config.time_scales):
            drawn = drawn_beyond(planes, scale, self.beyond)
            before = self.beyond // scale // maker.strides[-1] if self.layout.cuttable else 0
            found, kept = [], []
            for piece in maker.pieces(drawn):
                channels = self.numbers(number + turn * self.drawings.total, piece.levels[0])
                found.append(self.density(piece.levels, channels, piece.offsets(before), self.layout.rows_alike))
                kept.append(piece.keep)
            by_level = [list(maps) for maps in zip(*found, strict=True)]
            rows.append(self._of_steps(maker.to_series(by_level, kept, len(drawn)), scale, len(planes)))
        return np.concatenate(rows)

    def _energies_in_parts(
        self, channel: str, series: NDArray[np.float64], planes: NDArray[np.float64], drawing: int, number: int
    ) -> NDArray[np.float32]:
        """Those of a drawing of a training series, every part of it by a density that was learnt without the part."""
        maker, rows, parts = self.maker(MAPS_SHARE), [], training_parts(len(series))
        stops = np.array([stop for _, stop in parts[:-1]])
        for turn, scale in enumerate(self.config.time_scales):
            drawn = drawn_beyond(planes, scale, self.beyond)
            levels = maker.joined(list(maker.pieces(drawn)))
            learnt = self._learnt(channel, series, planes, drawing, scale, levels if self.layout.cuttable else None)
            # what is drawn beyond an end belongs to the part there
            columns = maker.places(len(drawn))
            part_of = [np.searchsorted(stops, (c - self.beyond // scale) * scale, side="right") for c in columns]
            left_out = [learnt.part(start, stop) for start, stop in parts]
            energies = energies_without(
                maker, self.density, number + turn * self.drawings.total, levels, part_of, left_out
            )
            kept = [slice(0, levels[-1].shape[-1])]
            found = maker.to_series([[energy] for energy in energies], kept, len(drawn))
            rows.append(self._of_steps(found, scale, len(planes)))
        return np.concatenate(rows)

    def _of_steps(self, found: NDArray[np.float64], scale: int, num_steps: int) -> NDArray[np.float32]:
        """Energies of the columns of a drawing beyond both ends, by level, as those of the steps (levels, T)."""
        fine = refine(found, scale, num_steps + 2 * self.beyond)
        return fine[:, self.beyond : self.beyond + num_steps].astype(np.float32)

    def state(self) -> dict[str, Any]:
        """The density's content of a checkpoint, what it stands on, and the units of the columns."""
        return {**super().state(), "scaling": self.drawings.state()}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of a checkpoint. Raises InputError where it does not fit."""
        super().load_state(path, content)
        self.drawings.load_state(content.get("scaling", {}))
