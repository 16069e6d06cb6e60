"""The pooled pyramids of all training data, one by one or in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from detectors.msflow.pieces import PyramidMaker
from models.densities.base import Batch, Density, Levels
from runtime import distributed

KEPT_BYTES = 1 << 28  # of pyramids that are kept in memory instead of being made again


class Pyramids(Sequence):
    """The pyramids (level l (N, C_l, H_l, W_l)) of `count` channels, made by `make` when they are asked for.

    The first that fit into `KEPT_BYTES` are kept; a longer series costs time, not memory.
    """

    def __init__(self, make: Callable[[int], Levels], count: int) -> None:
        self._make, self._count = make, count
        self._kept: dict[int, Levels] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Levels:
        if not 0 <= number < self._count:
            raise IndexError(number)
        if number in self._kept:
            return self._kept[number]
        levels = self._make(number)
        size = sum(level.nbytes for level in levels)
        if self._bytes + size <= KEPT_BYTES:
            self._kept[number] = levels
            self._bytes += size
        return levels


class TrainingPyramids(ABC):
    """The pooled pyramids of all training series, `channels` of levels, kept in memory, as batches for a density.

    `noise` adds Gaussian noise to the features, in units of their standard deviations.
    """

    num_batches: int

    def __init__(self, channels: list[list[Tensor]], rows_alike: bool, batch_size: int, noise: float) -> None:
        self.channels, self.rows_alike, self.batch_size, self.noise = channels, rows_alike, batch_size, noise
        self.deviation = [deviation([levels[level] for levels in channels]) for level in range(len(channels[0]))]

    def prepare(self, density: Density) -> None:
        """Replace all features by what the density's loss wants; those are in units of their own deviations."""
        for number, levels in enumerate(self.channels):
            numbers = torch.full((len(levels[0]),), number, device=levels[0].device)
            prepared = density.prepared(levels, numbers)
            if prepared is not levels:
                self.channels[number] = prepared
                self.deviation = [torch.ones_like(spread) for spread in self.deviation]

    def batches(self, seed: int) -> Iterator[Batch]:
        """One pass in the random order of `seed`."""
        random = torch.Generator().manual_seed(seed)
        for places in self._places(random).split(self.batch_size):
            mine, weight = share_of_batch(len(places))
            cut, offsets = self._cut(places[mine])
            levels = [
                noisy(features, spread, self.noise, mine, len(places), random)
                for features, spread in zip(cut, self.deviation, strict=True)
            ]
            channels = places[mine][:, 0].to(levels[0].device)
            yield Batch(levels, channels, offsets, weight, self.rows_alike and not self.noise)

    @abstractmethod
    def _places(self, random: torch.Generator) -> Tensor:
        """Channel number and the place in it of everything in a pass: (N, 2)."""

    @abstractmethod
    def _cut(self, places: Tensor) -> tuple[Levels, Levels]:
        """The features at places (B, 2), and the columns (B,) at which they begin, by level."""


class PicturePyramids(TrainingPyramids):
    """Pyramids of pictures of one size: a pass is every picture once."""

    def __init__(self, channels: list[list[Tensor]], rows_alike: bool, batch_size: int, noise: float) -> None:
        super().__init__(channels, rows_alike, batch_size, noise)
        self.num_batches = max(-(-sum(len(levels[0]) for levels in channels) // batch_size), 1)

    def _places(self, random: torch.Generator) -> Tensor:
        """Channel number and picture number."""
        places = [(c, n) for c, levels in enumerate(self.channels) for n in range(len(levels[0]))]
        return torch.tensor(places)[torch.randperm(len(places), generator=random)]

    def _cut(self, places: Tensor) -> tuple[Levels, Levels]:
        cut = [
            torch.stack([self.channels[c][level][n] for c, n in places.tolist()])
            for level in range(len(self.channels[0]))
        ]
        return cut, [torch.zeros(len(places), dtype=torch.long) for _ in cut]


class LinePyramids(TrainingPyramids):
    """Pyramids of lines: a pass is as many random windows of `cells` cells of the last level as hold all cells once."""

    def __init__(self, channels: list[list[Tensor]], batch_size: int, noise: float, cells: int) -> None:
        super().__init__(channels, False, batch_size, noise)
        self.cells = cells
        self._windows = sum(levels[-1].shape[-1] for levels in channels) // cells
        self.num_batches = max(-(-self._windows // batch_size), 1)

    def _places(self, random: torch.Generator) -> Tensor:
        """Channel number and first cell of the last level."""
        free = torch.tensor([levels[-1].shape[-1] - self.cells + 1 for levels in self.channels])
        widths = (free + self.cells - 1).double()
        channels = torch.multinomial(widths, max(self._windows, 1), replacement=True, generator=random)
        starts = (torch.rand(len(channels), generator=random, dtype=torch.float64) * free[channels]).long()
        return torch.stack([channels, starts], dim=1)

    def _cut(self, places: Tensor) -> tuple[Levels, Levels]:
        levels, offsets = [], []
        for level, whole in enumerate(self.channels[0]):
            factor = whole.shape[-1] // self.channels[0][-1].shape[-1]
            cut = [
                self.channels[c][level][0, :, :, start * factor : (start + self.cells) * factor]
                for c, start in places.tolist()
            ]
            levels.append(torch.stack(cut))
            offsets.append(places[:, 1] * factor)
        return levels, offsets


def training_pyramids(
    maker: PyramidMaker, channels: list[Levels], batch_size: int, window: int, noise: float
) -> TrainingPyramids:
    """The pyramids of all training series; of a layout that can be cut in windows of `window` columns."""
    if not maker.layout.cuttable:
        return PicturePyramids(channels, maker.layout.rows_alike, batch_size, noise)
    return LinePyramids(channels, batch_size, noise, -(-window // maker.strides[-1]))


def joined_channels(channels: list[Levels], line: bool) -> Levels:
    """The pyramids of several channels as one: lines end to end, other pictures one after the other."""
    if len(channels) == 1:
        return channels[0]
    return [torch.cat(level, dim=-1 if line else 0) for level in zip(*channels, strict=True)]


def share_of_batch(size: int) -> tuple[Tensor, float]:
    """Which of `size` items of a batch this process has, and their weight; one of weight 0 where it has none."""
    mine = distributed.share_of(list(range(size)))
    return torch.tensor(mine or [0]), len(mine) * distributed.world_size() / size


def noisy(features: Tensor, spread: Tensor, noise: float, mine: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Features (B, C, H, W), the part `mine` of a batch of `size`, with `noise` times their `spread` (C, 1, 1)."""
    if not noise:
        return features
    # drawn for all processes alike, whoever has which part of the batch
    drawn = torch.randn((size, *features.shape[1:]), generator=random)[mine].to(features)
    return features + noise * spread * drawn


def deviation(level: list[Tensor]) -> Tensor:
    """Standard deviation of every feature of a level over all channels, (C, 1, 1)."""
    return torch.cat([features.transpose(0, 1).flatten(1) for features in level], dim=1).std(dim=1)[:, None, None]
