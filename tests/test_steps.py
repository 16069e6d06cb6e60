"""Windows cover a series and join to it again, and coarse steps come back at their steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_references import few, long_series

from drawing.steps import coarsen, join_windows, refine, training_parts, window_starts


@settings(deadline=None, max_examples=150, database=None)
@given(st.integers(1, 5000), st.integers(1, 700), st.data())
def test_windows_cover_the_series_evenly_and_end_with_it(num_steps: int, window: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, window))
    starts = window_starts(num_steps, window, step)
    assert starts[0] == 0
    assert starts[-1] == max(num_steps - window, 0)
    assert (np.diff(starts)[:-1] == step).all()
    assert all(0 < distance <= step for distance in np.diff(starts))
    covered = np.zeros(num_steps, dtype=bool)
    for start in starts:
        covered[start : start + window] = True
    assert covered.all()


@settings(deadline=None, max_examples=60, database=None)
@given(st.integers(1, 300), st.integers(1, 80), st.data())
def test_joined_windows_are_the_mean_of_what_every_window_says(num_steps: int, window: int, data) -> None:
    starts = window_starts(num_steps, window, data.draw(st.integers(1, window)))
    scores = np.random.default_rng(num_steps).normal(size=(len(starts), window))
    joined = join_windows(scores, starts, num_steps)
    assert joined.shape == (num_steps,)
    for step in range(num_steps):
        said = [row[step - start] for row, start in zip(scores, starts, strict=True) if 0 <= step - start < window]
        assert joined[step] == pytest.approx(np.mean(said), abs=1e-12)


@settings(deadline=None, max_examples=30, database=None)
@given(long_series, st.integers(32, 2048), st.floats(0.01, 1))
def test_cutting_and_joining_gives_the_series_back(num_steps: int, window: int, share: float) -> None:
    series = np.sin(np.arange(num_steps) / 9)
    starts = window_starts(num_steps, window, max(32, round(share * window)) if window > 32 else window)
    cut = np.stack([np.pad(part, (0, window - len(part))) for part in (series[s : s + window] for s in starts)])
    np.testing.assert_allclose(join_windows(cut, starts, num_steps), series, rtol=0, atol=1e-12)


def test_windows_that_leave_gaps_are_an_error() -> None:
    for bad in [(100, 32, 33), (100, 32, 0), (0, 32, 16), (100, 0, 0)]:
        with pytest.raises(ValueError, match="without a gap"):
            window_starts(*bad)
    with pytest.raises(ValueError, match="no window holds step 4 of 10"):
        join_windows(np.zeros((2, 4)), np.array([0, 6]), 10)


# Parts that are held out


@pytest.mark.parametrize("num_steps", [1, 4, 5, 6, 23, 8640])
def test_the_parts_of_a_training_series_are_about_alike_and_hold_every_step_once(num_steps: int) -> None:
    parts = training_parts(num_steps)
    assert len(parts) == min(5, num_steps)
    assert [step for part in parts for step in range(*part)] == list(range(num_steps))
    assert {stop - start for start, stop in parts} <= {num_steps // len(parts), -(-num_steps // len(parts))}


# Coarser steps


@pytest.mark.parametrize("num_steps, factor", [(1, 1), (12, 1), (12, 4), (13, 4), (3, 4), (8640, 7)])
def test_coarse_steps_are_the_means_of_their_groups(num_steps: int, factor: int) -> None:
    series = np.random.default_rng(0).normal(size=(num_steps, 3))
    groups = [series[start : start + factor] for start in range(0, num_steps, factor)]
    whole = [np.vstack([group] + [series[-1:]] * (factor - len(group))) for group in groups]
    expected = [group.mean(axis=0) for group in whole]
    np.testing.assert_allclose(coarsen(series, factor), expected, rtol=0, atol=1e-12)


@few
@given(long_series, st.integers(1, 40))
def test_scores_of_coarse_steps_come_back_at_their_steps(num_steps: int, factor: int) -> None:
    steps = np.arange(num_steps)
    scores = refine(coarsen(np.stack([steps, -2.0 * steps], axis=1), factor).T, factor, num_steps)
    centre = (factor - 1) / 2  # before the first and behind the last centre the score stays
    inside = (steps >= centre) & (steps <= num_steps // factor * factor - 1 - centre)
    assert scores.shape == (2, num_steps)
    np.testing.assert_allclose(scores[:, inside], [steps[inside], -2.0 * steps[inside]], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scores[:, 0], [centre, -2 * centre], atol=1e-9)
