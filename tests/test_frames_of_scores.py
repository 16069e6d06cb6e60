"""Scores and alarms as tables, where they come from, what they are judged by, and what is said against them."""

import csv
import io
from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import plain_policy
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing.ranges import Ranges
from evaluation.alarms import raise_alarms
from evaluation.causes import Causes, in_words
from evaluation.cautions import cautions
from evaluation.details import Detail
from evaluation.frames import ALARM_COLUMNS, STEP_COLUMNS, Scored, alarm_frame, csv_text, step_frame, write_frames
from evaluation.learnt import LearntScores
from evaluation.thresholds import Learnt, learn
from metrics.events import Alarm
from runs.folder import column_file, level_map_file
from runs.scores import write_samples
from runtime.errors import InputError
from settings.effects import scaling_name
from settings.load import load_config

NAN = np.nan
BERLIN = pd.date_range(
    "2026-03-29 01:58", periods=6, freq="min", tz="Europe/Berlin"
)  # the clock is put forward at 2:00
ALONE = Causes(["flow"], None, None)
RECIPE = Path(__file__).parents[1] / "configs" / "telemetry.py"


def scored(scores: list[float] | np.ndarray, threshold: float | None = 1.0, **more) -> Scored:
    """A channel whose every run of steps above the threshold is an alarm."""
    steps, learnt = np.array(scores, dtype=float), Learnt(threshold, None)
    raised = raise_alarms(steps, learnt, plain_policy("maxima"))
    return Scored("pump", more.pop("times", None), steps, learnt, *raised, more.pop("causes", ALONE), **more)


def span(start: int, end: int) -> Alarm:
    return Alarm(start, end, 1.0, start, 1.0)


# Tables


def test_one_row_per_step_in_the_columns_of_the_long_form() -> None:
    frame = step_frame(scored([0.5, NAN, 1.5, 1.0], times=BERLIN[:4]), first=10)
    assert tuple(frame.columns) == STEP_COLUMNS
    assert STEP_COLUMNS == ("channel", "step", "time", "score", "alarm", "highest_column")
    assert frame["channel"].tolist() == ["pump"] * 4 and frame["step"].tolist() == [10, 11, 12, 13]
    assert frame["time"].tolist() == list(BERLIN[:4]) and frame["time"].dt.tz is not None
    np.testing.assert_array_equal(frame["score"], [0.5, NAN, 1.5, 1.0])
    assert frame["alarm"].tolist() == [0, 0, 1, 0]  # the threshold itself is none
    assert frame["highest_column"].tolist() == ["flow", "", "flow", "flow"]


def test_without_times_or_a_threshold() -> None:
    frame = step_frame(scored([0.5, 9], threshold=None))
    assert frame["time"].isna().all() and frame["alarm"].tolist() == [0, 0]


def test_steps_that_fill_a_gap_are_left_out() -> None:
    frame = step_frame(scored([1.0, NAN, NAN, 4, 5], rows=np.array([0, -1, -1, 1, 2])))
    assert frame["step"].tolist() == [0, 3, 4] and frame["score"].tolist() == [1, 4, 5]
    assert frame.index.tolist() == [0, 1, 2]


def test_one_row_per_alarm() -> None:
    causes = Causes(["flow", "heat"], np.array([[6.0], [2.0]]), np.zeros((2, 1)))
    details = [Detail("scale 1 level 1", "spike", (0, 3), (7, 10)), Detail("", "", None, None)]
    found = [scored([0, 4, NAN, 2, 0, 3], times=BERLIN, causes=causes, details=details), scored([0, 5.0], 2.5)]
    frame = alarm_frame([found[0], replace(found[1], channel="fan")])
    assert tuple(frame.columns) == ALARM_COLUMNS
    assert frame["channel"].tolist() == ["pump", "pump", "fan"]
    assert frame[["start", "end"]].to_numpy().tolist() == [[1, 3], [5, 5], [1, 1]]
    np.testing.assert_allclose(frame["peak_score"], [4, 3, 5])
    np.testing.assert_allclose(frame["threshold"], [1, 1, 2.5])
    assert list(frame["start_time"][:2]) == [BERLIN[1], BERLIN[5]] and list(frame["end_time"][:2]) == [*BERLIN[[3, 5]]]
    assert pd.isna(frame["start_time"][2]) and frame["columns"].tolist() == ["flow 75 %, heat 25 %"] * 2 + [
        "flow 100 %"
    ]
    assert frame["peak"].tolist() == [1, 5, 1] and list(frame["peak_time"][:2]) == [*BERLIN[[1, 5]]]
    assert frame[["kind", "row"]].to_numpy().tolist() == [["spike", "scale 1 level 1"], ["", ""], ["", ""]]
    assert frame["nearest_start"].tolist() == [7, pd.NA, pd.NA] and frame["nearest_end"].tolist() == [10, pd.NA, pd.NA]
    assert frame["incident"].tolist() == [1, 2, 3]
    assert tuple(alarm_frame([]).columns) == ALARM_COLUMNS and len(alarm_frame([scored([0.0])])) == 0


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_times_are_written_with_their_zone_and_scores_with_six_digits() -> None:
    frame = step_frame(scored([0.1234567891, NAN, 12345678.9, 1e-9], times=BERLIN[:4]))
    rows = read(csv_text(frame, header=True))
    assert rows[0] == list(STEP_COLUMNS)
    assert [row[2] for row in rows[1:]] == [
        "2026-03-29T01:58:00+01:00",
        "2026-03-29T01:59:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:01:00+02:00",
    ]
    assert [row[3] for row in rows[1:]] == ["0.123457", "", "1.23457e+07", "1e-09"]
    assert csv_text(frame, header=False) == csv_text(frame, header=True).partition("\n")[2]
    assert [row[2] for row in read(csv_text(step_frame(scored([1.0])), header=False))] == [""]
    assert frame["time"].dtype != object  # what is given stays as it was


def test_a_written_table_comes_back() -> None:
    frame = step_frame(scored([0.5, 1.5, NAN, 2], times=BERLIN[:4], rows=np.array([0, 1, -1, 2])))
    back = pd.read_csv(io.StringIO(csv_text(frame, header=True)))
    np.testing.assert_array_equal(back["step"], [0, 1, 3])
    np.testing.assert_allclose(back["score"], [0.5, 1.5, 2])
    assert (pd.to_datetime(back["time"], utc=True) == BERLIN[[0, 1, 3]]).all()


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_no_text_is_a_formula(name: str) -> None:
    causes = Causes([name], None, None)
    frame = replace(scored([2.0], causes=causes, details=[Detail(row=name)]), channel=name)
    (steps,) = read(csv_text(step_frame(frame), header=False))
    (alarm,) = read(csv_text(alarm_frame([frame]), header=False))
    assert steps[0] == steps[-1] == alarm[0] == f"'{name}" and alarm[7] == f"'{name} 100 %"
    assert alarm[11] == f"'{name}"


def test_names_with_commas_and_quotes_survive() -> None:
    name = 'a "b", c'
    (row,) = read(csv_text(step_frame(replace(scored([2.0]), channel=name)), header=False))
    assert row[0] == name


def test_tables_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.csv"
    write_frames(path, (step_frame(replace(scored([1.0, 2]), channel=name)) for name in ("a", "b")))
    rows = read(path.read_text(encoding="utf-8"))
    assert [row[0] for row in rows] == ["channel", "a", "a", "b", "b"]

    def broken():
        yield step_frame(scored([7.0]))
        raise ValueError

    before = path.read_bytes()
    with pytest.raises(ValueError):
        write_frames(path, broken())
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
    write_frames(path, [alarm_frame([])])
    assert read(path.read_text()) == [list(ALARM_COLUMNS)]


# Where a score comes from


def test_shares_are_what_columns_have_beyond_the_usual() -> None:
    usual = np.array([[1.0, 1, 9], [5, 5, NAN], [NAN, NAN, NAN]])  # medians 1, 5 and, of nothing, 0
    found = np.array([[1.0, 4, 4, 1], [5, 6, 5, 0], [0, NAN, 2, 0]])
    causes = Causes(["a", "b", "c"], found, usual)
    assert causes.shares(span(8, 15)) == [("a", 0.75), ("b", 0.25)]
    assert causes.shares(span(15, 16)) == [
        ("a", pytest.approx(6 / 9)),
        ("c", pytest.approx(2 / 9)),
        ("b", pytest.approx(1 / 9)),
    ]
    assert causes.shares(span(0, 7)) == []  # nothing beyond the usual
    assert causes.highest(27) == ["a"] * 24 + ["a"] * 3
    assert Causes(["a", "b"], np.array([[0, 4.0], [3, 3]]), np.zeros((2, 1))).highest(11) == ["b"] * 8 + ["a"] * 3


def test_shares_below_a_tenth_are_not_named_but_count() -> None:
    causes = Causes(["a", "b", "c"], np.array([[0.9], [8.1], [1.0]]), np.zeros((3, 1)))
    shares = causes.shares(span(0, 0))
    assert shares == [("b", pytest.approx(0.81)), ("c", pytest.approx(0.1))]


def test_without_training_the_usual_is_that_of_the_scores() -> None:
    causes = Causes(["a", "b"], np.array([[7.0, 7, 7, 8], [1, 1, 1, 5]]), None)
    assert causes.shares(span(24, 31)) == [("b", pytest.approx(0.8)), ("a", pytest.approx(0.2))]


@settings(deadline=None, max_examples=60, database=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_shares_by_hand(columns: int, cells: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, usual = rng.gamma(1, size=(columns, cells)), rng.gamma(1, size=(columns, 5))
    start, end = sorted(rng.integers(0, 8 * cells, 2).tolist())
    names = [f"x{number}" for number in range(columns)]
    excess = {
        name: sum(max(found[n, c] - np.median(usual[n]), 0) for c in range(start // 8, end // 8 + 1))
        for n, name in enumerate(names)
    }
    total = sum(excess.values())
    expected = [(name, excess[name] / total) for name in sorted(names, key=excess.get, reverse=True) if total]
    expected = [pair for pair in expected if pair[1] >= 0.1]
    shares = Causes(names, found, usual).shares(span(start, end))
    assert [name for name, _ in shares] == [name for name, _ in expected]
    np.testing.assert_allclose([share for _, share in shares], [share for _, share in expected])


def test_a_channel_that_is_looked_at_as_one() -> None:
    assert ALONE.shares(span(3, 9)) == [("flow", 1.0)] and ALONE.highest(3) == ["flow"] * 3
    several = Causes(["a", "b"], None, None)
    assert several.shares(span(3, 9)) == [] and several.highest(2) == ["", ""]


def test_shares_in_words() -> None:
    shares = [("current", 0.4), ("load %", 0.3449), ("c", 0.2), ("d", 0.1)]
    assert in_words(shares) == "current 40 %, load % 34 %, c 20 %"
    assert in_words([]) == ""


# What was learnt


def learnt_scores(folder: Path, channels: dict[str, np.ndarray], **chosen) -> LearntScores:
    """Training scores (rows, T) by channel, each of two columns, of which the second has all."""
    for channel, rows in channels.items():
        columns = np.stack([np.zeros(-(-rows.shape[1] // 8)), np.full(-(-rows.shape[1] // 8), rows.mean())])
        for path, array in ((level_map_file(folder, channel), rows), (column_file(folder, channel), columns)):
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array.astype(np.float32))
    scores = dict.fromkeys(range(len(channels)), 0.0)
    write_samples(folder, [f"{channel}.npy" for channel in channels], list(channels), [0] * len(channels), scores)
    config = load_config(RECIPE, keywords={"smooth": 1, "threshold": "q0.9", "calibration": "center", **chosen})
    return LearntScores(folder, config, dict.fromkeys(channels, ["a", "b"]))


@pytest.fixture
def trained() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"x": rng.gamma(2, size=(3, 200)), "y": 10 * rng.gamma(2, size=(3, 100)) + 5}


def test_scores_and_thresholds_are_by_the_training_of_the_channel(tmp_path: Path, trained: dict) -> None:
    learnt = learnt_scores(tmp_path, trained)
    rows = trained["x"][:, :50] + 1
    assert learnt.steps("x", rows) == pytest.approx(
        (rows - np.median(trained["x"], axis=1)[:, None]).sum(axis=0), rel=1e-5
    )
    for channel, known in trained.items():
        centred = (known - np.median(known, axis=1)[:, None]).sum(axis=0)
        assert learnt.learnt(channel).threshold == pytest.approx(np.quantile(centred, 0.9), rel=1e-5)


def test_a_channel_that_was_not_learnt_is_judged_by_all_others(tmp_path: Path, trained: dict) -> None:
    learnt = learnt_scores(tmp_path, trained)
    known = np.concatenate(list(trained.values()), axis=1)
    centred = (known - np.median(known, axis=1)[:, None]).sum(axis=0)
    assert learnt.learnt("new").threshold == pytest.approx(np.quantile(centred, 0.9), rel=1e-5)
    columns = np.array([[1.0, 1.0], [4.0, 7.0]])
    found = learnt.scored("new", known[:, :16], columns, None, None)
    assert found.learnt == learnt.learnt("new") and len(found.scores) == 16
    # the second column has less than is usual in training, whatever it has in the rest of the new series
    usual = np.median(np.repeat([rows.mean() for rows in trained.values()], [25, 13]))
    assert usual < 7 and found.causes.shares(span(8, 15))[0][0] == "b"
    assert dict(found.causes.shares(span(0, 15)))["a"] == pytest.approx(2 / (2 + 11 - 2 * usual), rel=1e-4)
    own = trained["y"].mean()
    shares = learnt.scored("y", known[:, :8], np.array([[1.0], [own + 3]]), None, None).causes.shares(span(0, 7))
    assert dict(shares) == pytest.approx({"b": 0.75, "a": 0.25}, rel=1e-4)


def test_only_the_chosen_levels_count(tmp_path: Path, trained: dict) -> None:
    learnt = learnt_scores(tmp_path, trained, levels=[1, 3], calibration="none")
    np.testing.assert_allclose(learnt.steps("x", trained["x"]), trained["x"][[0, 2]].sum(axis=0), rtol=1e-6)
    assert learnt.learnt("x").threshold == pytest.approx(np.quantile(trained["x"][[0, 2]].sum(axis=0), 0.9), rel=1e-5)


def test_a_threshold_that_is_a_number_and_training_that_was_not_measured(tmp_path: Path, trained: dict) -> None:
    holed = {"x": trained["x"].copy()}
    holed["x"][:, 20:120] = NAN
    assert learnt_scores(tmp_path / "n", holed, threshold="4.5").learnt("x").threshold == 4.5
    learnt = learnt_scores(tmp_path / "q", holed, calibration="none")
    assert learnt.learnt("x").threshold == pytest.approx(np.nanquantile(holed["x"].sum(axis=0), 0.9), rel=1e-5)
    pot, maxima = (
        learnt_scores(tmp_path / rule, trained, calibration="none", threshold=rule, risk=6.0)
        for rule in ("pot", "maxima")
    )
    for rule, found in (("pot", pot), ("maxima", maxima)):
        expected = learn(rule, 6.0, trained["y"].astype(np.float32).astype(float).sum(axis=0))
        assert astuple(found.learnt("y")) == pytest.approx(astuple(expected), rel=1e-9)


def test_scores_of_pictures_teach_nothing(tmp_path: Path) -> None:
    write_samples(tmp_path, ["a.npy"], ["a"], [0], {0: 0.0})
    for name in ("add", "mul"):
        np.save(tmp_path / f"anomaly_score_map_{name}.npy", np.zeros((1, 4, 4), np.float32))
    with pytest.raises(InputError, match="holds no scores of time steps"):
        LearntScores(tmp_path, load_config(RECIPE), {"a": ["x"]})


# What is said against a result


def said(train: np.ndarray | None, test: np.ndarray, scores: np.ndarray | None = None, **chosen) -> list[str]:
    """The cautions about one channel of two columns, `level` and `rate`."""
    source = SimpleNamespace(series=lambda channel, split: test, columns=lambda channel: ["level", "rate"])
    config = load_config(RECIPE, keywords={"time_scales": [1], **chosen})
    result = replace(scored(np.zeros(len(test)) if scores is None else scores), channel="tank")
    training = {} if train is None else {"tank": Ranges.of([train], scaling_name(config))}
    return cautions(SimpleNamespace(source=source), [result], config, training)


def quiet(steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (steps, 2))


def test_nothing_is_said_against_a_good_result() -> None:
    assert said(quiet(640), quiet(400, 1)) == []


def test_gaps_are_said() -> None:
    scores = np.zeros(400)
    scores[:80] = NAN
    assert said(quiet(640), quiet(400), scores) == []
    scores[:81] = NAN
    (told,) = said(quiet(640), quiet(400), scores)
    assert told == "nothing was measured, and nothing is scored, at a large share of the steps: tank 20%"


def test_alarms_everywhere_are_said() -> None:
    assert said(quiet(640), quiet(400), np.repeat([0.0, 2], 200)) == []
    (told,) = said(quiet(640), quiet(400), np.repeat([0.0, 2], [199, 201]))
    assert "more than half of the steps are under alarm" in told and told.endswith(": tank 50%")


def test_a_moved_level_and_a_missing_threshold_are_said() -> None:
    moved = replace(scored(np.zeros(400)), channel="tank", alarms=[replace(span(70, 89), moved=True), span(95, 99)])
    for result, expected in ((moved, ": tank at step 70 (20 steps)"), (scored(np.zeros(400), None), ": pump")):
        source = SimpleNamespace(series=lambda *_: quiet(400), columns=lambda _: ["level", "rate"])
        ranges = {result.channel: Ranges.of([quiet(640)], "none")}
        config = load_config(RECIPE, keywords={"time_scales": [1]})
        (told,) = cautions(SimpleNamespace(source=source), [result], config, ranges)
        assert told.endswith(expected) and ("the level has moved" in told) == (result is moved)


@pytest.mark.parametrize(("scales", "enough"), [([1], 640), ([1, 2, 4], 2560)])
def test_short_training_is_said(scales: list[int], enough: int) -> None:
    assert said(quiet(enough), quiet(400), time_scales=scales) == []
    (told,) = said(quiet(enough - 1), quiet(400), time_scales=scales)
    assert told.startswith(f"short training: the coarsest features are {32 * scales[-1]} steps apart, and of less than")
    assert f"less than {enough} training steps" in told and told.endswith(f": tank {enough - 1} steps")
    assert said(quiet(100), quiet(400), layout="gasf") == []


def test_values_that_are_cut_off_are_said() -> None:
    test = quiet(400, 1)
    test[:4, 1] = 2.2
    assert said(quiet(640), test) == []  # a hundredth
    test[:8, 1] = 2.2
    (told,) = said(quiet(640), test, clip=2.0)
    assert told == "values beyond clip = 2 are cut off: tank rate 2.0%"
    assert said(quiet(640), test, clip=3.0) == said(quiet(640), test, clip=0.0) == []


def test_levels_never_seen_are_said() -> None:
    test = quiet(400, 1)
    test[:40, 0] = 2.5  # the training range is 2 wide, half of it beyond is 2
    assert said(quiet(640), test, clip=0.0) == []
    test[:60, 0] = 2.5
    (told,) = said(quiet(640), test, clip=0.0)
    assert told == "values far outside everything seen in training (has the level moved?): tank level 15%"
    test[:60, 0] = 1.9
    assert said(quiet(640), test, clip=0.0) == []


def test_columns_without_values_in_training_are_said() -> None:
    train = quiet(640)
    train[:, 1] = NAN
    (told,) = said(train, quiet(400))
    assert told == "columns without any value in training: what they hold is not learnt: tank rate"
    assert said(train, train) == []


def test_only_columns_that_are_drawn_are_spoken_of() -> None:
    test = quiet(400, 1)
    test[:, 1] = 50.0
    together = {"columns": ["colours"], "scaling": "none", "clip": 0.0}
    assert said(quiet(640), test, smap_used_dims=[0, 0, 0], **together) == []
    (told,) = said(quiet(640), test, smap_used_dims=[0, 1, 1], **together)
    assert told.endswith("(has the level moved?): tank 100%")


def test_of_what_was_learnt_elsewhere_only_the_scores_are_spoken_of() -> None:
    assert said(None, 50 + quiet(400)) == []
    assert len(said(None, quiet(400), np.full(400, 2.0))) == 1


def test_one_sentence_names_five_channels_and_counts_the_rest() -> None:
    found = [replace(scored(np.full(50, 2.0)), channel=f"c{n}") for n in range(7)]
    (told,) = cautions(SimpleNamespace(source=None), found, load_config(RECIPE), {})
    assert told.endswith(": c0 100%, c1 100%, c2 100%, c3 100%, c4 100% and 2 more")
