"""The frozen ImageNet ResNet that turns a picture into a pyramid of three feature maps."""

import copy
import hashlib
import math
from functools import cached_property
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from models import EXTRACTORS
from models.weights import WAYS_ON, first_line, load_file, reach_hub
from runtime.errors import InputError, unknown_name, warn

TORCHVISION_TAG = "{}.tv_in1k"  # timm's tag of torchvision's first ImageNet weights, those of the original MSFlow
PROBE = 1024  # columns of the picture on which the reach is counted
MIN_ROWS = 256  # of a picture that no extractor finds too small
SEEN = 1e-4  # relative change of a feature that is more than rounding
PYRAMID_STAGES = (1, 2, 3)  # layer1, layer2, layer3: strides 4, 8, 16


class Extractor(nn.Module):
    """Frozen backbone in eval mode: picture (B, 3, H, W) -> pyramid of three maps (B, C_l, H / s_l, W / s_l).

    Every convolution with a kernel larger than 1 pads by reflection. `weights` says in words which weights
    it holds; `num_features` lists C_l, `reductions` the strides s_l, `reach` how far its features see.
    """

    def __init__(self, backbone: nn.Module, weights: str) -> None:
        super().__init__()
        self.backbone = backbone.to(memory_format=torch.channels_last)  # 1.4 times as fast on CPUs
        self.weights = weights
        self.num_features: list[int] = backbone.feature_info.channels()
        self.reductions: list[int] = backbone.feature_info.reduction()
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
                module.padding_mode = "reflect"
        self.requires_grad_(False).eval()

    @cached_property
    def reach(self) -> int | None:
        """Columns on either side of its own that a feature of any level sees; None where it sees the whole picture.

        The sum of what every layer that has a kernel adds, as if all stood in a row: an upper bound where branches run
        side by side. Layers that look further without a kernel, such as attention, are found out by trying.
        """
        seen = [0.0]

        def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            span = (_width(module.kernel_size) - 1) * _width(getattr(module, "dilation", 1))
            before = _width(module.padding) if isinstance(module.padding, int | tuple) else 0
            seen[0] += max(before, span - before) * PROBE / inputs[0].shape[-1]

        layers = [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)]
        rows = 1 if all(_height(layer.kernel_size) == 1 for layer in layers) else MIN_ROWS
        device = next(self.parameters()).device
        hooks = [layer.register_forward_hook(add) for layer in layers]
        try:
            self(torch.zeros(1, 3, rows, PROBE, device=device))
        finally:
            for hook in hooks:
                hook.remove()
        reach = math.ceil(seen[0])

        largest = max(self.reductions)
        width = (2 * reach // largest + 8) * largest
        wave = torch.linspace(0, width, width, device=device).sin().expand(1, 3, rows, width)
        changed = wave.clone()
        changed[..., width // 2 :] *= -2
        for before, after, reduction in zip(self(wave), self(changed), self.reductions, strict=True):
            unseen = max(width // 2 - reach, 0) // reduction
            scale = before.abs().max().clamp_min(1e-12)
            if unseen and ((before - after)[..., :unseen].abs().max() / scale) > SEEN:
                return None
        return reach

    def as_line(self) -> "Extractor":
        """A copy of the network for pictures of one row: every kernel is summed over its rows.

        On a picture whose rows are all alike reflection keeps them alike, so that each row of the 2-D network's
        pyramid is what this gives for one such row (B, 3, 1, W), at a fraction of the work. Raises InputError for a
        network whose convolutions do more to their kernels or padding than PyTorch's.
        """
        line = copy.deepcopy(self)
        for parent in list(line.modules()):
            for name, module in list(parent.named_children()):
                if isinstance(module, nn.Conv2d):
                    setattr(parent, name, _summed_over_rows(module))
                elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
                    module.kernel_size, module.stride = (1, _width(module.kernel_size)), (1, _width(module.stride))
                    module.padding = (0, _width(module.padding))
        return line

    def train(self, mode: bool = True) -> "Extractor":
        """Stays in eval mode: batch-norm statistics are part of the frozen weights."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Normalised pictures (B, 3, H, W) -> pyramid, level l (B, C_l, H / s_l, W / s_l)."""
        return self.backbone(pictures.contiguous(memory_format=torch.channels_last))

    def fingerprint(self) -> str:
        """SHA-256 over names and values of all weights: two extractors with one fingerprint are the same."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.backbone.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def _width(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[1]


def _height(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]


def _summed_over_rows(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution that does to one row what `conv` does to each of many rows alike."""
    if type(conv) is not nn.Conv2d:
        layer = type(conv).__name__
        raise InputError(f"the extractor's {layer} layers cannot read rows. Choose resnet18, for example.")
    summed = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (1, conv.kernel_size[1]),
        (1, conv.stride[1]),
        (0, conv.padding[1]),
        (1, conv.dilation[1]),
        conv.groups,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
        device="meta",  # draws no random weights, and the state brings its own device
    )
    state = conv.state_dict()
    summed.load_state_dict({**state, "weight": state["weight"].sum(dim=2, keepdim=True)}, assign=True)
    return summed.requires_grad_(False).eval()


def build_extractor(name: str, weights: str, seed: int) -> Extractor:
    """The extractor `name` with the weights the setting `weights` asks for (see default.py): registered, or timm's.

    Raises InputError for an unknown name, a weight file that does not fit, or a failed download.
    """
    if name in EXTRACTORS:
        return EXTRACTORS[name](name, weights, seed)
    if name not in timm.list_models():
        raise unknown_name("extractor", name, list(EXTRACTORS), timm.list_models(), "or any timm backbone")
    return timm_extractor(name, weights, seed)


def timm_extractor(name: str, weights: str, seed: int) -> Extractor:
    """A backbone of timm, up to its third stage."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = _create(name)
    if weights == "random":
        return Extractor(backbone, f"random (seed {seed})")
    if weights not in ("imagenet", "auto"):
        load_file(backbone, Path(weights))
        return Extractor(backbone, f"file {weights}")
    tag = TORCHVISION_TAG.format(name) if name in EXTRACTORS else name
    try:
        reach_hub(tag)
        return Extractor(_create(tag, pretrained=True), f"imagenet ({tag})")
    except Exception as error:  # the hub's client raises a dozen types, some of them private
        reason = first_line(error)
    failure = f"the ImageNet weights of {name} could not be downloaded ({reason})."
    if weights == "imagenet":
        raise InputError(f"{failure} {WAYS_ON}")
    warn(f"{failure} Going on with RANDOM weights: scores will be worse than with ImageNet's. {WAYS_ON}")
    return Extractor(backbone, f"RANDOM (seed {seed}), as no ImageNet weights could be downloaded")


def _create(name: str, pretrained: bool = False) -> nn.Module:
    try:
        return timm.create_model(name, pretrained=pretrained, features_only=True, out_indices=PYRAMID_STAGES)
    except (AttributeError, AssertionError, IndexError) as error:
        raise InputError(f"extractor {name!r} has no pyramid of feature maps. Choose a ResNet.") from error
