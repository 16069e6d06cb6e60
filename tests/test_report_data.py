"""What is kept of a report's series and curves, and which contents are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_report import make_channel, make_report

from metrics.events import Alarm
from report import ChannelView, Curve, Table
from report.data import alarm_peaks, bin_width, decimate, extremes, is_switch, thin_curve

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


def test_peaks_lie_at_the_highest_score_inside_an_alarm():
    scores = np.array([9.0, np.nan, 1, 3, 2, np.nan])
    alarms = [Alarm(1, 4, 3.0), Alarm(5, 5, float("nan"))]
    assert alarm_peaks(ChannelView("A", {}, scores, [], alarms, None, {})) == [3, 5]


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
        {"alarms": [Alarm(-1, 2, 0.0)]},
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


def test_late_share_counts_labelled_steps_of_second_halves():
    scores = np.zeros(10)
    late = ChannelView("late", {}, scores, [(5, 6), (6, 7)], [], None, {})
    early = ChannelView("early", {}, scores, [(0, 0)], [], None, {})
    assert make_report(channels=[late, early]).late_share == 3 / 4
    assert make_report(channels=[]).late_share is None
