"""Trivial scores against loops written from their definitions, and DESIGN's figures on the real data."""

import numpy as np
import pytest
from conftest import published_folder
from sklearn.metrics import average_precision_score, roc_auc_score

from data.source import Labels
from data.telemanom import TelemanomSource
from evaluation import BASELINES, baselines
from evaluation.baselines import (
    MATCH_WINDOW,
    MIN_SPREAD,
    RANGE_WINDOW,
    nearest_window,
    out_of_range,
    trivial_scores,
)


def series(steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([np.sin(np.arange(steps) / 5) + 0.1 * rng.normal(size=steps), rng.integers(0, 2, steps)])


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(("train", "test"), [(200, 300), (2, 5), (1, 1), (40, 20)])
def test_there_is_a_finite_score_for_every_step(name: str, train: int, test: int) -> None:
    of_train, of_test = BASELINES[name](series(train, 0), series(test, 1))
    assert (of_train.shape, of_test.shape) == ((train,), (test,))
    assert np.isfinite(of_train).all() and np.isfinite(of_test).all()
    again = BASELINES[name](series(train, 0), series(test, 1))
    np.testing.assert_array_equal(again[1], of_test)


@pytest.mark.parametrize("name", BASELINES)
def test_a_series_that_never_varies_has_finite_scores(name: str) -> None:
    constant = np.full((100, 2), -1.0)
    for scores in BASELINES[name](constant, constant):
        assert np.isfinite(scores).all()


def test_position_and_random_do_not_look_at_the_data() -> None:
    for name in ("position t/T", "random"):
        once, twice = (BASELINES[name](series(50, seed), series(80, seed)) for seed in (0, 9))
        np.testing.assert_array_equal(once[1], twice[1])
    assert BASELINES["position t/T"](series(2, 0), series(4, 0))[1].tolist() == [0, 0.25, 0.5, 0.75]


def test_distance_from_median_by_hand() -> None:
    train, test = np.array([[1.0], [2.0], [6.0]]), np.array([[2.0], [5.0]])
    spread = np.std([1, 2, 6])
    np.testing.assert_allclose(BASELINES["|x - train median|"](train, test)[1], [0, 3 / spread])
    flat = np.full((5, 1), 0.5)
    np.testing.assert_allclose(BASELINES["|x - train median|"](flat, test)[1], [1.5 / MIN_SPREAD, 4.5 / MIN_SPREAD])


def test_out_of_range_is_a_moving_mean_of_the_excess() -> None:
    train, test = np.array([[-1.0], [1.0]]), np.zeros((300, 1))
    test[150, 0], test[151, 0] = 3.0, -1.5  # excess 2 and 0.5, the range is 2
    scores = out_of_range(train, test)[1]
    assert scores.max() == pytest.approx((2 + 0.5) / 2 / RANGE_WINDOW)
    assert np.count_nonzero(scores > 1e-12) == RANGE_WINDOW + 1
    assert abs(np.flatnonzero(scores > 1e-12).mean() - 150.5) <= 1


def slow_nearest(train: np.ndarray, test: np.ndarray, places: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Distances of all training and test windows to the nearest training window at one of `places`, by loops."""
    length = MATCH_WINDOW
    known = [train[start : start + length, 0] for start in range(len(train) - length + 1)]
    asked = [test[start : start + length, 0] for start in range(len(test) - length + 1)]
    of_train = [
        min(np.linalg.norm(window - known[place]) for place in places if abs(place - start) >= length)
        for start, window in enumerate(known)
    ]
    return np.array(of_train), np.array([min(np.linalg.norm(w - known[place]) for place in places) for w in asked])


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize(("most", "block"), [(10_000, 128), (10_000, 7), (40, 16)])
def test_nearest_window_against_loops(most: int, block: int, offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_WINDOWS", most)
    monkeypatch.setattr(baselines, "BLOCK", block)
    train, test = series(150, 2) + offset, series(90, 3) + offset
    train[70:110, 0] = train[5:45, 0]  # seen twice, and
    train[110:150, 0] = test[20:60, 0] = offset - 1.5  # a sensor that rests
    num_windows = len(train) - MATCH_WINDOW + 1
    expected = slow_nearest(train, test, list(range(0, num_windows, -(-num_windows // most))))
    before = (MATCH_WINDOW - 1) // 2
    for found, distances, steps in zip(nearest_window(train, test), expected, (150, 90), strict=True):
        inner = found[before : before + len(distances)]
        np.testing.assert_allclose(inner, distances, rtol=1e-6, atol=1e-9)
        assert (inner[distances == 0] == 0).all()
        assert (found[:before] == inner[0]).all() and (found[before + len(distances) :] == inner[-1]).all()
        assert len(found) == steps


def test_the_nearest_window_alone_is_averaged_over_the_models_width() -> None:
    train, test = series(150, 2), series(90, 3)
    test[40:50] = np.nan
    for name in BASELINES:
        plain, smooth = (trivial_scores(BASELINES[name], train, test, None, *width) for width in ((), (8, False)))
        trailing = trivial_scores(BASELINES[name], train, test, None, 8, True)
        for split in (0, 1):
            if name != "nearest train window":
                np.testing.assert_array_equal(smooth[split], plain[split])
                continue
            steps = plain[split]
            with_gaps = [
                np.nanmean(steps[max(t - 4, 0) : t + 4]) if np.isfinite(steps[t]) else np.nan for t in range(len(steps))
            ]
            up_to = [
                np.nanmean(steps[max(t - 7, 0) : t + 1]) if np.isfinite(steps[t]) else np.nan for t in range(len(steps))
            ]
            np.testing.assert_allclose(smooth[split], with_gaps)
            np.testing.assert_allclose(trailing[split], up_to)


@pytest.mark.parametrize(
    ("spacecraft", "name", "auroc", "precision", "tolerance"),
    [
        ("SMAP", "position t/T", 0.801, 0.268, 0.0006),
        ("MSL", "position t/T", 0.693, 0.162, 0.0006),
        ("SMAP", "|x - train median|", 0.755, 0.331, 0.01),
        ("MSL", "|x - train median|", 0.659, 0.179, 0.01),
        ("MSL", "nearest train window", 0.755, 0.215, 0.01),
    ],
)
def test_real_data_gives_the_figures_of_the_design(
    tmp_path_factory: pytest.TempPathFactory,
    spacecraft: str,
    name: str,
    auroc: float,
    precision: float,
    tolerance: float,
) -> None:
    source = TelemanomSource(published_folder(tmp_path_factory), spacecraft)
    labels = np.concatenate([Labels(source).steps(channel) for channel in source.channels])
    scores = np.concatenate(
        [BASELINES[name](source.series(c, "train"), source.series(c, "test"))[1] for c in source.channels]
    )
    assert roc_auc_score(labels, scores) == pytest.approx(auroc, abs=tolerance)
    assert average_precision_score(labels, scores) == pytest.approx(precision, abs=tolerance)
