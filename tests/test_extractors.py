"""The contract that every extractor keeps: strides, reach, pieces, lengths, what a constant gives, and its weights."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import EXTRACTORS
from models.extractors import Extractor, build_extractor, pretrained
from runtime.errors import InputError

OWN = ("telemetry", "transformer", "recurrent")
LINES = (*OWN, "resnet18", "efficientnet_lite0", "telemetry+resnet18")
_built: dict[str, Extractor] = {}


def line_extractor(name: str) -> Extractor:
    """An extractor of lines, with the weights that come with it, or random ones; built once."""
    if name not in _built:
        weights = "+".join("auto" if part in OWN else "random" for part in name.split("+"))
        _built[name] = build_extractor(name, weights, seed=0).as_line()
    return _built[name]


def noise(width: int, seed: int = 0) -> torch.Tensor:
    """A line (1, 3, 1, width) whose colours are alike, as the recipes draw it."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(1, 1, 1, width, generator=random).cumsum(dim=-1).div(8).expand(-1, 3, -1, -1)


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    scale = float(expected.abs().max().clamp_min(1e-6))
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=2e-5)


each_extractor = pytest.mark.parametrize("name", LINES)


@each_extractor
def test_it_says_its_strides_and_features(name: str) -> None:
    extractor = line_extractor(name)
    assert extractor.reductions == [4, 8, 16] * (1 + name.count("+"))
    levels = extractor(noise(256))
    assert [tuple(level.shape) for level in levels] == [
        (1, features, 1, 256 // stride)
        for features, stride in zip(extractor.num_features, extractor.reductions, strict=True)
    ]
    moved = extractor(noise(512)[..., 64:].roll(0, -1))
    assert all(level.shape[-1] == 448 // stride for level, stride in zip(moved, extractor.reductions, strict=True))


@each_extractor
def test_a_step_of_16_moves_every_level_by_whole_cells(name: str) -> None:
    extractor = line_extractor(name)
    assert extractor.reach is not None
    line = noise(4 * (extractor.reach + 64) // 16 * 16)
    edge = -(-extractor.reach // 16) + 2
    for whole, later, stride in zip(extractor(line), extractor(line[..., 16:]), extractor.reductions, strict=True):
        cells, inside = 16 // stride, edge * (16 // stride)
        assert_same(later[..., inside:-inside], whole[..., cells:][..., inside:-inside])


@each_extractor
def test_a_change_beyond_the_reach_changes_nothing_and_one_within_it_does(name: str) -> None:
    extractor = line_extractor(name)
    reach = extractor.reach
    assert reach is not None
    width = (2 * reach // 16 + 12) * 16
    line, at = noise(width), width // 2
    changed = line.clone()
    changed[..., at : at + 16] += 100
    for before, after, stride in zip(extractor(line), extractor(changed), extractor.reductions, strict=True):
        cells = torch.arange(before.shape[-1]) * stride
        differs = (before - after).abs().amax(dim=(0, 1, 2)) > 2e-5 * before.abs().max()
        assert not differs[(cells < at - reach) | (cells > at + 15 + reach)].any()
        assert differs.any(), stride


@each_extractor
def test_pieces_with_the_reach_around_them_equal_the_whole(name: str) -> None:
    extractor = line_extractor(name)
    assert extractor.reach is not None
    around = -(-extractor.reach // 16) * 16
    line = noise(4 * around + 160, seed=1)
    begin, end = around + 48, 2 * around + 96
    whole, piece = extractor(line), extractor(line[..., begin - around : end + around])
    for level, part, stride in zip(whole, piece, extractor.reductions, strict=True):
        kept = part[..., around // stride : (end - begin + around) // stride]
        assert_same(kept, level[..., begin // stride : end // stride])


@pytest.mark.parametrize("name", OWN)
@settings(deadline=None, max_examples=15)
@given(width=st.integers(1, 400))
def test_any_length_has_a_pyramid(name: str, width: int) -> None:
    extractor = line_extractor(name)
    for level, stride in zip(extractor(noise(width)), extractor.reductions, strict=True):
        assert level.shape[-1] == -(-width // stride)
        assert level.isfinite().all()


@each_extractor
@pytest.mark.parametrize("value", [0.0, 1.0, -40.0])
def test_a_constant_line_has_finite_features_alike_everywhere(name: str, value: float) -> None:
    for level in line_extractor(name)(torch.full((1, 3, 1, 320), value)):
        assert level.isfinite().all()
        if name not in ("transformer", "recurrent"):  # they see where a line ends
            assert_same(level, level[..., :1].expand_as(level))


@pytest.mark.parametrize("name", OWN)
def test_it_loads_alike_every_time_and_random_weights_follow_the_seed(name: str) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    prints = [build_extractor(name, *asked).fingerprint() for asked in (("auto", 0), ("auto", 1), ("random", 0))]
    again, other = (build_extractor(name, "random", seed).fingerprint() for seed in (0, 1))
    assert torch.rand(1) == expected
    assert prints[0] == prints[1] != prints[2] == again != other
    assert not any(parameter.requires_grad for parameter in build_extractor(name, "auto", 0).train().parameters())


@pytest.mark.parametrize("name", OWN)
def test_damaged_and_missing_weights_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pretrained.FOLDER / f"{name}.safetensors"
    assert path.stat().st_size <= 1.5e6
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1
    (tmp_path / path.name).write_bytes(damaged)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match=rf"{path.name}: missing, or not the weights that come with MSFlow"):
            build_extractor(name, "auto", 0)
        (tmp_path / path.name).unlink(missing_ok=True)


def test_weights_from_a_file_must_fit(tmp_path: Path) -> None:
    tensors = safetensors.torch.load_file(pretrained.FOLDER / "telemetry.safetensors")
    safetensors.torch.save_file(tensors, tmp_path / "own.safetensors")
    own = build_extractor("telemetry", str(tmp_path / "own.safetensors"), 0)
    assert own.fingerprint() == build_extractor("telemetry", "auto", 0).fingerprint()
    with pytest.raises(InputError, match="of this extractor"):
        build_extractor("recurrent", str(tmp_path / "own.safetensors"), 0)


@pytest.mark.parametrize("name", OWN)
def test_what_it_cannot_do_is_said(name: str) -> None:
    with pytest.raises(InputError, match="no ImageNet weights"):
        build_extractor(name, "imagenet", 0)
    assert build_extractor(name, "auto", 0).lines_only


@pytest.mark.parametrize("width", [64, 65, 300, 2001])
def test_products_of_matrices_are_the_convolutions_of_the_network(width: int) -> None:
    network = build_extractor("telemetry", "random", 3).network
    lines = torch.randn(3, 1, width, generator=torch.Generator().manual_seed(width))
    with torch.no_grad():
        quick = network(lines)
        network.fused = False
        for found, expected in zip(quick, network(lines), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_several_are_those_of_each_one_after_the_other() -> None:
    parts = [line_extractor(name) for name in ("telemetry", "resnet18")]
    both = line_extractor("telemetry+resnet18")
    expected = [level for part in parts for level in part(noise(128))]
    for found, level in zip(both(noise(128)), expected, strict=True):
        torch.testing.assert_close(found, level)
    assert both.reach == max(part.reach for part in parts if part.reach)
    assert both.fingerprint() not in {part.fingerprint() for part in parts}
    assert both.weights == " + ".join(part.weights for part in parts)


def test_wrong_lists_of_extractors() -> None:
    with pytest.raises(InputError, match=r"unknown extractor 'telemetri'. Did you mean 'telemetry'"):
        build_extractor("telemetri+resnet18", "auto", 0)
    with pytest.raises(InputError, match=r"weights = auto\+random\+random: 3 for 2 extractors"):
        build_extractor("telemetry+resnet18", "auto+random+random", 0)
    with pytest.raises(InputError, match="twice"):
        build_extractor("telemetry+telemetry", "auto", 0)


def test_every_extractor_of_the_registry_is_known() -> None:
    assert {name for names in LINES for name in names.split("+")} <= set(EXTRACTORS)
