"""What turns a pooled pyramid into energies, one per place and level: the flow, or simpler densities per channel.

An energy is high where a place is unlikely: 1/2 mean_c z^2 of the flow, or a squared distance in the same units.
`Fleet` tempers any of them by what other channels do.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.flows import MSFlow
from post_process import log_likelihood_maps

Levels = list[Tensor]
TINY = 1e-12  # energies of 0 on both sides stay 0


def _places(level: Tensor) -> Tensor:
    """Features of all places, (B, C, H, W) -> (B H W, C)."""
    return level.movedim(1, -1).flatten(0, -2)


def _unit(level: int, pyramids: Sequence[Levels]) -> Tensor:
    """Mean variance of a feature of one level over all channels: the unit in which squared distances are told."""
    return torch.cat([_places(levels[level]) for levels in pyramids]).var(dim=0).mean().clamp_min(TINY)


class GaussianHead(nn.Module):
    """A Gaussian per channel and feature: energy 1/2 mean_c (x - mean)^2 / (variance + floor^2 unit).

    `floor` is in units of the features' root mean variance over all channels: a feature that hardly varies in a
    channel's training data would else make every change of it count without bound.
    """

    def __init__(self, num_channels: int, num_features: list[int], floor: float) -> None:
        super().__init__()
        self.floor = floor
        for level, features in enumerate(num_features):
            self.register_buffer(f"mean_{level}", torch.zeros(num_channels, features))
            self.register_buffer(f"variance_{level}", torch.ones(num_channels, features))

    def fit(self, pyramids: Sequence[Levels]) -> None:
        """Learn from the pooled training pyramid of every channel, level l (N, C_l, H_l, W_l)."""
        for level in range(len(pyramids[0])):
            unit = _unit(level, pyramids)
            for channel, levels in enumerate(pyramids):
                places = _places(levels[level])
                self.get_buffer(f"mean_{level}")[channel] = places.mean(dim=0)
                variance = places.var(dim=0, correction=0) + self.floor**2 * unit
                self.get_buffer(f"variance_{level}")[channel] = variance

    def standardised(self, levels: Levels, channels: Tensor) -> Levels:
        """Features (B, C_l, H_l, W_l) of channels (B,) less their mean, over their deviation."""
        found = []
        for level, features in enumerate(levels):
            mean, variance = (
                self.get_buffer(f"{name}_{level}")[channels][:, :, None, None] for name in ("mean", "variance")
            )
            found.append((features - mean) / variance.sqrt())
        return found

    def forward(self, levels: Levels, channels: Tensor, offsets: Levels) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        return [0.5 * features.square().mean(dim=1) for features in self.standardised(levels, channels)]


class FlowHead(nn.Module):
    """The flow's energies, 1/2 mean_c z^2 per place, of features that `gaussian` standardises where there is one."""

    def __init__(self, flow: MSFlow, gaussian: GaussianHead | None = None) -> None:
        super().__init__()
        self.flow, self.gaussian = flow, gaussian

    def forward(self, levels: Levels, channels: Tensor, offsets: Levels) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        if self.gaussian is not None:
            levels = self.gaussian.standardised(levels, channels)
        z, _ = self.flow.transform(levels, channels, offsets)
        return [-log_likelihood for log_likelihood in log_likelihood_maps(z)]


class Memory(nn.Module):
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

    def keep(self, bank: int, pyramids: Sequence[Levels], units: list[Tensor], seed: int) -> None:
        """Fill a bank with features of the pooled pyramids, level l (N, C_l, H_l, W_l), chosen by `seed`."""
        for level, unit in enumerate(units):
            places = torch.cat([_places(levels[level]) for levels in pyramids])
            random = torch.Generator().manual_seed(seed)
            chosen = torch.randperm(len(places), generator=random)[: self.size].to(places.device)
            setattr(self, f"bank_{level}_{bank}", places[chosen])
            setattr(self, f"unit_{level}", unit)

    def distances(self, level: int, features: Tensor, bank: int) -> Tensor:
        """1/2 of the mean squared distance per feature to the nearest one kept: (C, H, W) -> (H, W), in units."""
        places = features.movedim(0, -1).flatten(0, -2)
        nearest = torch.cdist(places, self.get_buffer(f"bank_{level}_{bank}")).amin(dim=1).square()
        unit = self.get_buffer(f"unit_{level}")
        return (0.5 * nearest / unit / features.shape[0]).reshape(features.shape[1:])


class MemoryHead(Memory):
    """The distance to the nearest training feature of the same channel."""

    def fit(self, pyramids: Sequence[Levels], seed: int) -> None:
        """Learn from the pooled training pyramid of every channel."""
        units = [_unit(level, pyramids) for level in range(len(pyramids[0]))]
        for channel, levels in enumerate(pyramids):
            self.keep(channel, [levels], units, seed)

    def forward(self, levels: Levels, channels: Tensor, offsets: Levels) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        return [
            torch.stack([self.distances(level, x, int(c)) for x, c in zip(features, channels, strict=True)])
            for level, features in enumerate(levels)
        ]


class Fleet(Memory):
    """What is normal somewhere in the fleet: a feature that another channel has seen is no cause for alarm.

    A channel that never varies in training has a density without width, and alarms at any other value, though
    the fleet knows it well. The energy E becomes 1 / (1 / E + 1 / (d + offset)), d the distance to the fleet: a soft
    minimum of both, as of a mixture of the channel's density and the fleet's.
    """

    def __init__(self, num_features: list[int], size: int, offset: float) -> None:
        super().__init__(1, num_features, size)
        self.offset = offset

    def fit(self, pyramids: Sequence[Levels], seed: int) -> None:
        """Keep features of the pooled training pyramids of all channels."""
        self.keep(0, pyramids, [_unit(level, pyramids) for level in range(len(pyramids[0]))], seed)

    def temper(self, energies: Levels, levels: Levels) -> Levels:
        """Energies (B, H_l, W_l) of a pooled pyramid (B, C_l, H_l, W_l), tempered."""
        tempered = []
        for level, (energy, features) in enumerate(zip(energies, levels, strict=True)):
            known = torch.stack([self.distances(level, x, 0) for x in features]) + self.offset
            tempered.append(energy * known / (energy + known).clamp_min(TINY))
        return tempered
