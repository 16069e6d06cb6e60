"""Thresholds against distributions whose tails are known."""

import math
import statistics

import numpy as np
import pytest
from alarm_references import slow_root
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation.thresholds import (
    SAFE,
    Learnt,
    exceeded_by_maxima,
    is_number,
    learn,
    peaks_over_threshold,
    root,
    squared,
)


@pytest.mark.parametrize(
    ("distribution", "tolerance"),
    [(stats.norm(), 0.02), (stats.expon(scale=3), 0.03), (stats.genpareto(0.2), 0.04), (stats.uniform(5, 2), 0.005)],
    ids=["normal", "exponential", "heavy tail", "bounded"],
)
@pytest.mark.parametrize("risk", [1e-3, 1e-4])
def test_pot_finds_the_extreme_quantile_of_a_known_distribution(distribution, tolerance: float, risk: float) -> None:
    samples = [distribution.rvs(size=40_000, random_state=seed) for seed in range(8)]
    found = np.mean([peaks_over_threshold(scores, risk) for scores in samples])
    # above the 98 % quantile, not above 0: the bulk of the scores must not make up for a wrong tail
    start = distribution.isf(0.02)
    assert found - start == pytest.approx(distribution.isf(risk) - start, rel=tolerance)


def tail_far_from_the_bulk(num_scores: int) -> np.ndarray:
    """Shuffled scores, all different: 3 % have an exponential tail, which no fit from further below would follow."""
    rng = np.random.default_rng(2)
    tail = num_scores * 3 // 100
    return rng.permutation(np.concatenate([rng.uniform(size=num_scores - tail), 1 + rng.exponential(size=tail)]))


def test_pot_by_default_is_the_papers_formula_over_the_highest_2_percent_at_a_risk_of_1_in_10000() -> None:
    scores = tail_far_from_the_bulk(5001)
    start, *above = np.sort(scores)[4900:]
    assert len(above) == 100
    shape, _, spread = stats.genpareto.fit(np.array(above) - start, floc=0)
    expected = spread / shape * ((1e-4 * 5001 / 100) ** -shape - 1)
    assert peaks_over_threshold(scores) - start == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("num_scores", "num_equal", "is_fitted"), [(426, 1, False), (476, 1, True), (476, 2, False), (526, 2, True)]
)
def test_pot_fits_a_tail_of_10_different_scores_and_none_of_9(num_scores: int, num_equal: int, is_fitted: bool) -> None:
    scores = tail_far_from_the_bulk(num_scores)
    highest = np.argsort(scores)[-num_equal:]
    scores[highest] = scores.max()
    above = np.unique(scores[scores > np.quantile(scores, 0.98)])
    assert len(above) == (10 if is_fitted else 9)
    assert (peaks_over_threshold(scores) != scores.max()) == is_fitted


@pytest.mark.parametrize(("factor", "offset"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 100.0)])
def test_pot_moves_with_the_scores(factor: float, offset: float) -> None:
    scores = np.random.default_rng(0).exponential(size=3000)
    expected = peaks_over_threshold(scores) * factor + offset
    assert peaks_over_threshold(scores * factor + offset) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "scores", [np.zeros(500), np.array([1.0]), np.arange(20.0), np.repeat([0.0, 1.0], 400)], ids=str
)
def test_pot_of_scores_without_a_tail_is_the_highest(scores: np.ndarray) -> None:
    assert peaks_over_threshold(scores) == scores.max()


def test_rules() -> None:
    scores = np.random.default_rng(0).normal(size=1000)
    rules = {
        "0.5": 0.5,
        "-1e-3": -1e-3,
        "q0.9": np.quantile(scores, 0.9),
        "q1": scores.max(),
        "pot": peaks_over_threshold(scores),
        "maxima": exceeded_by_maxima(scores, 6.0),
    }
    for rule, expected in rules.items():
        assert learn(rule, 6.0, scores) == Learnt(expected, np.median(scores)), rule
        assert is_number(rule) == (rule in ("0.5", "-1e-3"))
    assert rules["pot"] > np.quantile(scores, 0.98)


@pytest.mark.parametrize("rule", ["maxima", "pot", "q0.9", "2.5"])
def test_scores_that_were_not_measured_teach_nothing(rule: str) -> None:
    scores = np.random.default_rng(0).gamma(2, size=2000)
    holed = np.insert(scores, np.arange(0, 2000, 7), np.nan)
    assert learn(rule, 6.0, holed) == learn(rule, 6.0, scores)
    for nothing in (None, np.zeros(0), np.full(5, np.nan)):
        assert learn(rule, 6.0, nothing) == Learnt(2.5 if rule == "2.5" else None, None)


# Maxima of blocks


@settings(deadline=None, max_examples=100, database=None)
@given(st.integers(1, 1000), st.sampled_from([0.01, 0.15, 1.0, 6.0, 50.0, 150.0]), st.integers(0, 1000))
def test_the_maxima_of_blocks_are_taken_for_gumbels(steps: int, risk: float, seed: int) -> None:
    """Against scipy's distribution with their mean and deviation, and Kite's standard error of its quantile."""
    scores = np.random.default_rng(seed).gamma(2, size=steps + 128) - 0.1
    number = len(scores) // 64
    starts = [int(block * (len(scores) / number)) for block in range(number)] + [len(scores)]
    maxima = [max(slow_root(score) for score in scores[a:b]) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    mean, deviation = statistics.mean(maxima), statistics.stdev(maxima)
    scale = deviation / stats.gumbel_r.std()
    gumbel = stats.gumbel_r(mean - scale * stats.gumbel_r.mean(), scale)
    assert (gumbel.mean(), gumbel.std()) == pytest.approx((mean, deviation))
    quantile = gumbel.isf(risk * 64 / 10_000)
    away = (quantile - mean) / deviation
    error = deviation * math.sqrt((1 + 1.1396 * away + 1.1 * away**2) / number)
    expected = quantile + SAFE * error
    assert exceeded_by_maxima(scores, risk) == pytest.approx(expected * abs(expected))


def in_blocks(number: int, seed: int) -> np.ndarray:
    """Scores whose roots have maxima, one in a block of 64, that do follow a Gumbel distribution."""
    rng = np.random.default_rng(seed)
    maxima = rng.gumbel(10, 1, size=number)
    distances = maxima[:, None] - rng.exponential(size=(number, 64))
    distances[np.arange(number), rng.integers(0, 64, number)] = maxima
    return np.sign(distances.ravel()) * distances.ravel() ** 2


@pytest.mark.parametrize("risk", [1.5, 6.0, 30.0])
def test_the_threshold_is_exceeded_as_often_as_the_risk_says(risk: float) -> None:
    """Of 10,000 normal steps so many of their blocks, where many are known; what is added for doubt is then little."""
    threshold = learn("maxima", risk, in_blocks(20_000, 0)).threshold
    above = in_blocks(40_000, 1).reshape(-1, 64).max(axis=1) > threshold
    assert 0.75 < above.sum() * 10_000 / (64 * len(above)) / risk < 1.1


@pytest.mark.parametrize("number", [20, 60])
def test_few_maxima_seldom_give_too_low_a_threshold(number: int) -> None:
    """Of so many blocks the quantile is uncertain: the true rate is above the risk in few of many trainings."""
    risk, probability = 20.0, 20.0 * 64 / 10_000
    found = [math.sqrt(learn("maxima", risk, in_blocks(number, seed)).threshold) for seed in range(300)]
    rates = stats.gumbel_r(10, 1).sf(found)
    assert np.mean(rates > probability) < 0.05
    assert np.median(rates) > probability / 30  # nor is it out of reach


@pytest.mark.parametrize("risk", [1.0, 6.0])
def test_energies_of_noise_exceed_it_hardly_more_often(risk: float) -> None:
    """Half of squared normals, whose maxima have a lighter tail than Gumbels, but not by much."""
    rng = np.random.default_rng(0)
    threshold = learn("maxima", risk, rng.normal(size=64 * 10_000) ** 2 / 2).threshold
    above = (rng.normal(size=(40_000, 64)) ** 2 / 2).max(axis=1) > threshold
    assert 0.3 < above.sum() * 10_000 / (64 * len(above)) / risk < 1.1


def test_a_higher_risk_is_a_lower_threshold() -> None:
    scores = np.random.default_rng(0).gamma(2, size=5000)
    found = [learn("maxima", risk, scores).threshold for risk in (0.01, 0.15, 1, 6, 100, 1e3, 1e6)]
    assert found == sorted(found, reverse=True) and np.isfinite(found).all()


@pytest.mark.parametrize("steps", [1, 63, 64, 127])
def test_one_block_has_no_deviation(steps: int) -> None:
    """The threshold is then a little above the highest score, as it is of scores that are all alike."""
    scores = np.random.default_rng(0).gamma(2, size=steps)
    assert scores.max() < learn("maxima", 6.0, scores).threshold < 1.05 * scores.max()
    for level in (4.0, 1e-9, 1e9):
        assert level < learn("maxima", 6.0, np.full(640, level)).threshold < 1.05 * level
    assert -4.0 < learn("maxima", 6.0, np.full(640, -4.0)).threshold < -3.9
    assert learn("maxima", 6.0, np.zeros(640)).threshold == 0


# Distances


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=20))
def test_the_root_and_the_square_undo_each_other(values: list[float]) -> None:
    scores = np.array(values)
    np.testing.assert_allclose(squared(root(scores)), scores, rtol=1e-14)
    distances = np.sign(scores) * np.abs(scores) ** 0.5
    np.testing.assert_allclose(root(scores), distances, rtol=1e-14)
    order = np.argsort(scores, kind="stable")
    assert (np.diff(root(scores)[order]) >= 0).all()


def test_an_energy_is_half_a_squared_distance_and_keeps_its_sign() -> None:
    assert root(np.array([9.0, 0.0, -4.0])).tolist() == [3, 0, -2]
    assert squared(np.array([3.0, 0.0, -2.0])).tolist() == [9, 0, -4]
