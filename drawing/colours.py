"""What the three colour planes of a picture hold: columns of a series, or transforms of them.

COLOURS is the registry. To add a transform, write a function (values (T,), window) -> (T,) and give it a name here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.telemanom import TelemanomSource
from drawing.steps import Array, moving_moments
from runtime.errors import InputError, unknown_name


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
        if colour not in COLOURS:
            raise unknown_name("colour", colour, list(COLOURS))
        values = series[:, column].astype(np.float64)
        if clip > 0:
            values = np.clip(values, -clip, clip)
        planes[:, plane] = gain * COLOURS[colour](values, window)
    return planes


def _value(values: Array, window: int) -> Array:
    return values


def _residual(values: Array, window: int) -> Array:
    """The value minus the moving mean around it."""
    return values - moving_moments(values, window).mean


def _spread(values: Array, window: int) -> Array:
    """The moving standard deviation (of the population: divided by the number of steps)."""
    moments = moving_moments(values, window)
    return np.sqrt(moments.squares / moments.count)


def _difference(values: Array, window: int) -> Array:
    """The change since the step before, 0 at the first step."""
    return np.diff(values, prepend=values[:1])


COLOURS: dict[str, Callable[[Array, int], Array]] = {
    "value": _value,
    "residual": _residual,
    "spread": _spread,
    "difference": _difference,
}


@dataclass(frozen=True)
class Drawing:
    """How columns become colours: see `colours.draw_colours`; the fields come from the settings of default.py."""

    dims: tuple[int, ...]
    colours: tuple[str, ...]
    window: int
    gains: tuple[float, ...]
    clip: float

    @classmethod
    def of(cls, config) -> "Drawing":
        """The drawing that the settings ask for."""
        return cls(config.smap_used_dims, config.colours, config.colour_window, config.colour_gains, config.clip)

    def __call__(self, source: TelemanomSource, channel: str, split: str) -> NDArray[np.float64]:
        """A channel's colours (T, 3), not normalised. Raises InputError where it has fewer columns than asked for."""
        series = source.series(channel, split)
        if max(self.dims) >= series.shape[1]:
            raise InputError(
                f"{source.path(channel, split)}: channel {channel} has {series.shape[1]} columns, smap_used_dims asks "
                f"for column {max(self.dims)}. Choose from 0 to {series.shape[1] - 1}; a column may stand twice."
            )
        return draw_colours(series, self.dims, self.colours, self.window, self.gains, self.clip)
