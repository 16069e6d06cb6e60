"""Detectors that look at every column by itself: what another column does is no matter, nor its units."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch

import msflow
from detectors.columns import ChannelScores
from detectors.msflow import pyramids
from detectors.msflow.pieces import LineMaker
from detectors.msflow.training import Place, learn_pyramid
from drawing.line import Line
from models.extractors import build_extractor
from models.flows import make_pool
from runtime.errors import InputError

STEPS = 1200
SETTINGS = {"time_scales": [1, 2], "smooth": 8, "threshold": "q0.99"}
NAN = np.nan


def plant(seed: int, steps: int = STEPS, columns: int = 3) -> np.ndarray:
    """Sensors in units of their own: waves with noise of levels and sizes from 1e-3 to 1e5."""
    rng = np.random.default_rng(seed)
    waves = [np.sin(np.arange(steps) / (7 + 4 * column)) + 0.2 * rng.normal(size=steps) for column in range(columns)]
    return np.column_stack([10.0 ** (3 * column - 3) * (wave + 5) for column, wave in enumerate(waves)])


def learnt(train: np.ndarray | Mapping[str, np.ndarray], **chosen) -> msflow.Fitted:
    return msflow.fit(train, **SETTINGS | chosen)


def raw(fitted: msflow.Fitted, series: np.ndarray, channel: str = "series") -> ChannelScores:
    return fitted._run.detector.scores(channel, series)


TRAIN, TEST = plant(0), plant(1, 700)
FAULT = slice(300, 360)


@pytest.fixture(scope="module")
def fitted() -> msflow.Fitted:
    return learnt(TRAIN)


def test_what_a_column_has_does_not_depend_on_the_others(fitted: msflow.Fitted) -> None:
    whole = raw(fitted, TEST)
    other = TEST.copy()
    other[:, 1] = -3 * other[::-1, 1] + 100
    other[:, 2] = NAN
    changed = raw(fitted, other).of_columns
    np.testing.assert_array_equal(changed[0], whole.of_columns[0])
    assert np.isnan(changed[2]).all() and not np.allclose(changed[1], whole.of_columns[1])


def test_what_is_learnt_of_a_column_is_that_of_a_series_of_its_own() -> None:
    """Columns of one behaviour, as the floor of a feature's deviation is in units of all of them."""
    train = np.column_stack([TRAIN[:, 0], 1e4 * TRAIN[:, 0]])
    whole = raw(learnt(train), np.column_stack([TEST[:, 0], 1e4 * TEST[::-1, 0]])).of_columns
    alone = raw(learnt(TRAIN[:, :1]), TEST[:, :1])
    assert alone.of_columns is None
    sums = alone.rows.sum(axis=0)
    cells = [sums[start : start + 8].mean() for start in range(0, len(sums), 8)]
    np.testing.assert_allclose(whole[0], cells, rtol=5e-3)
    assert not np.allclose(whole[1], cells, rtol=0.1)


@pytest.mark.parametrize("scaling", ["range", "quantile", "deviation"])
@pytest.mark.parametrize("column", [0, 2])
def test_units_do_not_matter(scaling: str, column: int) -> None:
    train, test = TRAIN.copy(), TEST.copy()
    for series in (train, test):
        series[:, column] = 1e6 * series[:, column] - 321
    scores = learnt(TRAIN, scaling=scaling).score(TEST)["score"]
    np.testing.assert_allclose(learnt(train, scaling=scaling).score(test)["score"], scores, rtol=1e-4)


@pytest.mark.parametrize("combine", ["mean", "max", "highest", "logs"])
def test_the_order_of_the_columns_does_not_matter(combine: str) -> None:
    order = [2, 0, 1]
    scores = learnt(TRAIN, combine=combine).score(TEST)
    turned = learnt(TRAIN[:, order], combine=combine).score(TEST[:, order])
    np.testing.assert_allclose(turned["score"], scores["score"], rtol=1e-4)
    names = {f"column {new}": f"column {old}" for new, old in enumerate(order)}
    assert (turned["highest_column"].map(names) == scores["highest_column"]).mean() > 0.99


@pytest.mark.parametrize("column", [0, 1, 2])
def test_an_anomaly_is_of_its_column(fitted: msflow.Fitted, column: int) -> None:
    test = TEST.copy()
    test[FAULT, column] = TRAIN[:, column].mean() + 1.5 * np.ptp(TRAIN[:, column])
    scores = fitted.score(test)
    assert scores["score"].idxmax() in range(FAULT.start - 8, FAULT.stop + 8)
    assert (scores["highest_column"][FAULT] == f"column {column}").all()
    alarms = fitted.alarms(test)
    highest = alarms.loc[alarms["peak_score"].idxmax()]
    assert highest["columns"].startswith(f"column {column} ")
    assert highest["start"] <= FAULT.start + 8 and highest["end"] >= FAULT.stop - 8


def test_only_steps_without_any_column_have_no_score(fitted: msflow.Fitted) -> None:
    test = TEST.copy()
    test[100:300, 0], test[200:400, 1], test[250:280, 2] = NAN, NAN, NAN
    frame = fitted.score(test)
    unmeasured = np.isnan(test).all(axis=1)
    assert unmeasured.sum() == 30
    np.testing.assert_array_equal(frame["score"].isna(), unmeasured)
    assert (frame["highest_column"][unmeasured] == "").all() and not frame["alarm"][unmeasured].any()
    assert (
        "column 0" not in set(frame["highest_column"][104:296])
        and not frame["highest_column"][~unmeasured].eq("").any()
    )
    found = raw(fitted, test)
    np.testing.assert_array_equal(np.isnan(found.rows), np.broadcast_to(unmeasured, found.rows.shape))
    cells = np.isnan(test)[:696].reshape(-1, 8, 3).all(axis=1).T
    np.testing.assert_array_equal(np.isnan(found.of_columns[:, :87]), cells)


def test_a_gap_is_no_anomaly(fitted: msflow.Fitted) -> None:
    test = TEST.copy()
    test[200:330, 1] = NAN
    holed, whole = raw(fitted, test).of_columns[1], raw(fitted, TEST).of_columns[1]
    assert np.nanmax(holed) <= 1.5 * whole.max()


def test_gaps_are_not_learnt() -> None:
    """Twice as long a training, half of it empty, teaches what the other half does."""
    empty = np.concatenate([TRAIN, np.full((len(TRAIN), 3), NAN)])
    constant = np.concatenate([TRAIN, np.repeat(TRAIN[-1:], len(TRAIN), axis=0)])
    scores, holed, still = (learnt(train).score(TEST)["score"].to_numpy() for train in (TRAIN, empty, constant))
    assert np.abs(holed - scores).mean() < 0.1 * scores.mean() < np.abs(still - scores).mean()


@pytest.mark.parametrize("constant", [0.0, 20.0, -1e7])
def test_a_column_that_stood_still_in_training_does_not_explode(constant: float) -> None:
    train, test = TRAIN.copy(), TEST.copy()
    train[:, 1] = test[:, 1] = constant
    test[FAULT, 1] = constant + (0.01 * constant or 0.1)
    fitted = learnt(train)
    scores = fitted.score(test)
    assert np.isfinite(scores["score"]).all()
    test[FAULT, 1] = 1e9
    jumped = fitted.score(test)
    assert np.isfinite(jumped["score"]).all() and jumped["score"].idxmax() in range(FAULT.start - 8, FAULT.stop + 8)
    assert jumped["score"].max() > scores["score"].max()


# One density for all channels


@pytest.fixture(scope="module")
def shared() -> msflow.Fitted:
    return learnt({"north": TRAIN, "south": plant(2)}, shared_density=True)


def test_recordings_of_one_thing_share_a_density(shared: msflow.Fitted) -> None:
    assert shared.channels == ["north", "south"]
    found = [raw(shared, TEST, channel).rows for channel in ("north", "south", "never seen")]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    scores = shared.score({"west": TEST})
    assert set(scores["channel"]) == {"west"} and np.isfinite(scores["score"]).all()


def test_a_shared_density_has_learnt_from_all(shared: msflow.Fitted) -> None:
    """What is odd to the density of one recording is usual to that of both."""
    south = plant(2)
    south[:, 0] = np.sin(np.arange(STEPS) / 2) * 1e-3 + 5e-3
    alone, both = learnt({"north": TRAIN}), learnt({"north": TRAIN, "south": south}, shared_density=True)
    columns = [raw(fitted, south, "north").of_columns[0].mean() for fitted in (alone, both)]
    assert columns[1] < 0.7 * columns[0]


def test_recordings_that_share_a_density_share_their_units() -> None:
    """Whichever comes first."""
    data = {"north": TRAIN, "south": 5 * plant(2)}
    shared, turned = (learnt(dict(pairs), shared_density=True) for pairs in (data.items(), reversed(data.items())))
    np.testing.assert_allclose(raw(turned, TEST, "north").rows, raw(shared, TEST, "north").rows, rtol=1e-3)
    apart = learnt(data)
    assert not np.allclose(raw(apart, TEST, "north").rows, raw(shared, TEST, "north").rows, rtol=0.1)


def test_a_new_channel_of_a_density_for_each_is_refused() -> None:
    apart = learnt({"north": TRAIN, "south": plant(2)})
    with pytest.raises(InputError, match=r"channel west was not learnt .* knows north, south.*--shared-density"):
        apart.score({"west": TEST})


def test_recordings_that_share_a_density_have_the_same_columns() -> None:
    with pytest.raises(InputError, match="channel south has the columns column 0, column 1, but north column 0, .*2"):
        learnt({"north": TRAIN, "south": TRAIN[:, :2]}, shared_density=True)


# Pyramids in training


@pytest.mark.parametrize("head", ["gaussian", "memory"])
def test_pyramids_that_are_made_again_teach_what_kept_ones_do(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("detectors.msflow.series.learn_pyramid", lambda *x: made.append(1) or learn_pyramid(*x))
    kept = learnt(TRAIN, head=head).score(TEST)["score"]
    number = len(made)
    monkeypatch.setattr(pyramids, "KEPT_BYTES", 0)
    np.testing.assert_array_equal(learnt(TRAIN, head=head).score(TEST)["score"], kept)
    # each of 6 is made once for the density, and once for its held-out scores
    assert number == 12 and len(made) - number >= 12


def test_pyramids_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def make(number: int) -> list[torch.Tensor]:
        asked.append(number)
        return [torch.full((1, 1, 1, 100), float(number))]  # 400 bytes

    monkeypatch.setattr(pyramids, "KEPT_BYTES", 900)
    found = pyramids.Pyramids(make, 4)
    for _ in range(2):
        assert [levels[0][0, 0, 0, 0].item() for levels in found] == [0, 1, 2, 3]
    assert asked == [0, 1, 2, 3, 2, 3] and len(found) == 4
    with pytest.raises(IndexError):
        found[4]


def line_maker() -> LineMaker:
    extractor = build_extractor("resnet18", "random", seed=1).as_line()
    return LineMaker(extractor, make_pool("avg", line=True), Line(), 0, 1 << 16)


def pyramid(maker: LineMaker, drawn: np.ndarray, measured: np.ndarray | None = None, scale: int = 1) -> list:
    known = np.ones(len(drawn), dtype=bool) if measured is None else measured
    return learn_pyramid(maker, drawn, known, Place(0, scale, 256), 512 // scale).levels


@pytest.mark.parametrize("steps", [640, 700])
def test_cells_where_little_was_measured_are_left_out(steps: int) -> None:
    maker, measured = line_maker(), np.ones(steps, dtype=bool)
    measured[100:151], measured[400:404], measured[-90:] = False, False, False
    drawn = np.column_stack([plant(3, steps, 1)] * 3)
    whole, kept = pyramid(maker, drawn), pyramid(maker, drawn, measured)
    assert maker.strides == [8, 16, 32]
    for level, stride, of_all, of_some in zip(range(3), maker.strides, whole, kept, strict=True):
        inside = []
        for cell in range(-(-steps // stride)):
            around = [t for t in range(cell * stride - stride // 2, cell * stride + stride // 2) if 0 <= t < steps]
            inside.append(np.mean(measured[around]) >= 0.5)
        inside = np.flatnonzero(inside)
        assert 0 < len(inside) < of_all.shape[-1] - 51 // stride, level
        continued = of_some.shape[-1] - len(inside)  # cells behind the last step, which nobody measured either
        assert 0 <= continued <= 1
        torch.testing.assert_close(of_some[..., : len(inside)], of_all[..., inside], rtol=0, atol=0)


def test_a_mean_of_steps_counts_by_what_was_measured_of_it() -> None:
    """At a time scale a step is the mean of several, of which a share was measured."""
    maker, drawn = line_maker(), np.column_stack([plant(3, 2560, 1)] * 3)
    whole = pyramid(maker, drawn, scale=4)
    measured = np.arange(2560) % 4 == 0
    measured[:1280] = True
    half = pyramid(maker, drawn, measured, scale=4)
    assert [level.shape[-1] for level in half] == [level.shape[-1] // 2 + 1 for level in whole]


def test_what_was_never_measured_keeps_its_cells() -> None:
    maker, drawn = line_maker(), np.column_stack([plant(3, 640, 1)] * 3)
    whole = pyramid(maker, drawn)
    for measured in (np.ones(640, dtype=bool), np.zeros(640, dtype=bool)):
        for level, expected in zip(pyramid(maker, drawn, measured), whole, strict=True):
            torch.testing.assert_close(level, expected, rtol=0, atol=0)
