"""Stretch against torch's interpolation, and that a time survives the way there and back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_references import (
    any_stride,
    bump,
    cells_along,
    each_stride,
    few,
    long_series,
    pixels_by_torch,
    random_map,
    smooth_bound,
)
from torch.nn import functional as F

from drawing.stretch import Stretch

SIZES = [(1, 1), (5, 1), (1, 8), (16, 64), (64, 48), (32, 512)]
LENGTHS = [1, 2, 3, 47, 48, 63, 64, 65, 300, 511, 512, 513, 8640]
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
each_length = pytest.mark.parametrize("length", LENGTHS)


def column_of(step: float, length: int, width: int) -> float:
    """Where a step lies among the columns: the same share of the time, centre on centre."""
    return (step + 0.5) * width / length - 0.5


@each_size
@each_length
def test_picture_is_torchs_bilinear_interpolation(size: tuple[int, int], length: int) -> None:
    series = np.random.default_rng(length).normal(size=(length, 3))
    picture = Stretch(*size).to_image(series)
    tensor = torch.from_numpy(series.T.copy())[None, :, None, :]
    expected = F.interpolate(tensor, size=size, mode="bilinear", align_corners=False)[0].numpy()
    assert picture.shape == (3, *size)
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, expected, rtol=0, atol=1e-6)
    assert (picture == picture[:, :1]).all()  # all rows alike


@each_size
@each_length
def test_scores_are_torchs_linear_interpolation_of_the_row_mean(size: tuple[int, int], length: int) -> None:
    score_map = np.random.default_rng(length).normal(size=size).astype(np.float32)
    scores = Stretch(*size).to_series(score_map, length)
    row = torch.from_numpy(score_map).double().mean(dim=0)[None, None]
    expected = F.interpolate(row, size=length, mode="linear", align_corners=False)[0, 0].numpy()
    assert scores.shape == (length,)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


@each_stride
@pytest.mark.parametrize("length", [50, 512, 8640])
def test_stretch_puts_cells_on_their_pixels_first(stride: int, length: int) -> None:
    cells = random_map((32, 500), stride)
    pixels = pixels_by_torch(cells.mean(axis=0, keepdims=True), (1, 500), stride)
    expected = Stretch(32, 500).to_series(pixels, length)
    np.testing.assert_allclose(Stretch(32, 500).to_series(cells, length, stride), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_colours", [1, 3, 25])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_colour_is_drawn_on_its_own(num_colours: int, dtype: type) -> None:
    series = np.random.default_rng(0).normal(size=(40, num_colours)).astype(dtype)
    picture = Stretch(4, 16).to_image(series)
    for colour in range(num_colours):
        np.testing.assert_array_equal(picture[colour], Stretch(4, 16).to_image(series[:, colour : colour + 1])[0])


@pytest.mark.parametrize("length", [1, 2, 64, 300])
def test_nothing_is_resampled_where_the_series_is_as_long_as_the_picture_is_wide(length: int) -> None:
    rng = np.random.default_rng(0)
    layout, series = Stretch(8, length), rng.normal(size=(length, 2)).astype(np.float32)
    picture = layout.to_image(series)
    np.testing.assert_array_equal(picture, np.repeat(series.T[:, None, :], 8, axis=1))
    np.testing.assert_array_equal(layout.to_series(picture[0], length), series[:, 0])
    score_map = rng.random((8, length))
    np.testing.assert_allclose(layout.to_series(score_map, length), score_map.mean(axis=0), rtol=1e-12)


def test_one_step_fills_the_picture_and_constant_maps_give_constant_scores() -> None:
    assert (Stretch(4, 7).to_image(np.array([[2.0, -3.0]])) == np.array([2, -3])[:, None, None]).all()
    assert (Stretch(4, 7).to_series(np.full((4, 7), 1.5), 1000) == 1.5).all()


@settings(deadline=None, max_examples=80, database=None)
@given(st.integers(300, 100_000), st.sampled_from([64, 256, 512]), st.floats(0.0, 1.0))
def test_a_peak_of_the_score_map_comes_back_at_its_time(length: int, width: int, share: float) -> None:
    step = round(share * (length - 1))
    score_map = np.tile(bump(column_of(step, length, width), width, sigma=2), (16, 1))
    peak = int(Stretch(16, width).to_series(score_map, length).argmax())
    assert abs(peak - step) <= max(1, length / width)


@settings(deadline=None, max_examples=80, database=None)
@given(st.integers(300, 100_000), st.sampled_from([64, 256, 512]), st.floats(0.0, 1.0))
def test_a_peak_of_the_series_survives_the_way_there_and_back(length: int, width: int, share: float) -> None:
    step, resolution = round(share * (length - 1)), max(1.0, length / width)
    layout = Stretch(16, width)
    picture = layout.to_image(bump(step, length, sigma=2 * resolution)[:, None])
    assert abs(picture[0, 0].argmax() - column_of(step, length, width)) <= max(1, width / length)
    assert abs(layout.to_series(picture[0], length).argmax() - step) <= resolution


@few
@given(long_series, any_stride, st.floats(0, 6))
def test_a_wave_on_a_stretch_comes_back(length: int, stride: int, phase: float) -> None:
    width, tau = 512, 6 * stride  # tau in pixels
    score_map = np.tile(np.sin(cells_along(width, stride) / tau + phase), (4, 1))
    pixels = np.clip(column_of(np.arange(length), length, width), 0, width - 1)
    known = pixels <= cells_along(width, stride)[-1]
    expected = np.sin(pixels / tau + phase)
    error = np.abs(Stretch(64, width).to_series(score_map, length, stride) - expected)[known]
    assert error.max() <= smooth_bound(stride, tau) + smooth_bound(1, tau)


@settings(deadline=None, max_examples=40, database=None)
@given(st.integers(1, 2000), st.integers(1, 600))
def test_time_keeps_its_direction_and_range(length: int, width: int) -> None:
    layout = Stretch(2, width)
    picture = layout.to_image(np.linspace(0, 1, length)[:, None])
    assert (np.diff(picture[0, 0]) >= 0).all()
    scores = layout.to_series(picture[0], length)
    assert (np.diff(scores) >= 0).all()
    assert 0 <= scores.min() <= scores.max() <= 1
