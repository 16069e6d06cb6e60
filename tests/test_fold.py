"""Fold writes a series row after row, and reads its scores in the same order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layout_references import WINDOWED, any_stride, bump, each_stride, few, pixels_by_torch, random_map

from drawing.fold import Fold


@pytest.mark.parametrize("num_steps", [1, 47, 48, 1500, 1920])
def test_fold_writes_row_after_row_and_goes_on_with_the_last_value(num_steps: int) -> None:
    series = np.random.default_rng(0).normal(size=(num_steps, 2))
    picture = Fold(48, 40).to_image(series)
    assert picture.shape == (2, 40, 48)
    for step in range(1920):
        expected = series[min(step, num_steps - 1)].astype(np.float32)
        np.testing.assert_array_equal(picture[:, step // 48, step % 48], expected)
    assert (Fold(48, 40).to_series(picture[1], num_steps) == series[:, 1].astype(np.float32)).all()


@each_stride
@pytest.mark.parametrize("size", [(32, 48), (33, 45), (64, 32)])
def test_fold_reads_the_pixels_row_after_row(stride: int, size: tuple[int, int]) -> None:
    rows, width = size
    layout = Fold(width, rows)
    assert layout.window == rows * width
    cells = random_map(size, stride)
    expected = pixels_by_torch(cells, size, stride)
    for num_steps in (layout.window, 100, 1):
        scores = layout.to_series(cells, num_steps, stride)
        assert scores.shape == (num_steps,)
        for step in range(num_steps):
            assert scores[step] == pytest.approx(expected[step // width, step % width], abs=1e-12)


@few
@given(st.integers(300, 1920), any_stride, st.floats(0, 1), st.floats(0, 1))
def test_a_blot_on_a_fold_comes_back_at_its_step(length: int, stride: int, down: float, right: float) -> None:
    layout = WINDOWED["fold"]
    held = -(-length // layout.fold_width)
    row = int(down * (held - 1)) // stride * stride
    column = int(right * (layout.fold_width - 1)) // stride * stride
    step = min(row * layout.fold_width + column, length - 1)
    row, column = divmod(step, layout.fold_width)
    blot = np.outer(bump(row, layout.rows, 2 * stride), bump(column, layout.fold_width, 2 * stride))
    peak = int(layout.to_series(blot[::stride, ::stride], length, stride).argmax())
    if row % stride == 0 and column % stride == 0:
        assert peak == step
    else:  # the last step may stand between cells
        assert abs(peak // 48 - row) <= stride and abs(peak % 48 - column) <= stride
