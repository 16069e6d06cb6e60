"""Colour planes against loops over the definition, and on values that break careless arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import COLOURS
from drawing.colours import draw_colours
from drawing.steps import moving_moments
from runtime.errors import InputError


def around(values: np.ndarray, step: int, window: int) -> np.ndarray:
    """The steps of a centred window that exist; an even one reaches one step further back than forward."""
    steps = [step + offset for offset in range(-(window // 2), window - window // 2)]
    return np.array([values[place] for place in steps if 0 <= place < len(values)])


def one_plane(values: np.ndarray, colour: str, window: int = 1, gain: float = 1, clip: float = 0) -> np.ndarray:
    return draw_colours(values[:, None], (0,), (colour,), window, (gain,), clip)[:, 0]


sizes = given(st.integers(1, 150), st.integers(1, 320), st.integers(0, 2**16))
some = settings(deadline=None, max_examples=40, database=None)


@some
@sizes
def test_residual_is_the_value_minus_the_mean_around_it(length: int, window: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=length).cumsum()
    expected = [values[step] - around(values, step, window).mean() for step in range(length)]
    np.testing.assert_allclose(one_plane(values, "residual", window), expected, rtol=0, atol=1e-11)


@some
@sizes
def test_spread_is_the_standard_deviation_around_a_step(length: int, window: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=length).cumsum()
    expected = [around(values, step, window).std() for step in range(length)]
    np.testing.assert_allclose(one_plane(values, "spread", window), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("length", [1, 2, 90])
def test_value_and_difference(length: int) -> None:
    values = np.random.default_rng(0).normal(size=length)
    np.testing.assert_array_equal(one_plane(values, "value"), values)
    difference = one_plane(values, "difference")
    assert difference[0] == 0
    for step in range(1, length):
        assert difference[step] == values[step] - values[step - 1]


@pytest.mark.parametrize("window", [1, 2, 64, 65, 1000])
@pytest.mark.parametrize("level", [0.0, 0.3, -1.0, 258.1, 1e12])
def test_a_constant_has_no_residual_and_no_spread(level: float, window: int) -> None:
    values = np.full(500, level)
    for colour in ("residual", "spread", "difference"):
        assert (one_plane(values, colour, window) == 0).all()


def test_a_jump_leaves_no_rounding_errors_behind() -> None:
    values = np.where(np.arange(20_000) < 10_000, 0.3, 258.1)
    for colour in ("residual", "spread"):
        plane = one_plane(values, colour, 65)
        assert (plane[:9900] == 0).all()
        assert (plane[10_100:] == 0).all()
        assert np.abs(plane[9968:10_032]).min() > 1


def test_small_changes_beside_large_values_are_seen() -> None:
    noise = 1e-4 * np.random.default_rng(0).normal(size=3000)
    np.testing.assert_allclose(one_plane(258 + noise, "spread", 65), one_plane(noise, "spread", 65), rtol=1e-6)
    np.testing.assert_allclose(one_plane(258 + noise, "residual", 65), one_plane(noise, "residual", 65), atol=1e-12)


def test_a_spread_is_never_negative_or_nan() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = 10 ** rng.uniform(-8, 8) * rng.normal(size=400) + 10 ** rng.uniform(-8, 8)
        assert (one_plane(values, "spread", int(rng.integers(1, 100))) >= 0).all()


def test_windows_know_how_many_steps_they_hold() -> None:
    assert moving_moments(np.zeros(6), 3).count.tolist() == [2, 3, 3, 3, 3, 2]
    assert moving_moments(np.zeros(6), 4).count.tolist() == [2, 3, 4, 4, 4, 3]
    assert moving_moments(np.zeros(6), 10**9).count.tolist() == [6] * 6


@pytest.mark.parametrize("colour", COLOURS)
def test_values_are_clipped_before_the_transform_and_gained_after(colour: str) -> None:
    values = 50 * np.random.default_rng(0).normal(size=200)
    plane = one_plane(values, colour, 9, gain=-3, clip=4)
    np.testing.assert_allclose(plane, -3 * one_plane(np.clip(values, -4, 4), colour, 9), rtol=1e-12)
    assert np.abs(plane).max() > 4  # the gain is not clipped
    assert (one_plane(values, colour, 9, clip=0) == one_plane(values, colour, 9, clip=1e9)).all()


def test_planes_hold_their_own_column_colour_and_gain() -> None:
    series = np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32)
    before = series.copy()
    planes = draw_colours(series, (4, 0, 0), ("spread", "value", "difference"), 7, (2, 1, 0.5), 1)
    assert planes.shape == (80, 3)
    assert planes.dtype == np.float64
    for plane, (column, colour, gain) in enumerate([(4, "spread", 2), (0, "value", 1), (0, "difference", 0.5)]):
        expected = one_plane(series[:, column].astype(float), colour, 7, gain, clip=1)
        np.testing.assert_array_equal(planes[:, plane], expected)
    np.testing.assert_array_equal(series, before)


@pytest.mark.parametrize(
    "dims, colours, window, gains, message",
    [
        ((0, 1), ("value",), 9, (1.0, 1.0), "2 columns, 1 colours and 2 gains"),
        ((0,), ("value",), 9, (), "1 columns, 1 colours and 0 gains"),
        ((5,), ("value",), 9, (1.0,), "Choose from 0 to 4"),
        ((-1,), ("value",), 9, (1.0,), "Choose from 0 to 4"),
        ((0,), ("residuals",), 9, (1.0,), "unknown colour 'residuals'. Did you mean 'residual'"),
        ((0,), ("spread",), 0, (1.0,), "window of 0 steps is not allowed"),
    ],
)
def test_wrong_settings_are_told(dims, colours, window, gains, message) -> None:
    with pytest.raises(InputError, match=message):
        draw_colours(np.zeros((20, 5)), dims, colours, window, gains, 0)
