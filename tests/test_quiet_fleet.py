"""Fifty channels with nothing in them, by the default recipe: next to no alarm, and none because a series ends."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import msflow
from evaluation.alarms import Policy, raise_alarms
from evaluation.thresholds import learn
from metrics.events import Alarm

TRAIN, TEST, BEYOND = 2500, 2000, 200  # steps; what is known beyond both ends of a test
PER_KIND = 10
END = 64  # steps that are near an end


def smoothed(values: np.ndarray, share: float) -> np.ndarray:
    """An exponential mean to which every new value adds a share; it begins at the first value."""
    return np.array(pd.Series(values).ewm(alpha=share, adjust=False).mean())


def wave(steps: int, rng: np.random.Generator) -> np.ndarray:
    phase = np.arange(steps) / rng.uniform(15, 200) + rng.uniform()
    return rng.uniform(0.3, 3) * np.sin(2 * np.pi * phase) + rng.uniform(0.02, 0.1) * rng.normal(size=steps)


def set_points(steps: int, rng: np.random.Generator) -> np.ndarray:
    lengths = rng.integers(40, 150, size=steps // 40 + 1)
    levels = np.repeat(rng.choice([-1.0, -0.4, 0.1, 0.9], size=len(lengths)), lengths)[:steps]
    return levels + 0.04 * rng.normal(size=steps)


def trend(steps: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice([-1, 1]) * np.linspace(0, 0.3, steps) + 0.1 * rng.normal(size=steps)


def noise(steps: int, rng: np.random.Generator) -> np.ndarray:
    return smoothed(rng.normal(size=steps), 1 - rng.uniform(0, 0.9))


def wandering_level(steps: int, rng: np.random.Generator) -> np.ndarray:
    begun = 1500  # steps after which it has forgotten where it began
    return 20 * smoothed(rng.normal(size=begun + steps), 1 / 300)[begun:] + 0.1 * rng.normal(size=steps)


KINDS = (wave, set_points, trend, noise, wandering_level)


def fleet(seed: int) -> dict[str, np.ndarray]:
    """Channels by name, each in units of its own."""
    channels = {}
    for number, kind in enumerate(KINDS):
        for turn in range(PER_KIND):
            rng = np.random.default_rng([seed, number, turn])
            unit, offset = 10 ** rng.uniform(-4, 5), rng.choice([0, 5, 20])
            channels[f"{kind.__name__} {turn}"] = unit * (kind(TRAIN + TEST + BEYOND, rng) + offset)
    return channels


@pytest.fixture(scope="module", params=[0, 1])
def fitted(request: pytest.FixtureRequest) -> tuple[msflow.Fitted, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What was learnt of the first part of a fleet, the test part, and the latter with what is beyond both its ends."""
    channels = fleet(request.param)
    learnt = msflow.fit({name: values[:TRAIN] for name, values in channels.items()})
    test = {name: values[TRAIN : TRAIN + TEST] for name, values in channels.items()}
    return learnt, test, {name: values[TRAIN - BEYOND :] for name, values in channels.items()}


def test_next_to_no_alarm_where_there_is_nothing(fitted: tuple) -> None:
    learnt, test, _ = fitted
    assert sum(map(len, test.values())) == 100_000
    assert len(learnt.alarms(test)) <= 2


def test_an_end_of_a_series_raises_no_alarm(fitted: tuple) -> None:
    """What is raised near one is raised as well where the series goes on."""
    learnt, test, longer = fitted
    alarms, without_ends = learnt.alarms(test), learnt.alarms(longer)
    assert (alarms["start"] > 0).all()
    for alarm in alarms[(alarms["start"] < END) | (alarms["end"] >= TEST - END)].itertuples():
        others = without_ends[without_ends["channel"] == alarm.channel]
        assert ((others["start"] <= alarm.end + BEYOND) & (others["end"] >= alarm.start + BEYOND)).any(), alarm


def test_no_score_is_high_because_a_series_ends(fitted: tuple) -> None:
    """With thresholds so low that many alarms are raised, no more of them begin near an end than elsewhere."""
    learnt, test, _ = fitted
    scores = learnt.score(test)
    policy = replace(Policy.of(learnt.config), contrast=0.0, prune=0.0, join=16, drift=0)
    raised: list[Alarm] = []
    for _, of_channel in scores.groupby("channel")["score"]:
        values = of_channel.to_numpy()
        raised += raise_alarms(values, learn("q0.95", policy.risk, values), policy)[0]
    near = sum(alarm.at < END or alarm.at >= TEST - END for alarm in raised)
    assert len(raised) > 150
    assert near / len(raised) < 2 * (2 * END / TEST), f"{near} of {len(raised)}"


def test_it_is_not_silent_because_it_is_deaf(fitted: tuple) -> None:
    """A level 8 deviations away for an hour is told of, once, but where levels jump or wander as far in training."""
    learnt, test, _ = fitted
    channels = [name for name in test if name.split()[0] in ("wave", "trend", "noise")]
    shifted = {name: test[name].copy() for name in channels}
    for values in shifted.values():
        values[1000:1060] += 8 * values.std()
    alarms = learnt.alarms(shifted)
    alarms = alarms[(alarms["start"] < 1060) & (alarms["end"] >= 1000)]
    assert sorted(alarms["channel"]) == sorted(channels)
