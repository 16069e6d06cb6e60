"""The cells of a line by the parts of a series that they belong to, as a picture each: what parts are held out by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Apart:
    """Cells of a line (1, C, H, W) as P pictures (P, C, H, most), one for each part, for a density to see at once.

    `cells` (P, most) are their places in the line. Of a part with fewer than the most cells the last of them are
    others', which `inside` (P, most) is False for.
    """

    cells: Tensor
    inside: Tensor

    @classmethod
    def of(cls, owned: Tensor) -> Apart:
        """By which of the cells belong to each part, (P, W)."""
        most = max(int(owned.sum(dim=1).max()), 1)
        cells = owned.int().argsort(dim=1, descending=True, stable=True)[:, :most]
        return cls(cells, owned.gather(1, cells))

    def pictures(self, line: Tensor) -> Tensor:
        """A level (1, C, H, W) as (P, C, H, most)."""
        return line[0][..., self.cells].movedim(-2, 0)

    def line(self, pictures: Tensor, width: int) -> Tensor:
        """Energies (P, H, most) as those of the line (1, H, width); NaN in cells of no part."""
        found = pictures.new_full((1, pictures.shape[1], width), torch.nan)
        found[0, :, self.cells[self.inside]] = pictures.movedim(1, 0)[:, self.inside]
        return found
