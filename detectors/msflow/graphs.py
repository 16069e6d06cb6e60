"""MSFlow from pixels, or from the values of a series, to scores as one network: what an export holds.

They compute what PictureMSFlow and SeriesMSFlow do. All that the size of the input decides, such as what is drawn
beyond the ends of a series, is worked out beforehand, and lies in them as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detectors.columns import TINY
from detectors.msflow.evidence import discount
from detectors.msflow.pictures import MAP_OF, PictureMSFlow
from detectors.msflow.pieces import LineMaker, padded_picture
from detectors.msflow.series import MAPS_SHARE, SeriesMSFlow
from detectors.msflow.training import drawn_beyond
from drawing.steps import refine
from post_process import picture_scores
from runtime.errors import InputError
from settings.config import Config
from settings.effects import counting, picture_score_name

FULL = 255.0  # the white of pictures of 8 bits
COLOUR = "value"  # the one colour that a series is drawn in here


class NotExported(InputError):
    """Why a detector cannot be one network."""


class PictureGraph(nn.Module):
    """Pictures (N, H, W, 3) of the detector's size, from 0 to `white` -> scores (N,) and maps (N, H, W).

    Raises NotExported for a detector that computes what other programs do not.
    """

    def __init__(self, detector: PictureMSFlow) -> None:
        super().__init__()
        config = detector.config
        _check_precision(config)
        mean, std, white = detector.normalisation()
        self.white, self.size, self.top_k = white or FULL, config.input_size, config.top_k
        self.map_of = MAP_OF[picture_score_name(config)]
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])
        self.extractor, self.pool, self.density = detector.extractor, detector.pool, detector.density.eval()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and maps."""
        colours = (pictures / self.white).clamp(0, 1).permute(0, 3, 1, 2)
        levels = [self.pool(level) for level in self.extractor((colours - self.mean) / self.std)]
        numbers = levels[0].new_zeros(pictures.shape[0], dtype=torch.int64)
        energies = self.density(levels, numbers)
        score_map = self.map_of([-energy for energy in energies], self.size)
        return picture_scores(score_map, self.top_k), score_map


@dataclass(frozen=True, eq=False)
class Reading:
    """How rows of scores become one score per step (see runs/rows.py): which count, centre and spread (rows, 1)."""

    chosen: list[int]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]


class LineGraph(nn.Module):
    """A series (T, D) of a channel, without gaps, of so many steps -> one score per step (T,), all in double numbers.

    Raises NotExported for a detector that draws, or looks at, series in a way that this does not follow.
    """

    def __init__(self, detector: SeriesMSFlow, channel: str, num_steps: int, reading: Reading) -> None:
        super().__init__()
        config, drawings = detector.config, detector.drawings
        _check_precision(config)
        _check_lines(detector)
        places = range(drawings.count(channel))
        scaling, columns = drawings.scaling_of(channel), len(drawings.known[channel])
        used = [column for place in places for column in drawings.dims(place)]
        mean, std = detector.normalisation()
        self.clip, self.combine, self.highest = config.clip, config.combine, config.combine_highest
        self.keep("used", np.array(used))
        self.keep("centre", np.zeros(columns) if scaling is None else scaling.centre)
        self.keep("spread", np.ones(columns) if scaling is None else scaling.spread)
        for name, values in (("gain", drawings.drawing.gains), ("mean", mean), ("std", std)):
            self.keep(name, np.tile(np.array(values, dtype=np.float64), len(places)))
        numbers = drawings.numbers(channel)
        self.scales = nn.ModuleList(
            ScaleGraph(detector, scale, num_steps, [number + turn * drawings.total for number in numbers])
            for turn, scale in enumerate(config.time_scales)
        )
        evidence = np.ones((len(detector.rows), num_steps), dtype=np.float32)
        discount(evidence, detector.strides, np.zeros(num_steps, dtype=bool))
        self.keep("evidence", evidence.astype(np.float64))
        self.keep("chosen", np.array(reading.chosen))
        self.keep("row_centre", reading.centre)
        self.keep("row_spread", reading.spread)
        first, last = _averaged(num_steps, config.smooth, config.trailing)
        self.keep("first", first)
        self.keep("last", last)

    def keep(self, name: str, values: NDArray) -> None:
        """Have numbers of its own."""
        self.register_buffer(name, torch.from_numpy(values))

    def forward(self, series: Tensor) -> Tensor:
        """The scores."""
        values = ((series - self.centre) / self.spread)[:, self.used]
        if self.clip > 0:
            values = values.clamp(-self.clip, self.clip)
        planes = (values * self.gain - self.mean) / self.std
        energies = torch.cat([scale(planes) for scale in self.scales], dim=1) * self.evidence
        rows = (self._combined(energies)[self.chosen] - self.row_centre) / self.row_spread
        summed = torch.cat([series.new_zeros(1), rows.sum(dim=0).cumsum(dim=0)])
        return (summed[self.last] - summed[self.first]) / (self.last - self.first)

    def _combined(self, energies: Tensor) -> Tensor:
        """Those of the drawings (K, rows, T) as one (rows, T): see detectors/columns.py."""
        if self.combine == "max":
            return energies.amax(dim=0)
        if self.combine == "highest":
            return energies.topk(min(self.highest, len(energies)), dim=0).values.mean(dim=0)
        if self.combine == "logs":
            return (energies + TINY).log().mean(dim=0).exp() - TINY
        return energies.mean(dim=0)


class ScaleGraph(nn.Module):
    """The drawings of a series at one time scale, planes (T, 3 K) -> energies (K, levels, T).

    `numbers` are those by which the density knows the drawings.
    """

    def __init__(self, detector: SeriesMSFlow, scale: int, num_steps: int, numbers: list[int]) -> None:
        super().__init__()
        self.extractor, self.pool, self.density = detector.extractor, detector.pool, detector.density.eval()
        self.scale, self.numbers, self.rows_alike = scale, numbers, detector.layout.rows_alike
        maker, beyond = detector.maker(MAPS_SHARE), detector.beyond
        steps = drawn_beyond(np.arange(num_steps)[:, None], 1, beyond)[:, 0].astype(np.int64)
        drawn = np.pad(steps, (0, -len(steps) % scale), mode="edge")
        self.register_buffer("steps", torch.from_numpy(drawn))
        columns = len(drawn) // scale
        line = padded_picture(np.arange(columns, dtype=np.float32)[None, None], maker.strides[-1])[0, 0]
        self.register_buffer("columns", torch.from_numpy(line.astype(np.int64)))
        inside = refine(np.arange(columns, dtype=np.float64), scale, len(steps))[beyond : beyond + num_steps]
        self.of_steps = Between(inside, columns)
        self.of_columns = nn.ModuleList(
            Between(detector.layout.to_series(np.arange(cells)[None], columns, stride), cells)
            for stride in maker.strides
            for cells in (len(line) // stride,)
        )

    def forward(self, planes: Tensor) -> Tensor:
        """Energies of all drawings."""
        drawn = planes[self.steps].unflatten(0, (-1, self.scale)).mean(dim=1)
        pictures = drawn.T.float()[:, self.columns].unflatten(0, (len(self.numbers), 3))[:, :, None]
        levels = [self.pool(level) for level in self.extractor(pictures)]
        found = []
        for place, number in enumerate(self.numbers):
            # a number that stands in the program, and not in the input: the memory of a channel is chosen by it
            channels = torch.tensor([number])
            energies = self.density([x[place : place + 1] for x in levels], channels, None, self.rows_alike)
            pairs = zip(energies, self.of_columns, strict=True)
            found.append(
                torch.stack([self.of_steps(to_columns(energy[0, 0].double())) for energy, to_columns in pairs])
            )
        return torch.stack(found)


class Between(nn.Module):
    """Values (.., N) at `places` between 0 and N - 1, linearly between neighbours."""

    def __init__(self, places: NDArray[np.floating], count: int) -> None:
        super().__init__()
        left = np.floor(places).astype(np.int64)
        self.register_buffer("left", torch.from_numpy(left))
        self.register_buffer("right", torch.from_numpy(np.minimum(left + 1, count - 1)))
        self.register_buffer("share", torch.from_numpy(places - left))

    def forward(self, values: Tensor) -> Tensor:
        """(.., N) -> (.., places)."""
        return values[..., self.left] * (1 - self.share) + values[..., self.right] * self.share


def _averaged(num_steps: int, window: int, trailing: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first of the steps whose mean the score of each step is, and the one behind the last (see runs/rows.py)."""
    steps = np.arange(num_steps)
    behind = window - 1 if trailing else window // 2
    ahead = 0 if trailing else (window - 1) // 2
    return np.maximum(steps - behind, 0), np.minimum(steps + ahead, num_steps - 1) + 1


def _check_precision(config: Config) -> None:
    if config.amp and counting(config, ["amp"]):
        raise NotExported("amp = True: this run scores in bfloat16, which an ONNX file does not. Train with --no-amp.")


def _check_lines(detector: SeriesMSFlow) -> None:
    config = detector.config
    if not isinstance(detector.maker(MAPS_SHARE), LineMaker):
        raise NotExported(
            f"layout = {config.layout}: its pictures overlap, and their scores are put together outside of any "
            "network. Only layout = line can be exported, and runs of pictures."
        )
    others = sorted({colour for colour in config.colours if colour != COLOUR})
    if others:
        raise NotExported(f"colours = {', '.join(others)}: only drawings of the {COLOUR} itself can be exported.")
    if counting(config, ["condition"]) and config.condition in ("position", "both"):
        raise NotExported(
            f"condition = {config.condition}: the flow is told the place of a step in its series. Train with "
            "--condition channel or none for an export."
        )
