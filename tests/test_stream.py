"""Rows scored as they arrive give what they give in one series; a stream goes on where it stood."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import plain_policy
from hypothesis import given, settings
from hypothesis import strategies as st

import msflow
from detectors.columns import ChannelScores, Combination
from drawing.gaps import filled
from evaluation.alarms import HISTORY, raise_alarms
from evaluation.causes import Causes
from evaluation.details import MOVED
from evaluation.frames import STEP_COLUMNS, Scored, iso, step_frame
from evaluation.thresholds import Learnt
from metrics.events import Alarm
from runs.rows import time_step_scores
from runtime import errors
from runtime.errors import InputError
from serving.stream import KEPT, Stream

NAN = np.nan
REACH = 24
MINUTE = pd.Timedelta(1, "min")


class Window:
    """A detector whose score sees all of the drawn steps within its reach, each with a weight of its own."""

    rows = ["window"]
    reach, grid = REACH, 16
    weights = np.random.default_rng(0).normal(size=2 * REACH + 1)

    def scores(self, channel: str, series: np.ndarray) -> ChannelScores:
        combination = Combination("mean", 1)
        for column in series.T:
            drawn = np.pad(filled(column), REACH)
            energies = np.convolve(drawn, self.weights, mode="valid")[None].astype(np.float32)
            combination.add(energies, np.isfinite(column))
        return combination.scores()


class Plain:
    """What a run without calibration has learnt: nothing is usual, 1 is the threshold."""

    policy = plain_policy("1")

    def __init__(self, columns: list[str], smooth: int, trailing: bool) -> None:
        self.config = SimpleNamespace(smooth=smooth, trailing=trailing, columns=("all",))
        self.known = {"c": columns}

    def learnt(self, channel: str) -> Learnt:
        return Learnt(1.0, 0.0)

    def scored(self, channel, rows, of_columns, times, data_rows, watched=None) -> Scored:
        steps = time_step_scores(rows, None, "none", self.config.smooth, self.config.trailing)
        usual = None if of_columns is None else np.zeros_like(of_columns)
        raised = raise_alarms(steps, self.learnt(channel), self.policy) if watched is None else ([], watched(steps))
        causes = Causes(self.known[channel], of_columns, usual)
        return Scored(channel, times, steps, self.learnt(channel), *raised, causes, data_rows)


def streamed(stream: Stream, rows: np.ndarray | pd.DataFrame, blocks: list[int]) -> pd.DataFrame:
    """All that is told of rows pushed in blocks of these sizes, over and over, and at the end."""
    found, start, turn = [], 0, 0
    while start < len(rows):
        found.append(stream.push(rows[start : start + blocks[turn % len(blocks)]]))
        start += blocks[turn % len(blocks)]
        turn += 1
    return pd.concat([frame for frame in (*found, stream.finish()) if len(frame)], ignore_index=True)


def alike(found: pd.DataFrame, expected: pd.DataFrame, tol: tuple[float, float], tied: float = 0.0) -> None:
    """`tol` is relative and absolute; at a share `tied` of the steps two columns may be equal but for rounding."""
    assert tuple(found.columns) == STEP_COLUMNS
    for name in ("channel", "step", "time"):
        pd.testing.assert_series_equal(found[name], expected[name], check_dtype=False)
    assert (found["highest_column"] != expected["highest_column"]).mean() <= tied
    np.testing.assert_allclose(found["score"].astype(float), expected["score"], *tol)
    close = np.abs(expected["score"] - 1) < 1e-3  # of the stub's threshold
    assert (found["alarm"] == expected["alarm"])[~close].all()


def same_alarms(found: list[Alarm], expected: pd.DataFrame) -> None:
    """Those of a stream are those of the table, but for the floats."""
    places = expected[["start", "end", "peak"]].to_numpy().tolist()
    assert [[alarm.start, alarm.end, alarm.at] for alarm in found] == places
    heights = expected[["peak_score", "threshold"]].to_numpy(float).reshape(-1, 2)
    np.testing.assert_allclose([[alarm.peak, alarm.limit] for alarm in found], heights, rtol=1e-4)
    moved = (expected["kind"] == MOVED).tolist()
    assert [alarm.moved for alarm in found] == moved


# runs of (steps, measured); seldom: one value in so many steps
runs = st.lists(st.tuples(st.integers(1, 70), st.booleans(), st.sampled_from([1, 1, 1, 3, 12])), min_size=3, max_size=9)
block_sizes = st.lists(st.sampled_from([1, 2, 5, 30, 200]), min_size=1, max_size=6)


def column_of(pieces: list[tuple[int, bool, int]], steps: int) -> np.ndarray:
    measured = np.concatenate(
        [np.arange(length) % every == 0 if on else np.zeros(length, bool) for length, on, every in pieces]
    )
    return np.resize(measured, steps)


@settings(deadline=None, max_examples=50, database=None)
@given(st.lists(runs, min_size=1, max_size=3), block_sizes, st.sampled_from([1, 4, 9]), st.booleans())
def test_a_stream_waits_for_all_that_a_score_depends_on(
    columns: list, blocks: list[int], smooth: int, trailing: bool
) -> None:
    """Whatever is missing where: against one series, with a detector that shows the smallest difference."""
    steps = max(sum(length for length, _, _ in pieces) for pieces in columns)
    measured = np.column_stack([column_of(pieces, steps) for pieces in columns])
    series = np.where(measured, np.random.default_rng(steps).normal(size=measured.shape), NAN)
    detector, learnt = Window(), Plain([f"x{n}" for n in range(series.shape[1])], smooth, trailing)
    found = detector.scores("c", series)
    expected = step_frame(learnt.scored("c", found.rows, found.of_columns, None, None))
    alike(streamed(Stream(detector, learnt, "c", None), series, blocks), expected, (1e-5, 1e-4))


def test_a_score_comes_as_soon_as_nothing_can_change_it() -> None:
    for smooth, trailing, ahead in ((1, False, 0), (9, False, 4), (9, True, 0)):
        stream = Stream(Window(), Plain(["x"], smooth, trailing), "c", None)
        assert stream.latency == REACH + ahead + 8
        rows = np.random.default_rng(0).normal(size=(200, 1))
        for row in range(200):
            told = stream.push(rows[row : row + 1])
            # with row t come the scores of the steps up to t - latency
            assert told["step"].tolist() == ([row - stream.latency] if row >= stream.latency else [])
        assert stream.finish()["step"].tolist() == list(range(200 - stream.latency, 200))
        assert len(stream.finish()) == 0 and stream.rows == 200


def test_memory_is_bounded() -> None:
    learnt = Plain(["x", "y"], 9, False)
    learnt.policy = replace(learnt.policy, moved_after=5)  # the level is another now and then
    stream = Stream(Window(), learnt, "c", None)
    bound = KEPT * REACH + 9 + Window.grid + stream.latency + 500
    rows = np.random.default_rng(0).normal(size=(50_000, 2))
    rows[20_000:, 1] = NAN  # a sensor that is dead for ever
    rows[30_000:31_000] = NAN
    told = 0
    for start in range(0, 50_000, 500):
        told += len(stream.push(rows[start : start + 500]))
        assert len(stream._kept) <= bound
    assert 50_000 - told == stream.latency
    assert len(stream._seen) == HISTORY and not stream._watch.moved


@pytest.mark.parametrize("dead", [0, 100])
def test_a_dead_sensor_holds_nothing_up(dead: int) -> None:
    rows = np.random.default_rng(0).normal(size=(400, 2))
    rows[dead:, 1] = NAN
    stream = Stream(Window(), Plain(["x", "y"], 1, False), "c", None)
    assert stream.push(rows)["step"].tolist() == list(range(400 - stream.latency))


def test_a_gap_that_is_open_is_waited_for() -> None:
    """Up to half of a gap is drawn from what lies before it; how long it is, is known at its end."""
    rows = np.random.default_rng(0).normal(size=(300, 1))
    rows[200:230] = NAN
    stream = Stream(Window(), Plain(["x"], 1, False), "c", None)
    assert len(stream.push(rows[:208])) == 200 - stream.latency  # 8 missing may be bridged, or 9 be mirrored
    assert len(stream.push(rows[208:209])) == 5
    assert len(stream.push(rows[209:230])) == 10
    assert len(stream.push(rows[230:231])) == 0  # what lies behind is mirrored: as many steps as are drawn from it
    assert len(stream.push(rows[231:245])) == 0
    assert len(stream.push(rows[245:246])) == 31


# The real one

ROUNDED = (1e-4, 1e-4)  # distances in float32, as differences of squares
SETTINGS = {"weights": "random", "threshold": "q0.99", "causal": True}
KINDS = {
    "short": {"time_scales": [1], "smooth": 8},
    "trailing": {"time_scales": [1, 2], "smooth": 16, "trailing": True},
    "long": {"time_scales": [1, 2, 4], "smooth": 32},
}


def sensors(seed: int, steps: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(steps)[:, None] / [7, 12, 30]) + 0.2 * rng.normal(size=(steps, 3))
    times = pd.date_range(
        "2026-03-28 12:00", periods=steps, freq="min", tz="Europe/Berlin"
    )  # over a change of the clock
    return pd.DataFrame(wave * [1, 50, 1e4] + [0, 20, 3e5], columns=["current", "heat", "pressure"], index=times)


def with_holes(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that did not come, and cells that are empty, for a short and for a long time."""
    frame = frame.copy()
    frame.iloc[300:304, 0] = NAN
    frame.iloc[500:900, 1] = NAN
    frame.iloc[950:1000] = NAN
    frame.iloc[1100:1400:2, 2] = NAN
    frame.iloc[1500:, 0] = NAN
    frame.iloc[1700:1760, 2] += 9 * frame["pressure"].std()
    return frame.drop(index=frame.index[np.r_[600:605, 1205:1290]])


@pytest.fixture(scope="module", params=KINDS)
def fitted(request: pytest.FixtureRequest) -> msflow.Fitted:
    return msflow.fit(sensors(0, 1500), name="pump", **SETTINGS, **KINDS[request.param])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_stream_gives_what_one_series_gives(fitted: msflow.Fitted, seed: int) -> None:
    new = with_holes(sensors(2 + seed, 5000))
    blocks = np.random.default_rng(seed).choice([60, 150, 400, 900], 12).tolist()
    stream = fitted.stream()
    found, expected = streamed(stream, new, blocks), fitted.score(new)
    alike(found, expected, ROUNDED, tied=0.005)
    assert (found["alarm"] == expected["alarm"]).all() and expected["alarm"].any()
    same_alarms(stream.ended(last=True), fitted.alarms(new))
    assert stream.rows == len(new) and stream.late == 0
    assert len(stream._kept) < len(new)


def test_rows_without_times_are_counted(fitted: msflow.Fitted) -> None:
    new = with_holes(sensors(4, 2000)).to_numpy()
    found, expected = streamed(fitted.stream(), new, [300, 17]), fitted.score({"pump": sensors_of(new)})
    assert found["time"].isna().all() and found["step"].tolist() == list(range(len(new)))
    np.testing.assert_allclose(found["score"].astype(float), expected["score"], rtol=1e-5, atol=1e-5)


def sensors_of(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=["current", "heat", "pressure"])


@pytest.mark.parametrize("timed", [True, False])
def test_a_stream_goes_on_where_it_was_saved(fitted: msflow.Fitted, timed: bool, tmp_path: Path) -> None:
    new = with_holes(sensors(5, 2400))
    new.index = new.index.tz_convert("+03:00")  # a zone without a name
    new = new if timed else new.reset_index(drop=True)
    whole, stream, told = fitted.stream(), fitted.stream(), []
    expected = [whole.push(new[start : start + 300]) for start in range(0, len(new), 300)]
    for turn, start in enumerate(range(0, len(new), 300)):
        told.append(stream.push(new[start : start + 300]))
        stream.save(tmp_path / "state.npz", {"turn": turn, "more": ["a", None]})
        stream = fitted.stream()
        assert stream.restore(tmp_path / "state.npz") == {"turn": turn, "more": ["a", None]}
    for found, wanted in zip([*told, stream.finish()], [*expected, whole.finish()], strict=True):
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
        assert found["time"].map(iso).tolist() == wanted["time"].map(iso).tolist()  # in the same zone
    alarms = whole.ended(last=True)
    assert stream.ended(last=True) == alarms and alarms  # none was asked for before
    assert (stream.rows, stream.late) == (whole.rows, whole.late) == (len(new), 0)


@pytest.fixture(scope="module")
def short() -> msflow.Fitted:
    return msflow.fit(sensors(0, 1500), name="pump", **SETTINGS, **KINDS["short"])


def test_a_stream_is_saved_before_its_first_row(short: msflow.Fitted, tmp_path: Path) -> None:
    stream, new = short.stream(), sensors(1, 700)
    stream.save(tmp_path / "state.npz")
    other = short.stream()
    assert other.restore(tmp_path / "state.npz") == {}
    pd.testing.assert_frame_equal(streamed(other, new, [350]), streamed(stream, new, [350]))


def test_what_is_no_saved_stream_is_an_error(short: msflow.Fitted, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    for content in (b"", b"PK damaged"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"state.npz: cannot be read as .*Remove it"):
            short.stream().restore(path)
    short.stream().save(path)
    with np.load(path) as arrays:
        kept = dict(arrays)
    facts = json.loads(str(kept["facts"]))
    for damaged in (facts | {"watch": {"state": 3}}, {name: facts[name] for name in facts if name != "watch"}):
        np.savez(path, **kept | {"facts": np.array(json.dumps(damaged))})  # as another version may write it
        with pytest.raises(InputError, match=r"state.npz: cannot be read as .*Remove it"):
            short.stream().restore(path)
    with pytest.raises(InputError, match="none.npz: missing"):
        short.stream().restore(tmp_path / "none.npz")
    other = msflow.fit(sensors(0, 900)[["current"]], name="pump", **SETTINGS, time_scales=[1])
    other.stream().save(path)
    with pytest.raises(InputError, match="is of channel pump with the columns current"):
        short.stream().restore(path)


def test_rows_that_are_not_later_are_left_out(short: msflow.Fitted, capsys: pytest.CaptureFixture) -> None:
    errors.warn.cache_clear()
    new = sensors(3, 700)
    places = np.insert(np.arange(700), [50, 50, 200, 333, 700], [49, 10, 199, 0, 699])
    stream = short.stream()
    pd.testing.assert_frame_equal(streamed(stream, new.iloc[places], [60, 140]), streamed(short.stream(), new, [700]))
    assert (stream.rows, stream.late) == (700, 5)
    assert (
        "channel pump: rows of the stream that are not later than the last one are left out" in capsys.readouterr().err
    )


def test_rows_without_a_time_are_left_out(short: msflow.Fitted) -> None:
    new = sensors(3, 700)
    times = new.index.to_series().reset_index(drop=True)
    holed = (
        new.iloc[[0, *range(700), 699]].reset_index(drop=True).assign(when=pd.Series([pd.NaT, *times, pd.NaT]).array)
    )
    stream = short.stream()
    found = streamed(stream, holed, [100])
    pd.testing.assert_frame_equal(found, streamed(short.stream(), new, [700]))
    assert (stream.rows, stream.late) == (700, 2)


def test_columns_of_a_stream(short: msflow.Fitted) -> None:
    new = sensors(3, 500)
    expected = streamed(short.stream(), new, [500])
    shuffled = new[["pressure", "current", "heat"]]
    pd.testing.assert_frame_equal(streamed(short.stream(), shuffled, [500]), expected)
    for rows, message in (
        (new[["heat"]], "the stream lacks the column current, pressure"),
        (new.assign(flow=1.0), "has, as was not so in training, the column flow"),
        (np.zeros((4, 2)), r"has rows of shape \(2,\), expected 3 columns: current, heat, pressure"),
    ):
        with pytest.raises(InputError, match=message):
            short.stream().push(rows)
    chosen = msflow.fit(sensors(0, 900), columns=["heat"], **SETTINGS, time_scales=[1]).stream()
    assert len(streamed(chosen, new, [500])) == 500  # of other columns no notice is taken


def test_one_row_at_a_time(short: msflow.Fitted) -> None:
    stream, values = short.stream(), sensors(3, 330).to_numpy()
    told = [stream.push(row) for row in values]
    assert sum(map(len, told)) == 330 - stream.latency and all(len(frame) <= 1 for frame in told)


def test_times_and_no_times_are_not_mixed(short: msflow.Fitted) -> None:
    new, stream = sensors(3, 100), short.stream()
    stream.push(new[:50])
    with pytest.raises(InputError, match="some rows of the stream have times and some have none"):
        stream.push(new[50:].to_numpy())
    with pytest.raises(InputError, match="zone"):
        stream.push(new[50:].tz_localize(None))
    stream.push(new[50:].tz_convert("UTC"))
    assert stream.rows == 100 and list(stream.finish()["time"]) == list(new.index)


def test_a_stream_of_a_new_recording_of_the_same_thing() -> None:
    shared = msflow.fit(
        {"a": sensors(0, 1200), "b": sensors(1, 1200)}, shared_density=True, **SETTINGS, time_scales=[1]
    )
    new = sensors(2, 900)
    found, expected = streamed(shared.stream("c"), new, [300]), shared.score({"c": new})
    alike(found, expected, ROUNDED, tied=0.005)
