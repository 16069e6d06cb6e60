"""Which policy turns scores into alarms best: tried on made-up fleets, and on the held-out training of any run.

    uv run python -m benchmarks.alarms                             about two minutes
    uv run python -m benchmarks.alarms --recipe telemetry          that recipe instead of line
    uv run python -m benchmarks.alarms --runs FOLDER FOLDER        alarms in the training of these runs, too
    uv run python -m benchmarks.alarms --only "risk 8" "pot"       some of the variants

Two fleets have faults in their test part, two have none. Printed for every variant: event precision, recall, F1 and the
share of normal steps under alarm of the first, alarms per 100,000 steps of the latter, and alarms per 10,000 steps of
training that was held out, of the fleets and of the runs. No label of SMAP, MSL or other data is read.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

import msflow
from benchmarks.tables import FAULTS, SENSORS, fault
from evaluation.alarms import Policy, raise_alarms, under_alarm
from evaluation.quiet import quiet_alarms
from evaluation.thresholds import learn
from metrics.events import event_metrics
from runs.folder import TRAIN_SCORES
from runs.rows import chosen_rows, time_step_scores
from runs.scores import open_scores
from runtime.errors import exit_code, unknown_name
from settings.config import Config

Array = NDArray[np.float64]
CHANNELS = 56
# whether a fleet has faults, and its steps of training and test
FLEETS = ((True, (2500, 8000)), (True, (2500, 8000)), (False, (2500, 2000)), (False, (3000, 6000)))
FAULTY = 0.75  # share of the channels of a fleet that have faults
VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    **{f"risk {risk:g}": {"risk": risk} for risk in (2.0, 4.0, 8.0, 12.0, 15.0, 20.0, 25.0, 30.0)},
    **{f"contrast {way:g}": {"contrast": way} for way in (0.0, 0.3, 0.4, 0.5, 0.6)},
    **{f"release {share:g}": {"release": share} for share in (1.0, 0.75, 0.5, 0.25)},
    **{f"join {steps}": {"join": steps} for steps in (1, 64, 200, 400)},
    **{f"prune {share:g}": {"prune": share} for share in (0.0, 0.02, 0.05, 0.1)},
    **{f"moved after {steps}": {"moved_after": steps} for steps in (0, 500, 1000, 2000)},
    **{f"drift {steps}": {"drift": steps} for steps in (0, 100, 350, 500, 1000)},
    "cool-down 500": {"cool_down": 500},
    "causal": {"causal": True},
    "pot": {"threshold": "pot"},
    "pot alone": {"threshold": "pot", "contrast": 0.0, "prune": 0.0, "join": 0, "moved_after": 0, "drift": 0},
}


def trend(steps: int, rng: Generator) -> Array:
    """A level that moves by eight times its noise."""
    return 0.4 * np.linspace(-1, 1, steps) * rng.choice([-1, 1]) + 0.05 * rng.normal(size=steps)


def walk(steps: int, rng: Generator) -> Array:
    """A level that wanders, and does not come back."""
    return 0.01 * np.cumsum(rng.normal(size=steps)) + 0.05 * rng.normal(size=steps)


def telegraph(steps: int, rng: Generator) -> Array:
    """Two levels, each for as long as chance has it."""
    lengths = rng.geometric(1 / rng.uniform(50, 300), size=steps // 20)
    return np.repeat(np.arange(len(lengths)) % 2, lengths)[:steps] - 0.5 + 0.01 * rng.normal(size=steps)


def wave(steps: int, rng: Generator) -> Array:
    """A sine of any period, with noise or without."""
    phase = 2 * np.pi * (np.arange(steps) / rng.uniform(15, 200) + rng.uniform())
    return rng.uniform(0.3, 1) * np.sin(phase) + rng.choice([0, 0.02, 0.1]) * rng.normal(size=steps)


def pulses(steps: int, rng: Generator) -> Array:
    """Rare pulses of a few steps."""
    values = np.full(steps, -1.0)
    for start in np.cumsum(rng.integers(60, 400, size=steps // 60)):
        values[start : start + int(rng.integers(2, 12))] = 1
    return values


KINDS: list[Callable[[int, Generator], Array]] = [*SENSORS, trend, walk, telegraph, wave, pulses]


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores (T,) of the test and held-out training steps of a channel, and labels (T,); runs have training alone."""

    train: Array
    test: Array
    labels: NDArray[np.bool_]


def make_fleet(seed: int, faulty: bool, steps: tuple[int, int]) -> tuple[dict, dict, dict]:
    """Training and test series by channel, and labels (T,) of the latter, of `steps` each."""
    train, test, labels = {}, {}, {}
    for number in range(CHANNELS):
        rng = default_rng([seed, number, 15])
        values = KINDS[number % len(KINDS)](sum(steps), rng)
        known, new = values[: steps[0]], values[steps[0] :].copy()
        odd = np.zeros(len(new), dtype=bool)
        if faulty and rng.uniform() < FAULTY:
            for slot in range(int(rng.integers(1, 4))):
                length = int(rng.choice([8, 30, 100, 300, 600]))
                room = len(new) // 3
                start = slot * room + int(rng.integers(20, room - length - 20))
                place = slice(start, start + length)
                new[place] = fault(new[place], str(rng.choice(FAULTS)), rng)
                odd[place] = True
        train[f"channel {number}"], test[f"channel {number}"], labels[f"channel {number}"] = known, new, odd
    return train, test, labels


def held_out(folder: Path, config: Config) -> dict[str, Array]:
    """The held-out training scores of the channels of a run, (T,) each."""
    files = open_scores(folder / "scores" / TRAIN_SCORES)
    chosen = chosen_rows(files.rows, config.levels)
    rows = {channel: files.maps["nll"][number][chosen] for number, channel in enumerate(files.channels)}
    how = config.calibration, config.smooth, config.trailing
    return {channel: time_step_scores(found, found, *how) for channel, found in rows.items()}


def scored_fleet(seed: int, faulty: bool, recipe: str, weights: str, steps: tuple[int, int]) -> tuple[list, Policy]:
    """A fleet scored by a recipe, and the recipe's policy."""
    train, test, labels = make_fleet(seed, faulty, steps)
    fitted = msflow.fit(train, recipe=recipe, weights=weights)
    known, scores = held_out(fitted.folder, fitted.config), fitted.score(test)
    by_channel = {channel: rows["score"].to_numpy() for channel, rows in scores.groupby("channel", sort=False)}
    found = [Scored(known[channel], by_channel[channel], labels[channel]) for channel in train]
    return found, Policy.of(fitted.config)


def alarms_in(channels: list[Scored], policy: Policy) -> tuple[list[NDArray[np.bool_]], int]:
    """Which steps (T,) of every channel are under alarm, and how many alarms there are."""
    raised = [raise_alarms(c.test, learn(policy.threshold, policy.risk, c.train), policy)[0] for c in channels]
    covered = [under_alarm(alarms, len(c.test)) for alarms, c in zip(raised, channels, strict=True)]
    return covered, sum(map(len, raised))


def quiet_rate(series: list[Array], policy: Policy) -> float:
    """Alarms per 10,000 held-out training steps."""
    counts = [quiet_alarms(scores, policy) for scores in series]
    return 1e4 * sum(alarms for alarms, _ in counts) / max(sum(steps for _, steps in counts), 1)


def run(argv: list[str] | None) -> None:
    """Print a line for every variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="line", help="of configs/ (default: line)")
    parser.add_argument("--weights", default="auto", help="as the setting (default: auto)")
    parser.add_argument("--runs", nargs="+", default=[], type=Path, help="folders of runs of series (default: none)")
    parser.add_argument("--seed", type=int, default=1, help="of the first fleet (default: 1)")
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), metavar="VARIANT", help="(default: all)")
    given = parser.parse_args(argv)
    for name in given.only:
        if name not in VARIANTS:
            raise unknown_name("variant", name, list(VARIANTS))
    fleets = []
    for number, (faulty, steps) in enumerate(FLEETS):
        found, policy = scored_fleet(given.seed + number, faulty, given.recipe, given.weights, steps)
        fleets.append(found)
    runs = [list(held_out(folder, msflow.load(folder).config).values()) for folder in given.runs]
    heads = ["event P R F1, normal"] * 2 + ["/100,000"] * 2 + ["fleets"] + [folder.name for folder in given.runs]
    print(f"{'variant':17} {heads[0]:>23} {heads[1]:>23} {'quiet':>6} {'fleets':>6} {'held out':>9}", *heads[5:])
    for name in given.only:
        chosen = replace(policy, **VARIANTS[name])
        cells = []
        for channels in fleets[:2]:
            covered, _ = alarms_in(channels, chosen)
            truth, mask = np.concatenate([c.labels for c in channels]), np.concatenate(covered)
            events = event_metrics(truth, mask, [len(c.test) for c in channels])
            share = float(mask[~truth].mean())
            cells.append(f"{events.precision or 0:5.2f} {events.recall:5.2f} {events.f1:5.3f} {share:5.3f}")
        for channels in fleets[2:]:
            cells.append(f"{1e5 * alarms_in(channels, chosen)[1] / sum(len(c.test) for c in channels):6.1f}")
        cells.append(f"{quiet_rate([c.train for channels in fleets for c in channels], chosen):9.1f}")
        cells += [f"{quiet_rate(series, chosen):{len(head)}.1f}" for series, head in zip(runs, heads[5:], strict=True)]
        print(f"{name:17}", *cells, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
