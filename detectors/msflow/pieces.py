"""Feature pyramids of series: a channel is drawn, and its pyramid extracted and pooled piece by piece.

A layout that can be cut is one picture as long as its channel: it is extracted in one piece, or in overlapping pieces
where it is longer than `max_columns`. All other layouts make pictures of one size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drawing.layouts import Layout
from drawing.steps import join_windows, window_starts
from models.extractors import Extractor
from runtime.errors import InputError

PICTURES_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Piece:
    """Part of a channel: the pooled pyramid of N pictures, of which a line keeps the cells `keep` of the last level.

    Level l is (N, C_l, H_l, W_l); the picture of a line begins at the cell `start` of the last level.
    """

    levels: list[Tensor]
    start: int
    keep: slice

    def offsets(self, before: int = 0) -> list[Tensor]:
        """The first column of each level, (N,) by level, of a series with `before` cells of the last in front of it."""
        last = self.levels[-1].shape[-1]
        return [torch.full((len(x),), (self.start - before) * x.shape[-1] // last) for x in self.levels]


class PyramidMaker(ABC):
    """Draws series with a layout and makes pooled pyramids of them.

    `strides` are the pixels between neighbouring cells, by pooled level. Of a pyramid of several pictures the pictures
    stand along `axis`, of one that can be cut its cells; either covers `extent` columns.
    """

    axis: int
    extent: int

    def __init__(self, extractor: Extractor, pool: nn.Module, layout: Layout) -> None:
        self.extractor, self.pool, self.layout = extractor, pool, layout
        self.device = next(extractor.parameters()).device
        factor = 1 if isinstance(pool, nn.Identity) else 2
        self.strides = [factor * reduction for reduction in extractor.reductions]

    def _extract(self, pictures: NDArray[np.float32]) -> list[Tensor]:
        pyramid = self.extractor(torch.from_numpy(pictures).to(self.device))
        return [self.pool(level) for level in pyramid]

    @abstractmethod
    def places(self, num_columns: int) -> list[NDArray[np.integer]]:
        """The columns at which the pictures or cells along `axis` begin, by level, in a series of `num_columns`."""

    def chosen(self, level: Tensor, places: NDArray[np.integer] | slice) -> Tensor:
        """The pictures or cells of a level at some of the places."""
        chosen = places if isinstance(places, slice) else torch.from_numpy(places).to(level.device)
        return level[chosen] if self.axis == 0 else level[..., chosen]

    @abstractmethod
    def pieces(self, drawn: NDArray[np.floating]) -> Iterator[Piece]:
        """The pyramids that together hold a drawn series (T, C)."""

    @abstractmethod
    def joined(self, pieces: list[Piece]) -> list[Tensor]:
        """The pyramids of all pieces of a series as one, by level."""

    @abstractmethod
    def to_series(self, maps: list[list[Tensor]], keep: list[slice], num_steps: int) -> NDArray[np.float64]:
        """Maps by level and piece, (N, H_l, W_l) each with the part that is kept -> series by level, (L, num_steps)."""


class WindowMaker(PyramidMaker):
    """Pyramids of pictures of one size, which begin `step` time steps apart."""

    axis = 0

    def __init__(self, extractor: Extractor, pool: nn.Module, layout: Layout, step: int) -> None:
        super().__init__(extractor, pool, layout)
        self.step, self.extent = step, layout.window or 0

    def places(self, num_columns: int) -> list[NDArray[np.integer]]:
        """The first columns of the pictures, the same for every level."""
        return [self.window_starts(num_columns)] * len(self.strides)

    def pieces(self, drawn: NDArray[np.floating]) -> Iterator[Piece]:
        """The pyramids that together hold a drawn series (T, C), some pictures at a time."""
        starts, window = self.window_starts(len(drawn)), self.layout.window or len(drawn)
        for first in range(0, len(starts), PICTURES_AT_ONCE):
            some = starts[first : first + PICTURES_AT_ONCE]
            pictures = np.stack([self.layout.to_image(drawn[start : start + window]) for start in some])
            yield Piece(self._extract(pictures), 0, slice(None))

    def window_starts(self, num_steps: int) -> NDArray[np.integer]:
        """The first steps of the pictures of a series."""
        window = self.layout.window
        return np.zeros(1, dtype=int) if window is None else window_starts(num_steps, window, self.step)

    def joined(self, pieces: list[Piece]) -> list[Tensor]:
        """All pictures, by level."""
        return [torch.cat(level) for level in zip(*(piece.levels for piece in pieces), strict=True)]

    def to_series(self, maps: list[list[Tensor]], keep: list[slice], num_steps: int) -> NDArray[np.float64]:
        """Maps by level and piece, (N, H_l, W_l) each -> series by level, (L, num_steps)."""
        window, starts = min(self.layout.window or num_steps, num_steps), self.window_starts(num_steps)
        series = []
        for level, stride in zip(maps, self.strides, strict=True):
            scores = [self.layout.to_series(m, window, stride) for m in torch.cat(level).cpu().numpy()]
            series.append(join_windows(np.stack(scores), starts, num_steps))
        return np.stack(series)


class LineMaker(PyramidMaker):
    """Pyramids of layouts that can be cut.

    A piece shares with its neighbours what the extractor and the pooling see, and `density_reach` cells of the last
    level: what is kept of it is what the whole line would have given there.
    """

    axis = -1
    extent = 0

    def __init__(
        self, extractor: Extractor, pool: nn.Module, layout: Layout, density_reach: int, max_columns: int
    ) -> None:
        super().__init__(extractor, pool, layout)
        grid = self.strides[-1]
        self.max_columns = max(max_columns // grid * grid, grid)
        # pooling sees one cell beyond its own
        seen = None if extractor.reach is None else extractor.reach + grid + density_reach * grid
        self.context = None if seen is None else -(-seen // grid) * grid

    def places(self, num_columns: int) -> list[NDArray[np.integer]]:
        """The columns of the cells of every level."""
        width = padded_width(num_columns, self.strides[-1])
        return [np.arange(0, width, stride) for stride in self.strides]

    def pieces(self, drawn: NDArray[np.floating]) -> Iterator[Piece]:
        """The pyramids that together hold a drawn series (T, C).

        Raises InputError where it takes several pieces, but the extractor sees the whole picture.
        """
        grid = self.strides[-1]
        picture = padded_picture(self.layout.to_image(drawn), grid)
        width = picture.shape[-1]
        if width > self.max_columns and self.context is None:
            raise InputError(
                f"this extractor sees the whole picture, so a line of {width} columns cannot be scored in pieces of "
                f"max_columns = {self.max_columns}. Set --max-columns {width}, or choose resnet18, for example."
            )
        for begin in range(0, width, self.max_columns):
            end, context = min(begin + self.max_columns, width), self.context or 0
            left, right = max(begin - context, 0), min(end + context, width)
            levels = self._extract(picture[None, :, :, left:right])
            yield Piece(levels, left // grid, slice((begin - left) // grid, (end - left) // grid))

    def joined(self, pieces: list[Piece]) -> list[Tensor]:
        """What each piece keeps, end to end, by level."""
        levels = []
        for number, stride in enumerate(self.strides):
            factor = self.strides[-1] // stride
            levels.append(torch.cat([kept_columns(p.levels[number], p.keep, factor) for p in pieces], dim=-1))
        return levels

    def to_series(self, maps: list[list[Tensor]], keep: list[slice], num_steps: int) -> NDArray[np.float64]:
        """Maps by level and piece, (1, 1, W_l) each with the part that is kept -> series by level, (L, num_steps)."""
        series = []
        for level, stride in zip(maps, self.strides, strict=True):
            factor = self.strides[-1] // stride
            kept = torch.cat([kept_columns(m[0], part, factor) for m, part in zip(level, keep, strict=True)], dim=-1)
            series.append(self.layout.to_series(kept.cpu().numpy(), num_steps, stride))
        return np.stack(series)


def make_maker(
    extractor: Extractor, pool: nn.Module, layout: Layout, density_reach: int, max_columns: int, share: int
) -> PyramidMaker:
    """What makes the pyramids of a layout, with pictures a `share` of their window apart."""
    if layout.cuttable:
        return LineMaker(extractor, pool, layout, density_reach, max_columns)
    return WindowMaker(extractor, pool, layout, max((layout.window or share) // share, 1))


def padded_width(num_columns: int, grid: int) -> int:
    """The width of the picture of a line: a multiple of `grid` columns, and twice that at least.

    Every level then has exactly twice the cells of the next, which is what lets a part of a line be scored alone.
    """
    return max(-(-num_columns // grid), 2) * grid


def padded_picture(picture: NDArray[np.float32], grid: int) -> NDArray[np.float32]:
    """A line (C, 1, W) continued to the width of its picture by going back and forth."""
    width = padded_width(picture.shape[-1], grid)
    mode = "reflect" if picture.shape[-1] > 1 else "edge"
    return np.pad(picture, ((0, 0), (0, 0), (0, width - picture.shape[-1])), mode=mode)


def kept_columns(level: Tensor, keep: slice, factor: int) -> Tensor:
    """The columns of a level that a piece keeps, `factor` of them for each cell `keep` of the last level."""
    return level[..., keep.start * factor : keep.stop * factor]
