"""Window statistics and principal components against slow references, and what both promise as detectors."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

import msflow
from detectors import DETECTORS
from detectors.columnwise import ColumnDetector
from runtime.errors import InputError
from settings.load import load_config

NAMES = ("statistics", "pca")
every = pytest.mark.parametrize("name", NAMES)
SMALL = {"statistics": {"widths": [16, 32]}, "pca": {"window": 16}}


def made(name: str, columns: int = 1, **settings: object) -> ColumnDetector:
    config = load_config(keywords={"detector": name, "columns": ["all"], **SMALL[name], **settings})
    known = {"a": [str(n) for n in range(columns)]}
    return DETECTORS[name](config, None, known, Path(), None)


def wave(steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sin(np.arange(steps) / 6) + 0.05 * rng.normal(size=steps)


def test_the_distance_is_that_of_the_nearest_window_in_usual_deviations() -> None:
    detector = made("statistics", widths=[16])
    train, test = wave(400, 0), wave(200, 1)
    test[90:110] += 2
    learnt = detector.learn([train])

    def told(values: np.ndarray, centre: int) -> list[float]:
        part = values[max(centre - 8, 0) : centre + 8]
        low, high = part.min(), part.max()
        return [part.mean(), part.std(), low, high, high - low]

    known = np.array([told(train, centre) for centre in range(0, 400, 2)])
    np.testing.assert_allclose(learnt["windows 16"], known, atol=1e-12)
    mean, deviation = learnt["distances 16"]
    found = detector.errors(learnt, test)
    for centre in (0, 44, 100, 198):
        nearest = np.linalg.norm(known - told(test, centre), axis=1).min()
        assert found[centre] == pytest.approx(max((nearest - mean) / deviation, 0))
    assert 90 <= found.argmax() <= 110


def test_the_usual_distance_leaves_out_windows_that_share_steps() -> None:
    """Of a ramp, windows a hop of 2 steps apart are sqrt(3) 2 apart: in mean, least and greatest value."""
    mean, _ = made("statistics", widths=[16]).learn([np.arange(400.0)])["distances 16"]
    gaps = []
    for start in range(0, 200, 40):
        rest = [other for other in range(200) if not start - 8 <= other < start + 40 + 8]
        gaps += [min(abs(number - other) for other in rest) for number in range(start, start + 40)]
    assert mean == pytest.approx(np.sqrt(3) * 2 * np.mean(gaps), rel=0.02)


@pytest.mark.parametrize("explained", [0.5, 0.9, 1.0])
def test_residuals_are_what_the_components_leave(explained: float) -> None:
    detector = made("pca", window=8, explained=explained)
    train, test = wave(300, 2), wave(100, 3)
    learnt = detector.learn([train])
    windows = np.lib.stride_tricks.sliding_window_view(train, 8)
    reference = PCA(n_components=None if explained == 1 else explained, svd_solver="full").fit(windows)
    asked = np.lib.stride_tricks.sliding_window_view(test, 8)[::2]
    left = np.square(asked - reference.inverse_transform(reference.transform(asked)))
    usual = np.square(windows - reference.inverse_transform(reference.transform(windows))).mean()
    total, count = np.zeros(100), np.zeros(100)
    for number, squares in enumerate(left):
        total[2 * number : 2 * number + 8] += squares
        count[2 * number : 2 * number + 8] += 1
    np.testing.assert_allclose(detector.errors(learnt, test), total / count / (usual + 0.05**2), atol=1e-10)


@every
def test_what_is_constant_in_training_has_finite_scores(name: str) -> None:
    detector = made(name)
    detector.fit({"a": np.full((200, 1), 7.0)}, None)
    quiet, changed = np.full((150, 1), 7.0), np.full((150, 1), 7.0)
    changed[60:90] = 9
    scores = detector.scores("a", changed).rows[0]
    assert np.isfinite(scores).all() and scores[60:90].mean() > 10 * scores[:20].mean()
    assert detector.scores("a", quiet).rows[0].max() < scores.max() / 10


@every
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_any_length_is_learnt_and_scored(name: str, steps: int) -> None:
    detector = made(name)
    detector.fit({"a": wave(steps, 4)[:, None]}, None)
    for found in (detector.scores("a", wave(3, 5)[:, None]), detector.held_out("a", wave(steps, 4)[:, None])):
        assert np.isfinite(found.rows).all()


@every
def test_a_part_of_training_is_judged_without_it(name: str) -> None:
    """A pattern that training shows once is usual to what learnt it, and odd to what did not."""
    series = wave(1000, 6)
    series[500:560] = np.abs(series[500:560]) + 1
    detector = made(name)
    detector.fit({"a": series[:, None]}, None)
    seen, held_out = detector.scores("a", series[:, None]).rows[0], detector.held_out("a", series[:, None]).rows[0]
    assert held_out[500:560].mean() > 1.5 * seen[500:560].mean()
    assert 490 < held_out.argmax() < 570


@every
def test_columns_are_combined_and_told_apart(name: str) -> None:
    train, test = (np.column_stack([100 * wave(500, s), wave(500, s + 1), wave(500, s + 2)]) for s in (7, 17))
    test[200:240, 1] += 1.5
    test[300:, 2] = np.nan
    detector = made(name, 3, scaling="quantile", combine="max")
    detector.fit({"a": train}, None)
    found = detector.scores("a", test)
    assert 190 < found.rows[0].argmax() < 250
    assert np.nan_to_num(found.of_columns)[:, 26:29].mean(axis=1).argmax() == 1
    assert np.isnan(found.of_columns[2, 40:]).all() and np.isfinite(found.rows).all()


@every
def test_unknown_channels_need_a_shared_density(name: str) -> None:
    detector = made(name)
    detector.fit({"a": wave(300, 8)[:, None]}, None)
    with pytest.raises(InputError, match=r"channel b was not in training.*--shared-density"):
        detector.scores("b", wave(100, 9)[:, None])
    shared = made(name, shared_density=True)
    shared.fit({"a": wave(300, 8)[:, None]}, None)
    assert np.isfinite(shared.scores("b", wave(100, 9)[:, None]).rows).all()


@every
@pytest.mark.parametrize("settings", [{}, {"widths": [20, 50], "window": 30}], ids=["usual", "odd"])
def test_a_stream_tells_what_the_whole_does(name: str, settings: dict) -> None:
    train, test = (np.column_stack([wave(1500, seed), wave(1500, seed + 1)]) for seed in (12, 22))
    fitted = msflow.fit(train, detector=name, columns=["all"], **SMALL[name] | settings)
    stream = fitted.stream()
    found = [stream.push(part) for part in np.split(test, [7, 300, 301, 900])] + [stream.finish()]
    told = np.concatenate([part["score"].to_numpy(dtype=float) for part in found])
    np.testing.assert_allclose(told, fitted.score(test)["score"].to_numpy(), rtol=1e-6, atol=1e-6)


@every
def test_saved_and_loaded_it_scores_alike(name: str, tmp_path: Path) -> None:
    series = {"plant": np.column_stack([50 + 3 * wave(900, 10), wave(900, 11)])}
    fitted = msflow.fit(series, detector=name, columns=["all"], **SMALL[name])
    expected = fitted.score(series)["score"].to_numpy()
    fitted.save(tmp_path / "kept")
    np.testing.assert_array_equal(msflow.load(tmp_path / "kept").score(series)["score"].to_numpy(), expected)
