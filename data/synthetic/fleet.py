"""Channels of random processes, with normal variation, and with anomalies or without."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from data.synthetic.faults import FAULTS, Fault, Stretch, fault_length
from data.synthetic.processes import KINDS, Array, Signal, autoregressive, log_uniform

PRETRAINING, VALIDATION = 0, 1  # parts that share no seed: what is learnt from, and what is decided on
ROOM = 64  # steps of normal life on either side of a fault, if there is room
TRIES = 8


@dataclass(frozen=True)
class Sensor:
    """How a process is seen: gain, level, noise, resolution, limits; and how much all of it wanders, from 0 on."""

    signal: Signal
    gain: float
    level: float
    noise: float
    step: float
    limits: tuple[float, float]
    unrest: float

    def clock(self, steps: int, rng: Generator) -> Array:
        """A clock (steps,) that runs a little fast or slow."""
        pace = 1 + 0.04 * self.unrest * (0.5 * rng.normal() + autoregressive(steps, rng, 0.998))
        return np.cumsum(np.clip(pace, 0.7, 1.4))

    def lived(self, values: Array, rng: Generator) -> Array:
        """Values (T,) with the level and gain of this stretch of life."""
        steps = len(values)
        gain = 1 + 0.12 * self.unrest * (0.6 * rng.normal() + 0.5 * autoregressive(steps, rng, 0.999))
        level = 0.10 * self.unrest * (0.6 * rng.normal() + 0.5 * autoregressive(steps, rng, 0.999))
        return values * gain + level

    def seen(self, values: Array, rng: Generator) -> Array:
        """Values (T,) as they are measured."""
        size = self.noise * np.exp(0.2 * self.unrest * rng.normal())
        values = np.clip(values + size * rng.normal(size=len(values)), *self.limits)
        if self.step:
            values = np.round(values / self.step) * self.step
        return self.level + self.gain * values


def make_sensor(rng: Generator) -> Sensor:
    """Any sensor."""
    signal = KINDS[int(rng.integers(len(KINDS)))](rng)
    return Sensor(
        signal,
        gain=log_uniform(rng, 0.25, 1.2),
        level=rng.choice([0.0, rng.uniform(-0.7, 0.7)]),
        noise=rng.choice([0.0, 0.0, 0.003, 0.01, 0.03, 0.1]),
        step=rng.choice([0.0, 0.0, 0.0, 0.02, 0.1, 0.25]),
        limits=(rng.choice([-9.0, -9.0, -9.0, -0.7]), rng.choice([9.0, 9.0, 9.0, 0.7])),
        unrest=rng.choice([0.0, 0.3, 1.0, 2.0, 3.0]),
    )


def put_fault(
    values: Array, clock: Array, place: slice, sensor: Sensor, other: Array, fault: Fault, rng: Generator
) -> tuple[Array, float]:
    """A series (T,) with a fault at a place, not yet seen by the sensor, and how far it is from normal there."""
    pace = 1 + rng.choice([-0.4, -0.25, 0.3, 0.6, 1.0])
    ticks = clock[place.start] + (clock[place] - clock[place.start]) * pace
    fast = sensor.signal(ticks, rng)
    size = log_uniform(rng, 0.12, 1.2) * max(float(np.ptp(values)) / 2, 0.3)
    found = values.copy()
    found[place] = fault(Stretch(values[place], values, other[place], fast, size), rng)
    return found, float(np.sqrt(np.mean((found[place] - values[place]) ** 2)))


def broken(
    values: Array, clock: Array, sensor: Sensor, other: Array, rng: Generator
) -> tuple[Array, NDArray[np.bool_]]:
    """A series (T,) with one or two faults, and where they are."""
    odd = np.zeros(len(values), dtype=bool)
    least = 0.08 + 2 * sensor.noise + sensor.step / 2
    for _ in range(int(rng.integers(1, 3))):
        for _ in range(TRIES):
            length = fault_length(rng, len(values) - 2)
            start = int(rng.integers(1, len(values) - length))
            place = slice(start, start + length)
            if odd[max(place.start - ROOM, 0) : place.stop + ROOM].any():
                continue
            fault = FAULTS[int(rng.integers(len(FAULTS)))]
            found, size = put_fault(values, clock, place, sensor, other, fault, rng)
            if size > least:
                values, odd[place] = found, True
                break
    return values, odd


def make_channel(rng: Generator, known: int, new: int, faulty: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Training values (known,), test values (new,), and where the latter are anomalous: with the chance `faulty`."""
    sensor = make_sensor(rng)
    clock = sensor.clock(known + new, rng)
    values = sensor.lived(sensor.signal(clock, rng), rng)
    if rng.uniform() < 0.3 * min(sensor.unrest, 1):  # another set point from here on, not far from the old
        values[known:] = values[known:] * (1 + 0.1 * rng.normal()) + 0.1 * rng.normal()
    odd = np.zeros(new, dtype=bool)
    if rng.uniform() < faulty:
        other = make_sensor(rng)
        foreign = other.signal(clock[known:], rng) * rng.uniform(0.5, 1)
        values[known:], odd = broken(values[known:], clock[known:], sensor, foreign, rng)
    seen = sensor.seen(values, rng)
    return seen[:known], seen[known:], odd


def episode_rng(part: int, seed: int, number: int) -> Generator:
    """The chance of the episode or channel `number` of a part; no other part, seed or number has it."""
    return default_rng([part, seed, number])


def make_fleet(
    seed: int, channels: int, known: int, new: int, faulty: float = 0.75
) -> list[tuple[Array, Array, NDArray[np.bool_]]]:
    """Channels of the validation part as `make_channel` makes them, the same for one seed."""
    return [make_channel(episode_rng(VALIDATION, seed, n), known, new, faulty) for n in range(channels)]
