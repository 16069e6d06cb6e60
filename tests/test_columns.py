"""Scores of columns put together to those of a channel, against loops over single steps."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import Combination
from drawing.steps import moving_moments
from runs.rows import COLUMN_CELL, channel_score, moving_mean, per_cell, time_step_scores

NAN = np.nan
few = settings(deadline=None, max_examples=60, database=None)
sizes = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 40), st.integers(0, 2**32 - 1))


def made(columns: int, rows: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (columns, rows, T), some of them alike or 0, and where the columns were measured, (columns, T)."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (columns, rows, steps)) * rng.choice([0.5, 1.25, 40])
    return scores.astype(np.float32), rng.random((columns, steps)) < 0.7


def combined(how: str, number: int, scores: np.ndarray, measured: np.ndarray):
    combination = Combination(how, number)
    for column, known in zip(scores, measured, strict=True):
        combination.add(column, known)
    return combination.scores()


def by_hand(how: str, number: int, known: list[float]) -> float:
    """What the scores of the measured columns at one step give."""
    if not known:
        return NAN
    if how == "max":
        return max(known)
    if how == "highest":
        return float(np.mean(sorted(known, reverse=True)[:number]))
    if how == "logs":
        return float(np.exp(np.mean([np.log(score + 1e-12) for score in known])))
    return float(np.mean(known))


@pytest.mark.parametrize("how", ["mean", "max", "highest", "logs"])
@few
@given(sizes, st.integers(1, 6))
def test_every_step_by_the_columns_measured_there(how: str, size: tuple[int, ...], number: int) -> None:
    scores, measured = made(*size)
    found = combined(how, number, scores, measured).rows
    expected = np.array(
        [
            [
                by_hand(how, number, [float(s[row, t]) for s, m in zip(scores, measured, strict=True) if m[t]])
                for t in range(scores.shape[2])
            ]
            for row in range(scores.shape[1])
        ]
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-12)


@pytest.mark.parametrize("how", ["mean", "max", "highest", "logs"])
def test_the_order_of_the_columns_does_not_matter(how: str) -> None:
    scores, measured = made(5, 2, 60, 3)
    order = [3, 0, 4, 2, 1]
    found, turned = combined(how, 2, scores, measured), combined(how, 2, scores[order], measured[order])
    np.testing.assert_allclose(turned.rows, found.rows, rtol=1e-6)
    np.testing.assert_array_equal(turned.of_columns, found.of_columns[order])


def test_between_mean_and_maximum() -> None:
    """The mean of the highest k falls from the maximum, of one column, to the mean, of all."""
    scores, measured = made(4, 1, 200, 5)
    measured[:] = True
    rows = [combined("highest", number, scores, measured).rows for number in (1, 2, 3, 4, 9)]
    np.testing.assert_array_equal(rows[0], combined("max", 7, scores, measured).rows)
    np.testing.assert_allclose(rows[3], combined("mean", 1, scores, measured).rows, rtol=1e-6)
    np.testing.assert_array_equal(rows[4], rows[3])
    assert all((a >= b - 1e-6).all() and (a > b).any() for a, b in zip(rows[:3], rows[1:4], strict=True))


@few
@given(sizes)
def test_what_columns_have_is_the_sum_of_their_rows_by_cell(size: tuple[int, ...]) -> None:
    scores, measured = made(*size)
    found = combined("highest", 2, scores, measured).of_columns
    if len(scores) == 1:
        assert found is None
        return
    assert found.shape == (len(scores), -(-scores.shape[2] // COLUMN_CELL)) and found.dtype == np.float32
    for column, known, cells in zip(scores, measured, found, strict=True):
        for cell, value in enumerate(cells):
            inside = [t for t in range(8 * cell, min(8 * cell + 8, scores.shape[2])) if known[t]]
            expected = np.mean([column[:, t].sum() for t in inside]) if inside else NAN
            np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert COLUMN_CELL == 8


def test_an_unknown_way_is_an_error() -> None:
    with pytest.raises(ValueError, match="combine = 'median', expected one of mean, max, highest, logs"):
        Combination("median", 1)


# Rows of a channel


@few
@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1, max_size=40), st.integers(1, 12))
def test_means_per_cell(values: list[float | None], cell: int) -> None:
    array = np.array([NAN if value is None else value for value in values])
    groups = [array[start : start + cell] for start in range(0, len(array), cell)]
    expected = [np.mean(known) if len(known := group[~np.isnan(group)]) else NAN for group in groups]
    np.testing.assert_allclose(per_cell(array, cell), expected, rtol=1e-6, atol=1e-5)


def moving_by_hand(scores: np.ndarray, window: int, trailing: bool) -> list[float]:
    """The mean of the measured among `window` steps: those up to each, or window // 2 before it and the rest behind."""
    found = []
    for step, score in enumerate(scores):
        first = step - (window - 1 if trailing else window // 2)
        around = scores[max(first, 0) : max(first + window, 0)]
        found.append(NAN if np.isnan(score) else float(np.mean(around[~np.isnan(around)])))
    return found


def series_with_holes(size: int, seed: int, share: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(size) < share, NAN, rng.gamma(2, size=size))


@few
@given(st.integers(1, 90), st.integers(1, 40), st.booleans(), st.sampled_from([0.0, 0.3, 0.95]))
def test_a_moving_mean_skips_what_was_not_measured(size: int, window: int, trailing: bool, share: float) -> None:
    scores = series_with_holes(size, window, share)
    expected = moving_by_hand(scores, window, trailing)
    np.testing.assert_allclose(moving_mean(scores, window, trailing), expected, rtol=1e-9)


@pytest.mark.parametrize("window", [1, 2, 31, 64])
def test_a_trailing_mean_is_that_of_pandas(window: int) -> None:
    scores = series_with_holes(400, 1, 0.4)
    expected = pd.Series(scores).rolling(window, min_periods=1).mean().where(~np.isnan(scores))
    np.testing.assert_allclose(moving_mean(scores, window, trailing=True), expected, rtol=1e-9)


@pytest.mark.parametrize("window", [1, 7, 63])
def test_a_centred_mean_is_that_of_pandas(window: int) -> None:
    scores = series_with_holes(400, 2, 0.4)
    expected = pd.Series(scores).rolling(window, min_periods=1, center=True).mean().where(~np.isnan(scores))
    np.testing.assert_allclose(moving_mean(scores, window, trailing=False), expected, rtol=1e-9)


@pytest.mark.parametrize("window", [1, 2, 9, 64, 10**6])
def test_without_holes_it_is_the_mean_of_the_window(window: int) -> None:
    scores = series_with_holes(300, 3, 0.0)
    np.testing.assert_array_equal(moving_mean(scores, window, trailing=False), moving_moments(scores, window).mean)
    if window <= 64:
        full = np.convolve(scores, np.ones(window) / window, mode="valid")
        np.testing.assert_allclose(moving_mean(scores, window, trailing=True)[window - 1 :], full, rtol=1e-9)


def test_rows_are_calibrated_added_and_smoothed_where_measured() -> None:
    rng = np.random.default_rng(4)
    train, rows = rng.gamma(2, size=(3, 500)), rng.gamma(2, size=(3, 100))
    train[:, 40:60], rows[:, 10:25] = NAN, NAN
    centre = np.array([np.median(row[~np.isnan(row)]) for row in train])
    spread = np.array([np.quantile(row[~np.isnan(row)], 0.99) for row in train]) - centre
    for calibration, expected in (
        ("none", rows.sum(axis=0)),
        ("center", (rows - centre[:, None]).sum(axis=0)),
        ("quantile", ((rows - centre[:, None]) / spread[:, None]).sum(axis=0)),
    ):
        for trailing in (False, True):
            found = time_step_scores(rows, train, calibration, 8, trailing)
            assert np.flatnonzero(np.isnan(found)).tolist() == list(range(10, 25))
            np.testing.assert_allclose(found, moving_by_hand(expected, 8, trailing), rtol=1e-9)
    np.testing.assert_allclose(time_step_scores(rows, None, "none", 1), rows.sum(axis=0))


@pytest.mark.parametrize("top_k", [0.03, 0.001, 1.0])
def test_the_score_of_a_channel_is_that_of_its_highest_steps(top_k: float) -> None:
    rows = np.random.default_rng(6).gamma(2, size=(2, 400))
    rows[:, 50:350] = NAN  # 100 steps are left
    known = sorted(score for score in moving_by_hand(rows.sum(axis=0), 5, trailing=False) if not np.isnan(score))
    expected = np.mean(known[-max(1, int(100 * top_k)) :])
    assert channel_score(rows, top_k, 5) == pytest.approx(expected, rel=1e-9)


def test_what_was_never_measured_has_no_score_and_no_warning() -> None:
    nothing = np.full((2, 50), NAN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(channel_score(nothing, 0.03, 5))
        assert np.isnan(time_step_scores(nothing, None, "none", 5)).all()
        assert np.isnan(combined("logs", 1, np.ones((2, 1, 9), np.float32), np.zeros((2, 9), bool)).rows).all()
