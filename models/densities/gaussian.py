"""The density `gaussian`: a Gaussian per channel and feature."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.densities.base import Density, DensityShape, LeftOut, Levels, Origins, Spread, places


class GaussianDensity(Density):
    """A Gaussian per channel and feature: energy 1/2 mean_c (x - mean)^2 / (variance + floor^2 unit).

    `floor` is in units of the features' root mean variance over all channels: a feature that hardly varies in a
    channel's training data would else make every change of it count without bound.
    """

    def __init__(self, num_channels: int, num_features: list[int], floor: float) -> None:
        super().__init__()
        self.floor, self._levels = floor, range(len(num_features))
        for level, features in enumerate(num_features):
            self.register_buffer(f"mean_{level}", torch.zeros(num_channels, features))
            self.register_buffer(f"variance_{level}", torch.ones(num_channels, features))
            self.register_buffer(f"count_{level}", torch.zeros(num_channels))
            self.register_buffer(f"floor_{level}", torch.zeros(()))  # part of the variance

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int = 0, origins: Origins | None = None) -> None:
        """Learn from the pooled training pyramid of every channel, level l (N, C_l, H_l, W_l)."""
        spreads = [Spread() for _ in self._levels]
        for channel, levels in enumerate(pyramids):
            for level, spread in zip(self._levels, spreads, strict=True):
                features = places(levels[level])
                self.get_buffer(f"mean_{level}")[channel] = features.mean(dim=0)
                self.get_buffer(f"variance_{level}")[channel] = features.var(dim=0, correction=0)
                self.get_buffer(f"count_{level}")[channel] = len(features)
                spread.add(features)
        for level, spread in zip(self._levels, spreads, strict=True):
            floor = self.floor**2 * spread.unit()
            self.get_buffer(f"floor_{level}").copy_(floor)
            self.get_buffer(f"variance_{level}").add_(floor)

    def without(self, channel: int, left_out: Sequence[LeftOut]) -> "GaussianDensity":
        """The Gaussians of a channel without each of some parts of its training; the floor stays.

        Mean and variance of the others follow from those of all and of the features left out (Chan et al., see Spread).
        """
        num_features = [self.get_buffer(f"mean_{level}").shape[1] for level in self._levels]
        rest = GaussianDensity(len(left_out), num_features, self.floor).to(self.mean_0.device)
        for level in self._levels:
            count, floor = self.get_buffer(f"count_{level}")[channel].double(), self.get_buffer(f"floor_{level}")
            mean, variance = (self.get_buffer(f"{name}_{level}")[channel].double() for name in ("mean", "variance"))
            parts = [places(levels[level]) for levels, _ in left_out]
            number = torch.tensor([[len(part)] for part in parts], device=mean.device)  # as column (P, 1)
            kept = count - number
            features = torch.cat(parts).double()
            of = torch.arange(len(parts), device=mean.device).repeat_interleave(number[:, 0])
            member = nn.functional.one_hot(of, len(parts)).T.double()  # sums by part are products with it, (P, N)
            means = member @ features / number.clamp_min(1)
            squares = member @ (features - means[of]).square()
            shift = means - mean
            total = count * (variance - floor.double()) - squares - shift.square() * count * number / kept
            known = (number > 0) & (kept >= 1)
            of_rest = mean - shift * number / kept, (total / kept).clamp_min(0) + floor.double()
            for name, value, whole in zip(("mean", "variance"), of_rest, (mean, variance), strict=True):
                setattr(rest, f"{name}_{level}", torch.where(known, value, whole).float())
        return rest

    def standardised(self, levels: Levels, channels: Tensor) -> Levels:
        """Features (B, C_l, H_l, W_l) of channels (B,) less their mean, over their deviation."""
        found = []
        for level, features in enumerate(levels):
            mean, variance = (
                self.get_buffer(f"{name}_{level}")[channels][:, :, None, None] for name in ("mean", "variance")
            )
            found.append((features - mean) / variance.sqrt())
        return found

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        return [0.5 * features.square().mean(dim=1) for features in self.standardised(levels, channels)]

    def parts(self) -> dict[str, nn.Module]:
        """Itself."""
        return {"gaussian": self}


def gaussian(config: Any, shape: DensityShape) -> GaussianDensity:
    """The density that the settings describe."""
    return GaussianDensity(shape.num_channels, shape.num_features, config.gaussian_floor)
