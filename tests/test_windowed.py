"""What all detectors of windows share: units, windows, the steps that they score, and what was published with each."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import msflow
from detectors.loop import Objective
from detectors.windowed import Units, WindowBatches, WindowDetector, WindowNetwork
from drawing.gaps import filled
from runtime.errors import InputError
from settings.load import load_config
from settings.read import read_settings


class Last(WindowNetwork):
    """The error of a step is the sum of its window up to it, by column; nothing is trained."""

    def objectives(self, config: object) -> list[Objective]:
        return []

    def errors(self, windows: Tensor, last: int) -> Tensor:
        return windows.cumsum(dim=1)[:, -last:]


def detector(
    stride: int = 1, columns: int = 2, network: type[WindowNetwork] = Last, **settings: object
) -> WindowDetector:
    config = load_config(keywords={"detector": "usad", "window": 5, "stride": stride, **settings})
    known = {"a": [str(n) for n in range(columns)]}
    found = WindowDetector(config, known, torch.device("cpu"), lambda number: network())
    found._units = {"a": Units(np.zeros(columns), np.ones(columns))}
    return found


def test_a_step_is_scored_by_the_window_that_ends_with_it() -> None:
    series = np.arange(24.0).reshape(12, 2)
    found = detector().scores("a", series)
    before = np.concatenate([np.repeat(series[:1], 4, axis=0), series])
    slow = [before[t : t + 5].sum(axis=0).mean() for t in range(12)]
    np.testing.assert_allclose(found.rows[0], slow)
    sums = np.array([before[t : t + 5].sum(axis=0) for t in range(8)])
    np.testing.assert_allclose(found.of_columns[:, 0], sums.mean(axis=0))


@pytest.mark.parametrize("stride", [2, 3, 5])
def test_with_a_stride_windows_score_their_last_steps(stride: int) -> None:
    """A step sees less before it: the window that it is one of the last of begins earlier than it must."""
    series = np.random.default_rng(0).random((13, 2))
    found = detector(stride).scores("a", series).rows[0]
    before = np.concatenate([np.repeat(series[:1], 5 - stride, axis=0), series])
    for step in range(13):
        start = step // stride * stride
        assert found[step] == pytest.approx(before[start : step + 1 + 5 - stride].sum(axis=0).mean(), rel=1e-5)


def test_a_part_is_scored_as_in_the_whole() -> None:
    series = np.random.default_rng(1).random((40, 2))
    for stride in (1, 3):
        part, whole = (detector(stride).scores("a", values).rows[0] for values in (series[:24], series))
        np.testing.assert_allclose(part, whole[:24], rtol=1e-6)


def test_the_last_part_of_training_is_held_out() -> None:
    series = np.random.default_rng(4).random((90, 2))
    for stride in (1, 3):
        made = detector(stride, held_out=0.4)
        found, whole = made.held_out("a", series), made.scores("a", series)
        assert np.isnan(found.rows[0, :54]).all()
        np.testing.assert_allclose(found.rows[0, 54:], whole.rows[0, 54:], rtol=1e-6)
        np.testing.assert_allclose(found.of_columns[:, -4:], whole.of_columns[:, -4:], rtol=1e-6)


def test_what_was_not_measured_has_no_score_and_no_share() -> None:
    series = np.random.default_rng(2).random((16, 2))
    series[3, 0], series[8:, 1], series[12:] = np.nan, np.nan, np.nan
    found = detector().scores("a", series)
    assert np.isnan(found.rows[0]).tolist() == [step >= 12 for step in range(16)]
    first = np.concatenate([np.repeat(filled(series[:, 0])[:1], 4), filled(series[:, 0])])
    np.testing.assert_allclose(found.rows[0, 8], first[8:13].sum(), rtol=1e-5)
    assert np.isnan(found.of_columns[1, 1]) and np.isfinite(found.of_columns[:, 0]).all()


def test_columns_run_from_0_to_1_in_training_and_a_constant_one_keeps_its_unit() -> None:
    train = np.array([[2.0, 7.0, np.nan], [4.0, 7.0, np.nan], [6.0, 7.0, np.nan]])
    units = Units.of([train])
    later = np.array([[8.0, 9.0, 3.0]])
    np.testing.assert_allclose(units(later, clipped=False), [[1.5, 2.0, 3.0]])
    np.testing.assert_allclose(units(later, clipped=True), [[1.0, 1.0, 1.0]])


def test_a_pass_holds_every_window_once_and_none_across_two_series() -> None:
    series = [torch.arange(7.0)[:, None], 100 + torch.arange(3.0)[:, None], 200 + torch.arange(6.0)[:, None]]
    batches = WindowBatches(series, 4, 1, 3)
    found = [batch.windows[:, :, 0].tolist() for batch in batches.batches(0)]
    assert batches.num_batches == len(found) == 3 and [len(batch) for batch in found] == [3, 3, 2]
    expected = [[s, s + 1, s + 2, s + 3] for s in (0, 1, 2, 3, 200, 201, 202)] + [[100, 100, 101, 102]]
    assert sorted(sum(found, [])) == sorted(expected)
    assert found != [batch.windows[:, :, 0].tolist() for batch in batches.batches(1)]


def test_what_is_drawn_in_a_pass_goes_by_its_seed_alone() -> None:
    batches = WindowBatches([torch.zeros(9, 1)], 4, 1, 3)
    drawn = []
    for seed in (5, 6, 5):
        torch.rand(3)
        drawn.append([torch.rand(2).tolist() for _ in batches.batches(seed)])
    assert drawn[0] == drawn[2] != drawn[1]


def test_bad_settings_and_unknown_channels_are_told() -> None:
    with pytest.raises(InputError, match="stride = 6: windows of 5 steps would leave steps out"):
        detector(6)
    with pytest.raises(InputError, match=r"channel b was not in training.*--shared-density"):
        detector().scores("b", np.zeros((9, 2)))
    config = load_config(keywords={"detector": "usad"})
    with pytest.raises(InputError, match="but one has 1 columns and two 2"):
        WindowDetector(config, {"one": ["x"], "two": ["x", "y"]}, torch.device("cpu"), lambda number: Last())


def test_published_settings_come_between_default_py_and_what_is_said(tmp_path: Path) -> None:
    settings = read_settings()
    config = load_config(flags={"detector": "usad", "latent": "7"})
    assert (config.window, config.meta_epochs, config.latent) == (5, 250, 7)
    recipe = tmp_path / "mine.py"
    recipe.write_text('detector = "usad"\nwindow = 12\n')
    assert (load_config(recipe).window, load_config(recipe).meta_epochs) == (12, 250)
    assert load_config(recipe, {"detector": "msflow"}).meta_epochs == settings["meta_epochs"].default
    earlier = dataclasses.asdict(load_config(flags={"detector": "usad", "window": "9"}))
    assert load_config(base=earlier).window == 9, "a run's own settings stay"


def test_usad_serves_tables_and_the_python_face() -> None:
    rng = np.random.default_rng(3)
    steps = np.arange(1500)
    series = np.column_stack([np.sin(steps / 9), np.cos(steps / 5)]) * [40, 0.1] + [300, 2]
    series += rng.normal(size=series.shape) * [0.5, 0.001]
    new = series.copy()
    new[900:940, 1] += 1
    small = {"window": 8, "latent": 8, "meta_epochs": 20, "batch_size": 128, "detector": "usad"}
    fitted = msflow.fit({"plant": series[:800]}, **small)
    scores = fitted.score({"plant": new[800:]})
    assert scores["score"].to_numpy().argmax() in range(100, 148)
