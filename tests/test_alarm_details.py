"""What an alarm is like: the row that carries it, what that means, and the window of training that is nearest."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_frames_of_scores import learnt_scores

from drawing.gaps import filled
from evaluation.details import LONGEST, MOVED, SHORTEST, Detail, RowScores, detail_of, kind_of, nearest_window
from metrics.events import Alarm

NAN = np.nan


def alarm(start: int, end: int, at: int | None = None, moved: bool = False) -> Alarm:
    return Alarm(start, end, 9.0, start if at is None else at, 4.0, moved)


# Rows


@settings(deadline=None, max_examples=100, database=None)
@given(st.integers(1, 6), st.integers(1, 30), st.booleans(), st.integers(0, 1000))
def test_the_row_has_most_beyond_its_usual(number: int, steps: int, known: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, usual = rng.gamma(1, size=(number, steps)), rng.gamma(1, size=number)
    rows[:, rng.random(steps) < 0.3] = NAN
    start, end = sorted(rng.integers(0, steps, 2).tolist())
    names = [f"row {n}" for n in range(number)]
    beyond = []
    for row, typical in zip(rows, usual if known else np.zeros(number), strict=True):
        beyond.append(sum(value - typical for value in row[start : end + 1] if not np.isnan(value)))
    found = RowScores(names, rows, usual if known else None).carrying(alarm(start, end))
    assert found == names[max(range(number), key=beyond.__getitem__)]


def test_steps_that_were_not_measured_have_no_usual() -> None:
    """Else a row with a high usual could not carry an alarm with a gap in it."""
    rows = np.full((2, 100), NAN)
    rows[:, :2] = [[20.0, 20.0], [3.0, 3.0]]
    assert RowScores(["high", "low"], rows, np.array([10.0, 1.0])).carrying(alarm(0, 99)) == "high"


def test_a_row_that_was_never_measured_carries_none() -> None:
    rows = np.array([[NAN, NAN], [1.0, 1.0]])
    assert RowScores(["never", "ever"], rows, np.array([NAN, 0.5])).carrying(alarm(0, 1)) == "ever"


def test_what_is_usual_is_that_of_the_training(tmp_path: Path) -> None:
    train, rows = np.ones((3, 200)), np.ones((3, 100))
    train[2], rows[2] = 100, 100  # as always
    rows[0, 40:45] = 20
    learnt = learnt_scores(tmp_path, {"x": train}, threshold="q1")
    found = learnt.scored("x", rows, None, None, None)
    assert [(alarm.start, alarm.end) for alarm in found.alarms] == [(40, 44)]
    assert found.details == [Detail("scale 1 level 1", "spike")]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("scale 1 level 1", "spike"),  # cells of 8, 16, 32 steps, times the scale
        ("scale 1 level 2", "spike"),
        ("scale 1 level 3", "change"),
        ("scale 2 level 1", "spike"),
        ("scale 2 level 3", "change"),
        ("scale 4 level 2", "change"),
        ("scale 4 level 3", "slow change"),
        ("scale 16 level 1", "slow change"),
        ("reconstruction", ""),
        ("", ""),
    ],
)
def test_the_kind_is_how_far_the_cells_of_the_row_lie_apart(row: str, kind: str) -> None:
    assert kind_of(row, alarm(0, 9)) == kind
    assert kind_of(row, alarm(0, 9, moved=True)) == MOVED


# The nearest window of training


def window_of(alarm: Alarm, train: int, test: int) -> tuple[int, int]:
    """As many steps as the alarm, within bounds, around its middle or the peak of a long one."""
    length = min(max(alarm.end - alarm.start + 1, 32), 256, train, test)
    middle = alarm.at if alarm.end - alarm.start + 1 > length else (alarm.start + alarm.end) // 2
    first = max(0, min(middle - length // 2, test - length))
    return first, first + length - 1


@settings(deadline=None, max_examples=100, database=None)
@given(st.integers(1, 700), st.integers(1, 700), st.booleans(), st.integers(0, 10_000))
def test_the_nearest_window_against_a_loop(train: int, test: int, holed: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    known, asked = 1e3 + rng.normal(size=train).cumsum(), 1e3 + rng.normal(size=test).cumsum()
    if holed:
        known[1:][rng.random(train - 1) < 0.2], asked[1:][rng.random(test - 1) < 0.2] = NAN, NAN
    start, at, end = sorted(rng.integers(0, test, 3).tolist())
    window, nearest = nearest_window(known, asked, alarm(start, end, at))
    assert window == window_of(alarm(start, end, at), train, test)
    length = window[1] - window[0] + 1
    assert nearest[1] - nearest[0] + 1 == length and nearest[0] >= 0 and nearest[1] < train
    piece, whole = filled(asked)[window[0] : window[1] + 1], filled(known)
    distances = [float(((whole[n : n + length] - piece) ** 2).sum()) for n in range(train - length + 1)]
    assert distances[nearest[0]] <= min(distances) + 1e-6 * (1 + max(distances))


def test_the_window_of_an_alarm_at_an_end_lies_in_the_series() -> None:
    train, test = np.arange(100.0), np.arange(50.0)
    assert nearest_window(train, test, alarm(48, 49)) == ((18, 49), (18, 49))
    assert nearest_window(train, test, alarm(0, 1)) == ((0, 31), (0, 31))


@pytest.mark.parametrize("length", [1, SHORTEST, 100, LONGEST, LONGEST + 1, 900])
def test_what_was_seen_in_training_is_found_there(length: int) -> None:
    rng = np.random.default_rng(length)
    train, test = rng.normal(size=3000), rng.normal(size=2000)
    start, size = 700, min(max(length, SHORTEST), LONGEST)
    found = alarm(start, start + length - 1, at=start + length // 3)
    first, last = window_of(found, 3000, 2000)
    assert last - first + 1 == size and first <= found.at <= last
    train[1234 : 1234 + size] = test[first : last + 1]
    train[1300:1303] = NAN if length == 100 else train[1300:1303]  # bridged
    window, nearest = nearest_window(train, test, found)
    assert (window, nearest) == ((first, last), (1234, 1234 + size - 1))


def test_a_detail_says_what_is_known() -> None:
    train, test = np.arange(100.0), np.arange(60.0)
    rows = RowScores(["scale 1 level 1", "scale 4 level 3"], np.array([np.zeros(60), np.ones(60)]), None)
    assert detail_of(alarm(5, 9), None) == Detail("", "", None, None)
    assert detail_of(alarm(5, 9, moved=True), None).kind == MOVED
    assert detail_of(alarm(5, 9), rows) == Detail("scale 4 level 3", "slow change", None, None)
    found = detail_of(alarm(20, 51), rows, train, test)
    assert (found.window, found.nearest) == ((19, 50), (19, 50))
    for pair in ((train, None), (np.full(100, NAN), test), (train, np.full(60, NAN)), (np.zeros(0), test)):
        assert detail_of(alarm(5, 9), rows, *pair).nearest is None
