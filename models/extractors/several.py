"""Several extractors at once: the pyramids of all, one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.extractors.base import Extractor


class Several(Extractor):
    """The levels of several extractors: (B, 3, H, W) -> those of the first, of the second, .."""

    def __init__(self, by_name: Mapping[str, Extractor]) -> None:
        parts = list(by_name.values())
        super().__init__(nn.ModuleList(parts))
        self.names, self.planes = list(by_name), max(part.planes for part in parts)
        self.lines_only = any(part.lines_only for part in parts)
        self.weights = " + ".join(part.weights for part in parts)
        self.num_features = [features for part in parts for features in part.num_features]
        self.reductions = [reduction for part in parts for reduction in part.reductions]

    @property
    def level_names(self) -> list[str]:
        """Each level under the name of its extractor."""
        return [f"{n} {level}" for n, part in zip(self.names, self.network, strict=True) for level in part.level_names]

    @property
    def reach(self) -> int | None:
        """That of the one that sees furthest."""
        reaches = [part.reach for part in self.network]
        return None if None in reaches else max(reaches)

    def as_line(self) -> Several:
        """All of them for pictures of one row."""
        return Several({name: part.as_line() for name, part in zip(self.names, self.network, strict=True)})

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Normalised pictures (B, 3, H, W) -> all levels, level l (B, C_l, H / s_l, W / s_l)."""
        return [level for part in self.network for level in part(pictures)]

    def fingerprint(self) -> str:
        """SHA-256 over the fingerprints of all."""
        return hashlib.sha256("".join(part.fingerprint() for part in self.network).encode()).hexdigest()
