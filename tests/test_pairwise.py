"""Gramian and transition fields against pyts and their definitions, and what a step scores.

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

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layout_references import EVERY, each_pairwise, each_stride, few, pixels_by_torch, random_map

from drawing.pairwise import GramianAngularField, MarkovTransitionField


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
