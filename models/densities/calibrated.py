"""Energies that are not alike made alike, and averaged: those of several densities, or of several extractors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from models.densities.apart import Apart
from models.densities.base import TINY, USUAL_ENERGY, Density, DensityShape, LeftOut, Levels, Origins, Part, held_by
from models.densities.gaussian import gaussian
from models.densities.memory import memory
from runtime.progress import progress_bar

PARTS = 5  # of a series, each of which is held out in turn
MOST_CHANNELS = 256  # that usual energies are learnt from; of more, as many at equal distances


class Calibrated(Density):
    """The mean of the energies of several densities, each in units of its own usual energy, by level.

    The usual energy of a level is the median over the channels, at most `MOST_CHANNELS` of them, of the mean over
    training features that were held out: what a single channel finds hard does not count for all. It is one number for
    all channels, so that a channel whose normal life is restless keeps its higher energies.
    """

    def __init__(self, densities: Sequence[Density], levels: int) -> None:
        super().__init__()
        self.densities = nn.ModuleList(densities)
        self.register_buffer("usual", torch.full((len(densities), levels), USUAL_ENERGY))
        self.reach = max(density.reach for density in densities)
        self.knows_channels = any(density.knows_channels for density in densities)

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int, origins: Origins | None = None) -> None:
        """Fit all, and learn their usual energies by leaving out parts of the training."""
        origins = origins or _counted(pyramids)
        for density in self.densities:
            density.fit(pyramids, seed, origins)
        means, count = [], min(len(pyramids), MOST_CHANNELS)
        with progress_bar(count, desc="Usual energies", unit="drawing") as bar:
            for number in torch.linspace(0, len(pyramids) - 1, count).round().long().tolist():
                means.append(self._held_out(number, pyramids[number], origins))
                bar.update()
        usual = torch.stack(means).nanmedian(dim=0).values
        self.usual.copy_(torch.where(usual.isfinite() & (usual > TINY), usual, self.usual))

    def _held_out(self, channel: int, levels: Sequence[Tensor], origins: Origins) -> Tensor:
        """The mean energy of each density and level over the parts of a channel's training, each left out in turn."""
        total, count = torch.zeros(self.usual.shape), torch.zeros(self.usual.shape)
        for asked, numbers, inside, left_out in _folds(levels, [origins(channel, n) for n in range(len(levels))]):
            for n, density in enumerate(self.densities):
                rest = density.without(channel, left_out)
                for level, energy in enumerate(rest(asked, numbers) if rest is not None else ()):
                    counted = energy if inside is None else energy.movedim(1, -1)[inside[level]]
                    total[n, level] += counted.sum().item()
                    count[n, level] += counted.numel()
        return total / count  # NaN where nothing could be held out

    def without(self, channel: int, left_out: Sequence[LeftOut]) -> Calibrated | None:
        """All without each of some parts of the training, in the same units."""
        rests = [density.without(channel, left_out) for density in self.densities]
        if any(rest is None for rest in rests):
            return None
        found = Calibrated([rest for rest in rests if rest is not None], self.usual.shape[1]).to(self.usual.device)
        found.usual.copy_(self.usual)
        return found

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        by_density = [density(levels, channels, offsets, rows_alike) for density in self.densities]
        units = USUAL_ENERGY / self.usual
        return [
            torch.stack([energy * units[n, level] for n, energy in enumerate(energies)]).mean(dim=0)
            for level, energies in enumerate(zip(*by_density, strict=True))
        ]

    def parts(self) -> dict[str, nn.Module]:
        """Itself."""
        return {"calibrated": self}


def _counted(pyramids: Sequence[Sequence[Tensor]]) -> Origins:
    """Origins where nobody tells: each channel a series of its own, its steps the places of the finest level."""

    def origins(channel: int, level: int) -> Tensor:
        levels = pyramids[channel]
        count, finest = _length(levels[level]), _length(levels[0])
        steps = torch.arange(count) * finest // count
        return torch.stack([torch.full_like(steps, channel), steps], dim=1)

    return origins


def _length(level: Tensor) -> int:
    """Pictures of a level, or cells of a line."""
    return level.shape[-1] if len(level) == 1 else len(level)


def _folds(
    levels: Sequence[Tensor], origins: Sequence[Tensor]
) -> Iterator[tuple[Levels, Tensor, list[Tensor] | None, list[LeftOut]]]:
    """What is left out of a channel's training at a time: all parts of a line's series, one part of pictures, of many.

    The features (B, C_l, H_l, W_l) to ask about, the number (B,) of the part that each picture is to be seen without,
    which columns (B, W_l) of them count, by level, None for all; and the parts. `origins` (N, 2) by level.
    """
    line, device = len(levels[0]) == 1 and len(origins[0]) == levels[0].shape[-1], levels[0].device
    for series in origins[0][:, 0].unique().tolist():
        parts = _parts(series, origins[0])
        held = [held_by(parts, found).to(device) for found in origins]  # (P, N) by level
        known = torch.stack([of_level.any(dim=1) for of_level in held]).all(dim=0)
        parts, held = list(compress(parts, known)), [of_level[known] for of_level in held]
        by_part = list(zip(parts, *held, strict=True))
        if line and parts:
            apart = [Apart.of(owned) for owned in held]
            asked = [each.pictures(level) for each, level in zip(apart, levels, strict=True)]
            left_out = [([x[..., of] for x, of in zip(levels, chosen, strict=True)], part) for part, *chosen in by_part]
            yield asked, torch.arange(len(parts), device=device), [each.inside for each in apart], left_out
            continue
        for part, *chosen in by_part:
            asked = [level[of] for level, of in zip(levels, chosen, strict=True)]
            yield asked, torch.zeros(len(asked[0]), dtype=torch.int64, device=device), None, [(asked, part)]


def _parts(series: int, origins: Tensor) -> list[Part]:
    """Parts of one of the series that a channel was learnt from, by the origins (N, 2)."""
    steps = origins[origins[:, 0] == series, 1]
    bounds = torch.linspace(int(steps.min()), int(steps.max()) + 1, PARTS + 1).long().tolist()
    return [Part(series, *pair) for pair in pairwise(bounds)]


def combined(config: Any, shape: DensityShape) -> Calibrated:
    """The head `combined`: a Gaussian and a memory of the same features."""
    return Calibrated([gaussian(config, shape), memory(config, shape)], len(shape.num_features))
