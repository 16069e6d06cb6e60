"""The Python face, and `--mode score` as the same thing on files."""

import contextlib
import doctest
import gc
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import main
import msflow
from evaluation.frames import ALARM_COLUMNS, STEP_COLUMNS
from runtime import errors
from runtime.errors import InputError

# every run of steps above the threshold is an alarm
RUNS = {"contrast": 0.0, "prune": 0.0, "join": 1, "moved_after": 0, "drift": 0}
SETTINGS = {"weights": "random", "time_scales": [1, 2], "smooth": 8, "threshold": "q0.99", **RUNS}
FAULT = slice(400, 450)
NAN = np.nan


def pump(seed: int, steps: int = 900, start: str = "2026-01-01") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(steps) / 9)[:, None] + 0.2 * rng.normal(size=(steps, 3))
    times = pd.date_range(start, periods=steps, freq="min", tz="Europe/Berlin", name="when")
    return pd.DataFrame(wave * [1, 50, 1e4] + [0, 20, 3e5], columns=["current", "heat", "pressure"], index=times)


def faulty(column: str = "heat") -> pd.DataFrame:
    new = pump(1, 700, "2026-03-28 20:00")
    new.loc[new.index[FAULT], column] += 6 * new[column].std()
    return new.drop(index=new.index[500:520])


@pytest.fixture(scope="module")
def fitted() -> msflow.Fitted:
    return msflow.fit(pump(0), name="pump", **SETTINGS)


def same(found: pd.DataFrame, expected: pd.DataFrame, rtol: float = 0) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=not rtol, **({"rtol": rtol} if rtol else {}))


def test_the_example_of_the_module() -> None:
    errors.note.cache_clear()  # what was told before would not be seen here
    result = doctest.testmod(msflow)
    assert result.attempted >= 10 and result.failed == 0


def test_scores_come_row_by_row(fitted: msflow.Fitted) -> None:
    new = faulty()
    frame = fitted.score(new)
    assert tuple(frame.columns) == STEP_COLUMNS and len(frame) == len(new)
    assert set(frame["channel"]) == {"pump"} and frame["time"].tolist() == new.index.tolist()
    assert frame["step"].tolist() == [*range(500), *range(520, 700)]
    assert frame["score"].idxmax() in range(FAULT.start - 8, FAULT.stop + 8)
    assert set(frame["highest_column"][FAULT]) == {"heat"}
    np.testing.assert_array_equal(frame["alarm"], frame["score"] > fitted.threshold("pump"))
    assert fitted.thresholds == {"pump": fitted.threshold("pump")}
    assert fitted.columns == {"pump": ["current", "heat", "pressure"]} and fitted.channels == ["pump"]
    assert fitted.steps == {"pump": pd.Timedelta(1, "min")}


def test_alarms_are_the_runs_of_alarmed_rows(fitted: msflow.Fitted) -> None:
    new = faulty()
    scores, alarms = fitted.score(new), fitted.alarms(new)
    assert tuple(alarms.columns) == ALARM_COLUMNS and len(alarms)
    runs = (scores["alarm"].diff() == 1).cumsum()[scores["alarm"] == 1] + scores["alarm"].iloc[0]
    for alarm, (_, rows) in zip(alarms.itertuples(), scores[scores["alarm"] == 1].groupby(runs), strict=True):
        assert (alarm.start, alarm.end) == (rows["step"].iloc[0], rows["step"].iloc[-1])
        assert (alarm.start_time, alarm.end_time) == (rows["time"].iloc[0], rows["time"].iloc[-1])
        assert alarm.peak_score == pytest.approx(rows["score"].max(), rel=1e-12)
        assert alarm.threshold == pytest.approx(fitted.threshold("pump"), rel=1e-12)
        highest = rows.loc[rows["score"].idxmax()]
        assert (alarm.peak, alarm.peak_time) == (highest["step"], highest["time"])
    assert alarms.loc[alarms["peak_score"].idxmax(), "columns"].startswith("heat ")


def test_what_is_saved_is_what_is_loaded(fitted: msflow.Fitted, tmp_path: Path) -> None:
    new = faulty()
    folder = fitted.save(tmp_path / "kept" / "pump")
    assert fitted.save(folder) == folder == tmp_path / "kept" / "pump"  # once more, over it
    for loaded in (msflow.load(folder), msflow.load(str(folder))):
        same(loaded.score(new), fitted.score(new))
        same(loaded.alarms(new), fitted.alarms(new))
        assert (loaded.thresholds, loaded.columns, loaded.steps) == (fitted.thresholds, fitted.columns, fitted.steps)
        assert loaded.folder == folder and loaded.config == fitted.config
    with pytest.raises(InputError, match="is not the folder of a run: it has no last.pt"):
        msflow.load(tmp_path / "kept")


def test_settings_are_keywords_and_the_folder_is_that_of_a_run(tmp_path: Path) -> None:
    fitted = msflow.fit(pump(0), folder=tmp_path / "runs", **SETTINGS, head="memory", memory_size=50)
    assert (fitted.config.head, fitted.config.memory_size, fitted.config.smooth) == ("memory", 50, 8)
    assert tmp_path / "runs" in fitted.folder.parents
    recorded = json.loads((fitted.folder / "config.json").read_text())["settings"]
    assert (recorded["memory_size"], recorded["time_scales"]) == (50, [1, 2])
    same(msflow.load(fitted.folder).score(faulty()), fitted.score(faulty()))


def test_a_folder_without_a_name_goes_when_nothing_needs_it() -> None:
    fitted = msflow.fit(pump(0, 700), **SETTINGS)
    folder, stream = fitted.folder, fitted.stream()
    del fitted
    gc.collect()
    stream.push(pump(1, 400))
    assert folder.exists() and len(stream.finish())
    del stream
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["array", "vector", "frame", "series"])
def test_data_of_every_kind(kind: str) -> None:
    of = {
        "array": lambda frame: frame.to_numpy(),
        "vector": lambda frame: frame["heat"].to_numpy(),
        "frame": lambda frame: frame.reset_index(),
        "series": lambda frame: frame["heat"],
    }[kind]
    fitted = msflow.fit(of(pump(0)), **SETTINGS)
    names = {"array": ["column 0", "column 1", "column 2"], "vector": ["column 0"], "series": ["heat"]}
    assert fitted.columns == {"series": names.get(kind, ["current", "heat", "pressure"])}
    new = pump(1, 700)
    new.loc[new.index[FAULT], "heat"] += 300
    scores = fitted.score(of(new))
    assert len(scores) == 700 and scores["score"].idxmax() in range(FAULT.start - 8, FAULT.stop + 8)
    assert scores["time"].isna().all() == (kind in ("array", "vector"))


def test_several_channels() -> None:
    data = {"a": pump(0), "b": pump(2).drop(columns="heat"), "c": pump(3)["heat"].to_numpy()}
    fitted = msflow.fit(data, **SETTINGS)
    assert fitted.columns == {"a": ["current", "heat", "pressure"], "b": ["current", "pressure"], "c": ["column 0"]}
    new = {"c": pump(4, 600)["heat"].to_numpy(), "a": faulty()}
    scores, alarms = fitted.score(new), fitted.alarms(new)
    assert scores["channel"].drop_duplicates().tolist() == ["c", "a"]
    assert scores.groupby("channel").size().to_dict() == {"c": 600, "a": 680}
    for channel in new:
        alone = fitted.score({channel: new[channel]})
        np.testing.assert_array_equal(alone["score"], scores.loc[scores["channel"] == channel, "score"])
    assert set(alarms["channel"]) <= {"a", "c"} and alarms.loc[alarms["peak_score"].idxmax(), "channel"] == "a"
    times = scores["time"][scores["channel"] == "a"]
    assert list(times) == list(new["a"].index) and scores["time"][scores["channel"] == "c"].isna().all()
    assert len({fitted.threshold(channel) for channel in "abc"}) == 3
    with pytest.raises(InputError, match="channel d was not learnt by this detector, which knows a, b, c"):
        fitted.score({"d": pump(1)})
    with pytest.raises(InputError, match="which channel does the stream belong to. Known: a, b, c"):
        fitted.stream()
    with pytest.raises(InputError, match="channel d was not learnt"):
        fitted.stream("d")
    assert fitted.stream("b").columns == ["current", "pressure"]


def test_a_single_channel_by_another_name(fitted: msflow.Fitted) -> None:
    same(fitted.score({"pump 7": faulty()}), fitted.score(faulty()))


def test_gaps_are_measured_by_the_step_of_the_training(fitted: msflow.Fitted) -> None:
    """A pump that reports every third minute only has gaps, as it has them in a stream."""
    seldom = pump(1, 900).iloc[::3]
    expected = list(range(0, 900, 3))
    assert fitted.score(seldom)["step"].tolist() == fitted.score({"other": seldom})["step"].tolist() == expected
    stream = fitted.stream()
    assert pd.concat([stream.push(seldom), stream.finish()])["step"].tolist() == expected


def test_columns_in_another_order(fitted: msflow.Fitted) -> None:
    new = faulty()
    same(fitted.score(new[["pressure", "current", "heat"]]), fitted.score(new))


def test_columns_that_are_missing_or_new(fitted: msflow.Fitted) -> None:
    new = faulty()
    with pytest.raises(InputError, match="data: lacks the column heat, pressure. this detector has learnt current, "):
        fitted.score(new[["current"]])
    with pytest.raises(InputError, match="data: has, as was not so in training, the column flow"):
        fitted.score(new.assign(flow=1.0))
    same(
        fitted.score(new.to_numpy()).drop(columns="time"), fitted.score(new.reset_index(drop=True)).drop(columns="time")
    )
    with pytest.raises(InputError, match="lacks the column current, heat, pressure"):
        fitted.score(new.to_numpy()[:, :2])
    same(fitted.score(new.assign(state="on")), fitted.score(new))  # what is no number was no column in training either


def test_rows_at_another_pace_are_warned_of(fitted: msflow.Fitted, capsys: pytest.CaptureFixture) -> None:
    new = faulty().dropna()
    (learnt,) = fitted.steps.values()
    times = pd.date_range("2026-05-01", periods=len(new), freq=learnt / 5, tz=new.index.tz)
    fitted.score(new.set_index(times))
    assert f"were {learnt} apart in training" in capsys.readouterr().err
    fitted.score(new.set_index(pd.date_range("2026-05-01", periods=len(new), freq=learnt, tz=new.index.tz)))
    assert "apart in training" not in capsys.readouterr().err


def test_a_column_that_is_always_empty_is_no_new_one() -> None:
    """It was left out of the training; the same table scored is the same table."""
    train, new = pump(0).assign(spare=NAN), faulty()
    fitted = msflow.fit(train, **SETTINGS)
    assert fitted.columns == {"series": ["current", "heat", "pressure"]}
    same(fitted.score(new.assign(spare=NAN)), fitted.score(new))
    stream, other = fitted.stream(), fitted.stream()
    stream.push(new.assign(spare=NAN)), other.push(new)
    same(stream.finish(), other.finish())
    with pytest.raises(InputError, match="as was not so in training, the column spare"):
        fitted.score(new.assign(spare=1.0))
    with pytest.raises(InputError, match="as was not so in training, the column spare"):
        stream.push(new.assign(spare=1.0))


def test_chosen_columns(fitted: msflow.Fitted) -> None:
    chosen = msflow.fit(pump(0), columns=["pressure", "heat"], **SETTINGS)
    assert chosen.columns == {"series": ["pressure", "heat"]}
    new = faulty()
    same(chosen.score(new[["heat", "pressure"]]), chosen.score(new.assign(flow=1.0)))  # others do not matter
    with pytest.raises(InputError, match="unknown column .*'flow'. .*Known: current, heat, pressure"):
        msflow.fit(pump(0), columns=["flow"], **SETTINGS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, 2.0], "is a list, expected a DataFrame, an array"),
        ("plant.csv", "is a str, expected a DataFrame"),
        ({"a": [1, 2]}, "channel a is a list, expected"),
        ({}, "holds no channel"),
        (np.zeros((2, 3, 4)), r"of shape \(2, 3, 4\), expected numbers of shape \(T, D\)"),
        (np.array(["a", "b"]), "expected numbers"),
        (pd.DataFrame({"x": ["a", "b"]}), "no column holds numbers"),
        (pd.DataFrame({"x": [1.0]}), "has 1 rows of data"),
    ],
)
def test_what_is_no_data_is_an_error(fitted: msflow.Fitted, given: object, message: str) -> None:
    for use in (fitted.score, lambda data: msflow.fit(data, **SETTINGS)):
        with pytest.raises(InputError, match=message):
            use(given)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"smoth": 3}, "unknown setting 'smoth'. Did you mean 'smooth'?"),
        ({"smooth": 0}, "smooth"),
        ({"scaling": "ranges"}, "ranges"),
        ({"recipe": "telemetri"}, "telemetri"),
    ],
)
def test_settings_that_cannot_be_are_an_error(chosen: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        msflow.fit(pump(0, 100), **{"weights": "random", **chosen})


def test_a_detector_that_sees_all_of_a_series_has_no_stream() -> None:
    fitted = msflow.fit(pump(0), **SETTINGS | {"layout": "gasf", "extractor": "resnet18", "time_scales": [1]})
    assert len(fitted.score(faulty())) == 680
    with pytest.raises(InputError, match="a stream needs scores that depend on a part of the series only"):
        fitted.stream()


@pytest.mark.parametrize("begin", [0, 64, 320])
def test_scores_do_not_depend_on_how_much_is_scored_at_once(fitted: msflow.Fitted, begin: int) -> None:
    detector = fitted._run.detector
    new = pump(5, 2400).to_numpy(copy=True)
    new[900:1000, 1], new[1100:1130] = NAN, NAN
    assert begin % detector.grid == 0
    whole, part = detector.scores("pump", new).rows, detector.scores("pump", new[begin:2000]).rows
    first, last = begin + detector.reach * (begin > 0), 2000 - detector.reach
    assert last - first > 300
    found = part[:, first - begin : last - begin]
    np.testing.assert_allclose(found, whole[:, first:last], rtol=1e-4, atol=1e-5)


# The same on files


def table(folder: Path, frame: pd.DataFrame, name: str) -> str:
    frame.to_csv(folder / name)
    return str(folder / name)


def quietly(*argv: str) -> str:
    errors.warn.cache_clear()
    errors.note.cache_clear()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main.main([*argv])
    return f"{code}\n{printed.getvalue()}"


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


@pytest.fixture
def run(fitted: msflow.Fitted, tmp_path: Path) -> Path:
    return fitted.save(tmp_path / "run")


def test_files_give_what_the_program_gives(fitted: msflow.Fitted, run: Path, tmp_path: Path) -> None:
    new = faulty()
    new.iloc[100:130, 0], new.iloc[200:205] = NAN, NAN
    told = quietly("--mode", "score", "--run", str(run), "--data-path", table(tmp_path, new, "november.csv"))
    assert told.startswith("0\n") and "november.csv: is scored as channel pump, the only one" in told
    folder = run / "scored" / "november"
    scores, expected = read(folder / "scores.csv"), fitted.score(new)
    assert tuple(scores.columns) == STEP_COLUMNS and len(scores) == len(new)
    # the offset of the file changes at 2:00, so that its times are read in UTC
    assert (pd.to_datetime(scores["time"], utc=True) == expected["time"]).all()
    for name in ("channel", "step", "alarm", "highest_column"):
        assert scores[name].tolist() == expected[name].tolist(), name
    found = pd.to_numeric(scores["score"]).to_numpy()
    np.testing.assert_allclose(found, expected["score"], rtol=1e-5)
    assert np.flatnonzero(np.isnan(found)).tolist() == list(range(200, 205))
    alarms, wanted = read(folder / "alarms.csv"), fitted.alarms(new)
    assert tuple(alarms.columns) == ALARM_COLUMNS and len(alarms) == len(wanted) > 0
    assert (pd.to_datetime(alarms["start_time"], utc=True) == wanted["start_time"]).all()
    assert (pd.to_datetime(alarms["end_time"], utc=True) == wanted["end_time"]).all()
    for name in ("start", "end", "columns"):
        assert alarms[name].tolist() == wanted[name].tolist(), name
    np.testing.assert_allclose(alarms["peak_score"], wanted["peak_score"], rtol=1e-5)
    assert (folder / "report.html").exists() and "Alarms: " in told


def test_columns_of_a_file_in_another_order(run: Path, tmp_path: Path) -> None:
    new = faulty()
    for name, frame in (("a", new), ("b", new[["pressure", "current", "heat"]])):
        path = table(tmp_path, frame, f"{name}.csv")
        assert quietly("--mode", "score", "--run", str(run), "--no-report", "--data-path", path).startswith("0\n")
    found = [(run / "scored" / name / "scores.csv").read_bytes() for name in "ab"]
    assert found[0] == found[1] and not (run / "scored" / "a" / "report.html").exists()


def test_a_label_column_is_judged_by_without_trivial_scores(run: Path, tmp_path: Path) -> None:
    new = faulty()
    labelled = new.assign(anomaly=new.index.isin(new.index[FAULT]).astype(int))
    path = table(tmp_path, labelled, "labelled.csv")
    told = quietly("--mode", "score", "--run", str(run), "--data-path", path)
    scored = pd.read_csv(run / "scored" / "labelled" / "scores.csv")["score"].notna().sum()
    assert told.startswith("0\n") and f"Time steps: {scored}, anomalous: 50, normal: {scored - 50}" in told
    assert "Time-step ROC AUC: 0.9" in told and "model " in told
    assert not any(name in told for name in ("position", "deviation", "nearest", "trivial"))
    metrics = json.loads((run / "scored" / "labelled" / "metrics.json").read_text())
    assert "nearest" not in json.dumps(metrics)
    plain = quietly("--mode", "score", "--run", str(run), "--data-path", table(tmp_path, new, "plain.csv"))
    scores = [(run / "scored" / name / "scores.csv").read_bytes() for name in ("labelled", "plain")]
    assert scores[0] == scores[1] and "ROC AUC" not in plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="heat"), "new.csv: lacks the column heat"),
        (lambda frame: frame.assign(flow=1.0), "as was not so in training, the column flow"),
    ],
)
def test_other_columns_in_a_file_are_an_error(change, message: str, run: Path, tmp_path: Path) -> None:
    path = table(tmp_path, change(faulty()), "new.csv")
    told = quietly("--mode", "score", "--run", str(run), "--data-path", path)
    assert told.startswith("2\n") and message in told


def test_what_judges_may_be_another_when_scoring(run: Path, tmp_path: Path) -> None:
    path = table(tmp_path, faulty(), "new.csv")
    told = quietly("--mode", "score", "--run", str(run), "--data-path", path, "--threshold", "1e9", "--smooth", "1")
    assert told.startswith("0\n") and len(read(run / "scored" / "new" / "alarms.csv")) == 0
    told = quietly("--mode", "score", "--run", str(run), "--data-path", path, "--scaling", "range")
    assert told.startswith("2\n") and "was made with other settings: scaling was quantile, now range" in told


def test_without_a_run_or_data(run: Path, tmp_path: Path) -> None:
    assert "Set --run to its folder" in quietly("--mode", "score", "--data-path", "x.csv")
    assert "which data? Set --data-path" in quietly("--mode", "score", "--run", str(run))
    assert "does not exist" in quietly("--mode", "score", "--run", str(run), "--data-path", str(tmp_path / "none.csv"))
