"""Feature pyramids of series: a channel is drawn, its pyramid extracted and pooled once, and cut into training batches.

A line, one picture as long as its channel, is handed out as random windows for training and in one piece for
scoring, or in overlapping pieces where it is longer than `max_columns`. All other layouts make pictures of one size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drawing.layouts import Layout, Line
from drawing.steps import join_windows, window_starts
from models.densities import GaussianHead
from models.extractors import Extractor
from runtime import distributed

EXTRACTOR_REACH = 512  # columns on either side that a feature of the deepest level of these ResNets may see
PICTURES_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Batch:
    """A training batch: pooled pyramid, level l (B, C_l, H_l, W_l); of series the channels (B,) and, by level, the
    columns (B,) at which the pictures begin. Of several processes each has a share of the batch, and `weight` makes the
    mean over the processes the mean over the batch.
    """

    levels: list[Tensor]
    channels: Tensor | None = None
    offsets: list[Tensor] | None = None
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Piece:
    """Part of a channel: the pooled pyramid of N pictures, of which a line keeps the cells `keep` of the last level.

    Level l is (N, C_l, H_l, W_l); the picture of a line begins at the cell `start` of the last level.
    """

    levels: list[Tensor]
    start: int
    keep: slice

    def offsets(self) -> list[Tensor]:
        """The first column of each level, (N,) by level."""
        last = self.levels[-1].shape[-1]
        return [torch.full((len(x),), self.start * x.shape[-1] // last) for x in self.levels]


class PyramidMaker:
    """Draws series with a layout and makes pooled pyramids of them.

    `strides` are the pixels between neighbouring cells, by pooled level. `context` is how many columns a line's piece
    shares with its neighbours, so that what is kept of it is what the whole line would have given there.
    """

    def __init__(
        self, extractor: Extractor, pool: nn.Module, layout: Layout, flow_reach: int, max_columns: int, step: int
    ) -> None:
        self.extractor, self.pool, self.layout = extractor, pool, layout
        self.device = next(extractor.parameters()).device
        factor = 1 if isinstance(pool, nn.Identity) else 2
        self.strides = [factor * reduction for reduction in extractor.reductions]
        self.step = step
        grid = self.strides[-1]
        self.context = -(-(EXTRACTOR_REACH + flow_reach * grid) // grid) * grid
        self.max_columns = max(max_columns // grid * grid, grid)

    @property
    def is_line(self) -> bool:
        """Whether a channel is one picture as long as itself."""
        return isinstance(self.layout, Line)

    def _extract(self, pictures: NDArray[np.float32]) -> list[Tensor]:
        pyramid = self.extractor(torch.from_numpy(pictures).to(self.device))
        return [self.pool(level) for level in pyramid]

    def pieces(self, drawn: NDArray[np.floating], least_columns: int = 0) -> Iterator[Piece]:
        """The pyramids that together hold a drawn series (T, C); a line is padded to `least_columns` columns."""
        if not self.is_line:
            starts, window = self.window_starts(len(drawn)), self.layout.window or len(drawn)
            for first in range(0, len(starts), PICTURES_AT_ONCE):
                some = starts[first : first + PICTURES_AT_ONCE]
                pictures = np.stack([self.layout.to_image(drawn[start : start + window]) for start in some])
                yield Piece(self._extract(pictures), 0, slice(None))
            return
        grid = self.strides[-1]
        picture = _padded(self.layout.to_image(drawn), grid, max(least_columns, 2 * grid))
        width = picture.shape[-1]
        for begin in range(0, width, self.max_columns):
            end = min(begin + self.max_columns, width)
            left, right = max(begin - self.context, 0), min(end + self.context, width)
            levels = self._extract(picture[None, :, :, left:right])
            yield Piece(levels, left // grid, slice((begin - left) // grid, (end - left) // grid))

    def window_starts(self, num_steps: int) -> NDArray[np.integer]:
        """The first steps of the pictures of a series, for layouts other than line."""
        window = self.layout.window
        return np.zeros(1, dtype=int) if window is None else window_starts(num_steps, window, self.step)

    def to_series(self, maps: list[list[Tensor]], pieces: list[slice], num_steps: int) -> NDArray[np.float64]:
        """Maps by level and piece, (N, H_l, W_l) each with the part that is kept -> series by level, (L, num_steps)."""
        return np.stack(
            [self._level_series(*level, pieces, num_steps) for level in zip(maps, self.strides, strict=True)]
        )

    def _level_series(self, maps: list[Tensor], stride: int, keep: list[slice], num_steps: int) -> NDArray[np.float64]:
        if self.is_line:
            factor = self.strides[-1] // stride
            kept = torch.cat([_kept(m[0], part, factor) for m, part in zip(maps, keep, strict=True)], dim=-1)
            return self.layout.to_series(kept.cpu().numpy(), num_steps, stride)
        window = min(self.layout.window or num_steps, num_steps)
        scores = [self.layout.to_series(m, window, stride) for m in torch.cat(maps).cpu().numpy()]
        return join_windows(np.stack(scores), self.window_starts(num_steps), num_steps)


def _padded(picture: NDArray[np.float32], grid: int, least: int) -> NDArray[np.float32]:
    """A line (C, 1, W) continued to a multiple of `grid` columns, `least` at least, by going back and forth.

    Every level then has exactly twice the cells of the next, which is what lets a part of a line be scored alone.
    """
    width = max(-(-picture.shape[-1] // grid) * grid, -(-least // grid) * grid)
    mode = "reflect" if picture.shape[-1] > 1 else "edge"
    return np.pad(picture, ((0, 0), (0, 0), (0, width - picture.shape[-1])), mode=mode)


class TrainingPyramids:
    """The pooled pyramids of all training series, kept in memory, as batches for the flows.

    A pass over a line is as many random windows of `window` columns as hold all columns once; over other layouts it
    is every picture once. `noise` adds Gaussian noise to the features, in units of their standard deviations.
    """

    def __init__(
        self, maker: PyramidMaker, series: list[NDArray[np.floating]], batch_size: int, window: int, noise: float
    ) -> None:
        self.maker, self.batch_size, self.noise = maker, batch_size, noise
        self.cells = -(-window // maker.strides[-1])
        self.channels: list[list[Tensor]] = []
        for drawn in series:
            pieces = list(maker.pieces(drawn, window))
            joined = [[piece.levels[level] for piece in pieces] for level in range(len(maker.strides))]
            if maker.is_line:
                self.channels.append([_joined(level, pieces) for level in joined])
            else:
                self.channels.append([torch.cat(level) for level in joined])
        self.deviation = [self._deviation(level) for level in range(len(maker.strides))]
        widths = [levels[-1].shape[-1] for levels in self.channels]
        total = sum(widths) // self.cells if maker.is_line else sum(len(levels[0]) for levels in self.channels)
        self.num_batches = max(-(-total // batch_size), 1)
        self._windows = total

    def _deviation(self, level: int) -> Tensor:
        features = torch.cat([levels[level].transpose(0, 1).flatten(1) for levels in self.channels], dim=1)
        return features.std(dim=1)[:, None, None]

    def standardise(self, gaussian: GaussianHead) -> None:
        """Replace all features by standardised ones: noise is then in units of a channel's own deviations."""
        for number, levels in enumerate(self.channels):
            numbers = torch.full((len(levels[0]),), number, device=levels[0].device)
            self.channels[number] = gaussian.standardised(levels, numbers)
        self.deviation = [torch.ones_like(deviation) for deviation in self.deviation]

    def batches(self, seed: int) -> Iterator[Batch]:
        """One pass in the random order of `seed`."""
        random = torch.Generator().manual_seed(seed)
        for places in self._places(random).split(self.batch_size):
            yield self._batch(places, *share_of_batch(len(places)), random)

    def _places(self, random: torch.Generator) -> Tensor:
        """Channel number, and picture number or first cell of the last level, of everything in a pass: (N, 2)."""
        if not self.maker.is_line:
            places = [(c, n) for c, levels in enumerate(self.channels) for n in range(len(levels[0]))]
            return torch.tensor(places)[torch.randperm(len(places), generator=random)]
        free = torch.tensor([levels[-1].shape[-1] - self.cells + 1 for levels in self.channels])
        widths = (free + self.cells - 1).double()
        channels = torch.multinomial(widths, max(self._windows, 1), replacement=True, generator=random)
        starts = (torch.rand(len(channels), generator=random, dtype=torch.float64) * free[channels]).long()
        return torch.stack([channels, starts], dim=1)

    def _batch(self, batch: Tensor, mine: Tensor, weight: float, random: torch.Generator) -> Batch:
        levels, offsets, places = [], [], batch[mine]
        for level, deviation in enumerate(self.deviation):
            if self.maker.is_line:
                factor = self.maker.strides[-1] // self.maker.strides[level]
                cut = [
                    self.channels[c][level][0, :, :, start * factor : (start + self.cells) * factor]
                    for c, start in places.tolist()
                ]
                offsets.append(places[:, 1] * factor)
            else:
                cut = [self.channels[c][level][n] for c, n in places.tolist()]
                offsets.append(torch.zeros(len(places), dtype=torch.long))
            features = torch.stack(cut)
            if self.noise:
                # drawn for all processes alike, whoever has which part of the batch
                noise = torch.randn((len(batch), *features.shape[1:]), generator=random)[mine].to(features)
                features = features + self.noise * deviation * noise
            levels.append(features)
        return Batch(levels, places[:, 0].to(levels[0].device), offsets, weight)


def share_of_batch(size: int) -> tuple[Tensor, float]:
    """Which of `size` items of a batch this process has, and their weight; one of weight 0 where it has none."""
    mine = distributed.share_of(list(range(size)))
    return torch.tensor(mine or [0]), len(mine) * distributed.world_size() / size


def _joined(levels: list[Tensor], pieces: list[Piece]) -> Tensor:
    """One level of a line from its pieces: what each keeps, end to end."""
    pairs = zip(levels, pieces, strict=True)
    kept = [_kept(x, piece.keep, x.shape[-1] // piece.levels[-1].shape[-1]) for x, piece in pairs]
    return torch.cat(kept, dim=-1)


def _kept(level: Tensor, keep: slice, factor: int) -> Tensor:
    """The columns of a level that a piece keeps, `factor` of them for each cell `keep` of the last level."""
    return level[..., keep.start * factor : keep.stop * factor]
