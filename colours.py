"""What the three colour planes of a picture hold: columns of a series, or transforms of them.

COLOURS is the registry. To add a transform, write a function (values (T,), window) -> (T,) and give it a name here.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError, unknown_name

Array = NDArray[np.float64]


class Moments(NamedTuple):
    """Number of values, their mean, and their sum of squared distances from the mean, each (T,)."""

    count: Array
    mean: Array
    squares: Array

    def part(self, first: int, length: int) -> "Moments":
        """The entries first .. first + length - 1."""
        return Moments(*(values[first : first + length] for values in self))


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


def moving_moments(values: Array, window: int) -> Moments:
    """Moments (T,) of the steps t - window // 2 .. t + (window - 1) // 2 around each step t of `values` (T,).

    At the borders these are the steps that exist. Windows are put together from windows of 1, 2, 4, .. steps, in
    O(T log window): a difference of cumulated sums would take O(T) but lose the spread of small changes beside large
    values. Here a constant window has its very value as mean and a spread of exactly 0.
    """
    num_steps = len(values)
    window = min(window, 2 * num_steps + 1)  # more reaches beyond both borders from everywhere
    sides = (window // 2, (window - 1) // 2)
    count = np.pad(np.ones(num_steps), sides)
    block = Moments(count, np.pad(values, sides), np.zeros_like(count))  # of windows of `size` steps
    total = Moments(*np.zeros((3, num_steps)))
    size, done = 1, 0
    while True:
        if window & size:
            total = _merged(total, block.part(done, num_steps))
            done += size
        if done == window:
            return total
        length = len(block.mean) - size
        block = _merged(block.part(0, length), block.part(size, length))
        size *= 2


def _merged(left: Moments, right: Moments) -> Moments:
    """Moments of both groups of values together (Chan, Golub & LeVeque, The American Statistician 37, 1983)."""
    count = left.count + right.count
    share = right.count / np.maximum(count, 1)
    distance = right.mean - left.mean
    return Moments(count, left.mean + share * distance, left.squares + right.squares + left.count * share * distance**2)
