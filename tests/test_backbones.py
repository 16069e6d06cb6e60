"""ImageNet backbones against torchvision's ResNets, their weight files, and failed downloads."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from models import RESNETS
from models.extractors import backbone, build_extractor
from runtime.errors import InputError


def reference_pyramid(resnet: nn.Module, pictures: torch.Tensor) -> list[torch.Tensor]:
    """torchvision's network with the reflection written out as a padding before every larger convolution."""
    for name, conv in list(resnet.named_modules()):
        if isinstance(conv, nn.Conv2d) and conv.kernel_size != (1, 1):
            padding, conv.padding = conv.padding[0], (0, 0)
            parent = resnet.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], nn.Sequential(nn.ReflectionPad2d(padding), conv))
    x = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(pictures))))
    pyramid = []
    for layer in (resnet.layer1, resnet.layer2, resnet.layer3):
        x = layer(x)
        pyramid.append(x)
    return pyramid


@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_agrees_with_torchvision_from_a_weight_file(name: str, suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    resnet = torchvision.models.get_model(name, weights=None).eval()
    for module in resnet.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(resnet.state_dict(), path)
    else:
        safetensors.torch.save_file(resnet.state_dict(), path)
    extractor = build_extractor(name, str(path), seed=0)
    pictures = torch.randn(1, 3, 64, 96)
    pyramid = extractor(pictures)
    with torch.no_grad():
        expected = reference_pyramid(resnet, pictures)
    assert extractor.num_features == [level.shape[1] for level in pyramid]
    for level, reference in zip(pyramid, expected, strict=True):
        torch.testing.assert_close(level, reference, rtol=1e-4, atol=1e-5 * float(reference.abs().max()))
    assert extractor.weights == f"file {path}"


def test_it_is_frozen() -> None:
    extractor = build_extractor("resnet18", "random", seed=0).train()
    assert not any(module.training for module in extractor.modules())
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    assert not extractor(torch.randn(1, 3, 32, 32, requires_grad=True))[0].requires_grad


def test_random_weights_follow_the_seed_and_leave_the_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fingerprints = [build_extractor("resnet18", "random", seed).fingerprint() for seed in (1, 1, 2)]
    assert torch.rand(1) == expected
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_rows_of_a_picture_with_equal_rows_stay_equal() -> None:
    row = torch.randn(1, 3, 1, 128)
    low, high = (build_extractor("resnet18", "random", 0)(row.expand(1, 3, height, 128)) for height in (32, 96))
    for level_low, level_high in zip(low, high, strict=True):
        torch.testing.assert_close(level_high, level_high[:, :, :1].expand_as(level_high), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(level_low[:, :, 0], level_high[:, :, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize("width", [64, 333])
def test_a_line_has_the_pyramid_of_a_picture_with_equal_rows(name: str, width: int) -> None:
    extractor = build_extractor(name, "random", seed=3)
    line = torch.randn(1, 3, 1, width)
    expected = extractor(line.expand(-1, -1, 32, -1))
    found = extractor.as_line()(line)
    torch.testing.assert_close(extractor(line.expand(-1, -1, 32, -1)), expected, rtol=0, atol=0)  # a copy was changed
    for level, picture in zip(found, expected, strict=True):
        assert level.shape == (*picture.shape[:2], 1, picture.shape[3])
        scale = picture.abs().max()
        torch.testing.assert_close(level.expand_as(picture) / scale, picture / scale, rtol=1e-4, atol=1e-5)


def test_a_line_extractor_stays_on_its_device_and_draws_no_numbers() -> None:
    extractor = build_extractor("resnet18", "random", 0)
    state = torch.get_rng_state()
    devices = {tensor.device.type for tensor in extractor.to("meta").as_line().state_dict().values()}
    assert devices == {"meta"}
    assert torch.equal(torch.get_rng_state(), state)


def test_a_network_that_cannot_read_lines_is_refused() -> None:
    extractor = build_extractor("nf_resnet26", "random", 0)  # its convolutions standardise their kernels
    with pytest.raises(InputError, match=r"ScaledStdConv2d layers cannot read rows\. Choose resnet18, for example\."):
        extractor.as_line()


def test_unknown_names() -> None:
    with pytest.raises(InputError, match=r"unknown extractor 'resnet81'. Did you mean 'resnet18'\? Known: telemetry"):
        build_extractor("resnet81", "random", 0)


def test_weight_files_that_do_not_fit(tmp_path: Path) -> None:
    whole = torchvision.models.resnet18(weights=None).state_dict()
    torch.save({n: t for n, t in whole.items() if n != "layer2.0.bn1.weight"}, tmp_path / "lacking.pth")
    torch.save(torchvision.models.resnet50(weights=None).state_dict(), tmp_path / "wider.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"\x00" * 50)
    (tmp_path / "damaged.pth").write_bytes(b"PK\x03\x04")
    torch.save([1], tmp_path / "list.pth")
    for name, message in {
        "none.pth": "missing. Ways on",
        "none.bin": "not imagenet, random, auto or a",
        "lacking.pth": r"lacks layer2\.0\.bn1\.weight",
        "wider.pth": r"layer1\.0\.conv1\.weight has shape \(64, 64, 1, 1\), this extractor expects \(64, 64, 3, 3\)",
        "damaged.safetensors": "cannot be read as a file of weights",
        "damaged.pth": "cannot be read as a file of weights",
        "list.pth": "is no file of weights",
    }.items():
        with pytest.raises(InputError, match=message) as error:
            build_extractor("resnet18", str(tmp_path / name), 0)
        assert name in str(error.value)


def test_a_failed_download_names_the_ways_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def unreachable(tag: str) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(backbone, "reach_hub", unreachable)
    with pytest.raises(
        InputError, match=r"resnet18 could not be downloaded \(Name or.*--weights PATH.*--weights random"
    ):
        build_extractor("resnet18", "imagenet", 0)
    extractor = build_extractor("resnet18", "auto", 0)
    assert "RANDOM weights" in capsys.readouterr().err
    assert extractor.weights.startswith("RANDOM (seed 0), as no ImageNet weights could be downloaded")
    assert extractor.fingerprint() == build_extractor("resnet18", "random", 0).fingerprint()


def test_imagenet_asks_timm_for_torchvisions_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    create = backbone.timm.create_model

    def spy(name: str, pretrained: bool, **options):
        asked.append((name, pretrained))
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(backbone, "reach_hub", lambda tag: None)
    monkeypatch.setattr(backbone.timm, "create_model", spy)
    assert build_extractor("resnet18", "imagenet", 0).weights == "imagenet (resnet18.tv_in1k)"
    assert asked[-1] == ("resnet18.tv_in1k", True)


@pytest.mark.parametrize("name", RESNETS)
def test_nothing_beyond_its_reach_counts_and_what_counts_comes_near_it(name: str) -> None:
    extractor = build_extractor(name, "random", 0).as_line()
    for module in extractor.modules():
        if isinstance(module, nn.BatchNorm2d):  # timm begins with residual branches that add nothing
            nn.init.ones_(module.weight)
    at, width = 1024, 2048
    line = torch.randn(1, 3, 1, width)
    changed = line.clone()
    changed[..., at] += 100
    furthest = 0
    for before, after, reduction in zip(extractor(line), extractor(changed), extractor.reductions, strict=True):
        differs = ((before - after).abs().amax(dim=(0, 1, 2)) > 0).nonzero() * reduction
        furthest = max(furthest, int((differs - at).abs().max()))
    assert extractor.reach / 2 < furthest <= extractor.reach


def test_other_backbones_say_their_reach() -> None:
    assert build_extractor("convnext_tiny", "random", 0).as_line().reach == 859
    assert build_extractor("efficientnet_b0", "random", 0).as_line().reach is None, "squeeze and excitation see all"
