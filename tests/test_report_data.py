"""What is kept of a report's series and curves, and which contents are refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_report import make_channel, make_report, steps_of, values_of

from report import AlarmView, ChannelView, Curve, IncidentView, SweepPoint, Table
from report.close_ups import CLOSE_POINTS, window, with_close_ups
from report.curves import thin_curve
from report.encoding import channel_data
from report.thinning import bin_width, decimate, extremes, fair_limit, is_switch, spans_of, with_breaks

series = arrays(np.float64, st.integers(1, 400), elements=st.integers(-5, 5).map(float))
limits = st.integers(2, 100)


@given(series, limits)
def test_extremes_keep_the_lowest_and_highest_value_of_every_bin(values, limit):
    kept = extremes(values, limit)
    width = bin_width(len(values), limit)
    assert len(kept) <= max(limit + 2, 2) and (np.diff(kept) > 0).all()
    assert kept[0] == 0 and kept[-1] == len(values) - 1
    for start in range(0, len(values), width):
        drawn = values[kept[(kept >= start) & (kept < start + width)]]
        assert drawn.min() == values[start : start + width].min()
        assert drawn.max() == values[start : start + width].max()


@given(series, limits)
def test_leaving_out_flat_runs_changes_nothing_that_is_drawn(values, limit):
    steps, all_kept, kept = np.arange(len(values)), extremes(values, limit), decimate(values, limit)
    before = np.interp(steps, all_kept, values[all_kept])
    np.testing.assert_allclose(np.interp(steps, kept, values[kept]), before, atol=1e-12)


def test_a_flat_series_needs_two_points_and_a_gap_stays_a_gap():
    assert decimate(np.zeros(1000), 100).tolist() == [0, 999]
    values = np.arange(1000.0)
    values[500:503] = np.nan
    assert np.isnan(values[decimate(values, 100)]).any()


@given(series, limits, st.data())
def test_no_line_is_drawn_across_a_missing_value(values, limit, data):
    values = values.copy()
    values[data.draw(arrays(bool, len(values)))] = np.nan
    for kept in (extremes(values, limit), decimate(values, limit)):
        for start, end in zip(kept[:-1], kept[1:], strict=True):
            inside = values[start : end + 1]
            assert np.isnan(inside[[0, -1]]).any() or not np.isnan(inside).any()


@given(st.integers(2, 300), st.integers(1, 40), st.data())
def test_both_sides_of_a_broken_line_are_kept(steps, limit, data):
    breaks = np.array(sorted(data.draw(st.sets(st.integers(0, steps - 2)))), dtype=int)
    kept = with_breaks(decimate(np.zeros(steps), limit), breaks)
    assert len(breaks) == 0 or {breaks[0], breaks[-1] + 1} <= set(kept.tolist())


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(0, 300))
def test_points_are_shared_fairly(lengths, total):
    limit = fair_limit(lengths, total)
    assert sum(min(length, limit) for length in lengths) <= total or not lengths
    more = sum(min(length, limit + 1) for length in lengths)
    assert more > total or limit >= max(lengths, default=0)


@given(arrays(bool, st.integers(1, 200)))
def test_spans_are_the_runs_of_a_mask_and_joined_where_there_are_too_many(mask):
    covered = np.zeros(len(mask), dtype=bool)
    for start, end in spans_of(mask, len(mask)):
        assert mask[start : end + 1].all()
        covered[start : end + 1] = True
    np.testing.assert_array_equal(covered, mask)
    few = spans_of(mask, 5)
    assert len(few) <= 6 and all(any(start <= step <= end for start, end in few) for step in np.flatnonzero(mask))


@given(arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf])))
def test_any_numbers_are_read_back_from_the_page_as_closely_as_a_screen_shows_them(values):
    channel = ChannelView("A", {}, values, None, [], None, {})
    score = json.loads(json.dumps(channel_data(channel, 100, False)["score"], allow_nan=False))
    read = np.array(values_of(score), dtype=float)
    drawn = values[steps_of(score["x"])]
    known = np.isfinite(drawn)
    np.testing.assert_array_equal(np.isfinite(read), known)
    if known.any():
        scale = np.abs(drawn[known]).max()
        assert (np.abs(read - drawn)[known] <= scale * 5.1e-4 + 1e-280).all()


def test_thinning_a_curve_keeps_its_ends_and_its_course_in_either_direction():
    x = np.sort(np.random.default_rng(0).random(50_000)) ** 3
    x[[0, -1]] = 0, 1
    y = np.round(x**0.1, 2)  # steps
    thin_x, thin_y = thin_curve(Curve("c", x, y, 0.9), 500)
    assert len(thin_x) <= 501 and (thin_x[0], thin_x[-1]) == (0, 1) and thin_y[-1] == y[-1]
    # two points lie at most 2 / 499 apart, and a curve that only rises stays in the box between them
    assert all(np.min(np.hypot(thin_x - a, thin_y - b)) < 0.011 for a, b in zip(x[::50], y[::50], strict=True))
    backwards = thin_curve(Curve("c", x[::-1], y[::-1], 0.9), 500)
    np.testing.assert_array_equal(backwards, (thin_x, thin_y))


@given(series, limits, st.data())
def test_a_close_up_adds_points_and_draws_no_line_across_a_missing_value(values, limit, data):
    values = values.copy()
    values[data.draw(arrays(bool, len(values)))] = np.nan
    steps = st.integers(0, len(values) - 1)
    windows = [tuple(sorted(pair)) for pair in data.draw(st.lists(st.tuples(steps, steps), max_size=3))]
    before = decimate(values, limit)
    kept = with_close_ups(values, before, windows)
    assert set(before) <= set(kept)
    for start, end in zip(kept[:-1], kept[1:], strict=True):
        inside = values[start : end + 1]
        assert np.isnan(inside[[0, -1]]).any() or not np.isnan(inside).any()
        for first, last in windows:  # where a window is drawn step by step, a line is as the values are
            if first <= start and end <= last and not np.isnan(inside).any():
                np.testing.assert_allclose(np.interp(range(start, end + 1), [start, end], inside[[0, -1]]), inside)


def test_a_close_up_shows_an_alarm_with_its_own_length_on_either_side():
    assert window(AlarmView(1000, 1009, 1003, 5.0), 5000) == (900, 1109)
    assert window(AlarmView(1000, 1999, 1003, 5.0), 2500) == (0, 2499)
    noise = np.random.default_rng(0).normal(size=100_000)
    alarms = [AlarmView(50_000, 50_099, 50_003, 5.0, columns=[("b", 1.0)]), AlarmView(90_000, 90_099, 90_003, 4.0)]
    channel = ChannelView("A", {"a": noise, "b": -noise}, noise, None, alarms, 1.0, {})
    data = channel_data(channel, 1000, False, close={0})
    drawn = {one["name"]: np.array(steps_of(one["x"])) for one in (*data["columns"], {"name": "", **data["score"]})}

    def near(steps, alarm):
        first, last = window(alarm, 100_000)
        return int(((first <= steps) & (steps <= last)).sum())

    assert near(drawn["b"], alarms[0]) == near(drawn[""], alarms[0]) == 300 < CLOSE_POINTS  # step by step
    assert near(drawn["a"], alarms[0]) < 10 and near(drawn[""], alarms[1]) < 10
    assert [alarm["shown"] for alarm in data["alarms"]] == [[1], [0]]


def test_switches_have_at_most_two_values():
    assert is_switch(np.array([0, 1, 1])) and is_switch(np.full(3, np.nan)) and is_switch(np.array([2.0, np.nan]))
    assert not is_switch(np.array([0, 1, 2]))


@pytest.mark.parametrize(
    "content",
    [
        {"scores": np.zeros(0)},
        {"columns": {"c": np.zeros(3)}},
        {"intervals": [(3, 2)]},
        {"intervals": [(0, 4)]},
        {"alarms": [AlarmView(1, 4, 2, 0.0)]},
        {"masked": np.zeros(3, dtype=bool)},
        {"limits": np.zeros(3)},
        {"times": pd.date_range("2024-01-01", periods=5)},
        {"times": pd.date_range("2024-01-01", periods=4)[::-1]},
        {"times": pd.DatetimeIndex(["2024-01-01", None, "2024-01-02", "2024-01-03"])},
    ],
)
def test_a_channel_that_does_not_fit_together_is_refused(content):
    fitting = {"columns": {}, "scores": np.zeros(4), "intervals": [], "alarms": [], "threshold": None, "metrics": {}}
    with pytest.raises(ValueError, match="channel A-1: "):
        ChannelView("A-1", **(fitting | content))


def test_tables_and_reports_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="has 1 cells, expected 2"):
        Table(["a", "b"], [["x"]])
    with pytest.raises(ValueError, match="span 3 columns, expected 2"):
        Table(["a", "b"], [], groups=[("g", 3)])
    with pytest.raises(ValueError, match="A-1 stand twice"):
        make_report(channels=[make_channel("A-1", 900)] * 2)
    with pytest.raises(ValueError, match="reversed or has its peak outside"):
        AlarmView(3, 5, 6, 1.0)
    with pytest.raises(ValueError, match="in the window"):
        AlarmView(3, 5, 4, 1.0, nearest=(0, 2), nearest_values={"a": np.zeros(2)})
    for places in ([(0, 0), (0, 0)], [(0, 1)], [(3, 0)]):
        with pytest.raises(ValueError, match="incidents name an alarm twice, or one"):
            make_report(incidents=[IncidentView(1, places)])
    channel = make_channel("A-1", 900)
    for factors in ([0.5, 2.0], [1.0, 0.5], [0.0, 1.0], [1.0, 1.0]):
        with pytest.raises(ValueError, match="ascending factors above 0 with 1 among them"):
            make_report(channels=[channel], sweep=[SweepPoint(factor, [[]], {}) for factor in factors])
    with pytest.raises(ValueError, match="the alarms of all 1 channels"):
        make_report(channels=[channel], sweep=[SweepPoint(1.0, [], {})])


def test_late_share_counts_labelled_steps_of_second_halves():
    scores = np.zeros(10)
    late = ChannelView("late", {}, scores, [(5, 6), (6, 7)], [], None, {})
    early = ChannelView("early", {}, scores, [(0, 0)], [], None, {})
    assert make_report(channels=[late, early]).late_share == 3 / 4
    assert make_report(channels=[]).late_share is None
