"""What is drawn in a gap, against a loop that follows the rule word by word."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing.gaps import SHORT, filled, made_up

NAN = np.nan
ramp = np.arange(1.0, 101.0)


def with_gap(start: int, stop: int) -> np.ndarray:
    values = ramp.copy()
    values[start:stop] = NAN
    return values


def filled_by_hand(values: list[float]) -> list[float]:
    """Every step by itself, by looking to either side."""
    places = [step for step, value in enumerate(values) if not np.isnan(value)]
    result = []
    for step, value in enumerate(values):
        before = max((place for place in places if place < step), default=None)
        behind = min((place for place in places if place > step), default=None)
        if step in places:
            result.append(value)
        elif not places:
            result.append(0.0)
        elif before is not None and behind is not None and behind - before - 1 <= SHORT:
            share = (step - before) / (behind - before)
            result.append(values[before] + share * (values[behind] - values[before]))
        elif behind is None or (before is not None and step - before <= behind - step):
            mirrored = before - (step - before)
            result.append(values[next(place for place in places if place >= mirrored)])
        else:
            mirrored = behind + (behind - step)
            result.append(values[[place for place in places if place <= mirrored][-1]])
    return result


def test_what_has_no_gap_is_not_touched() -> None:
    assert filled(ramp) is ramp


def test_a_short_gap_is_bridged_by_a_line() -> None:
    values = with_gap(30, 30 + SHORT)
    np.testing.assert_allclose(filled(values), ramp)
    assert np.isnan(values[30])  # what is given stays as it was


def test_a_long_gap_is_mirrored_from_both_sides() -> None:
    found = filled(with_gap(40, 51))  # 11 steps, between the values 40 at step 39 and 52 at step 51
    assert found[40:51].tolist() == [39, 38, 37, 36, 35, 34, 57, 56, 55, 54, 53]
    np.testing.assert_array_equal(np.delete(found, np.s_[40:51]), np.delete(ramp, np.s_[40:51]))


def test_the_ends_are_mirrored_too() -> None:
    assert filled(with_gap(0, 3))[:4].tolist() == [7, 6, 5, 4]
    assert filled(with_gap(97, 100))[96:].tolist() == [97, 96, 95, 94]
    # where the mirror shows nothing any more the last value stays
    assert filled(np.array([NAN] * 12 + [1.0, 2.0])).tolist() == [2.0] * 12 + [1, 2]
    assert filled(np.array([5.0] + [NAN] * 3)).tolist() == [5.0] * 4


def test_the_mirror_shows_the_nearest_value_towards_the_edge() -> None:
    values = with_gap(40, 60)
    values[35:38] = NAN  # the mirrored steps of 40 .. 42 are 38, 37, 36
    assert filled(values)[40:44].tolist() == [39, 39, 39, 39]
    assert filled(values)[44] == 35


def test_a_sensor_that_reports_seldom_stays_at_its_nearest_value() -> None:
    values = np.full(61, NAN)
    values[::20] = [1, 2, 3, 4]
    expected = [1] * 11 + [2] * 20 + [3] * 20 + [4] * 10  # of two that are as near the earlier
    assert filled(values).tolist() == expected


def test_nothing_measured_is_zero() -> None:
    assert filled(np.full(20, NAN)).tolist() == [0] * 20
    assert filled(np.array([NAN, np.inf, NAN])).tolist() == [0] * 3


# runs of (steps, measured) put together to a series
pieces = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=12)


def series_of(runs: list[tuple[int, bool]]) -> np.ndarray:
    measured = np.concatenate([np.full(steps, known) for steps, known in runs])
    return np.where(measured, np.random.default_rng(len(measured)).normal(size=len(measured)), NAN)


@settings(deadline=None, max_examples=150, database=None)
@given(pieces)
def test_every_step_by_the_rule(runs: list[tuple[int, bool]]) -> None:
    values = series_of(runs)
    np.testing.assert_allclose(filled(values), filled_by_hand(values.tolist()), rtol=1e-12, atol=1e-15)


@settings(deadline=None, max_examples=150, database=None)
@given(pieces, pieces, st.data())
def test_what_comes_far_behind_changes_nothing(
    runs: list[tuple[int, bool]], more: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """A gap is drawn from what lies as far from its edge as the step does: what lies behind that may come later."""
    values = series_of(runs)
    known = data.draw(st.integers(1, len(values)))  # steps that are the same in both
    found, other = filled(values), filled(np.append(values[:known], series_of(more) + 3))
    for step in range(known):
        behind = next((place for place in range(step, known) if not np.isnan(values[place])), None)
        if behind is not None and 2 * behind - step < known:
            assert found[step] == other[step]


@settings(deadline=None, max_examples=100, database=None)
@given(pieces)
def test_made_up_are_the_long_gaps(runs: list[tuple[int, bool]]) -> None:
    values = series_of(runs)
    text = "".join("x" if np.isnan(value) else "." for value in values)
    expected = re.sub(r"x+", lambda gap: ("1" if len(gap[0]) > SHORT else "0") * len(gap[0]), text).replace(".", "0")
    assert made_up(values).tolist() == [mark == "1" for mark in expected]


@pytest.mark.parametrize("gap", [0, 1, SHORT, SHORT + 1, 24])
def test_time_backwards_is_filled_backwards(gap: int) -> None:
    rng = np.random.default_rng(gap)
    values = rng.normal(size=80)
    values[30 : 30 + gap] = NAN
    found, turned = filled(values), filled(values[::-1])[::-1]
    middle = 30 + (gap - 1) // 2 if gap % 2 else None  # a step in the middle is as far from both: the earlier side's
    compared = np.delete(np.arange(80), [] if middle is None else [middle])
    np.testing.assert_allclose(found[compared], turned[compared], rtol=1e-12)
