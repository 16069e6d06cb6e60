"""The pyramid that is learnt of one drawing of a training series at one time scale, and a part of it to do without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detectors.msflow.pieces import PyramidMaker
from drawing.steps import coarsen
from models.densities.apart import Apart
from models.densities.base import Density, LeftOut, Levels, Part


@dataclass(frozen=True)
class Place:
    """Where a drawing belongs: the number of its series, its time scale, and how many steps it goes on at both ends."""

    series: int
    scale: int
    beyond: int


@dataclass(frozen=True, eq=False)
class Learnt:
    """Pyramid of a drawing of a training series, as learnt: levels, and the step that each place along them is of.

    `steps` (N,) by level, of the N pictures or cells along the maker's axis, ascend; they count from 0 at the first
    time scale.
    """

    maker: PyramidMaker
    place: Place
    steps: list[NDArray[np.integer]]
    levels: Levels

    def part(self, start: int, stop: int) -> LeftOut:
        """What was learnt of the steps `start` to `stop`, exclusive, or of pictures that hold any of them."""
        beyond = self.maker.extent * self.place.scale
        part = Part(self.place.series, start - beyond, stop + beyond)
        inside = [slice(*np.searchsorted(steps, [part.start, part.stop])) for steps in self.steps]
        return [self.maker.chosen(*pair) for pair in zip(self.levels, inside, strict=True)], part


def learn_pyramid(
    maker: PyramidMaker,
    planes: NDArray[np.floating],
    measured: NDArray[np.bool_],
    place: Place,
    least: int = 0,
    whole: Levels | None = None,
) -> Learnt:
    """The pyramid of a drawing (T, C) of a training series, of a line continued to `least` columns.

    What is drawn beyond the ends is seen, but not learnt; nor are cells of a line where hardly anything was `measured`
    (T,): what was drawn there is made up. `whole` is the pyramid with all of that, where it is known.
    """
    if whole is None:
        whole = maker.joined(list(maker.pieces(drawn_beyond(planes, place.scale, place.beyond, least))))
    places = _places(maker, measured, place, least)
    levels = [maker.chosen(level, chosen) for level, (chosen, _) in zip(whole, places, strict=True)]
    return Learnt(maker, place, [steps for _, steps in places], levels)


def energies_without(
    maker: PyramidMaker,
    density: Density,
    number: int,
    levels: Levels,
    part_of: Sequence[NDArray[np.integer]],
    left_out: Sequence[LeftOut],
) -> Levels:
    """The energies of a pyramid by a density's channel `number`, every picture or cell as learnt without its part.

    `part_of` (N,) by level are the numbers of the parts among those `left_out`. NaN where a density cannot do without.
    """
    alike = maker.layout.rows_alike
    numbers = torch.arange(len(left_out), device=levels[0].device)
    apart = [torch.from_numpy(of).to(levels[0].device) == numbers[:, None] for of in part_of]
    if maker.axis:  # the cells of a line are few: all parts at once
        rest = density.without(number, left_out)
        if rest is None:
            return [torch.full_like(level[:, 0], torch.nan) for level in levels]
        cells = [Apart.of(chosen) for chosen in apart]
        found = rest([c.pictures(level) for c, level in zip(cells, levels, strict=True)], numbers, None, alike)
        return [c.line(energy, level.shape[-1]) for c, energy, level in zip(cells, found, levels, strict=True)]
    energies = [torch.full_like(level[:, 0], torch.nan) for level in levels]
    for place, one in enumerate(left_out):
        chosen = [of_level[place] for of_level in apart]
        asked = [level[held] for level, held in zip(levels, chosen, strict=True)]
        rest = density.without(number, [one]) if len(asked[0]) else None  # else no picture begins in this part
        if rest is not None:
            zeros = torch.zeros(len(asked[0]), dtype=torch.int64, device=levels[0].device)
            for energy, held, values in zip(energies, chosen, rest(asked, zeros, None, alike), strict=True):
                energy[held] = values
    return energies


def origins(maker: PyramidMaker, measured: NDArray[np.bool_], place: Place) -> list[Tensor]:
    """Series and step of every picture or cell of what `learn_pyramid` gives, by level (N, 2)."""
    of_level = [torch.from_numpy(steps) for _, steps in _places(maker, measured, place, 0)]
    return [torch.stack([torch.full_like(steps, place.series), steps], dim=1) for steps in of_level]


def _places(
    maker: PyramidMaker, measured: NDArray[np.bool_], place: Place, least: int
) -> list[tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """Which pictures or cells are learnt, by level, and the steps at which they begin."""
    share = coarsen(measured[:, None], place.scale)[:, 0]
    before = place.beyond // place.scale
    columns = maker.places(before + max(len(share) + before, least))
    learnt = _cells_learnt(maker, share, before, least) if maker.axis else [np.arange(len(c)) for c in columns]
    return [(chosen, (found[chosen] - before) * place.scale) for found, chosen in zip(columns, learnt, strict=True)]


def _cells_learnt(
    maker: PyramidMaker, measured: NDArray[np.floating], before: int, least: int
) -> list[NDArray[np.intp]]:
    """Which cells of a line, by level, are learnt; `measured` is the share of each of its columns, 0 to 1."""
    cells = -(-max(len(measured), least) // maker.strides[-1])
    found = []
    for stride in maker.strides:
        kept = np.arange(cells * maker.strides[-1] // stride)
        if np.min(measured) < 1:
            kept = _measured_cells(measured, len(kept), stride)
        found.append(kept + before // stride)
    return found


def _measured_cells(measured: NDArray[np.floating], cells: int, stride: int) -> NDArray[np.intp]:
    """The cells, one every `stride` steps, with at least half of the steps around them measured; all if there are none.

    Those behind the last step, where the line was continued, go by the steps that it was continued with.
    """
    continued = np.pad(measured, (stride // 2, max(cells * stride - len(measured), 0)), mode="symmetric")
    around = continued[: cells * stride].reshape(cells, stride).mean(axis=1)
    kept = np.flatnonzero(around >= 0.5)
    return kept if len(kept) else np.arange(cells)


def drawn_beyond(planes: NDArray[np.floating], scale: int, beyond: int, least: int = 0) -> NDArray[np.float64]:
    """A drawing (T, C) at a time scale that goes on `beyond` both ends as in a mirror, so that an end is no event.

    Behind the first it has `least` columns and more.
    """
    behind = max(beyond, least * scale - len(planes))
    return coarsen(np.pad(planes, ((beyond, behind), (0, 0)), "reflect" if len(planes) > 1 else "edge"), scale)
