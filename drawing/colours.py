"""What the three colour planes of a picture hold: columns of a series, or transforms of them.

A transform is a function (values (T,), window) -> (T,) with a name in COLOURS.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawing import COLOURS
from drawing.gaps import filled
from drawing.scaling import Scaling
from drawing.steps import Array, moving_moments
from runtime.errors import InputError

TOGETHER = ("colours",)  # what `columns` is set to where some columns are the colours of one drawing
LARGEST = float(np.finfo(np.float32).max)  # features are computed in float32
CONSTANT_STD = 1e-6  # a colour that varies less than this is taken as constant and not scaled


def draw_colours(
    series: NDArray[np.floating],
    dims: tuple[int, ...],
    colours: tuple[str, ...],
    window: int,
    gains: tuple[float, ...],
    clip: float,
) -> Array:
    """Series (T, D) -> planes (T, len(dims)): plane i is gains[i] * the transform colours[i] of column dims[i].

    `window`, in steps, is that of the moving transforms. `clip` > 0 clips the values to [-clip, clip] before any
    transform (telemetry is published in [-1, 1], but M-6 of MSL reaches 258); 0 clips nothing.
    Raises InputError for an unknown transform, a missing column, a window below 1, or lists of unequal length.
    """
    if not len(dims) == len(colours) == len(gains):
        raise InputError(
            f"{len(dims)} columns, {len(colours)} colours and {len(gains)} gains: give one of each per colour plane."
        )
    if min(dims) < 0 or max(dims) >= series.shape[1]:
        raise InputError(f"columns {dims} of a series with {series.shape[1]}. Choose from 0 to {series.shape[1] - 1}.")
    if window < 1:
        raise InputError(f"a moving window of {window} steps is not allowed. Set it to 1 or more.")
    planes = np.empty((len(series), len(dims)))
    for plane, (column, colour, gain) in enumerate(zip(dims, colours, gains, strict=True)):
        column_values = series[:, column].astype(np.float64)
        if clip > 0:
            column_values = np.clip(column_values, -clip, clip)
        planes[:, plane] = gain * COLOURS[colour](column_values, window)
    return planes


def value(values: Array, window: int) -> Array:
    """The values as they are."""
    return values


def residual(values: Array, window: int) -> Array:
    """The value minus the moving mean around it."""
    return values - moving_moments(values, window).mean


def spread(values: Array, window: int) -> Array:
    """The moving standard deviation (of the population: divided by the number of steps)."""
    moments = moving_moments(values, window)
    return np.sqrt(moments.squares / moments.count)


def difference(values: Array, window: int) -> Array:
    """The change since the step before, 0 at the first step."""
    return np.diff(values, prepend=values[:1])


@dataclass(frozen=True)
class Drawing:
    """How columns become colours: see `colours.draw_colours`; the fields come from the settings of default.py."""

    dims: tuple[int, ...]
    colours: tuple[str, ...]
    window: int
    gains: tuple[float, ...]
    clip: float

    @classmethod
    def of(cls, config: Any) -> "Drawing":
        """The drawing that the settings ask for."""
        return cls(config.smap_used_dims, config.colours, config.colour_window, config.colour_gains, config.clip)

    @property
    def alike(self) -> bool:
        """Whether all colours show the same."""
        return len(set(zip(self.dims, self.colours, self.gains, strict=True))) == 1

    def __call__(
        self,
        series: NDArray[np.floating],
        where: str = "the series",
        names: list[str] | None = None,
        scaling: Scaling | None = None,
    ) -> NDArray[np.float64]:
        """The colours (T, 3) of a series (T, D), in the units of a `scaling` of all its columns, not normalised.

        What was not measured is filled. Raises InputError that names `where` the series is from, and the column by its
        `names`, where it has fewer columns than asked for, or a value that is no reading.
        """
        if max(self.dims) >= series.shape[1]:
            raise InputError(
                f"{where} has {series.shape[1]} columns, smap_used_dims asks for column {max(self.dims)}. Choose from "
                f"0 to {series.shape[1] - 1}; a column may stand twice."
            )
        used = sorted(set(self.dims))
        values = series[:, used]
        for number, column in zip(used, values.T, strict=True):
            _check_readings(column, f"{where}, column {names[number] if names else number}")
        if scaling is not None:
            values = Scaling(scaling.centre[used], scaling.spread[used])(values)
        values = np.column_stack([filled(column) for column in values.T])
        inside = tuple(used.index(column) for column in self.dims)
        return draw_colours(values, inside, self.colours, self.window, self.gains, self.clip)


def _check_readings(values: NDArray[np.floating], where: str) -> None:
    """Raises InputError for a value that float32 cannot hold, infinity included."""
    with np.errstate(invalid="ignore"):
        steps = np.flatnonzero(np.abs(values) > LARGEST)
    if len(steps):
        raise InputError(
            f"{where} has {values[steps[0]]} at step {steps[0]} (and {len(steps) - 1} more steps). Larger than "
            f"{LARGEST:.2g} either way is no reading: correct it, or leave it empty (NaN)."
        )


def normalisation(drawn: list[NDArray[np.float64]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per colour over all steps of drawings (T, C); of a constant colour 1."""
    steps = np.concatenate(drawn)
    std = steps.std(axis=0)
    return tuple(steps.mean(axis=0).tolist()), tuple(np.where(std < CONSTANT_STD, 1.0, std).tolist())
