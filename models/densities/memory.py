"""The density `memory`: the distance to the nearest feature that was kept from training."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.densities.base import Density, DensityShape, Levels, Spread, places


class Memory(Density):
    """Features kept from training, and the squared distance to the nearest of them.

    Roth et al., "Towards Total Recall in Industrial Anomaly Detection" (PatchCore), CVPR 2022, section 3, with a
    random choice in place of the coreset. A bank holds `size` features per level, fewer where there are no more.
    """

    def __init__(self, num_banks: int, num_features: list[int], size: int) -> None:
        super().__init__()
        self.size = size
        for level, features in enumerate(num_features):
            self.register_buffer(f"unit_{level}", torch.ones(()))
            for bank in range(num_banks):
                self.register_buffer(f"bank_{level}_{bank}", torch.zeros(0, features))

    def keep(self, level: int, bank: int, features: Tensor) -> None:
        """Fill a level's bank with features (N, C)."""
        setattr(self, f"bank_{level}_{bank}", features)

    def chosen(self, count: int, seed: int) -> Tensor:
        """Which of `count` features are kept, chosen by `seed`."""
        return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[: self.size]

    def distances(self, level: int, features: Tensor, bank: int) -> Tensor:
        """1/2 of the mean squared distance per feature to the nearest one kept: (C, H, W) -> (H, W), in units."""
        asked = features.movedim(0, -1).flatten(0, -2)
        nearest = torch.cdist(asked, self.get_buffer(f"bank_{level}_{bank}")).amin(dim=1).square()
        unit = self.get_buffer(f"unit_{level}")
        return (0.5 * nearest / unit / features.shape[0]).reshape(features.shape[1:])


class MemoryDensity(Memory):
    """The distance to the nearest training feature of the same channel."""

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int) -> None:
        """Learn from the pooled training pyramid of every channel."""
        spreads: dict[int, Spread] = {}
        for channel, levels in enumerate(pyramids):
            for level, features in enumerate(map(places, levels)):
                self.keep(level, channel, features[self.chosen(len(features), seed).to(features.device)])
                spreads.setdefault(level, Spread()).add(features)
        for level, spread in spreads.items():
            setattr(self, f"unit_{level}", spread.unit())

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        return [
            torch.stack([self.distances(level, x, int(c)) for x, c in zip(features, channels, strict=True)])
            for level, features in enumerate(levels)
        ]

    def parts(self) -> dict[str, nn.Module]:
        """Itself."""
        return {"memory": self}


def memory(config: Any, shape: DensityShape) -> MemoryDensity:
    """The density that the settings describe."""
    return MemoryDensity(shape.num_channels, shape.num_features, config.memory_size)
