"""Which scaling, combination of columns and other settings suit tables of sensors: tried on made-up ones.

    uv run python -m benchmarks.tables                       all variants: about ten minutes
    uv run python -m benchmarks.tables --only recipe trailing      some of the variants
    uv run python -m benchmarks.tables --seed 1000           other tables

Prints for every variant, over the tables, the mean time-step ROC AUC and average precision, how often the column with
the highest score in a fault is the one that is broken, and the ROC AUC of all tables pooled. The tables hold what
plants do: daily waves, duty cycles, set points, counters, noise that wanders, quantised and constant sensors, in units
from micrometres to pascals, some with rare spikes that are normal. Nothing here is taken from SMAP, MSL or other data.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

import msflow
from runtime.errors import exit_code, unknown_name

Array = NDArray[np.float64]
STEPS, DAY = 6000, 288  # of both parts together; per day
VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    **{f"scaling {name}": {"scaling": name} for name in ("range", "deviation")},
    **{f"combine {name}": {"combine": name} for name in ("mean", "highest", "logs")},
    **{f"clip {limit:g}": {"clip": limit} for limit in (1.5, 2.0, 8.0)},
    **{f"std {std:g}": {"img_std": [std] * 3} for std in (1.0, 0.5, 0.15, 0.1, 0.01)},
    **{f"floor {floor:g}": {"gaussian_floor": floor} for floor in (0.02, 0.1, 0.3)},
    **{f"smooth {steps}": {"smooth": steps} for steps in (1, 16, 64)},
    "trailing": {"trailing": True},
    "one scale": {"time_scales": [1]},
    "two scales": {"time_scales": [1, 2]},
    "four scales": {"time_scales": [1, 2, 4, 8]},
    "calibrated": {"calibration": "quantile"},
    **{head: {"head": head} for head in ("gaussian", "memory")},
    "no fleet": {"fleet_size": 0},
    "random": {"weights": "random"},
}


def _wander(steps: int, rng: Generator, memory: float) -> Array:
    """Autoregressive noise of deviation 1."""
    noise = rng.normal(size=steps) * np.sqrt(1 - memory**2)
    return np.array(pd.Series(noise).ewm(alpha=1 - memory, adjust=False).mean()) / (1 - memory)


def _day(steps: int, rng: Generator) -> Array:
    phase = 2 * np.pi * (np.arange(steps) / DAY + rng.uniform())
    return np.sin(phase) + 0.3 * np.sin(2 * phase + rng.uniform(0, 6)) + 0.05 * _wander(steps, rng, 0.98)


def _duty(steps: int, rng: Generator) -> Array:
    lengths = rng.integers(20, 60, size=steps // 20)
    states = np.repeat(np.arange(len(lengths)) % 2, lengths)[:steps]
    return np.array(pd.Series(2.0 * states - 1).ewm(alpha=0.3).mean()) + 0.03 * rng.normal(size=steps)


def _levels(steps: int, rng: Generator) -> Array:
    lengths = rng.integers(40, 150, size=steps // 40)
    levels = rng.choice([-1.0, -0.4, 0.1, 0.9], size=len(lengths))
    return np.repeat(levels, lengths)[:steps] + 0.04 * rng.normal(size=steps)


def _counter(steps: int, rng: Generator) -> Array:
    return 2 * ((np.arange(steps) / rng.integers(60, 140) + rng.uniform()) % 1) - 1 + 0.02 * rng.normal(size=steps)


def _noise(steps: int, rng: Generator) -> Array:
    return 0.6 * _wander(steps, rng, rng.uniform(0.3, 0.95))


def _quantised(steps: int, rng: Generator) -> Array:
    return np.round(4 * _day(steps, rng)) / 4


def _spiky(steps: int, rng: Generator) -> Array:
    """A quiet sensor with rare spikes, which are normal: fifteen times as high as what it does else."""
    values = 0.1 * _wander(steps, rng, 0.7)
    values[rng.choice(steps, size=steps // 300, replace=False)] += 1.5
    return values


def _constant(steps: int, rng: Generator) -> Array:
    return np.full(steps, rng.choice([0.0, 1.0]))


SENSORS: list[Callable[[int, Generator], Array]] = [_day, _duty, _levels, _counter, _noise, _quantised, _spiky, _day]


def fault(values: Array, kind: str, rng: Generator) -> Array:
    """A stretch (n,) of a sensor with something broken."""
    steps, size = len(values), rng.uniform(0.5, 1.2) * rng.choice([-1, 1])
    if kind == "offset":
        return values + size
    if kind == "drift":
        return values + size * np.linspace(0, 1.5, steps)
    if kind == "stuck":
        return np.full(steps, values[0])
    if kind == "noise":
        return values + 0.4 * rng.normal(size=steps)
    if kind == "gain":
        return values * rng.choice([0.3, 1.8])
    return np.interp(np.linspace(0, steps - 1, steps) * rng.choice([0.5, 1.0]), np.arange(steps), values[::-1])


FAULTS = ("offset", "drift", "stuck", "noise", "gain", "reversed")


def make_table(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.int8], list[tuple[slice, str]]]:
    """Training and test part of a table, labels (T,) of the latter, and its faults: steps and the broken sensor."""
    rng = default_rng([seed, 14])
    number = int(rng.integers(5, 13))
    makers = [SENSORS[n] for n in rng.integers(0, len(SENSORS), size=number - 1)] + [_constant]
    clean = np.column_stack([make(STEPS, rng) for make in makers])
    half = STEPS // 2
    labels, faults = np.zeros(STEPS - half, dtype=np.int8), []
    varying = [n for n, make in enumerate(makers) if make not in (_constant, _spiky)] or [number - 1]
    for kind, begin in zip(rng.permutation(FAULTS)[:4], np.linspace(100, half - 600, 4).astype(int), strict=True):
        first = int(begin + rng.integers(0, 300))
        steps = slice(first, first + int(rng.integers(40, 240)))
        sensor = int(rng.choice(varying))
        clean[half + steps.start : half + steps.stop, sensor] = fault(
            clean[half + steps.start : half + steps.stop, sensor], str(kind), rng
        )
        labels[steps] = 1
        faults.append((steps, f"sensor {sensor}"))
    units = 10.0 ** rng.uniform(-6, 6, size=number)
    offsets = rng.choice([0.0, 1.0, 20.0], size=number) * units
    frame = pd.DataFrame(clean * units + offsets, columns=[f"sensor {n}" for n in range(number)])
    return frame[:half], frame[half:].reset_index(drop=True), labels, faults


def scored(seed: int, settings: dict[str, Any]) -> tuple[NDArray[np.int8], Array, list[bool]]:
    """Labels and scores of the test steps of a table, and of which of its faults the sensor is found."""
    train, test, labels, faults = make_table(seed)
    with tempfile.TemporaryDirectory() as folder:
        scores = msflow.fit(train, folder=folder, **settings).score(test)
    found = [scores.loc[scores["score"].iloc[steps].idxmax(), "highest_column"] == sensor for steps, sensor in faults]
    return labels, scores["score"].to_numpy(), found


def run(argv: list[str] | None) -> None:
    """Print a line for every variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="auto", help="as the setting (default: auto)")
    parser.add_argument("--tables", type=int, default=24, help="how many (default: 24)")
    parser.add_argument("--seed", type=int, default=0, help="of the first table (default: 0)")
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), metavar="VARIANT", help="(default: all)")
    given = parser.parse_args(argv)
    for name in given.only:
        if name not in VARIANTS:
            raise unknown_name("variant", name, list(VARIANTS))
    print(f"{'variant':20} {'ROC AUC':>8} {'AP':>7} {'sensor':>7} {'pooled':>7} {'seconds':>8}")
    for name in given.only:
        began = time.monotonic()
        settings = {"weights": given.weights, **VARIANTS[name]}
        tables = [scored(seed, settings) for seed in range(given.seed, given.seed + given.tables)]
        figures = [
            np.mean([roc_auc_score(labels, scores) for labels, scores, _ in tables]),
            np.mean([average_precision_score(labels, scores) for labels, scores, _ in tables]),
            np.mean([right for *_, found in tables for right in found]),
            roc_auc_score(*(np.concatenate(arrays) for arrays in list(zip(*tables, strict=True))[:2])),
        ]
        cells = " ".join(f"{figure:{width}.3f}" for figure, width in zip(figures, (8, 7, 7, 7), strict=True))
        print(f"{name:20} {cells} {time.monotonic() - began:8.1f}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
