"""Thresholds against distributions whose tails are known, and alarms against loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation.alarms import alarms_of, learn_threshold, peaks_over_threshold


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
    assert learn_threshold("0.5", scores) == 0.5
    assert learn_threshold("-1e-3", scores) == -1e-3
    assert learn_threshold("q0.9", scores) == np.quantile(scores, 0.9)
    assert learn_threshold("q1", scores) == scores.max()
    assert learn_threshold("pot", scores) == peaks_over_threshold(scores) > np.quantile(scores, 0.98)


@settings(deadline=None, database=None)
@given(st.lists(st.integers(-3, 3), max_size=40), st.integers(-3, 3))
def test_alarms_are_the_runs_above_the_threshold(values: list[int], threshold: int) -> None:
    scores = np.array(values, dtype=float)
    covered = set()
    for alarm in alarms_of(scores, threshold):
        inside = values[alarm.start : alarm.end + 1]
        assert min(inside) > threshold and max(inside) == alarm.peak
        assert alarm.start == 0 or values[alarm.start - 1] <= threshold
        assert alarm.end == len(values) - 1 or values[alarm.end + 1] <= threshold
        covered |= set(range(alarm.start, alarm.end + 1))
    assert covered == {step for step, value in enumerate(values) if value > threshold}
