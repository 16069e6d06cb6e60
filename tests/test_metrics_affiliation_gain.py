"""Affiliation F1 of moved alarms against numeric integration on rolled channels, and the gain over them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_references import alarmed_series, moved, slow_affiliation_f1, unhurried

from metrics.affiliation import affiliation_metrics
from metrics.affiliation_gain import affiliation_gain, random_shifts, shifted_f1


@unhurried
@given(alarmed_series(), st.integers(0, 2**32 - 1))
def test_moved_alarms_equal_numeric_integration_on_rolled_channels(sample: tuple, seed: int) -> None:
    labels, alarms, lengths = sample
    shifts = np.random.default_rng(seed).integers(0, lengths, size=(3, len(lengths)))
    found = shifted_f1(labels, alarms, lengths, shifts)
    if not labels.any():
        assert found is None
        return
    expected = [slow_affiliation_f1(labels, moved(alarms, lengths, row), lengths) for row in shifts]
    assert found == pytest.approx(expected, abs=1e-10)


@unhurried
@given(alarmed_series(), st.integers(1, 4), st.integers(0, 100))
def test_the_gain_is_the_f1_less_the_mean_of_the_moved_ones(sample: tuple, num_shifts: int, seed: int) -> None:
    labels, alarms, lengths = sample
    found = affiliation_gain(labels, alarms, lengths, num_shifts, seed)
    if not labels.any():
        assert found is None
        return
    shifts = random_shifts(lengths, num_shifts, seed)
    chance = np.mean([slow_affiliation_f1(labels, moved(alarms, lengths, row), lengths) for row in shifts])
    assert found == pytest.approx(slow_affiliation_f1(labels, alarms, lengths) - chance, abs=1e-10)


@unhurried
@given(alarmed_series())
def test_without_alarms_and_with_one_over_everything_the_gain_is_0(sample: tuple) -> None:
    labels, _, lengths = sample
    for alarms in (np.zeros(len(labels)), np.ones(len(labels))):
        assert affiliation_gain(labels, alarms, lengths) == (pytest.approx(0, abs=1e-12) if labels.any() else None)


@pytest.mark.parametrize("num_shifts", [2, 20])
def test_worked_example_of_two_steps(num_shifts: int) -> None:
    # event [1, 2) of the zone [0, 2). At its place the alarm has F1 1; moved by 1 it is [0, 1), at distances 1 to 0:
    # precision 1 - (1 + d) / 2, 1/4 on average; recall: y in [1, 2) lies d = y - 1 from it, [y - d, y + d] has
    # d + min(d, 2 - y) of the zone, 1/2 + 1/4 on average: 1 - 3/8
    away = 2 * (1 / 4) * (5 / 8) / (1 / 4 + 5 / 8)
    # every half of the channel has as many shifts: one half of them are 0, the others 1
    assert affiliation_gain([0, 1], [0, 1], [2], num_shifts) == pytest.approx(1 - (1 + away) / 2)
    assert affiliation_gain([0, 1], [1, 0], [2], num_shifts) == pytest.approx(away - (1 + away) / 2)


def test_few_shifts_are_close_to_all_shifts() -> None:
    labels, alarms = np.zeros(500), np.zeros(500)
    labels[180:230] = labels[400:410] = alarms[200:205] = alarms[300:320] = 1
    each = np.arange(500)
    all_shifts = shifted_f1(labels, alarms, [500], each[:, None])
    exact = affiliation_metrics(labels, alarms, [500]).f1 - all_shifts.mean()
    assert all_shifts[0] == pytest.approx(affiliation_metrics(labels, alarms, [500]).f1)
    for seed in range(10):
        assert affiliation_gain(labels, alarms, [500], seed=seed) == pytest.approx(exact, abs=0.03)


def test_random_alarms_gain_nothing_on_average_and_right_ones_do() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros(400)
    labels[50:70] = labels[300:330] = 1
    gains = []
    for _ in range(200):
        alarms = np.repeat(rng.random(40) < 0.1, 10)
        gains.append(affiliation_gain(labels, alarms, [250, 150]))
    assert np.mean(gains) == pytest.approx(0, abs=0.02)
    assert affiliation_gain(labels, labels, [250, 150]) > 0.3


def test_shifts_are_spread_over_the_channel_and_uniform() -> None:
    lengths = [1, 7, 1000]
    shifts = random_shifts(lengths, 20, seed=3)
    assert shifts.shape == (20, 3) and (shifts >= 0).all() and (shifts < lengths).all()
    assert sorted(shifts[:, 2] // 50) == list(range(20))
    assert (random_shifts(lengths, 20, seed=3) == shifts).all()
    assert (random_shifts(lengths, 20, seed=4) != shifts).any()
    assert not np.array_equal(np.argsort(shifts[:, 2]), np.arange(20)), "in random order"
    first = np.concatenate([random_shifts([7], 20, seed)[:1, 0] for seed in range(3500)])
    assert np.bincount(first, minlength=7) == pytest.approx(np.full(7, 500), abs=90)
