"""Line is the series itself, and its scores come back at their steps from the cells of a map."""

import numpy as np
import pytest
import torch
from hypothesis import given
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

from drawing.line import Line


@each_stride
@pytest.mark.parametrize("length", [1, 31, 32, 33, 300, 8640])
def test_line_is_the_series_and_reads_cells_as_torch_does(stride: int, length: int) -> None:
    series = np.random.default_rng(0).normal(size=(length, 3))
    picture = Line().to_image(series)
    np.testing.assert_array_equal(picture, series.T[:, None, :].astype(np.float32))
    cells = random_map((1, length), stride)
    expected = pixels_by_torch(cells, (1, length), stride)[0]
    np.testing.assert_allclose(Line().to_series(cells, length, stride), expected, rtol=0, atol=1e-12)
    padded = np.hstack([cells, [[1e9, 1e9]]])
    np.testing.assert_allclose(Line().to_series(padded, length, stride), expected, rtol=0, atol=1e-12)


@few
@given(long_series, any_stride, st.floats(0, 6))
def test_a_wave_on_a_line_comes_back(length: int, stride: int, phase: float) -> None:
    tau, steps = 6 * stride, np.arange(length)
    wave = np.sin(steps / tau + phase)
    scores = Line().to_series(wave[None, ::stride], length, stride)
    known = steps <= cells_along(length, stride)[-1]
    assert np.abs(scores - wave)[known].max() <= smooth_bound(stride, tau)
    assert (scores[~known] == wave[::stride][-1]).all()


@few
@given(long_series, any_stride, st.floats(0, 1))
def test_a_bump_on_a_line_comes_back_at_its_step(length: int, stride: int, share: float) -> None:
    step = round(share * (length - 1))
    score_map = bump(step, length, sigma=2 * stride)[None, ::stride]
    assert abs(Line().to_series(score_map, length, stride).argmax() - step) < stride
    if step % stride == 0:
        assert Line().to_series(score_map, length, stride).argmax() == step


@each_stride
@pytest.mark.parametrize("length", [601, 8640])
def test_a_bump_seen_by_strided_convolutions_comes_back_at_its_step(stride: int, length: int) -> None:
    """Kernels as in a ResNet: odd, padded by reflection, stride 2 each."""
    kernels = [[1, 6, 15, 20, 15, 6, 1], [1, 2, 1], [1, 2, 1], [1, 2, 1], [1, 2, 1]][: stride.bit_length() - 1]
    for step in (length // 3, length // 2, length - 201):
        values = torch.from_numpy(bump(step, length, sigma=8.0 + stride))[None, None]
        for kernel in kernels:
            weights = torch.tensor(kernel, dtype=torch.float64)[None, None] / sum(kernel)
            padded = F.pad(values, (len(kernel) // 2, len(kernel) // 2), mode="reflect")
            values = F.conv1d(padded, weights, stride=2)
        scores = Line().to_series(values[0].numpy(), length, stride)
        centroid = (scores * np.arange(length)).sum() / scores.sum()
        assert abs(centroid - step) < 0.2
