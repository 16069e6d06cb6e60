"""Made-up telemetry: processes, faults and fleets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from data.sample import RECIPES
from data.synthetic import held_back
from data.synthetic.faults import FAULTS, Stretch, fault_length
from data.synthetic.fleet import PRETRAINING, VALIDATION, episode_rng, make_channel, make_fleet, make_sensor
from data.synthetic.processes import KINDS, constant, duty, trend, wave

every_kind = pytest.mark.parametrize("kind", sorted(set(KINDS), key=lambda kind: kind.__name__))


@every_kind
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 900), pace=st.floats(0.6, 1.6))
def test_every_process_has_a_value_for_every_tick(kind, seed: int, steps: int, pace: float) -> None:
    signal = kind(default_rng(seed))
    values = signal(np.arange(steps) * pace + 7.5, default_rng(seed + 1))
    assert values.shape == (steps,)
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 6


@every_kind
def test_chance_alone_tells_two_stretches_of_a_process_apart(kind) -> None:
    signal, clock = kind(default_rng(3)), np.arange(500.0)
    np.testing.assert_array_equal(signal(clock, default_rng(1)), signal(clock, default_rng(1)))
    np.testing.assert_array_equal(kind(default_rng(3))(clock, default_rng(1)), signal(clock, default_rng(1)))
    if kind is not constant:
        others = [kind(default_rng(seed))(clock, default_rng(1)) for seed in range(8)]
        assert len({other.tobytes() for other in others}) > 1


def strongest_period(values: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(values - values.mean()))
    return len(values) / int(np.argmax(spectrum))


@pytest.mark.parametrize("kind", [wave, duty])
def test_a_clock_that_runs_twice_as_fast_halves_the_period(kind) -> None:
    clock = np.arange(8000.0)
    signal = next(s for s in (kind(default_rng(seed)) for seed in range(50)) if is_slow(s(clock, default_rng(0))))
    usual, fast = (strongest_period(signal(clock * pace, default_rng(0))) for pace in (1, 2))
    assert usual == pytest.approx(2 * fast, rel=0.05)


def is_slow(values: np.ndarray) -> bool:
    return 40 < strongest_period(values) < 200


def test_a_trend_never_turns() -> None:
    for seed in range(20):
        values = trend(default_rng(seed))(np.arange(3000.0), default_rng(seed))
        steps = np.diff(values)
        assert (steps >= 0).all() or (steps <= 0).all()


@pytest.mark.parametrize("fault", sorted(set(FAULTS), key=lambda fault: fault.__name__))
def test_every_fault_keeps_the_length_and_leaves_its_input_alone(fault) -> None:
    before = np.sin(np.arange(400) / 9)
    changed = []
    for seed in range(20):
        rng = default_rng(seed)
        length = fault_length(rng, 300)
        assert 3 <= length <= 300
        values, kept = before[50 : 50 + length].copy(), before.copy()
        at = Stretch(values, before, rng.normal(size=length), np.sin(np.arange(length) / 4), 0.7)
        found = fault(at, rng)
        assert found.shape == values.shape and np.isfinite(found).all()
        np.testing.assert_array_equal(before, kept)
        changed.append(np.abs(found - before[50 : 50 + length]).max() > 0.01)
    assert np.mean(changed) > 0.6


def test_a_fleet_is_the_same_for_one_seed_and_quiet_in_part() -> None:
    first, again, other = make_fleet(1, 40, 300, 400), make_fleet(1, 40, 300, 400), make_fleet(2, 40, 300, 400)
    for (train, test, odd), (train_2, test_2, odd_2) in zip(first, again, strict=True):
        assert train.shape == (300,) and test.shape == odd.shape == (400,)
        assert np.isfinite(train).all() and np.isfinite(test).all()
        for values, same in ((train, train_2), (test, test_2), (odd, odd_2)):
            np.testing.assert_array_equal(values, same)
    assert [c[1].tobytes() for c in first] != [c[1].tobytes() for c in other]
    faulty = np.mean([odd.any() for *_, odd in first])
    assert 0.4 < faulty < 0.95
    assert not any(odd.any() for *_, odd in make_fleet(1, 20, 300, 400, faulty=0))


def test_a_fault_is_seen_only_where_it_is_labelled() -> None:
    """The same channel with faults and without: up to its first fault, not a value differs but by noise."""
    seen = 0
    for number in range(60):
        _, healthy, _ = make_channel(episode_rng(VALIDATION, 5, number), 300, 400, 0.0)
        _, values, odd = make_channel(episode_rng(VALIDATION, 5, number), 300, 400, 1.0)
        sensor = make_sensor(episode_rng(VALIDATION, 5, number))
        if odd.any() and not sensor.noise:
            np.testing.assert_allclose(values[~odd], healthy[~odd])
            assert np.abs(values[odd] - healthy[odd]).max() > 0.01
            seen += 1
    assert seen > 10


def test_pretraining_validation_and_sample_share_no_chance() -> None:
    parts = [episode_rng(part, seed, 0).bytes(32) for part in (PRETRAINING, VALIDATION) for seed in range(20)]
    assert len(set(parts)) == 40
    assert (
        make_fleet(0, 1, 50, 50)[0][0].tobytes()
        != make_channel(episode_rng(PRETRAINING, 0, 0), 50, 50, 0.75)[0].tobytes()
    )


def test_the_sample_is_of_processes_that_pretraining_never_sees() -> None:
    of_sample = {recipe.signal for recipe in RECIPES}
    assert len(of_sample) == len(RECIPES)
    assert all(signal.__module__ == held_back.__name__ for signal in of_sample)
    assert not of_sample & set(KINDS)
    assert not {signal.__name__ for signal in of_sample} & {kind.__name__ for kind in KINDS}
