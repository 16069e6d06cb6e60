"""What every extractor can do, and how one is found by its name."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

from models import EXTRACTORS
from runtime.errors import InputError


class Extractor(nn.Module):
    """A frozen network in eval mode: picture (B, 3, H, W) -> pyramid of maps, level l (B, C_l, H / s_l, W / s_l).

    `weights` says in words which weights it holds; `num_features` lists C_l, `reductions` the strides s_l, of which the
    last is the largest. `planes` is how many of the colours it reads, `reach` how many columns on either side of its
    own a feature of any level sees; None where it sees the whole picture.
    """

    weights: str
    num_features: list[int]
    reductions: list[int]
    reach: int | None
    planes = 3
    lines_only = False  # whether it reads nothing but pictures of one row

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.requires_grad_(False).eval()

    @property
    def level_names(self) -> list[str]:
        """The names of the levels, from `level 1` on; of several extractors that of each stands before."""
        return [f"level {number}" for number in range(1, len(self.num_features) + 1)]

    def train(self, mode: bool = True) -> Extractor:
        """Stays in eval mode: batch-norm statistics are part of the frozen weights."""
        return super().train(False)

    def as_line(self) -> Extractor:
        """The extractor of pictures of one row (B, 3, 1, W)."""
        return self

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Normalised pictures (B, 3, H, W) -> pyramid, level l (B, C_l, H / s_l, W / s_l)."""
        return self.network(pictures)

    def fingerprint(self) -> str:
        """SHA-256 over names and values of all weights: two extractors with one fingerprint are the same."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def build_extractor(name: str, weights: str, seed: int) -> Extractor:
    """The extractor `name` with the weights the setting `weights` asks for (see default.py): registered, or timm's.

    Several, joined by +, give the levels of all; `weights` then counts for all, or names those of each, joined by +.
    Raises InputError for an unknown name, a weight file that does not fit, or a failed download.
    """
    names = name.split("+")
    if len(names) == 1:
        if name in EXTRACTORS:
            return EXTRACTORS[name](name, weights, seed)
        from models.extractors.backbone import any_backbone  # takes seconds to import: only for those who need it

        return any_backbone(name, weights, seed)
    from models.extractors.several import Several

    if len(set(names)) < len(names):
        raise InputError(f"extractor {name!r} names one twice. Name each once.")
    of_each = weights.split("+") if "+" in weights else [weights] * len(names)
    if len(of_each) != len(names):
        raise InputError(
            f"weights = {weights}: {len(of_each)} for {len(names)} extractors. Name one for each, as auto+random, "
            "or one for all."
        )
    return Several({part: build_extractor(part, its, seed) for part, its in zip(names, of_each, strict=True)})
