"""ImageNet networks of timm as extractors, such as the ResNets of the original MSFlow."""

import copy
import math
from functools import cached_property
from pathlib import Path
from typing import Any

import huggingface_hub
import timm
import torch
from torch import Tensor, nn

from models import EXTRACTORS, RESNETS
from models.extractors.base import Extractor
from models.weights import WAYS_ON, first_line, load_file
from runtime.errors import InputError, unknown_name, warn

TORCHVISION_TAG = "{}.tv_in1k"  # timm's tag of torchvision's first ImageNet weights, those of the original MSFlow
HUB_FILE = "model.safetensors"
PROBE = 1024  # columns of the picture on which the reach is counted
MIN_ROWS = 256  # of a picture that no extractor finds too small
SEEN = 1e-4  # relative change of a feature that is more than rounding
PYRAMID_STAGES = (1, 2, 3)  # layer1, layer2, layer3: strides 4, 8, 16


class Backbone(Extractor):
    """A timm backbone up to its third stage. Every convolution with a kernel larger than 1 pads by reflection."""

    def __init__(self, backbone: nn.Module, weights: str) -> None:
        super().__init__(backbone.to(memory_format=torch.channels_last))  # 1.4 times as fast on CPUs
        self.weights = weights
        self.num_features: list[int] = backbone.feature_info.channels()
        self.reductions: list[int] = backbone.feature_info.reduction()
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
                module.padding_mode = "reflect"

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

    def as_line(self) -> "Backbone":
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

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Normalised pictures (B, 3, H, W) -> pyramid, level l (B, C_l, H / s_l, W / s_l)."""
        try:
            return self.network(pictures.contiguous(memory_format=torch.channels_last))
        except RuntimeError as error:
            if "Padding size" not in str(error):
                raise
            size = "x".join(map(str, pictures.shape[2:]))
            raise InputError(f"pictures of {size} are too small for this extractor. Raise --input-size.") from error
        except AssertionError as error:  # timm's word for pictures of another size than a network was made for
            size = "x".join(map(str, pictures.shape[2:]))
            raise InputError(
                f"this extractor reads no pictures of {size} ({error}). Vision transformers read one size only, and no "
                "lines: set --layout stretch and that --input-size, or choose another --extractor."
            ) from error


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


def any_backbone(name: str, weights: str, seed: int) -> Backbone:
    """A backbone that is not registered. Raises InputError where timm knows none of that name."""
    if name not in timm.list_models():
        raise unknown_name("extractor", name, list(EXTRACTORS), timm.list_models(), "or any timm backbone")
    return timm_extractor(name, weights, seed)


def timm_extractor(name: str, weights: str, seed: int) -> Backbone:
    """A backbone of timm, up to its third stage."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = create(name)
    if weights == "random":
        return Backbone(backbone, f"random (seed {seed})")
    if weights not in ("imagenet", "auto"):
        load_file(backbone, Path(weights))
        return Backbone(backbone, f"file {weights}")
    tag = TORCHVISION_TAG.format(name) if name in RESNETS else name
    try:
        reach_hub(tag)
        return Backbone(create(tag, pretrained=True), f"imagenet ({tag})")
    except Exception as error:  # the hub's client raises a dozen types, some of them private
        reason = first_line(error)
    failure = f"the ImageNet weights of {name} could not be downloaded ({reason})."
    if weights == "imagenet":
        raise InputError(f"{failure} {WAYS_ON}")
    warn(f"{failure} Going on with RANDOM weights: scores will be worse than with ImageNet's. {WAYS_ON}")
    return Backbone(backbone, f"RANDOM (seed {seed}), as no ImageNet weights could be downloaded")


def create(name: str, pretrained: bool = False, **settings: Any) -> nn.Module:
    """A network of timm that gives the pyramid. Raises InputError for one that has none."""
    try:
        return timm.create_model(
            name, pretrained=pretrained, features_only=True, out_indices=PYRAMID_STAGES, **settings
        )
    except (AttributeError, AssertionError, IndexError) as error:
        raise InputError(f"extractor {name!r} has no pyramid of feature maps. Choose a ResNet.") from error


def reach_hub(tag: str) -> None:
    """One request, where the weights are not cached: the hub's client would try for a minute before it gives up."""
    repository = timm.get_pretrained_cfg(tag).hf_hub_id
    if not isinstance(huggingface_hub.try_to_load_from_cache(repository, HUB_FILE), str):
        huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repository, HUB_FILE))
