"""What every density can do, whatever it is: a contract, by the registry's names."""

from pathlib import Path

import pytest
import torch
from conftest import tiny_flags

from models import DENSITIES
from models.checkpoints import Progress, read_checkpoint, write_checkpoint
from models.densities.base import Batch, Density, DensityShape
from models.densities.fleet import Fleet, Tempered
from runtime.errors import InputError
from settings.flags import make_parser
from settings.load import load_config

FEATURES = [4, 6, 8]
CELLS = 64  # of the last level


def pyramid(seed: int, scale: float = 1.0) -> list[torch.Tensor]:
    """A pooled pyramid of one line, levels of 4, 2 and 1 times CELLS cells."""
    random = torch.Generator().manual_seed(seed)
    sizes = zip(FEATURES, (4, 2, 1), strict=True)
    return [scale * torch.randn(1, f, 1, CELLS * factor, generator=random) for f, factor in sizes]


def made(name: str, tempered: bool = False, num_channels: int = 2, seed: int = 0, flags: tuple = ()) -> Density:
    """A density of lines that was fitted, and trained where it is to be, on two channels."""
    given = vars(make_parser("").parse_args([*tiny_flags(Path("data"), Path("runs")), "--head", name, *flags]))
    config = load_config(given.pop("config"), given)
    torch.manual_seed(seed)
    density = DENSITIES[name](config, DensityShape(FEATURES, num_channels, line=True))
    return Tempered(density, Fleet(FEATURES, 50, 0.5)) if tempered else density


def fitted(name: str, tempered: bool = False, flags: tuple = ()) -> Density:
    density = made(name, tempered, flags=flags)
    pyramids = [pyramid(1), pyramid(2, scale=3)]
    density.fit(pyramids, seed=0)
    if density.trained is not None:
        optimizer = torch.optim.Adam(density.trained.parameters(), lr=3e-3)
        for _ in range(30):
            for number, levels in enumerate(pyramids):
                channels = torch.tensor([number])
                loss = density.loss(Batch(density.prepared(levels, channels), channels, offsets(levels)))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return density.eval()


def offsets(levels: list[torch.Tensor]) -> list[torch.Tensor]:
    return [torch.zeros(len(level), dtype=torch.long) for level in levels]


@torch.inference_mode()
def energies(density: Density, levels: list[torch.Tensor], channel: int = 0) -> list[torch.Tensor]:
    return density(levels, torch.tensor([channel]), offsets(levels))


every_density = pytest.mark.parametrize("name", DENSITIES)
also_tempered = pytest.mark.parametrize("tempered", [False, True], ids=["alone", "tempered"])


@every_density
@also_tempered
def test_energies_are_finite_and_higher_for_outliers(name: str, tempered: bool) -> None:
    density = fitted(name, tempered)
    usual, strange = energies(density, pyramid(1)), energies(density, [5 + 4 * level for level in pyramid(1)])
    for level, (low, high, features) in enumerate(zip(usual, strange, pyramid(1), strict=True)):
        assert low.shape == high.shape == (1, *features.shape[2:]), level
        assert low.isfinite().all() and high.isfinite().all() and (low >= 0).all()
        assert high.mean() > 2 * low.mean(), level


@every_density
@also_tempered
def test_a_checkpoint_brings_it_back(name: str, tempered: bool, tmp_path: Path) -> None:
    density, other = fitted(name, tempered), made(name, tempered, seed=7)
    write_checkpoint(tmp_path / "last.pt", Progress(1), density.state())
    other.load_state(tmp_path / "last.pt", read_checkpoint(tmp_path / "last.pt"))
    for found, expected in zip(energies(other.eval(), pyramid(3)), energies(density, pyramid(3)), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


@every_density
def test_a_checkpoint_of_something_else_is_refused(name: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "other.pt", Progress(1), {"something": {}})
    with pytest.raises(InputError, match=r"other\.pt: is not a checkpoint of MSFlow: has epoch, .*something, needs"):
        made(name).load_state(tmp_path / "other.pt", read_checkpoint(tmp_path / "other.pt"))


@every_density
@also_tempered
def test_nothing_beyond_its_reach_counts(name: str, tempered: bool) -> None:
    density, levels, at = fitted(name, tempered), pyramid(4), CELLS // 2
    changed = [level.clone() for level in levels]
    for level in changed:
        factor = level.shape[-1] // CELLS
        level[..., at * factor : (at + 1) * factor] += 3
    pairs = zip(energies(density, levels), energies(density, changed), strict=True)
    for number, (before, after) in enumerate(pairs):
        factor = before.shape[-1] // CELLS
        differs = ((before - after).abs() > 1e-6)[0, 0].nonzero() // factor
        assert len(differs), number
        assert (differs - at).abs().max() <= density.reach, number


@every_density
@pytest.mark.parametrize("flags", [(), ("--condition", "channel"), ("--standardise",)], ids=str)
def test_it_says_whether_the_channel_counts(name: str, flags: tuple) -> None:
    density = fitted(name, flags=flags)
    first, second = (energies(density, pyramid(5), channel) for channel in (0, 1))
    alike = all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert alike == (not density.knows_channels)


@every_density
def test_what_is_trained_has_a_gradient_for_every_parameter(name: str) -> None:
    density = fitted(name)
    if density.trained is None:
        assert not list(density.parameters())
        return
    channels = torch.tensor([1])
    density.loss(Batch(density.prepared(pyramid(1), channels), channels, offsets(pyramid(1)))).backward()
    assert all(parameter.grad is not None for parameter in density.trained.parameters())
