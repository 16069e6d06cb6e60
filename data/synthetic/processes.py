"""Random processes as sensors show them: what a channel does when nothing is wrong.

A kind is a function (chance) -> Signal that draws what is fixed of a process: its period, its levels. A signal is a
function (clock (T,), chance) -> values (T,), mostly within [-1, 1]; the clock counts steps, but may run fast or slow.
The same signal with other chance is another stretch of the same process.

What they are modelled on: the housekeeping telemetry of spacecraft (Hundman et al., "Detecting Spacecraft Anomalies
Using LSTMs and Nonparametric Dynamic Thresholding", KDD 2018, section 2: set points, commands, modes), the families of
series in Yahoo's S5 and Numenta's benchmark (Lavin & Ahmad, ICMLA 2015), and the composition of simple kernels in
synthetic pretraining of forecasters (Ansari et al., "Chronos", TMLR 2024, appendix A.2: KernelSynth).
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]
Signal = Callable[[Array, Generator], Array]
Kind = Callable[[Generator], Signal]


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """A number between two, its logarithm uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def autoregressive(steps: int, rng: Generator, memory: float) -> Array:
    """Stationary noise (steps,) of deviation 1 whose correlation falls by `memory` with every step."""
    noise = rng.normal(size=steps) * np.sqrt(1 - memory**2)
    return lfilter([1.0], [1.0, -memory], noise, zi=[memory * rng.normal()])[0] if steps else noise


def _lagged(values: Array, memory: float) -> Array:
    """Values (T,) as a body shows them that follows them slowly."""
    return lfilter([1 - memory], [1.0, -memory], values, zi=[memory * values[0]])[0]


def _held(clock: Array, rng: Generator, draw_dwell: Callable[[], float]) -> NDArray[np.intp]:
    """The number (T,) of the stretch that each tick of the clock lies in; stretches last as long as they are drawn."""
    ends, end = [], float(clock[0]) + draw_dwell() * rng.uniform()
    while end < clock[-1]:
        ends.append(end)
        end += max(draw_dwell(), 1.0)
    return np.searchsorted(np.array(ends), clock, side="right")


def wave(rng: Generator) -> Signal:
    """A period with some harmonics."""
    period, size = log_uniform(rng, 6, 400), rng.uniform(0.5, 1)
    parts = [(n, rng.uniform(0, 0.5) / n, rng.uniform(0, 2 * np.pi)) for n in range(2, int(rng.integers(2, 5)))]

    def signal(clock: Array, chance: Generator) -> Array:
        phase = 2 * np.pi * (clock / period + chance.uniform())
        return size * (np.sin(phase) + sum(share * np.sin(n * phase + shift) for n, share, shift in parts)) / 1.3

    return signal


def mixture(rng: Generator) -> Signal:
    """Two or three waves whose periods have nothing to do with each other."""
    parts = [wave(rng) for _ in range(int(rng.integers(2, 4)))]
    shares = rng.dirichlet(np.ones(len(parts)))
    return lambda clock, chance: (
        sum(share * part(clock, chance) for share, part in zip(shares, parts, strict=True)) + np.zeros(len(clock))
    )


def modulated(rng: Generator) -> Signal:
    """A fast wave whose size follows a slow one."""
    period = log_uniform(rng, 5, 40)
    slow, depth = period * rng.uniform(4, 12), rng.uniform(0.2, 0.9)

    def signal(clock: Array, chance: Generator) -> Array:
        size = 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * (clock / slow + chance.uniform())))
        return size * np.sin(2 * np.pi * (clock / period + chance.uniform()))

    return signal


def duty(rng: Generator) -> Signal:
    """On and off in a fixed cycle, with or without inertia."""
    period, share, memory = log_uniform(rng, 8, 300), rng.uniform(0.1, 0.9), rng.choice([0, 0, 0.5, 0.8, 0.95])

    def signal(clock: Array, chance: Generator) -> Array:
        on = (clock / period + chance.uniform()) % 1 < share
        return _lagged(np.where(on, 1.0, -1.0), memory)

    return signal


def sawtooth(rng: Generator) -> Signal:
    """Up slowly and down at once, or the other way, or both slowly."""
    period, peak = log_uniform(rng, 8, 400), rng.choice([0.0, 0.05, 0.2, 0.5, 0.8, 1.0])

    def signal(clock: Array, chance: Generator) -> Array:
        phase = (clock / period + chance.uniform()) % 1
        return np.interp(phase, [0, peak, 1], [-1, 1, -1]) if 0 < peak < 1 else (2 * phase - 1) * (1 - 2 * peak)

    return signal


def pulses(rng: Generator) -> Signal:
    """Short pulses on a still ground, in a cycle or by chance."""
    gap, width, spread = log_uniform(rng, 20, 250), log_uniform(rng, 1, 15), rng.choice([0.0, 0.1, 0.5])
    ground = rng.choice([-1.0, 0.0])

    def signal(clock: Array, chance: Generator) -> Array:
        stretch = _held(clock, chance, lambda: gap * np.exp(spread * chance.normal()))
        starts = clock[np.searchsorted(stretch, stretch)]
        size = 1 + (0.2 * chance.normal(size=stretch[-1] + 1) if spread else np.zeros(stretch[-1] + 1))
        return np.where((stretch > 0) & (clock - starts < width), ground + (1 - ground) * size[stretch], ground)

    return signal


def telegraph(rng: Generator) -> Signal:
    """Two levels, each held for as long as chance has it."""
    high, low = log_uniform(rng, 8, 300), log_uniform(rng, 8, 300)
    memory = rng.choice([0, 0, 0, 0.7, 0.9])

    def signal(clock: Array, chance: Generator) -> Array:
        turn = [0]

        def dwell() -> float:
            turn[0] += 1
            return chance.exponential(high if turn[0] % 2 else low) + 2

        return _lagged(2.0 * ((_held(clock, chance, dwell) + 1) % 2) - 1, memory)

    return signal


def levels(rng: Generator) -> Signal:
    """Several set points; which may follow which is part of the process."""
    points = rng.uniform(-1, 1, size=int(rng.integers(3, 8)))
    moves = rng.dirichlet(np.full(len(points), 0.5), size=len(points)).cumsum(axis=1)
    typical, memory = log_uniform(rng, 8, 150), rng.choice([0, 0, 0.6, 0.9])

    def signal(clock: Array, chance: Generator) -> Array:
        stretch = _held(clock, chance, lambda: typical * np.exp(0.5 * chance.normal()))
        at = [int(chance.integers(len(points)))]
        for draw in chance.uniform(size=stretch[-1]):
            at.append(min(int(np.searchsorted(moves[at[-1]], draw)), len(points) - 1))
        return _lagged(points[np.array(at)][stretch], memory)

    return signal


def noise(rng: Generator) -> Signal:
    """Noise with or without memory."""
    memory, size = rng.choice([0.0, 0.5, 0.8, 0.95, 0.99]), rng.uniform(0.2, 0.4)
    return lambda clock, chance: size * autoregressive(len(clock), chance, memory)


def resonance(rng: Generator) -> Signal:
    """Noise that swings: autoregressive of second order."""
    period, damping = log_uniform(rng, 8, 100), rng.uniform(0.9, 0.995)
    turns = [1, -2 * damping * np.cos(2 * np.pi / period), damping**2]
    size = 0.4 / np.std(lfilter([1.0], turns, np.random.default_rng(0).normal(size=4000)))
    return lambda clock, chance: size * lfilter([1.0], turns, chance.normal(size=len(clock) + 300))[300:]


def wander(rng: Generator) -> Signal:
    """A level that drifts, and comes back in the end, under a little noise."""
    memory, share = 1 - log_uniform(rng, 0.0005, 0.01), rng.uniform(0, 0.2)
    return lambda clock, chance: (
        0.5 * autoregressive(len(clock), chance, memory) + share * 0.3 * chance.normal(size=len(clock))
    )


def walk(rng: Generator) -> Signal:
    """A level that drifts, and does not come back."""
    pace, share = log_uniform(rng, 0.002, 0.03), rng.choice([0.0, rng.uniform(0, 0.1)])
    return lambda clock, chance: (
        pace * np.cumsum(chance.normal(size=len(clock))) + share * chance.normal(size=len(clock))
    )


def daily(rng: Generator) -> Signal:
    """A pattern that comes back, any smooth curve, a little different every time."""
    period, knots = log_uniform(rng, 60, 500), int(rng.integers(4, 12))
    shape, differs = rng.uniform(-1, 1, size=knots), rng.uniform(0, 0.15)

    def signal(clock: Array, chance: Generator) -> Array:
        phase = clock / period + chance.uniform()
        day = (phase - phase[0]).astype(int)
        size = 1 + differs * chance.normal(size=day.max() + 1)
        return size[day] * np.interp(phase % 1, np.arange(knots + 1) / knots, [*shape, shape[0]])

    return signal


def ramps(rng: Generator) -> Signal:
    """From one level to the next along straight lines."""
    typical, points = log_uniform(rng, 10, 150), rng.uniform(-1, 1, size=int(rng.integers(2, 6)))

    def signal(clock: Array, chance: Generator) -> Array:
        stretch = _held(clock, chance, lambda: typical * np.exp(0.4 * chance.normal()))
        ends = np.append(clock[np.searchsorted(stretch, np.arange(stretch[-1] + 1))], clock[-1] + 1)
        return np.interp(clock, ends, chance.choice(points, size=len(ends)))

    return signal


def constant(rng: Generator) -> Signal:
    """One value."""
    level = rng.choice([-1.0, 0.0, 1.0, rng.uniform(-1, 1)])
    return lambda clock, chance: np.full(len(clock), level)


def trend(rng: Generator) -> Signal:
    """A level that goes one way all the time, evenly or in steps, with what little happens on top of it."""
    pace, dwell = rng.choice([-1, 1]) / log_uniform(rng, 600, 6000), rng.choice([0.0, 0.0, log_uniform(rng, 20, 300)])
    curve, start = rng.uniform(0.6, 1.6), rng.uniform(-1, 0.5)

    def signal(clock: Array, chance: Generator) -> Array:
        at = clock - clock[0]
        if dwell:
            stretch = _held(clock, chance, lambda: dwell * np.exp(0.7 * chance.normal()))
            at = at[np.searchsorted(stretch, stretch)]
        end = max(float(clock[-1] - clock[0]), 1.0)
        return np.sign(pace) * (start + abs(pace) * end * (at / end) ** curve)

    return signal


def decaying(rng: Generator) -> Signal:
    """Another process that grows or shrinks all the time."""
    inner, last = SIMPLE[int(rng.integers(6))](rng), rng.uniform(0.3, 1.0)
    grows, offset = rng.uniform() < 0.5, rng.uniform(-0.5, 0.5)

    def signal(clock: Array, chance: Generator) -> Array:
        size = np.linspace(1, last, len(clock))
        return (size[::-1] if grows else size) * inner(clock, chance) + offset * (1 - size)

    return signal


def seldom(rng: Generator) -> Signal:
    """One value, but for stretches that come back now and then."""
    other, gap, length = SIMPLE[int(rng.integers(9))](rng), log_uniform(rng, 100, 400), log_uniform(rng, 8, 80)
    level = rng.choice([-1.0, 1.0, 0.0])

    def signal(clock: Array, chance: Generator) -> Array:
        turn = [0]

        def dwell() -> float:
            turn[0] += 1
            return (length if turn[0] % 2 else gap) * np.exp(0.5 * chance.normal())

        away = _held(clock, chance, dwell) % 2 == 0
        return np.where(away, other(clock, chance), level)

    return signal


def commanded(rng: Generator) -> Signal:
    """Commands that act: each sets off a response that rises and dies away, some of another size."""
    gap, spread = log_uniform(rng, 25, 250), rng.uniform(0.05, 0.6)
    rise, fall = log_uniform(rng, 1, 15), log_uniform(rng, 4, 50)
    sizes = rng.choice([[1.0], [1.0, 0.5], [1.0, -1.0]][int(rng.integers(3))], size=4)

    def signal(clock: Array, chance: Generator) -> Array:
        stretch = _held(clock, chance, lambda: gap * np.exp(spread * chance.normal()))
        time = np.arange(int(8 * fall) + 2)
        response = np.exp(-time / fall) - np.exp(-time / min(rise, 0.9 * fall))
        orders = np.diff(stretch, prepend=stretch[0]) * chance.choice(sizes, size=stretch[-1] + 1)[stretch]
        return 1.5 * np.convolve(orders, response / response.max())[: len(clock)] - 0.5

    return signal


def modes(rng: Generator) -> Signal:
    """Now one process, now another: a change of mode that is normal."""
    parts = [SIMPLE[int(rng.integers(len(SIMPLE)))](rng) for _ in range(2)]
    typical, offset = log_uniform(rng, 40, 250), rng.choice([0.0, 0.0, rng.uniform(-1, 1)])

    def signal(clock: Array, chance: Generator) -> Array:
        mode = _held(clock, chance, lambda: typical * np.exp(0.4 * chance.normal())) + int(chance.integers(2))
        first, second = (part(clock, chance) for part in parts)
        return np.where(mode % 2, 0.7 * first + offset, 0.7 * second)

    return signal


def overlaid(rng: Generator) -> Signal:
    """One process on top of another."""
    parts = [SIMPLE[int(rng.integers(len(SIMPLE)))](rng) for _ in range(2)]
    share = rng.uniform(0.2, 0.8)
    return lambda clock, chance: share * parts[0](clock, chance) + (1 - share) * parts[1](clock, chance)


SIMPLE: list[Kind] = [
    wave,
    mixture,
    modulated,
    duty,
    sawtooth,
    pulses,
    telegraph,
    levels,
    noise,
    resonance,
    wander,
    daily,
    ramps,
    constant,
    commanded,
]
KINDS: list[Kind] = [*SIMPLE, modes, overlaid, trend, trend, decaying, seldom, walk]
