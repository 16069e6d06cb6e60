"""From the series of a channel to the planes that are drawn of it: one drawing of some columns, or one of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawing.colours import TOGETHER, Drawing
from drawing.gaps import made_up
from drawing.scaling import SHARED, Scaling, learn_scaling
from runtime.errors import InputError
from settings.config import Config
from settings.effects import scaling_name


class Drawings:
    """The drawings of the channels `known`, by the names of their columns, and the units of the columns.

    Channels that share one density have the same columns, and one scaling too.
    """

    def __init__(self, config: Config, known: dict[str, list[str]]) -> None:
        self.known, self.name, self.shared = known, scaling_name(config), config.shared_density
        self.drawing = Drawing.of(config)
        self._scaling: dict[str, Scaling] = {}
        self._together = config.columns == TOGETHER
        counts = [self.count(channel) for channel in known]
        self._first = dict(zip(known, accumulate(counts, initial=0), strict=False))
        self.total = counts[0] if self.shared else sum(counts)  # drawings with a density of their own
        first, *others = known.items()
        for channel, columns in others if self.shared else ():
            if columns != first[1]:
                raise InputError(
                    f"shared_density = True: channel {channel} has the columns {', '.join(columns)}, but {first[0]} "
                    f"{', '.join(first[1])}. Give all the same columns, choose some (--columns), or take no share."
                )

    def numbers(self, channel: str) -> list[int]:
        """The numbers of the drawings of a known channel; those that share a density have the same."""
        first = 0 if self.shared else self._first[channel]
        return list(range(first, first + self.count(channel)))

    def series_number(self, channel: str, place: int) -> int:
        """A number for a drawing of a known channel that no other has, whatever density they share."""
        return self._first[channel] + place

    def count(self, channel: str) -> int:
        """How many drawings a known channel has."""
        return 1 if self._together else len(self.known[channel])

    def dims(self, place: int) -> tuple[int, ...]:
        """The columns that are the colours of the drawing at `place` among those of its channel."""
        return self.drawing.dims if self._together else (place,) * len(self.drawing.dims)

    @property
    def alike(self) -> bool:
        """Whether the colours of a drawing all show the same."""
        return replace(self.drawing, dims=self.dims(0)).alike

    def learn(self, train: Mapping[str, NDArray[np.float64]]) -> None:
        """Learn the units of the columns from the training series (T, D)."""
        if self.name == "none":
            return
        if self.shared:
            columns = range(next(iter(train.values())).shape[1])
            pooled = (np.concatenate([series[:, column] for series in train.values()]) for column in columns)
            self._scaling = {SHARED: learn_scaling(self.name, pooled)}
        else:
            self._scaling = {channel: learn_scaling(self.name, series.T) for channel, series in train.items()}

    def measured(self, series: NDArray[np.float64], place: int) -> NDArray[np.bool_]:
        """Where all columns of a drawing were measured, (T,)."""
        return ~np.isnan(series[:, sorted(set(self.dims(place)))]).any(axis=1)

    def made_up(self, series: NDArray[np.float64], place: int) -> NDArray[np.bool_]:
        """Where any column of a drawing lies in a gap that nothing bridges, (T,)."""
        return np.any([made_up(series[:, column]) for column in set(self.dims(place))], axis=0)

    def planes(self, channel: str, series: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        """The colours (T, 3) of a drawing of a series (T, D), not normalised. Raises InputError as `Drawing` does."""
        drawing, names = replace(self.drawing, dims=self.dims(place)), self.known.get(channel)
        return drawing(series, f"channel {channel}", names, self.scaling_of(channel))

    def scaling_of(self, channel: str) -> Scaling | None:
        """The units of all columns of a channel; None where they are drawn as they are."""
        return self._scaling.get(SHARED if self.shared else channel)

    def state(self) -> dict[str, Any]:
        """Centre and spread of the columns by channel, as plain numbers."""
        return {name: [s.centre.tolist(), s.spread.tolist()] for name, s in self._scaling.items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take what `state` gave."""
        self._scaling = {name: Scaling(np.array(centre), np.array(spread)) for name, (centre, spread) in state.items()}
