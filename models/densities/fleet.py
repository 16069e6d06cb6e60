"""What is normal somewhere in the fleet, and a density that is tempered by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.checkpoints import load_parts
from models.densities.base import TINY, Batch, Density, LeftOut, Levels, Origins, Part, Spread, places
from models.densities.memory import Memory, origins_of


class Fleet(Memory):
    """What is normal somewhere in the fleet: a feature that another channel has seen is no cause for alarm.

    A channel that never varies in training has a density without width, and alarms at any other value, though
    the fleet knows it well. The energy E becomes 1 / (1 / E + 1 / (d + offset)), d the distance to the fleet: a soft
    minimum of both, as of a mixture of the channel's density and the fleet's.
    """

    def __init__(self, num_features: list[int], size: int, offset: float) -> None:
        super().__init__(1, num_features, size)
        self.offset = offset

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int, origins: Origins | None = None) -> None:
        """Keep features of the pooled training pyramids of all channels."""
        spreads: dict[int, Spread] = {}
        for levels in pyramids:
            for level, features in enumerate(map(places, levels)):
                spreads.setdefault(level, Spread()).add(features)
        chosen = {level: self.chosen(spread.count, seed) for level, spread in spreads.items()}
        kept: dict[int, list[tuple[Tensor, Tensor, Tensor]]] = {level: [] for level in spreads}
        first = dict.fromkeys(spreads, 0)
        for channel, levels in enumerate(pyramids):
            for level, features in enumerate(map(places, levels)):
                place = chosen[level] - first[level]
                rank = torch.nonzero((place >= 0) & (place < len(features)))[:, 0]
                found = origins_of(origins, channel, level, len(features))[place[rank]]
                kept[level].append((rank, features[place[rank].to(features.device)], found))
                first[level] += len(features)
        for level, parts in kept.items():
            ranks, features, found = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
            order = torch.argsort(ranks)
            self.keep(level, 0, features[order.to(features.device)], found[order])
            setattr(self, f"unit_{level}", spreads[level].unit())

    def without(self, parts: list[Part]) -> Fleet:
        """The fleet without what comes from each of some parts of the training of its channels."""
        rest = Fleet(self.num_features, self.size, self.offset)
        rest.keep_without(self, 0, parts)
        return rest

    def temper(self, energies: Levels, levels: Levels, channels: Tensor | None = None) -> Levels:
        """Energies (B, H_l, W_l) of a pooled pyramid (B, C_l, H_l, W_l), tempered.

        `channels` (B,) count where parts are left out: they are their numbers.
        """
        tempered = []
        for level, (energy, features) in enumerate(zip(energies, levels, strict=True)):
            known = self.distances(level, features, 0, channels) + self.offset
            tempered.append(energy * known / (energy + known).clamp_min(TINY))
        return tempered


class Tempered(Density):
    """Another density, its energies tempered by the fleet."""

    def __init__(self, density: Density, fleet: Fleet) -> None:
        super().__init__()
        self.density, self.fleet = density, fleet
        self.reach = density.reach
        self.knows_channels = density.knows_channels

    @property
    def trained(self) -> Density | None:
        """The trained part of the density."""
        return self.density.trained

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int, origins: Origins | None = None) -> None:
        """Fit both."""
        self.density.fit(pyramids, seed, origins)
        self.fleet.fit(pyramids, seed, origins)

    def without(self, channel: int, left_out: Sequence[LeftOut]) -> Tempered | None:
        """Both without each of some parts of the training."""
        rest = self.density.without(channel, left_out)
        return None if rest is None else Tempered(rest, self.fleet.without([part for _, part in left_out]))

    def prepared(self, levels: Levels, channels: Tensor) -> Levels:
        """Features as the density's loss wants them."""
        return self.density.prepared(levels, channels)

    def loss(self, batch: Batch) -> Tensor:
        """The density's loss."""
        return self.density.loss(batch)

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        return self.fleet.temper(self.density(levels, channels, offsets, rows_alike), levels, channels)

    def state(self) -> dict[str, Any]:
        """Both."""
        return {**self.density.state(), "fleet": self.fleet.state_dict()}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take both from a checkpoint. Raises InputError where it lacks one, or is of another make."""
        self.density.load_state(path, content)
        load_parts(path, content, {"fleet": self.fleet})
