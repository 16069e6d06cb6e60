"""What a policy of alarms promises, whatever the scores: the loop it is compared with is in test_watch.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alarm_references import slow_pruned
from conftest import plain_policy
from hypothesis import given, settings
from hypothesis import strategies as st
from test_watch import learnt_of, policies, series

from evaluation.alarms import HISTORY, Policy, limits, raise_alarms, under_alarm
from evaluation.thresholds import Learnt, learn, root
from metrics.events import Alarm
from settings.load import load_config

NAN = np.nan
RECIPES = Path(__file__).parents[1] / "configs"
PLAIN = plain_policy("maxima")
LEARNT = Learnt(4.0, 1.0)


def policy_of(recipe: str, **chosen) -> Policy:
    return Policy.of(load_config(RECIPES / f"{recipe}.py", keywords=chosen))


def spans(found: list[Alarm]) -> list[tuple[int, int]]:
    return [(alarm.start, alarm.end) for alarm in found]


def energies(steps: int, seed: int) -> np.ndarray:
    """Scores (T,) of a series as normal as its training: half of squared noise, smoothed."""
    energy = (np.random.default_rng(seed).normal(size=(6, steps + 63)) ** 2).sum(axis=0) / 2
    return np.convolve(energy, np.full(64, 1 / 64), mode="valid")


# The settings


def test_a_policy_is_what_the_settings_say() -> None:
    chosen = {
        "threshold": "pot", "risk": 2.5, "contrast": 0.3, "release": 0.7, "join": 9, "least_length": 2, "prune": 0.1,
        "cool_down": 4, "moved_after": 70, "drift": 11, "causal": True,
    }  # fmt: skip
    assert Policy.of(load_config(RECIPES / "line.py", keywords=chosen)) == Policy(**chosen, factor=1.0)


def test_nothing_is_raised_where_nothing_was_learnt() -> None:
    found, going = raise_alarms(np.array([1.0, 1e9, NAN]), Learnt(None, None), PLAIN)
    assert found == [] and not going.any() and going.shape == (3,)


def test_steps_under_alarm() -> None:
    found = under_alarm([Alarm(1, 2, 1.0, 1, 1.0), Alarm(5, 5, 1.0, 5, 1.0)], 7)
    assert found.tolist() == [False, True, True, False, False, True, False]


# Promises


@settings(deadline=None, max_examples=300, database=None)
@given(series(), learnt_of, policies, st.lists(st.sampled_from([0.1, 0.5, 1.0, 1.5, 4.0]), min_size=2, max_size=2))
def test_a_higher_threshold_alarms_at_no_other_step(
    scores: np.ndarray, learnt: Learnt, policy: Policy, factors: list[float]
) -> None:
    policy = replace(policy, prune=0.0, moved_after=0, cool_down=0)
    lower, higher = (raise_alarms(scores, learnt, replace(policy, factor=factor)) for factor in sorted(factors))
    covered = [under_alarm(alarms, len(scores)) for alarms, _ in (lower, higher)]
    assert (covered[0] | ~covered[1]).all()
    assert (lower[1] | ~higher[1]).all()


@settings(deadline=None, max_examples=200, database=None)
@given(series(), learnt_of, policies, st.integers(0, 100))
def test_a_causal_policy_looks_at_no_later_score(
    scores: np.ndarray, learnt: Learnt, policy: Policy, length: int
) -> None:
    policy = replace(policy, causal=True)
    alarms, going = raise_alarms(scores, learnt, policy)
    before, earlier = raise_alarms(scores[:length], learnt, policy)
    np.testing.assert_array_equal(earlier, going[:length])
    done = [alarm for alarm in before if alarm.end + max(policy.join, 1) < length - np.isnan(scores).sum()]
    assert all(any(alarm.start == other.start for other in alarms) for alarm in done)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rule", ["maxima", "pot", "q0.99"])
@settings(deadline=None, max_examples=30, database=None)
@given(seed=st.integers(0, 10_000), power=st.integers(-8, 8), policy=policies)
def test_the_size_of_scores_does_not_matter(rule: str, causal: bool, seed: int, power: int, policy: Policy) -> None:
    """Times a power of 4, of which roots and products are exact: the same alarms, so many times as high."""
    policy = replace(policy, threshold=rule, causal=causal, prune=0.05)
    rng, size = np.random.default_rng(seed), 4.0**power
    train, test = rng.gamma(2, size=1500), rng.gamma(2, size=600) * np.repeat(rng.choice([1, 1, 1, 3], 60), 10)
    test[rng.random(600) < 0.1] = NAN
    expected, going = raise_alarms(test, learn(rule, policy.risk, train), policy)
    found, kept = raise_alarms(test * size, learn(rule, policy.risk, train * size), policy)
    assert found == [replace(alarm, peak=alarm.peak * size, limit=alarm.limit * size) for alarm in expected]
    np.testing.assert_array_equal(kept, going)


@pytest.mark.parametrize("size", [1e-6, 0.3, 7.0, 1e6])
@pytest.mark.parametrize("recipe", ["line", "telemetry"])
def test_nor_does_any_other_size(recipe: str, size: float) -> None:
    policy, rng, number = policy_of(recipe), np.random.default_rng(0), 0
    for seed in range(10):
        train, test = energies(3000, seed), energies(4000, 50 + seed)
        test[1000 : 1000 + 40 * seed] *= rng.uniform(1, 4)
        expected, _ = raise_alarms(test, learn(policy.threshold, policy.risk, train), policy)
        found, _ = raise_alarms(test * size, learn(policy.threshold, policy.risk, train * size), policy)
        assert [(a.start, a.end, a.at, a.moved) for a in found] == [(a.start, a.end, a.at, a.moved) for a in expected]
        for one, other in zip(found, expected, strict=True):
            assert (one.peak, one.limit) == pytest.approx((other.peak * size, other.limit * size), rel=1e-9)
        number += len(found)
    assert number >= 5


# Silence


@pytest.mark.parametrize("level", [0.0, 1e-12, 3.0, -2.0, 1e9])
@pytest.mark.parametrize("rule", ["maxima", "pot", "q0.99", "q1"])
@pytest.mark.parametrize("recipe", ["line", "telemetry"])
def test_constant_scores_are_silent(recipe: str, rule: str, level: float) -> None:
    policy, constant = policy_of(recipe, threshold=rule), np.full(3000, level)
    for causal in (False, True):
        found, _ = raise_alarms(constant, learn(rule, policy.risk, constant), replace(policy, causal=causal))
        assert found == []


@pytest.mark.parametrize("recipe", ["line", "telemetry"])
@pytest.mark.parametrize("causal", [False, True])
def test_quiet_scores_raise_few_alarms(recipe: str, causal: bool) -> None:
    """Per 10,000 steps no more than the risk allows, by thresholds of other 4,000 steps."""
    policy = replace(policy_of(recipe), causal=causal)
    learnt = [learn(policy.threshold, policy.risk, energies(4000, seed)) for seed in range(20)]
    found = [raise_alarms(energies(10_000, 100 + seed), known, policy)[0] for seed, known in enumerate(learnt)]
    assert sum(map(len, found)) / len(found) <= policy.risk


# What lies above the learnt threshold, but does not stand out


def test_what_does_not_stand_out_from_the_scored_series_is_no_alarm() -> None:
    """The level has moved from 1 to 16 before all that is scored: 25 is little, 100 is much."""
    scores = np.full(200, 16.0)
    scores[50:53], scores[120:123] = 25.0, 100.0
    assert spans(raise_alarms(scores, LEARNT, PLAIN)[0]) == [(0, 199)]
    (alarm,) = raise_alarms(scores, LEARNT, replace(PLAIN, contrast=0.4))[0]
    assert (alarm.start, alarm.end) == (120, 122)
    assert alarm.limit == pytest.approx((4 + 0.4 * (10 - 4)) ** 2)  # of the roots
    (alarm,) = raise_alarms(np.where(scores == 16, 0.0, scores), LEARNT, replace(PLAIN, contrast=0.1, join=200))[0]
    assert (alarm.start, alarm.end, alarm.limit) == (50, 122, pytest.approx(4.0))  # the learnt one is the least


def test_an_alarm_goes_on_down_to_a_share_of_the_way_that_started_it() -> None:
    rise = np.array([1, 1, 1, 1, 1, 1, 1, 1, 3, 5, 7, 9, 11, 9, 7, 5, 3, 1, 1, 1.0]) ** 2
    for release, expected in ((1.0, (11, 13)), (0.75, (10, 14)), (0.5, (9, 15)), (0.25, (9, 15)), (0.0, (9, 15))):
        policy = replace(PLAIN, contrast=0.6, release=release)  # more than 7; 5.5, 4, 2.5 and 1 to go on
        learnt = Learnt(16.0, 1.0)
        (alarm,) = raise_alarms(rise, learnt, policy)[0]
        assert (alarm.start, alarm.end) == (11, expected[1])
        assert alarm.limit == pytest.approx(49)


def test_a_causal_contrast_is_with_what_came_before() -> None:
    scores = np.full(200, 1.0)
    scores[50], scores[150] = 25.0, 400.0
    policy = replace(PLAIN, contrast=0.4)
    assert spans(raise_alarms(scores, LEARNT, policy)[0]) == [(150, 150)]
    assert spans(raise_alarms(scores, LEARNT, replace(policy, causal=True))[0]) == [(50, 50), (150, 150)]
    backwards = raise_alarms(scores[::-1], LEARNT, replace(policy, causal=True))[0]
    assert spans(backwards) == [(49, 49)]  # 25 is little after 400


def test_a_causal_contrast_forgets() -> None:
    scores = np.full(HISTORY + 200, 1.0)
    scores[10], scores[HISTORY + 9], scores[HISTORY + 10] = 400.0, 25.0, 25.0
    (first, second) = raise_alarms(scores, LEARNT, replace(PLAIN, contrast=0.4, causal=True))[0]
    assert (first.start, second.start, second.end) == (10, HISTORY + 10, HISTORY + 10)


def test_a_number_is_taken_as_it_is() -> None:
    """Neither a contrast nor a drift moves a threshold that somebody has set, and what is above it is not pruned."""
    scores = np.concatenate([np.linspace(1, 36, 500), [400.0], np.full(99, 36.0)])
    policy = replace(plain_policy("30"), contrast=0.9, drift=50, prune=0.9)
    (alarm,) = raise_alarms(scores, learn("30", 6.0, np.ones(100)), policy)[0]
    assert (alarm.start, alarm.end) == (int(np.flatnonzero(scores > 30)[0]), 599)
    assert alarm.limit == pytest.approx(30)
    scores[520] = 29.0
    assert spans(raise_alarms(scores, learn("30", 6.0, np.ones(100)), policy)[0]) == [(alarm.start, 519), (521, 599)]


@pytest.mark.parametrize("contrast", [0.0, 0.4])
@pytest.mark.parametrize("causal", [False, True])
def test_what_changes_slowly_is_no_event(contrast: float, causal: bool) -> None:
    """A ramp far above the threshold raises none, and a step of less does, also on the ramp.

    That alarm ends where the step does: the ramp, at which it started, keeps none going either.
    """
    noise = np.random.default_rng(0).uniform(-0.05, 0.05, 6000)
    ramp = (np.interp(np.arange(6000), [500, 5500], [1, 6]) + noise) ** 2
    policy = replace(PLAIN, contrast=contrast, causal=causal, drift=250)
    assert ramp.max() > 8 * LEARNT.threshold and raise_alarms(ramp, LEARNT, policy)[0] == []
    assert raise_alarms(ramp, LEARNT, replace(policy, drift=0))[0]
    step = ramp.copy()
    step[4000:4020] = (np.sqrt(ramp[4000:4020]) + 3) ** 2
    assert spans(raise_alarms(step, LEARNT, policy)[0]) == [(4000, 4019)]
    step[4000:] = (np.sqrt(ramp[4000:]) + 3) ** 2
    assert spans(raise_alarms(step, LEARNT, policy)[0]) == [(4000, 5999)]  # longer than what the level is taken of
    (alarm,) = raise_alarms(step, LEARNT, replace(policy, moved_after=500))[0]
    assert (alarm.start, alarm.end, alarm.moved) == (4000, 4499, True)
    early = ramp.copy()
    early[300:320] = (np.sqrt(early[300:320]) + 5) ** 2
    assert spans(raise_alarms(early, LEARNT, policy)[0]) == [(300, 319)]


def test_a_drift_never_lowers_a_threshold() -> None:
    scores = np.concatenate([np.zeros(100), [3.9, 0, 4.1]])
    (alarm,) = raise_alarms(scores, LEARNT, replace(PLAIN, drift=50))[0]
    assert (alarm.start, alarm.limit) == (102, pytest.approx(4.0))


def test_limits_are_of_every_step() -> None:
    scores = np.array([1.0, 4, 9, 100])
    needed = limits(scores, np.full(4, 4.0), 1.0, replace(PLAIN, factor=2.25))
    for factor, expected in ((1.0, 2.0), (2.25, 3.0)):
        assert [roots.tolist() for roots in needed.times(factor)] == [[expected] * 4] * 3
    start, go_on, _ = limits(scores, np.full(4, 4.0), 1.0, replace(PLAIN, contrast=0.5, release=0.5))
    np.testing.assert_allclose(start, 2.5 + 0.5 * 7.5)  # of 1, 2, 3 and 10
    np.testing.assert_allclose(go_on, 2.5 + 0.25 * 7.5)
    before = np.array([1.0, 1, 1, 900])
    start, _, _ = limits(scores, np.full(4, 4.0), 1.0, replace(PLAIN, contrast=0.5, causal=True), before)
    medians = [np.median(root(np.append(before, scores[:number]))) for number in (1, 2, 3, 4)]
    np.testing.assert_allclose(start, np.maximum(2, [m + 0.5 * (30 - m) for m in medians]))
    start, go_on, risen = limits(scores, np.full(4, 4.0), 1.0, replace(PLAIN, drift=3), np.array([1.0, 9, 9]))
    np.testing.assert_allclose(risen, [4, 4, 3, 3])  # 2 above medians of 3, 3, 2 and 2, where 1 is usual
    assert start.tolist() == risen.tolist() and go_on.tolist() == [2.0] * 4


# Pruning


def peaks(*heights: float, normal: float = 1.0) -> np.ndarray:
    """Scores with single steps of these heights, far apart, on a normal level: roots of scores, squared here."""
    distances = np.full(10 * len(heights) + 5, float(normal))
    distances[5::10][: len(heights)] = heights
    return distances**2


def pruned(scores: np.ndarray, prune: float, **policy) -> list[float]:
    """The roots of the peaks of the alarms that are left."""
    return [float(np.sqrt(a.peak)) for a in raise_alarms(scores, LEARNT, replace(PLAIN, prune=prune, **policy))[0]]


def test_alarms_whose_peaks_do_not_stand_out_are_dropped() -> None:
    assert pruned(peaks(10, 5, 3), 0.05) == pytest.approx([10, 5, 3])
    assert pruned(peaks(10, 3, 2.9, normal=2), 0.05) == pytest.approx([10, 3, 2.9])  # 2.9 stands out from 2
    assert pruned(peaks(10, 2.06, 2.05, normal=2), 0.05) == pytest.approx([10])
    assert pruned(peaks(2.06, 2.05, 2.04, normal=2), 0.05) == []
    assert pruned(peaks(2.06, 2.05, 2.04, normal=2), 0.0) == pytest.approx([2.06, 2.05, 2.04])
    assert pruned(peaks(8, 10, 9.9), 0.15) == pytest.approx([8, 10, 9.9])  # those before the last that does are kept
    assert pruned(peaks(2.06, 10, 2.05, normal=2), 0.05, causal=True) == pytest.approx([2.06, 10, 2.05])


def test_a_peak_must_stand_out_by_more_than_the_share() -> None:
    assert pruned(peaks(10, 4, normal=2), 0.5) == pytest.approx([10])  # 4 is by half above 2, and 10 by more above 4
    assert pruned(peaks(10, 4, normal=2), 0.49) == pytest.approx([10, 4])


def test_where_everything_is_under_alarm_there_is_nothing_to_stand_out_from() -> None:
    assert spans(raise_alarms(np.full(50, 9.0), LEARNT, replace(PLAIN, prune=0.9))[0]) == [(0, 49)]
    assert spans(raise_alarms(np.full(50, -1.0), Learnt(-4.0, -9.0), replace(PLAIN, prune=0.9))[0]) == [(0, 49)]


def test_a_level_that_has_moved_is_no_normal_score_to_stand_out_from() -> None:
    scores = np.repeat([1.0, 16, 1], [50, 60, 50])
    scores[140] = 9.0
    found = raise_alarms(scores, LEARNT, replace(PLAIN, moved_after=20, prune=0.05))[0]
    assert spans(found) == [(50, 69), (140, 140)]


@settings(deadline=None, max_examples=200, database=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 20), st.sampled_from([0.01, 0.1, 0.3]))
def test_pruning_against_a_loop(heights: list[int], normal: int, share: float) -> None:
    scores = np.array([value for height in heights for value in (height / 4, normal / 10)]) ** 2
    scores[::7] = NAN
    before = raise_alarms(scores, LEARNT, PLAIN)[0]
    expected = slow_pruned(before, scores, set(), share)
    assert raise_alarms(scores, LEARNT, replace(PLAIN, prune=share))[0] == expected
