"""What every density of features can do.

A density knows which features are likely in each of a number of channels: series, their drawings at several time
scales, or one channel for all pictures of a class. Its energy is high where a place is unlikely: 1/2 mean_c z^2 of the
flow, which is -log p up to a constant, or a squared distance in the same units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.checkpoints import load_parts

Levels = list[Tensor]
Origins = Callable[[int, int], Tensor]
TINY = 1e-12  # energies of 0 on both sides stay 0
USUAL_ENERGY = 0.5  # of a place like those in training: 1/2 mean z^2


@dataclass(frozen=True)
class DensityShape:
    """What a density is made for: features per level, how many channels, and whether pictures are one row."""

    num_features: list[int]
    num_channels: int
    line: bool


@dataclass(frozen=True, eq=False)
class Batch:
    """A training batch: pooled pyramid, level l (B, C_l, H_l, W_l), and the channels (B,) its pictures are of.

    `offsets` (B,) by level are the columns at which parts of a line begin. `rows_alike`: the rows of the pictures are
    all alike. Of several processes each has a share of the batch, and `weight` makes the mean over the processes the
    mean over the batch.
    """

    levels: Levels
    channels: Tensor
    offsets: Levels | None = None
    weight: float = 1.0
    rows_alike: bool = False


@dataclass(frozen=True)
class Part:
    """The steps `start` to `stop`, exclusive, of a training series, told by its number."""

    series: int
    start: int
    stop: int


LeftOut = tuple[Levels, Part]  # of the training of a channel: features, level l (N, C_l, H_l, W_l), and whose they are


class Density(nn.Module):
    """Likely features per channel. `reach`: cells on either side that an energy depends on."""

    reach: int = 0
    knows_channels: bool = True  # whether a channel's energies depend on which it is

    @property
    def needs_fit(self) -> bool:
        """Whether `fit` learns anything."""
        return type(self).fit is not Density.fit

    @property
    def trained(self) -> Density | None:
        """The part that is trained by its `loss`; None where `fit` is all."""
        return self if any(parameter.requires_grad for parameter in self.parameters()) else None

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int, origins: Origins | None = None) -> None:
        """Learn what needs no training from the pooled training pyramid of every channel, level l (N, C_l, H_l, W_l).

        A pyramid may be made when it is asked for, so that not all need stand in memory: go through them in order, and
        keep none. `seed` decides what is chosen at random. `origins` tells of a channel and level from which series
        and step each picture comes, or each cell of a line, (N, 2), for what is to be left out later.
        """

    def without(self, channel: int, left_out: Sequence[LeftOut]) -> Density | None:
        """A density of this one channel, as learnt without each of some parts: its own channels, by number, are they.

        None where that would take another training. What nothing would be left of stays as it is.
        """
        return None

    def prepared(self, levels: Levels, channels: Tensor) -> Levels:
        """Features (B, C_l, H_l, W_l) of channels (B,) as `loss` wants them; what `fit` learnt counts."""
        return levels

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch of prepared features, a scalar: of densities that are trained."""
        raise NotImplementedError

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        raise NotImplementedError

    def parts(self) -> dict[str, nn.Module]:
        """What a checkpoint keeps of it, by the names there."""
        return {"density": self}

    def state(self) -> dict[str, Any]:
        """The content of a checkpoint."""
        return {name: part.state_dict() for name, part in self.parts().items()}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of the checkpoint `path`. Raises InputError where it lacks a part, or is of another make."""
        load_parts(path, content, self.parts())


def held_by(parts: Sequence[Part], origins: Tensor) -> Tensor:
    """Which of some features come from each part: their series and steps (N, 2) -> (P, N)."""
    series, start, stop = torch.tensor([(p.series, p.start, p.stop) for p in parts], device=origins.device).T[..., None]
    of, step = origins.unbind(dim=1)
    return (of == series) & (step >= start) & (step < stop)


def places(level: Tensor) -> Tensor:
    """Features of all places, (B, C, H, W) -> (B H W, C)."""
    return level.movedim(1, -1).flatten(0, -2)


class Spread:
    """Mean and variance of every feature of one level over all channels, put together channel by channel.

    Chan, Golub & LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37, 1983.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, features: Tensor) -> None:
        """Take more features (N, C) into account."""
        more = len(features)
        mean, variance = features.double().mean(dim=0), features.double().var(dim=0, correction=0)
        total = self.count + more
        distance = mean - self.mean
        self.squares = self.squares + variance * more + distance.square() * (self.count * more / total)
        self.mean = self.mean + distance * (more / total)
        self.count = total

    def unit(self) -> Tensor:
        """The mean variance of a feature, a scalar: the unit in which squared distances are told."""
        return (self.squares / max(self.count - 1, 1)).mean().float().clamp_min(TINY)
