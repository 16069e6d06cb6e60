"""Processes that pretraining never sees: those of the sample.

A signal is a function (phase (T,) in periods, commands (T, 3), chance) -> clean values (T,) within about [-1, 1].
None of them is among the kinds of processes.py; what sensors have in common, noise and cycles, they share.
"""

from functools import cache

import numpy as np
from numpy.random import Generator
from scipy.signal import lfilter

from data.synthetic.processes import Array


def onsets(command: Array) -> Array:
    """1 where a command (T,) switches on, else 0."""
    return np.maximum(np.diff(command, prepend=0), 0)


def heartbeat(phase: Array, commands: Array, chance: Generator) -> Array:
    """A beat of five humps (McSharry et al., IEEE Transactions on Biomedical Engineering 50, 2003, table 1)."""
    turn = 2 * np.pi * (phase % 1) - np.pi
    humps = ((-1.22, 0.12, 0.35), (-0.26, -0.3, 0.18), (0.0, 1.3, 0.2), (0.26, -0.4, 0.18), (1.75, 0.3, 0.45))
    return sum(size * np.exp(-((turn - at) ** 2) / (2 * width**2)) for at, size, width in humps) - 0.3


@cache
def _limit_cycle() -> Array:
    """One turn of Van der Pol's oscillator with mu = 4, as 1,000 values from where it passes 0 on the way up."""
    step, value, slope, values = 1e-3, 2.0, 0.0, []
    for _ in range(60_000):
        slope += (4 * (1 - value**2) * slope - value) * step
        value += slope * step
        values.append(value)
    found = np.array(values[30_000:])
    begin, end = np.flatnonzero((found[:-1] < 0) & (found[1:] >= 0))[:2]
    return np.interp(np.linspace(begin, end, 1000, endpoint=False), np.arange(len(found)), found)


def relaxation(phase: Array, commands: Array, chance: Generator) -> Array:
    """Van der Pol, "On relaxation-oscillations", Philosophical Magazine 2, 1926."""
    cycle = _limit_cycle()
    return 0.4 * np.interp(phase % 1 * len(cycle), np.arange(len(cycle) + 1), [*cycle, cycle[0]])


def swept(phase: Array, commands: Array, chance: Generator) -> Array:
    """A wave whose frequency swings."""
    return 0.75 * np.sin(2 * np.pi * phase + 2.2 * np.sin(2 * np.pi * phase / 4.5))


def code(phase: Array, commands: Array, chance: Generator) -> Array:
    """The same word of bits again and again."""
    word = np.array([1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0])
    return 1.2 * word[(phase % 1 * len(word)).astype(int)] - 0.55


def queue(phase: Array, commands: Array, chance: Generator) -> Array:
    """How many wait, of at most four: one comes or goes at a time."""
    length, found = 2, np.empty(len(phase))
    for step, draw in enumerate(chance.uniform(size=len(phase))):
        length = min(max(length + int(draw < 0.3) - int(draw > 0.7), 0), 4)
        found[step] = length
    return 0.35 * found - 0.7 + 0.06 * np.sin(2 * np.pi * phase)


def tank(phase: Array, commands: Array, chance: Generator) -> Array:
    """A tank that runs out by Torricelli's law, the slower the emptier, and is filled at one rate."""
    part = phase % 1
    return np.where(part < 0.75, 1.5 * (1 - part / 0.95) ** 2, np.interp(part, [0.75, 1], [0.0665, 1.5])) - 0.75


def sunlit(phase: Array, commands: Array, chance: Generator) -> Array:
    """A solar array in orbit: the cosine of the sun's angle in the light, nothing in the shadow, and a slow season."""
    season = 0.85 + 0.15 * np.sin(2 * np.pi * phase / 9)
    return 1.5 * season * np.maximum(np.cos(2 * np.pi * phase) + 0.25, 0) / 1.25 - 0.65


def boiler(phase: Array, commands: Array, chance: Generator) -> Array:
    """A boiler that every start command heats for a while: its warmth passes through two walls."""
    on = np.convolve(onsets(commands[:, 0]), np.ones(14))[: len(phase)]
    wall = lfilter([0.12], [1, -0.88], lfilter([0.2], [1, -0.8], on))
    return 1.9 * wall - 0.5 + 0.05 * np.sin(2 * np.pi * phase)


def slewing(phase: Array, commands: Array, chance: Generator) -> Array:
    """A mirror that a start command turns away at one speed, and a stop command back."""
    orders = onsets(commands[:, 0]) - onsets(commands[:, 1])
    latest = np.maximum.accumulate(np.where(orders != 0, np.arange(len(orders)), 0))
    away = np.pad((orders[latest] > 0).astype(float), (17, 0))
    return 1.2 * np.convolve(away, np.ones(18) / 18, "valid") - 0.6 + 0.05 * np.sin(2 * np.pi * phase)


def keyed(phase: Array, commands: Array, chance: Generator) -> Array:
    """A transmitter: its power is up, and swings, for some steps from a start command on."""
    on = np.convolve(onsets(commands[:, 0]), np.ones(44))[: len(phase)].clip(0, 1)
    return lfilter([0.4], [1, -0.6], on) * (0.8 + 0.35 * np.sin(2 * np.pi * phase)) - 0.35
