"""Trivial scores against loops written from their definitions, and DESIGN's figures on the real data."""

import numpy as np
import pytest
from conftest import published_folder
from sklearn.metrics import average_precision_score, roc_auc_score

from data.source import Labels
from data.telemanom import TelemanomSource
from evaluation import BASELINES
from evaluation.baselines import MATCH_WINDOW, MIN_SPREAD, RANGE_WINDOW, nearest_window, out_of_range


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


def test_nearest_window_against_loops() -> None:
    train, test = series(150, 2), series(90, 3)
    windows = [train[start : start + MATCH_WINDOW, 0] for start in range(150 - MATCH_WINDOW + 1)]
    before = (MATCH_WINDOW - 1) // 2
    of_train, of_test = nearest_window(train, test)
    for step in (before, 40, 70, 89 - MATCH_WINDOW + 1 + before):
        window = test[step - before : step - before + MATCH_WINDOW, 0]
        assert of_test[step] == pytest.approx(min(np.linalg.norm(window - known) for known in windows), rel=1e-6)
    assert (of_test[:before] == of_test[before]).all()
    for start in (0, 31, 32, 60, 118):  # an upper bound on the windows left out: those of the block and its neighbours
        apart = [
            np.linalg.norm(windows[start] - w) for n, w in enumerate(windows) if abs(n - start) >= 2 * MATCH_WINDOW
        ]
        near = [np.linalg.norm(windows[start] - w) for n, w in enumerate(windows) if abs(n - start) >= MATCH_WINDOW]
        assert min(near) - 1e-6 <= of_train[start + before] <= min(apart, default=np.inf) + 1e-6


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
