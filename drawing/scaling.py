"""Columns in units of their own training part: degrees, volts and bytes become values of about -1 to 1.

An estimator is a function (measured training values (N,), N > 0) -> (centre, spread) with a name in SCALINGS; a spread
of 0 says that it found the column constant.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drawing import SCALINGS
from drawing.steps import Array

SHARED = ""  # names what all channels share, where others have a unit for each
TAIL = 0.01  # share of the training values that may lie beyond either end of the quantile range
CONSTANT_SHARE = 0.1  # of a constant's size that is taken for its spread; of the constant 0 it is 1


@dataclass(frozen=True, eq=False)
class Scaling:
    """Centre and spread of every column, (D,) each."""

    centre: Array
    spread: Array

    def __call__(self, series: NDArray[np.floating]) -> NDArray[np.float64]:
        """A series (T, D) in these units."""
        return (series - self.centre) / self.spread


def learn_scaling(name: str, columns: Iterable[Array]) -> Scaling:
    """Centre and spread of columns by the estimator `name`, from the training values (T,) of each; NaN does not count.

    A column that the estimator finds constant is measured by its whole range. One that is constant, or that has no
    value at all, has no unit of its own: a tenth of its size is taken, so that a change of it counts but does not
    explode.
    """
    found = [_learnt(name, values[np.isfinite(values)]) for values in columns]
    return Scaling(np.array([centre for centre, _ in found]), np.array([spread for _, spread in found]))


def _learnt(name: str, values: Array) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    centre, spread = SCALINGS[name](values)
    if not spread > 0:
        centre, spread = span(values)
    if not spread > 0:
        spread = CONSTANT_SHARE * abs(centre) or 1.0
    return centre, spread


def none(values: Array) -> tuple[float, float]:
    """Values as they are."""
    return 0.0, 1.0


def span(values: Array) -> tuple[float, float]:
    """From the lowest to the highest value: -1 to 1."""
    low, high = float(values.min()), float(values.max())
    return low / 2 + high / 2, high / 2 - low / 2


def quantile(values: Array) -> tuple[float, float]:
    """From the 1 % to the 99 % quantile: -1 to 1. A few spikes do not flatten the rest."""
    low, high = np.quantile(values, (TAIL, 1 - TAIL)).tolist()
    return low / 2 + high / 2, high / 2 - low / 2


def deviation(values: Array) -> tuple[float, float]:
    """The mean is 0, two standard deviations are 1."""
    return float(values.mean()), 2 * float(values.std())
