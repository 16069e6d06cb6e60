"""The density `memory`: the distance to the nearest feature that was kept from training."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.densities.base import Density, DensityShape, LeftOut, Levels, Origins, Part, Spread, held_by, places
from models.densities.coreset import greedy_coreset

AT_ONCE = 256  # features whose distances are computed at once


class Memory(Density):
    """Features kept from training, and the squared distance to the nearest of them.

    Roth et al., "Towards Total Recall in Industrial Anomaly Detection" (PatchCore), CVPR 2022, section 3. A bank holds
    `size` features per level, fewer where there are no more, chosen at random or, `greedy`, as PatchCore's coreset.
    """

    def __init__(self, num_banks: int, num_features: list[int], size: int, greedy: bool = False) -> None:
        super().__init__()
        self.num_banks, self.num_features, self.size, self.greedy = num_banks, num_features, size, greedy
        self.left_out: list[Part] = []
        for level, features in enumerate(num_features):
            self.register_buffer(f"unit_{level}", torch.ones(()))
            for bank in range(num_banks):
                self.register_buffer(f"bank_{level}_{bank}", torch.zeros(0, features))
                self.register_buffer(f"origin_{level}_{bank}", torch.zeros(0, 2, dtype=torch.int64))

    def keep(self, level: int, bank: int, features: Tensor, origins: Tensor) -> None:
        """Fill a level's bank with features (N, C) from a series and step each, (N, 2)."""
        setattr(self, f"bank_{level}_{bank}", features)
        setattr(self, f"origin_{level}_{bank}", origins.to(features.device))

    def keep_without(self, other: "Memory", other_bank: int, parts: list[Part]) -> None:
        """Look at a bank of another as if it did not hold what comes from a part of the training, one for each picture.

        The features are those of the other: to copy all but a few takes longer than to compare with them in vain.
        """
        self.left_out = parts
        for level in range(len(self.num_features)):
            self.keep(level, 0, *(other.get_buffer(f"{name}_{level}_{other_bank}") for name in ("bank", "origin")))
            setattr(self, f"unit_{level}", other.get_buffer(f"unit_{level}"))

    def chosen(self, count: int, seed: int) -> Tensor:
        """Which of `count` features are kept, chosen by `seed`."""
        return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[: self.size]

    def distances(self, level: int, features: Tensor, bank: int, parts: Tensor | None = None) -> Tensor:
        """1/2 of the mean squared distance per feature to the nearest one kept: (B, C, H, W) -> (B, H, W), in units.

        Where parts of the training are left out, `parts` (B,) are their numbers.
        """
        asked, kept = places(features), self.get_buffer(f"bank_{level}_{bank}")
        batch, planes, height, width = features.shape
        # |a - b|^2 = |a|^2 - 2 a b + |b|^2, some at a time: without roots, and within the processor's cache
        squares = kept.square().sum(dim=1)
        pictures = [(squares, asked)]
        if self.left_out and parts is not None:
            without = self._without(squares, self.get_buffer(f"origin_{level}_{bank}"))
            pictures = [(without[n], x) for n, x in zip(parts.tolist(), asked.split(height * width), strict=True)]
        exporting = torch.compiler.is_exporting()
        found = [
            torch.addmm(beside, some, kept.T, alpha=-2).amin(dim=1)
            for beside, picture in pictures
            for some in ((picture,) if exporting else picture.split(AT_ONCE))
        ]
        nearest = (torch.cat(found) + asked.square().sum(dim=1)).clamp_min(0)
        return (0.5 * nearest / self.get_buffer(f"unit_{level}") / planes).reshape(batch, height, width)

    def _without(self, squares: Tensor, origins: Tensor) -> Tensor:
        """What is added to the products with the features of a bank, (P, N): infinite where a part is left out."""
        held = held_by(self.left_out, origins)
        return torch.where(held & ~held.all(dim=1, keepdim=True), torch.inf, squares)


class MemoryDensity(Memory):
    """The distance to the nearest training feature of the same channel."""

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int, origins: Origins | None = None) -> None:
        """Learn from the pooled training pyramid of every channel."""
        spreads: dict[int, Spread] = {}
        for channel, levels in enumerate(pyramids):
            for level, features in enumerate(map(places, levels)):
                chosen = greedy_coreset(features, self.size, seed) if self.greedy else self.chosen(len(features), seed)
                found = origins_of(origins, channel, level, len(features))
                self.keep(level, channel, features[chosen.to(features.device)], found[chosen])
                spreads.setdefault(level, Spread()).add(features)
        for level, spread in spreads.items():
            setattr(self, f"unit_{level}", spread.unit())

    def without(self, channel: int, left_out: Sequence[LeftOut]) -> "MemoryDensity":
        """The memory of a channel without what comes from each of some parts of its training."""
        rest = MemoryDensity(1, self.num_features, self.size)
        rest.keep_without(self, channel, [part for _, part in left_out])
        return rest

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        return [self._of_channels(level, features, channels) for level, features in enumerate(levels)]

    def _of_channels(self, level: int, features: Tensor, channels: Tensor) -> Tensor:
        if self.num_banks == 1:
            return self.distances(level, features, 0, channels)
        pairs = zip(features.split(1), channels, strict=True)
        return torch.cat([self.distances(level, x, int(channel)) for x, channel in pairs])

    def parts(self) -> dict[str, nn.Module]:
        """Itself."""
        return {"memory": self}


def origins_of(origins: Origins | None, channel: int, level: int, count: int) -> Tensor:
    """Series and step of the `count` places of a channel's level, (count, 2); -1 where nobody tells."""
    if origins is None:
        return torch.full((count, 2), -1)
    found = origins(channel, level)
    return found.repeat_interleave(count // len(found), dim=0)


def memory(config: Any, shape: DensityShape) -> MemoryDensity:
    """The density that the settings describe."""
    return MemoryDensity(shape.num_channels, shape.num_features, config.memory_size, config.coreset == "greedy")
