"""What holds for every layout, drawn whole or through windows, and how the settings make one."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_references import (
    EVERY,
    WINDOWED,
    any_stride,
    cells_along,
    each_layout,
    each_pairwise,
    each_stride,
    each_windowed,
    long_series,
    smooth_bound,
    steps_of_picture,
)

from drawing import LAYOUTS
from drawing.layouts import make_layout
from drawing.line import Line
from drawing.pairwise import GramianAngularField
from drawing.steps import join_windows, window_starts
from runtime.errors import InputError


@each_layout
@pytest.mark.parametrize("num_steps", [1, 37, 96])
def test_every_colour_is_one_finite_plane_of_its_own(name: str, num_steps: int) -> None:
    layout = EVERY[name]
    series = np.random.default_rng(num_steps).normal(size=(num_steps, 3)) * [1, 30, 0]
    picture = layout.to_image(series)
    assert picture.dtype == np.float32
    assert picture.shape[0] == 3
    assert np.isfinite(picture).all()
    for colour in range(3):
        np.testing.assert_array_equal(picture[colour], layout.to_image(series[:, colour : colour + 1])[0])
    scores = layout.to_series(picture[0], num_steps)
    assert scores.shape == (num_steps,)
    assert scores.dtype == np.float64


@each_layout
def test_it_says_rightly_whether_rows_are_alike_and_whether_it_can_be_cut(name: str) -> None:
    layout, series = EVERY[name], np.random.default_rng(0).normal(size=(96, 3))
    picture = layout.to_image(series)
    assert layout.rows_alike == (picture == picture[:, :1]).all()
    if layout.cuttable:
        parts = [layout.to_image(series[:40]), layout.to_image(series[40:])]
        np.testing.assert_array_equal(np.concatenate(parts, axis=2), picture)
        assert picture.shape[1] == 1


@each_layout
@each_stride
def test_constant_maps_give_constant_scores(name: str, stride: int) -> None:
    layout = EVERY[name]
    height, width = steps_of_picture(layout, 96)
    score_map = np.full((-(-height // stride), -(-width // stride)), 1.5, dtype=np.float32)
    np.testing.assert_allclose(layout.to_series(score_map, 96, stride), 1.5, rtol=1e-12)


def test_a_short_window_is_drawn_as_one_that_keeps_its_last_value() -> None:
    series = np.random.default_rng(0).normal(size=(60, 2))
    kept = np.vstack([series, np.tile(series[-1], (36, 1))])
    for layout in WINDOWED.values():
        whole = np.vstack([kept, np.tile(series[-1], (layout.window - 96, 1))])
        np.testing.assert_array_equal(layout.to_image(series), layout.to_image(whole))


@each_windowed
def test_too_long_a_series_is_an_error(name: str) -> None:
    layout = WINDOWED[name]
    with pytest.raises(ValueError, match="cut the series by window_starts"):
        layout.to_image(np.zeros((layout.window + 1, 3)))
    with pytest.raises(ValueError, match="cut the series by window_starts"):
        layout.to_series(np.zeros(steps_of_picture(layout, 1)), layout.window + 1)


@each_layout
@pytest.mark.parametrize("told, true", [(4, 8), (8, 4), (1, 4)])
def test_a_map_of_another_stride_is_an_error(name: str, told: int, true: int) -> None:
    height, width = steps_of_picture(EVERY[name], 96)
    cells = np.zeros((-(-height // true), -(-width // true)))
    if name == "line" and told > true:
        return  # a picture padded at its end looks the same
    if name == "stretch" and told == 1:
        return  # any width will do
    with pytest.raises(ValueError, match="another feature map"):
        EVERY[name].to_series(cells, 96, told)


# There and back through windows: a score that is a known function of time, known only at the cells of a map


def maps_of(name: str, curve: Callable[[np.ndarray], np.ndarray], start: int, held: int, stride: int) -> np.ndarray:
    """The map at a stride of the window at `start` whose score of step t is curve(t)."""
    layout = WINDOWED[name]
    if name == "fold":
        rows, columns = cells_along(layout.rows, stride), cells_along(layout.fold_width, stride)
        return curve(start + rows[:, None] * layout.fold_width + columns)
    at_cells = curve(start + cells_along(layout.window, stride))
    # a sum over both axes is read back as the curve plus its mean over the steps that the window holds
    read = np.interp(np.arange(held), cells_along(layout.window, stride), at_cells)
    return at_cells[:, None] + at_cells - read.mean()


def read_back(name: str, curve: Callable[[np.ndarray], np.ndarray], length: int, stride: int) -> np.ndarray:
    """Scores of a whole series through overlapping windows."""
    layout = WINDOWED[name]
    starts = window_starts(length, layout.window, layout.window // 2)
    held = min(length, layout.window)
    scores = [layout.to_series(maps_of(name, curve, start, held, stride), held, stride) for start in starts]
    return join_windows(np.stack(scores), starts, length)


@each_windowed
@settings(deadline=None, max_examples=8, database=None)
@given(long_series, any_stride, st.floats(0, 6))
def test_a_slow_wave_comes_back_through_windows(name: str, length: int, stride: int, phase: float) -> None:
    reach = stride * (48 if name == "fold" else 1)  # steps from a cell to the one below it
    tau = 40 * reach
    scores = read_back(name, lambda steps: np.sin(steps / tau + phase), length, stride)
    error = np.abs(scores - np.sin(np.arange(length) / tau + phase))
    # behind the last cell of a window the score stays, by less than one cell each way
    assert error.max() <= 2 * (reach + stride) / tau
    # both halves of the windows agree on most steps, and there only the interpolation errs
    if stride <= 4:
        assert np.median(error) <= 2 * smooth_bound(reach, tau) + smooth_bound(stride, tau)


@each_pairwise
@settings(deadline=None, max_examples=8, database=None)
@given(long_series, any_stride, st.floats(0, 1))
def test_a_bump_comes_back_through_windows(name: str, length: int, stride: int, share: float) -> None:
    step = round(share * (length - 1))
    scores = read_back(name, lambda steps: np.exp(-0.5 * ((steps - step) / (2 * stride)) ** 2), length, stride)
    assert abs(scores.argmax() - step) <= stride


# Made from the settings


def given_settings(**changed) -> SimpleNamespace:
    default = {"layout": "line", "input_size": (64, 96), "fold_width": 48, "window": 1536, "mtf_bins": 6}
    return SimpleNamespace(**(default | changed))


def test_every_name_makes_its_layout_from_the_settings() -> None:
    made = {name: make_layout(given_settings(layout=name)) for name in LAYOUTS}
    assert list(made) == ["stretch", "line", "fold", "gasf", "gadf", "mtf"]
    assert [layout.window for layout in made.values()] == [None, None, 1536, 1536, 1536, 1536]
    assert (made["stretch"].height, made["stretch"].width) == (64, 96)
    assert isinstance(made["line"], Line)
    assert (made["fold"].fold_width, made["fold"].rows) == (48, 32)
    assert [made[name].method for name in ("gasf", "gadf")] == ["summation", "difference"]
    assert made["mtf"].n_bins == 6


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown layout 'lines'.*'line'.*stretch, line, fold, gasf, gadf, mtf"):
        make_layout(given_settings(layout="lines"))
    with pytest.raises(InputError, match="summation, difference"):
        GramianAngularField(96, "product")


@pytest.mark.parametrize("width, window, rows", [(48, 64, 32), (48, 1536, 32), (48, 1537, 33), (32, 4096, 128)])
def test_a_fold_has_whole_rows_and_enough_of_them_for_the_extractor(width: int, window: int, rows: int) -> None:
    layout = make_layout(given_settings(layout="fold", fold_width=width, window=window))
    assert (layout.fold_width, layout.rows, layout.window) == (width, rows, width * rows)


def test_too_narrow_a_fold_is_an_error() -> None:
    with pytest.raises(InputError, match="fold_width = 31 .* Set fold_width to 32 or more"):
        make_layout(given_settings(layout="fold", fold_width=31))


@each_pairwise
def test_a_picture_too_small_for_the_extractor_is_an_error(name: str) -> None:
    assert make_layout(given_settings(layout=name, window=32)).window == 32
    with pytest.raises(InputError, match=f"layout {name}: window = 31 .* Set window to 32 or more"):
        make_layout(given_settings(layout=name, window=31))


def test_one_bin_is_an_error() -> None:
    with pytest.raises(InputError, match="mtf_bins = 1 .* Set mtf_bins to 2 or more"):
        make_layout(given_settings(layout="mtf", mtf_bins=1))
