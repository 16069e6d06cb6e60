"""Order of time, gaps and streaming, against loops that follow the rule word by word."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.recording import MAX_GAP, Recording, ordered, typical_step, with_gaps
from runtime.errors import InputError

SECOND = pd.Timedelta(1, "s")


def recorded(seconds: list[float | None], labels: list[int] | None = None, unit: str = "us") -> Recording:
    """Rows at these seconds of 2020; the value of a row is its number."""
    start = pd.Timestamp("2020-01-01")
    times = pd.DatetimeIndex(
        [pd.NaT if x is None else start + pd.Timedelta(round(x, 1), "s") for x in seconds]
    ).as_unit(unit)
    marks = None if labels is None else np.array(labels, dtype=np.int8)
    rows = np.arange(len(seconds))
    return Recording(rows[:, None].astype(float), ["x"], times, rows, marks)


def filled_by_hand(recording: Recording, step: float) -> list[tuple[float, float, int, int]]:
    """(second, value, row, label) of each step by the rule as it is written."""
    tenths = ((recording.times - pd.Timestamp("2020-01-01")) / (SECOND / 10)).round().astype(int).tolist()
    seconds = [Fraction(tenth, 10) for tenth in tenths]
    step, steps = Fraction(step), []
    for row, second in enumerate(seconds):
        if row and second - seconds[row - 1] >= 1.5 * step:
            missing = int((second - seconds[row - 1]) / step + Fraction(1, 2)) - 1
            both = recording.labels[row] == recording.labels[row - 1] == 1
            steps += [
                (float(seconds[row - 1] + k * step), np.nan, -1, int(both)) for k in range(1, min(missing, MAX_GAP) + 1)
            ]
        steps.append((float(second), float(recording.values[row, 0]), row, int(recording.labels[row])))
    return steps


def steps_of(recording: Recording) -> list[tuple[float, float, int, int]]:
    seconds = ((recording.times - pd.Timestamp("2020-01-01")) / SECOND).tolist()
    columns = seconds, recording.values[:, 0].tolist(), recording.rows.tolist(), recording.labels.tolist()
    return list(zip(*columns, strict=True))


distances = st.lists(st.sampled_from([0.4, 0.9, 1, 1, 1, 1.1, 1.4, 1.5, 1.6, 2, 2.5, 3, 7.4]), min_size=1, max_size=30)


@settings(deadline=None, database=None)
@given(distances, st.sampled_from([0.5, 1.0, 2.0]), st.data())
def test_gaps_by_hand_and_row_by_row(between: list[float], step: float, data: st.DataObject) -> None:
    seconds = np.cumsum([0.0, *between]).round(1).tolist()
    labels = data.draw(st.lists(st.integers(0, 1), min_size=len(seconds), max_size=len(seconds)))
    recording = recorded(seconds, labels)
    filled = with_gaps(recording, step * SECOND)
    np.testing.assert_allclose(steps_of(filled), filled_by_hand(recording, step))
    pieces = [recording.take([0])]
    for row in range(1, len(seconds)):
        pieces.append(with_gaps(recording.take([row - 1, row]), step * SECOND).take(slice(1, None)))
    streamed = [step for piece in pieces for step in steps_of(piece)]
    np.testing.assert_array_equal(streamed, steps_of(filled))


def test_jitter_puts_nothing_in_and_the_longest_pause_is_bounded() -> None:
    jittered = recorded([0, 1.3, 1.8, 3.2, 4, 5.4], [0] * 6)
    assert with_gaps(jittered, SECOND) is jittered
    paused = with_gaps(recorded([0, 1, 1e7, 1e7 + 1], [1] * 4), SECOND)
    assert len(paused) == 4 + MAX_GAP and paused.times[-2] - paused.times[-3] > 1e6 * SECOND
    assert paused.times[2 + MAX_GAP - 1] == pd.Timestamp("2020-01-01") + (1 + MAX_GAP) * SECOND


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_time_zones_and_units_stay(unit: str) -> None:
    recording = recorded([0, 1, 4], [0, 1, 1], unit)
    recording = Recording(recording.values, ["x"], recording.times.tz_localize("Europe/Berlin"), recording.rows, None)
    filled = with_gaps(recording, SECOND)
    assert str(filled.times.tz) == "Europe/Berlin" and filled.times.unit == unit
    assert filled.labels is None and len(filled) == 5


def test_bursts_far_apart_are_refused_before_memory_ends() -> None:
    seconds = (np.arange(40_000) // 2 * 86_400 + np.arange(40_000) % 2).tolist()
    recording = recorded(seconds)
    wide = Recording(np.zeros((40_000, 8)), list("abcdefgh"), recording.times, recording.rows, None)
    with pytest.raises(InputError, match="too many. Resample"):
        with_gaps(wide, SECOND)


def test_order_of_time_counts_what_it_leaves_out(capsys: pytest.CaptureFixture) -> None:
    found = ordered(recorded([3, 1, None, 1, 2, 2], [1, 0, 1, 1, 0, 1]), "plant.csv")
    assert found.rows.tolist() == [1, 4, 0] and found.labels.tolist() == [0, 0, 1]
    assert found.times.is_monotonic_increasing
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning == (
        "warning: plant.csv: of 6 rows 1 without a time were left out, 1 lay before the row above them and were sorted,"
        " 2 with the time of an earlier row were left out."
    )


def test_order_that_is_right_copies_nothing() -> None:
    recording = recorded([0, 1, 2])
    assert ordered(recording, "a.csv") is recording


def test_numbers_order_rows_without_times() -> None:
    recording = recorded([0, 0, 0, 0])
    counted = Recording(recording.values, ["x"], None, recording.rows, None)
    assert ordered(counted, "b.csv") is counted
    assert ordered(counted, "b.csv", np.array([0.3, 0.1, np.nan, 0.2])).rows.tolist() == [1, 3, 0]
    assert with_gaps(counted, SECOND) is counted


@pytest.mark.parametrize(
    ("seconds", "message"), [([5, 5, 5], "all 3 rows have the same time"), ([None, None], "no row has a time")]
)
def test_no_order_in_time(seconds: list[float | None], message: str) -> None:
    with pytest.raises(InputError, match=f"c.csv: {message}.*--time-column"):
        ordered(recorded(seconds), "c.csv")


def test_typical_step() -> None:
    assert typical_step(recorded([0, 1, 2, 3, 100]).times) == SECOND
    assert typical_step(recorded([0, 0, 2, 5], unit="ns").times) == pd.Timedelta(2.5, "s")
    with pytest.raises(InputError, match="no step"):
        typical_step(recorded([4]).times)


def test_columns_are_chosen_by_name() -> None:
    recording = Recording(np.arange(6.0).reshape(3, 2), ["a", "b"], None, np.arange(3), None)
    assert recording.select(["b"]).values.tolist() == [[1], [3], [5]]
    assert recording.select(["a", "b"]) is recording
