"""Energies made alike: by held-out training, and in the same units everywhere."""

import pytest
import torch

from models.densities import calibrated
from models.densities.base import USUAL_ENERGY, Part
from models.densities.calibrated import Calibrated
from models.densities.gaussian import GaussianDensity
from models.densities.memory import MemoryDensity

FEATURES = [4, 6]
CELLS = (200, 100)  # of each level


def pyramids(scale: float = 1.0, channels: int = 3) -> list[list[torch.Tensor]]:
    random = torch.Generator().manual_seed(1)
    return [
        [scale * torch.randn(1, f, 1, n, generator=random) for f, n in zip(FEATURES, CELLS, strict=True)]
        for _ in range(channels)
    ]


def fitted(channels: list[list[torch.Tensor]]) -> Calibrated:
    density = Calibrated([GaussianDensity(3, FEATURES, 0.1), MemoryDensity(3, FEATURES, 1000)], 2)
    density.fit(channels, seed=0)
    return density


def test_new_data_like_the_training_has_the_usual_energy() -> None:
    density, new = fitted(pyramids()), pyramids(channels=6)[3:]
    for channel, levels in enumerate(new):
        for energy in density(levels, torch.tensor([channel])):
            assert energy.mean() == pytest.approx(USUAL_ENERGY, rel=0.15)


def test_both_parts_count_alike() -> None:
    density, levels = fitted(pyramids()), pyramids(channels=4)[3]
    found = density(levels, torch.tensor([1]))
    parts = [part(levels, torch.tensor([1])) for part in density.densities]
    for level, energy in enumerate(found):
        alike = [part[level] * USUAL_ENERGY / density.usual[n, level] for n, part in enumerate(parts)]
        torch.testing.assert_close(energy, sum(alike) / 2)
        assert alike[0].mean() == pytest.approx(float(alike[1].mean()), rel=0.15)
        assert parts[0][level].mean() > 1.5 * parts[1][level].mean()  # which they are not by themselves


def test_features_in_other_units_give_the_same_energies() -> None:
    small, large = fitted(pyramids()), fitted(pyramids(1000.0))
    asked, asked_large = pyramids(channels=4)[3], pyramids(1000.0, channels=4)[3]
    found = zip(small(asked, torch.tensor([0])), large(asked_large, torch.tensor([0])), strict=True)
    for energy, other in found:
        torch.testing.assert_close(energy, other, rtol=1e-3, atol=1e-4)


def test_of_many_channels_some_at_equal_distances_tell_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five here the first, the third and the last; what the others hold wanders, which is hard to know."""
    channels = pyramids(channels=5)
    for levels in channels[1::2]:
        for level in levels:
            level += torch.linspace(0, 9, level.shape[-1])
    monkeypatch.setattr(calibrated, "MOST_CHANNELS", 3)
    density = Calibrated([GaussianDensity(5, FEATURES, 1e-6), MemoryDensity(5, FEATURES, 1000)], 2)
    density.fit(channels, seed=0)
    alone = Calibrated([GaussianDensity(3, FEATURES, 1e-6), MemoryDensity(3, FEATURES, 1000)], 2)
    alone.fit(channels[::2], seed=0)
    torch.testing.assert_close(density.usual[0], alone.usual[0])  # a memory's are in units of all channels


def test_every_part_of_every_series_of_a_channel_is_held_out() -> None:
    """One channel that two series share, end to end: five parts of each, as if left out one by one."""
    levels = pyramids(channels=1)[0]

    def origins(channel: int, level: int) -> torch.Tensor:
        cells = CELLS[level]
        half = cells // 2
        return torch.tensor([(n // half, n % half * 200 // cells) for n in range(cells)])

    gaussian = GaussianDensity(1, FEATURES, 0.1)
    density = Calibrated([gaussian], 2)
    density.fit([levels], 0, origins)
    for level in range(2):
        energies = []
        for first in range(0, 200, 20):
            cells = slice(first * CELLS[level] // 200, (first + 20) * CELLS[level] // 200)
            left_out = [x[..., : x.shape[-1] // 10] for x in levels]
            left_out[level] = levels[level][..., cells]
            rest = gaussian.without(0, [(left_out, Part(first // 100, first % 100, first % 100 + 20))])
            energies.append(rest(left_out, torch.tensor([0]))[level])
        torch.testing.assert_close(density.usual[0, level], torch.cat(energies, dim=-1).mean())


def test_without_a_part_it_knows_less_in_the_same_units() -> None:
    channels = pyramids()
    density = fitted(channels)
    part = Part(0, 0, 100)
    left_out = [channels[0][0][..., :100], channels[0][1][..., :50]]
    rest = density.without(0, [(left_out, part)])
    assert rest is not None
    torch.testing.assert_close(rest.usual, density.usual)
    zero = torch.tensor([0])
    for seen, unseen in zip(density(left_out, zero), rest(left_out, zero), strict=True):
        assert unseen.mean() > 1.3 * seen.mean()
    again = fitted(channels).without(0, [(left_out, part)])
    for one, other in zip(rest(left_out, zero), again(left_out, zero), strict=True):
        torch.testing.assert_close(one, other)
