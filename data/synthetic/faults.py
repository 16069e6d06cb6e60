"""What goes wrong with a process: kinds of anomalies, and how large they are.

A fault is a function (Stretch, chance) -> values (n,) of the interval. How far it goes is told by the `size` of the
stretch, in the units of the process; fleet.py draws one anew that cannot be told from normal.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from data.synthetic.processes import Array, log_uniform


@dataclass(frozen=True, eq=False)
class Stretch:
    """An interval of n steps, and what a fault may make of it.

    `values` (n,) as they would be, the whole series `before` (T,), what an `other` process does (n,), what it does
    at another pace, `fast` (n,), and how far a fault goes, its `size`.
    """

    values: Array
    before: Array
    other: Array
    fast: Array
    size: float


Fault = Callable[[Stretch, Generator], Array]


def spike(at: Stretch, rng: Generator) -> Array:
    """A hump."""
    shape = np.hanning(len(at.values) + 2)[1:-1] if rng.uniform() < 0.7 else np.ones(len(at.values))
    return at.values + 1.5 * at.size * rng.choice([-1, 1]) * shape


def offset(at: Stretch, rng: Generator) -> Array:
    """Another level."""
    return at.values + at.size * rng.choice([-1, 1])


def drift(at: Stretch, rng: Generator) -> Array:
    """A level that runs away."""
    return at.values + 2 * at.size * rng.choice([-1, 1]) * np.linspace(0, 1, len(at.values))


def stuck(at: Stretch, rng: Generator) -> Array:
    """The same value all the time."""
    return np.full(len(at.values), at.values[0] if rng.uniform() < 0.7 else rng.choice(at.before))


def noisy(at: Stretch, rng: Generator) -> Array:
    """Noise on top."""
    return at.values + 0.5 * at.size * rng.normal(size=len(at.values))


def smoothed(at: Stretch, rng: Generator) -> Array:
    """Details lost."""
    width = int(rng.integers(4, 30))
    return np.convolve(np.pad(at.values, width, mode="edge"), np.ones(width) / width, "same")[width:-width]


def gain(at: Stretch, rng: Generator) -> Array:
    """Larger or smaller than usual, about its own level."""
    centre = rng.choice([0.0, float(np.mean(at.before))])
    factor = 1 + at.size if rng.uniform() < 0.5 else max(1 - at.size, 0.0)
    return centre + factor * (at.values - centre)


def tempo(at: Stretch, rng: Generator) -> Array:
    """Faster or slower."""
    return at.fast


def mirrored(at: Stretch, rng: Generator) -> Array:
    """Upside down, or back to front."""
    return 2 * np.mean(at.before) - at.values if rng.uniform() < 0.5 else at.values[::-1]


def foreign(at: Stretch, rng: Generator) -> Array:
    """What another process does."""
    return at.other


def dropout(at: Stretch, rng: Generator) -> Array:
    """Back to zero, or to the lowest value, now and then or all the time."""
    lost = rng.uniform(size=len(at.values)) < rng.choice([0.1, 0.5, 1.0])
    return np.where(lost, rng.choice([0.0, float(np.min(at.before)), float(np.max(at.before))]), at.values)


def clipped(at: Stretch, rng: Generator) -> Array:
    """Cut off above or below."""
    limit = float(np.quantile(at.before, rng.uniform(0.2, 0.8)))
    return np.minimum(at.values, limit) if rng.uniform() < 0.5 else np.maximum(at.values, limit)


# the more often, the more ways there are of it
FAULTS: list[Fault] = [
    *(spike, offset, offset, drift, stuck, stuck, noisy, smoothed),
    *(gain, tempo, mirrored, foreign, foreign, dropout, clipped),
]


def fault_length(rng: Generator, room: int) -> int:
    """Steps that a fault lasts: any from a few to most of the room."""
    return int(min(log_uniform(rng, 3, 0.7 * room), room))
