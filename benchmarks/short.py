"""Sensors that are known for a short time only, and then live on levels that training never showed.

Nothing here is taken from SMAP, MSL or other data. The processes are those of benchmarks/alarms.py; what is normal on
top of them is a level that wanders, and one that stands elsewhere for a while. Faults are those of
benchmarks/tables.py, and dips: down at some pace, and back.
"""

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from benchmarks.alarms import KINDS
from benchmarks.tables import FAULTS, fault
from data.synthetic.processes import Array, autoregressive, log_uniform

CHANNELS = 2 * len(KINDS)
NEW = 7000  # test steps
DIPS = 1 / 3  # share of the faults


def moved(steps: int, known: int, rng: Generator) -> Array:
    """A level (steps,) that wanders and, mostly after the first `known` steps, stands elsewhere for a while."""
    level = log_uniform(rng, 0.03, 0.5) * autoregressive(steps, rng, 1 - log_uniform(rng, 0.0003, 0.003))
    for _ in range(int(rng.integers(0, 5))):
        start, length = int(rng.integers(known // 2, steps)), int(log_uniform(rng, 200, 2500))
        lag, size = log_uniform(rng, 1, 100), rng.uniform(0.2, 1) * rng.choice([-1, 1])
        since = np.arange(steps - start)
        there = 1 - np.exp(-np.minimum(since, length) / lag)
        level[start:] += size * there * np.exp(-np.maximum(since - length, 0) / lag)
    return level


def dip(values: Array, rng: Generator) -> Array:
    """A stretch (n,) that falls, seldom rises, to another level at some pace, and comes back at another."""
    since = np.arange(len(values))
    fall, back = log_uniform(rng, 1, len(values) / 4), log_uniform(rng, 1, len(values) / 3)
    shape = (1 - np.exp(-since / fall)) * (1 - np.exp(-(len(values) - since) / back))
    return values + rng.choice([-1, -1, 1]) * log_uniform(rng, 0.7, 4) * shape


def make_channel(kind: int, known: int, rng: Generator) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Training values (known,), test values (NEW,), and where one to four faults are in the latter."""
    values = KINDS[kind](known + NEW, rng) + moved(known + NEW, known, rng)
    new, odd = values[known:].copy(), np.zeros(NEW, dtype=bool)
    number = int(rng.integers(1, 5))
    room = NEW // number
    for slot in range(number):
        length = int(log_uniform(rng, 20, 600))
        start = slot * room + int(rng.integers(20, room - length - 20))
        place = slice(start, start + length)
        dips = rng.uniform() < DIPS
        new[place] = dip(new[place], rng) if dips else fault(new[place], str(rng.choice(FAULTS)), rng)
        odd[place] = True
    return values[:known], new, odd


def make_short(seed: int, known: int) -> list[tuple[Array, Array, NDArray[np.bool_]]]:
    """Channels with `known` training steps as `make_channel` makes them, the same for one seed."""
    return [make_channel(n % len(KINDS), known, default_rng([seed, n, 16])) for n in range(CHANNELS)]
