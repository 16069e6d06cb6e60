"""Made-up telemetry in NASA's telemanom folder layout, so that every command works before any download.

Each channel is a clean signal, a function of its phase, of its commands and of chance. An anomaly is the
same signal with one thing broken for a while, so what the channel would have done instead is always known.
"""

import csv
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from data.synthetic.held_back import (
    boiler,
    code,
    heartbeat,
    keyed,
    onsets,
    queue,
    relaxation,
    slewing,
    sunlit,
    swept,
    tank,
)
from data.synthetic.processes import Array
from runtime.files import atomic_folder

Signal = Callable[[Array, Array, Generator], Array]
Split = Literal["train", "test"]

HEADER = ("chan_id", "spacecraft", "anomaly_sequences", "class", "num_values")
SPACECRAFT = "SAMPLE"
COMMANDS = 3

MARGIN = 10  # steps kept free at both ends of a slot, hence at both ends of the split
VISIBLE = 0.15  # difference from normal that the eye sees above the noise
RECOVERED = 0.02  # difference from normal that is lost in the noise
ATTEMPTS = 1000


class Kind(StrEnum):
    """What is broken in an anomaly, as written to the class column."""

    SPIKE = "spike"
    LEVEL_SHIFT = "level shift"
    CHANGED_FREQUENCY = "changed frequency"
    FLAT_LINE = "flat line"
    MISSING_RESPONSE = "missing response"


@dataclass(frozen=True)
class Anomaly:
    """One labelled interval; `first` and `last` are steps of the test split, both inside the anomaly."""

    kind: Kind
    first: int
    last: int

    @property
    def steps(self) -> slice:
        """The interval as a slice over time."""
        return slice(self.first, self.last + 1)


@dataclass(frozen=True)
class Recipe:
    """How one channel is made. Period, lengths and command width are in steps, noise in signal units."""

    channel: str
    signal: Signal
    period: float
    train_steps: int
    test_steps: int
    anomalies: tuple[Kind, ...]
    command_width: int = 2
    noise: float = 0.02


@dataclass(frozen=True)
class Series:
    """One split of one channel: value (T,), the same without anomalies in normal (T,), commands (T, 3)."""

    value: Array
    normal: Array
    commands: Array
    anomalies: tuple[Anomaly, ...]

    @property
    def table(self) -> Array:
        """The (T, 4) array of the telemanom layout: the telemetry value, then the commands."""
        return np.column_stack([self.value, self.commands])


@dataclass(frozen=True)
class Source:
    """The inputs of one clean signal: phase (T,) in periods, commands (T, 3) and the seed of its chance."""

    recipe: Recipe
    phase: Array
    commands: Array
    seed: SeedSequence

    def clean(self, phase: Array | None = None, commands: Array | None = None) -> Array:
        """The noise-free signal (T,), or what it would be with another phase or other commands."""
        phase = self.phase if phase is None else phase
        commands = self.commands if commands is None else commands
        # A fresh generator on every call: a broken signal must differ from the normal one by its fault only.
        return self.recipe.signal(phase, commands, default_rng(self.seed))


def write_sample(folder: Path, seed: int = 0) -> None:
    """Write labeled_anomalies.csv, train/<channel>.npy and test/<channel>.npy to `folder`, all or nothing."""
    with atomic_folder(folder) as temporary:
        for split in get_args(Split):
            (temporary / split).mkdir()
        with (temporary / "labeled_anomalies.csv").open("w", encoding="utf-8", newline="") as file:
            labels = csv.writer(file, lineterminator="\n")
            labels.writerow(HEADER)
            for recipe in RECIPES:
                for split in get_args(Split):
                    series = channel_series(recipe, split, seed)
                    np.save(temporary / split / f"{recipe.channel}.npy", series.table)
                    if split == "test":
                        labels.writerow(_label_row(recipe.channel, series))


def channel_series(recipe: Recipe, split: Split, seed: int) -> Series:
    """Make one split of one channel; only the test split has anomalies."""
    # Keyed by name and split, not by position: another channel in RECIPES leaves all others as they were.
    root = SeedSequence(seed, spawn_key=(zlib.crc32(recipe.channel.encode()), get_args(Split).index(split)))
    phase_seed, command_seed, signal_seed, noise_seed, anomaly_seed = root.spawn(5)
    steps = recipe.train_steps if split == "train" else recipe.test_steps
    phase = default_rng(phase_seed).uniform() + np.arange(steps) / recipe.period
    commands = _commands(steps, recipe.command_width, default_rng(command_seed))
    source = Source(recipe, phase, commands, signal_seed)

    normal = source.clean()
    value, anomalies = _break(source, normal, default_rng(anomaly_seed)) if split == "test" else (normal, ())
    noise = default_rng(noise_seed).normal(scale=recipe.noise, size=steps)
    return Series(value + noise, normal + noise, commands, anomalies)


def _label_row(channel: str, series: Series) -> list[str | int]:
    intervals = [[anomaly.first, anomaly.last] for anomaly in series.anomalies]
    kinds = ", ".join(anomaly.kind for anomaly in series.anomalies)
    return [channel, SPACECRAFT, str(intervals), f"[{kinds}]", len(series.value)]


def _commands(steps: int, width: int, rng: Generator) -> Array:
    """Commands (T, 3) of 0/1: a start, a stop some time after it, and one that now and then joins the start.

    Every channel has them; only the command channels below react, as most real commands concern other parts.
    """
    commands = np.zeros((steps, COMMANDS))
    start = int(rng.integers(10, 70))
    while start < steps:
        stop = start + int(rng.integers(45, 60))
        commands[start : start + width, 0] = 1
        commands[stop : stop + width, 1] = 1
        if rng.uniform() < 0.3:
            commands[start : start + width, 2] = 1
        start += int(rng.integers(80, 120))
    return commands


# Anomalies


def _break(source: Source, normal: Array, rng: Generator) -> tuple[Array, tuple[Anomaly, ...]]:
    """Put the recipe's anomalies into the clean signal `normal` (T,), in shuffled order, one per equal slot.

    The slots cover the split evenly, so that the position of a step says nothing about its label.
    """
    kinds = source.recipe.anomalies
    bounds = np.linspace(0, len(normal), len(kinds) + 1).astype(int)
    value = normal.copy()
    anomalies = []
    for kind_index, begin, end in zip(rng.permutation(len(kinds)), bounds[:-1], bounds[1:], strict=True):
        slot = (int(begin) + MARGIN, int(end) - MARGIN)
        anomaly, broken = _visible_anomaly(kinds[kind_index], source, normal, slot, rng)
        value[anomaly.steps] = broken[anomaly.steps]
        anomalies.append(anomaly)
    return value, tuple(anomalies)


def _visible_anomaly(
    kind: Kind, source: Source, normal: Array, slot: tuple[int, int], rng: Generator
) -> tuple[Anomaly, Array]:
    """Draw an anomaly inside the slot [begin, end), one with a third of its steps visibly off `normal`."""
    for _ in range(ATTEMPTS):
        if kind is Kind.MISSING_RESPONSE:
            anomaly, broken = _missing_response(source, normal, slot, rng)
        else:
            anomaly = _placed(kind, source.recipe.period, slot, rng)
            broken = _broken(anomaly, source, normal, rng)
        difference = np.abs(broken - normal)[anomaly.steps]
        if anomaly.last < slot[1] and np.mean(difference > VISIBLE) > 1 / 3:
            return anomaly, broken
    raise RuntimeError(f"{source.recipe.channel}: no room for a {kind} within steps {slot[0]} to {slot[1]}")


def _placed(kind: Kind, period: float, slot: tuple[int, int], rng: Generator) -> Anomaly:
    """An interval of suitable length, uniform within the slot."""
    shortest, longest = (6, 12) if kind is Kind.SPIKE else (40, 120)
    if kind is Kind.CHANGED_FREQUENCY:
        shortest = max(shortest, round(2 * period))  # with fewer periods no change of frequency is seen
    length = int(rng.integers(shortest, longest, endpoint=True))
    first = int(rng.integers(slot[0], slot[1] - length, endpoint=True))
    return Anomaly(kind, first, first + length - 1)


def _broken(anomaly: Anomaly, source: Source, normal: Array, rng: Generator) -> Array:
    """The clean signal (T,) with the anomaly; only its values inside the interval count."""
    steps, length = anomaly.steps, anomaly.last - anomaly.first + 1
    if anomaly.kind is Kind.CHANGED_FREQUENCY:
        return source.clean(phase=_warped(source.phase, anomaly, source.recipe.period, rng))
    broken = normal.copy()
    if anomaly.kind is Kind.SPIKE:
        broken[steps] += rng.choice([-1, 1]) * rng.uniform(0.7, 1.0) * np.hanning(length + 2)[1:-1]
    elif anomaly.kind is Kind.LEVEL_SHIFT:
        broken[steps] += rng.choice([-1, 1]) * rng.uniform(0.35, 0.6)
    else:
        broken[steps] = normal[anomaly.first - 1]
    return broken


def _warped(phase: Array, anomaly: Anomaly, period: float, rng: Generator) -> Array:
    """The phase (T,) running faster or slower inside the interval.

    It gains or loses whole periods there, so the signal leaves the interval as if nothing had happened.
    """
    length = anomaly.last - anomaly.first + 1
    gained = rng.choice([-1, 1]) * max(1, round(length / period / 2))
    warped = phase.copy()
    warped[anomaly.steps] += gained * np.arange(1, length + 1) / (length + 1)
    return warped


def _missing_response(source: Source, normal: Array, slot: tuple[int, int], rng: Generator) -> tuple[Anomaly, Array]:
    """The signal (T,) deaf to one start command, from that command until it is back to normal by itself."""
    starts = np.flatnonzero(onsets(source.commands[:, 0]))
    first = int(rng.choice(starts[(starts >= slot[0]) & (starts < slot[1])]))
    heard = source.commands.copy()
    heard[first : first + source.recipe.command_width, 0] = 0
    broken = source.clean(commands=heard)
    last = int(np.flatnonzero(np.abs(broken - normal) > RECOVERED)[-1])
    return Anomaly(Kind.MISSING_RESPONSE, first, last), broken


# Short names, so that the recipes read as a table.
SPIKE, SHIFT, FREQUENCY, FLAT, MISSING = Kind

RECIPES = (
    Recipe("W-1", heartbeat, 47.3, 640, 1510, (SPIKE, SHIFT, FREQUENCY, FLAT)),
    Recipe("W-2", relaxation, 53.7, 910, 2260, (SPIKE, SHIFT, FREQUENCY, FREQUENCY, FLAT)),
    Recipe("W-3", swept, 21.9, 1180, 2840, (SPIKE, SHIFT, FREQUENCY, FLAT, FLAT), noise=0.03),
    Recipe("S-1", code, 57.6, 530, 1330, (SPIKE, SHIFT, FREQUENCY, FLAT), noise=0.015),
    Recipe("S-2", queue, 37.3, 760, 1720, (SPIKE, SHIFT, SHIFT, FLAT)),
    Recipe("R-1", tank, 42.6, 820, 2390, (SPIKE, SHIFT, FREQUENCY, FREQUENCY, FLAT)),
    Recipe("R-2", sunlit, 33.1, 1040, 2180, (SPIKE, SHIFT, FREQUENCY, FLAT), noise=0.025),
    Recipe("C-1", boiler, 17.2, 1110, 2670, (SPIKE, SHIFT, SHIFT, MISSING, MISSING)),
    Recipe("C-2", slewing, 13.8, 580, 1690, (SPIKE, SHIFT, MISSING, MISSING)),
    Recipe("C-3", keyed, 6.5, 970, 2520, (SPIKE, SHIFT, FREQUENCY, MISSING, MISSING)),
)
