"""Layouts against torch's interpolation, pyts and loops, and that a time survives the way there and back.

pyts takes 20 s to import, so what it computed is a file, oracle/gaf-mtf.npz. Written by pyts 0.14.1 as:

    rng, oracle = np.random.default_rng(0), {}
    for length in (41, 64):
        steps = np.arange(length)
        oracle[f"windows_{length}"] = windows = np.array([
            rng.normal(size=length), rng.normal(size=length).cumsum(), np.round(np.sin(steps / 3), 1),
            rng.integers(0, 2, length), steps == 20, 250 + 8 * rng.random(length),
        ]).astype(float)
        constant = np.full((1, length), 0.3)
        for method in ("summation", "difference"):
            field = pyts.image.GramianAngularField(method=method).transform(windows)
            oracle[f"{method}_{length}"] = field.astype("float32")
        for bins in (2, 5, 8):
            field = pyts.image.MarkovTransitionField(n_bins=bins).transform(np.concatenate([windows, constant]))
            oracle[f"mtf{bins}_{length}"] = field.astype("float32")
    np.savez_compressed("tests/oracle/gaf-mtf.npz", **oracle)
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from drawing import LAYOUTS
from drawing.fold import Fold
from drawing.layouts import Layout, make_layout
from drawing.line import Line
from drawing.pairwise import GramianAngularField, MarkovTransitionField
from drawing.steps import coarsen, join_windows, refine, window_starts
from drawing.stretch import Stretch
from runtime.errors import InputError

SIZES = [(1, 1), (5, 1), (1, 8), (16, 64), (64, 48), (32, 512)]
LENGTHS = [1, 2, 3, 47, 48, 63, 64, 65, 300, 511, 512, 513, 8640]
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
each_length = pytest.mark.parametrize("length", LENGTHS)


def column_of(step: float, length: int, width: int) -> float:
    """Where a step lies among the columns: the same share of the time, centre on centre."""
    return (step + 0.5) * width / length - 0.5


def bump(centre: float, size: int, sigma: float) -> np.ndarray:
    return np.exp(-0.5 * ((np.arange(size) - centre) / sigma) ** 2)


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


@settings(deadline=None, max_examples=40, database=None)
@given(st.integers(1, 2000), st.integers(1, 600))
def test_time_keeps_its_direction_and_range(length: int, width: int) -> None:
    layout = Stretch(2, width)
    picture = layout.to_image(np.linspace(0, 1, length)[:, None])
    assert (np.diff(picture[0, 0]) >= 0).all()
    scores = layout.to_series(picture[0], length)
    assert (np.diff(scores) >= 0).all()
    assert 0 <= scores.min() <= scores.max() <= 1


# The other layouts, and maps at the strides of a pyramid

STRIDES = [1, 4, 8, 16, 32]
WINDOWED = {
    "fold": Fold(48, 40),
    "gasf": GramianAngularField(96, "summation"),
    "gadf": GramianAngularField(96, "difference"),
    "mtf": MarkovTransitionField(96, 8),
}
EVERY = {"stretch": Stretch(32, 128), "line": Line(), **WINDOWED}
each_stride = pytest.mark.parametrize("stride", STRIDES)
each_layout = pytest.mark.parametrize("name", EVERY)
each_windowed = pytest.mark.parametrize("name", WINDOWED)
each_pairwise = pytest.mark.parametrize("name", ["gasf", "gadf", "mtf"])
few = settings(deadline=None, max_examples=25, database=None)
long_series = st.integers(300, 100_000)
any_stride = st.sampled_from(STRIDES)


def cells_along(length: int, stride: int) -> np.ndarray:
    """The pixels on which the cells of a feature map stand."""
    return np.arange(0, length, stride)


def pixels_by_torch(cells: np.ndarray, size: tuple[int, int], stride: int) -> np.ndarray:
    """Bilinear interpolation between cells at multiples of the stride; behind the last its own value."""
    spanned = tuple((length - 1) // stride * stride + 1 for length in size)
    pixels = F.interpolate(torch.from_numpy(cells)[None, None], size=spanned, mode="bilinear", align_corners=True)
    missing = (0, size[1] - spanned[1], 0, size[0] - spanned[0])
    return F.pad(pixels, missing, mode="replicate")[0, 0].numpy()


def random_map(size: tuple[int, int], stride: int) -> np.ndarray:
    return np.random.default_rng(stride).normal(size=[-(-length // stride) for length in size])


def steps_of_picture(layout: Layout, num_steps: int) -> tuple[int, int]:
    return layout.to_image(np.zeros((num_steps, 1))).shape[1:]


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
@each_stride
def test_constant_maps_give_constant_scores(name: str, stride: int) -> None:
    layout = EVERY[name]
    height, width = steps_of_picture(layout, 96)
    score_map = np.full((-(-height // stride), -(-width // stride)), 1.5, dtype=np.float32)
    np.testing.assert_allclose(layout.to_series(score_map, 96, stride), 1.5, rtol=1e-12)


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


@pytest.mark.parametrize("num_steps", [1, 47, 48, 1500, 1920])
def test_fold_writes_row_after_row_and_goes_on_with_the_last_value(num_steps: int) -> None:
    series = np.random.default_rng(0).normal(size=(num_steps, 2))
    picture = Fold(48, 40).to_image(series)
    assert picture.shape == (2, 40, 48)
    for step in range(1920):
        expected = series[min(step, num_steps - 1)].astype(np.float32)
        np.testing.assert_array_equal(picture[:, step // 48, step % 48], expected)
    assert (Fold(48, 40).to_series(picture[1], num_steps) == series[:, 1].astype(np.float32)).all()


@each_pairwise
@each_stride
@pytest.mark.parametrize("num_steps", [96, 61, 1])
def test_a_step_scores_the_mean_of_its_row_and_its_column(name: str, stride: int, num_steps: int) -> None:
    cells = random_map((96, 96), stride)
    pixels = pixels_by_torch(cells, (96, 96), stride)
    scores = EVERY[name].to_series(cells, num_steps, stride)
    for step in range(num_steps):  # pixels of repeated last values tell nothing about this step
        mean = (pixels[step, :num_steps].mean() + pixels[:num_steps, step].mean()) / 2
        assert scores[step] == pytest.approx(mean, abs=1e-12)


@each_stride
@pytest.mark.parametrize("length", [50, 512, 8640])
def test_stretch_puts_cells_on_their_pixels_first(stride: int, length: int) -> None:
    cells = random_map((32, 500), stride)
    pixels = pixels_by_torch(cells.mean(axis=0, keepdims=True), (1, 500), stride)
    expected = Stretch(32, 500).to_series(pixels, length)
    np.testing.assert_allclose(Stretch(32, 500).to_series(cells, length, stride), expected, rtol=0, atol=1e-12)


# Fields against pyts and against their definitions


@pytest.fixture(scope="module")
def oracle() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).with_name("oracle") / "gaf-mtf.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("length", [41, 64])
@pytest.mark.parametrize("method", ["summation", "difference"])
def test_gramian_fields_are_those_of_pyts(oracle: dict[str, np.ndarray], method: str, length: int) -> None:
    picture = GramianAngularField(length, method).to_image(oracle[f"windows_{length}"].T)
    np.testing.assert_allclose(picture, oracle[f"{method}_{length}"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("length", [41, 64])
@pytest.mark.parametrize("n_bins", [2, 5, 8])
def test_transition_fields_are_those_of_pyts(oracle: dict[str, np.ndarray], n_bins: int, length: int) -> None:
    windows = np.vstack([oracle[f"windows_{length}"], np.full(length, 0.3)])  # the last one is constant
    picture = MarkovTransitionField(length, n_bins).to_image(windows.T)
    np.testing.assert_allclose(picture, oracle[f"mtf{n_bins}_{length}"], rtol=0, atol=1e-6)


values = st.lists(st.integers(-40, 40).map(lambda number: number / 8), min_size=32, max_size=32)


@few
@given(values)
def test_gramian_fields_follow_their_definition(window: list[float]) -> None:
    series = np.array(window)
    low, high = min(window), max(window)
    angles = [np.arccos((value - low) / (high - low) * 2 - 1) if high > low else np.pi / 2 for value in window]
    added = [[np.cos(one + other) for other in angles] for one in angles]
    subtracted = [[np.sin(one - other) for other in angles] for one in angles]
    for method, expected in (("summation", added), ("difference", subtracted)):
        picture = GramianAngularField(32, method).to_image(series[:, None])[0]
        np.testing.assert_allclose(picture, expected, rtol=0, atol=1e-6)


@few
@given(values, st.integers(2, 9))
def test_transition_fields_follow_their_definition(window: list[float], n_bins: int) -> None:
    edges = [np.percentile(window, 100 * number / n_bins) for number in range(1, n_bins)]
    bins = [sum(value > edge for edge in edges) for value in window]
    picture = MarkovTransitionField(32, n_bins).to_image(np.array(window)[:, None])[0]
    for row, of in enumerate(bins):
        followers = [after for before, after in zip(bins, bins[1:], strict=False) if before == of]
        for column, to in enumerate(bins):
            share = followers.count(to) / len(followers) if followers else 0
            assert picture[row, column] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("level", [0, -1, 0.3, 258])
@pytest.mark.parametrize("noise", [0, 1e-12])
def test_a_constant_window_has_a_plain_picture(level: float, noise: float) -> None:
    series = level + noise * np.random.default_rng(0).normal(size=(96, 1))
    for name, value in (("gasf", -1), ("gadf", 0), ("mtf", 1)):
        assert (EVERY[name].to_image(series) == value).all()


def test_a_short_window_is_drawn_as_one_that_keeps_its_last_value() -> None:
    series = np.random.default_rng(0).normal(size=(60, 2))
    kept = np.vstack([series, np.tile(series[-1], (36, 1))])
    for layout in WINDOWED.values():
        whole = np.vstack([kept, np.tile(series[-1], (layout.window - 96, 1))])
        np.testing.assert_array_equal(layout.to_image(series), layout.to_image(whole))


# Round trips: a score that is a known function of time, known only at the cells of a map


def smooth_bound(stride: float, tau: float) -> float:
    """Largest error of linear interpolation of sin(t / tau) between points `stride` apart."""
    return (stride / tau) ** 2 / 8 + 1e-9


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


# Windows


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


# Errors


def test_windows_that_leave_gaps_are_an_error() -> None:
    for bad in [(100, 32, 33), (100, 32, 0), (0, 32, 16), (100, 0, 0)]:
        with pytest.raises(ValueError, match="without a gap"):
            window_starts(*bad)
    with pytest.raises(ValueError, match="no window holds step 4 of 10"):
        join_windows(np.zeros((2, 4)), np.array([0, 6]), 10)


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
