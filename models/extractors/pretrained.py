"""Extractors of lines whose weights lie in this repository: networks pretrained by models/pretrain.py.

They read one plane, the first: the telemetry value.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.extractors.base import Extractor
from models.weights import load_file
from runtime.errors import InputError

FOLDER = Path(__file__).parents[1] / "pretrained"
LEAST_WIDTH = 64  # columns that a network finds wide enough to reflect; narrower lines are continued


class LineExtractor(Extractor):
    """The extractor of pictures of one row that a network (B, 1, W) -> levels (B, C_l, ceil(W / s_l)) makes."""

    def __init__(self, network: nn.Module, weights: str) -> None:
        super().__init__(network)
        self.weights = weights
        self.num_features, self.reductions, self.reach = network.num_features, network.reductions, network.reach

    planes, lines_only = 1, True

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Normalised lines (B, 3, 1, W), any W > 0 -> pyramid, level l (B, C_l, 1, ceil(W / s_l))."""
        width = pictures.shape[3]
        line = pictures[:, :1, 0]
        if width < LEAST_WIDTH:
            line = F.pad(line, (0, LEAST_WIDTH - width), mode="replicate")
        levels = self.network(line)
        return [level[:, :, None, : -(-width // s)] for level, s in zip(levels, self.reductions, strict=True)]


def build(network: type[nn.Module], sha256: str, name: str, weights: str, seed: int) -> LineExtractor:
    """The extractor of a class of networks, whose weights in this repository have a SHA-256 sum.

    Raises InputError where they are damaged, for a file that does not fit, and for weights that nobody has.
    """
    if weights == "imagenet":
        raise InputError(f"there are no ImageNet weights of {name}: it never saw a picture. Leave weights at auto.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = network()
    if weights == "random":
        return LineExtractor(made, f"random (seed {seed})")
    if weights != "auto":
        load_file(made, Path(weights))
        return LineExtractor(made, f"file {weights}")
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise InputError(f"{path}: missing, or not the weights that come with MSFlow. Fetch that file of it again.")
    load_file(made, path)
    return LineExtractor(made, f"{name} (pretrained on made-up telemetry)")
