"""Other thresholds: the slider, its figures and alarms, the charts that follow it, and the strips of the channels."""

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_report import Page, make_alarm, make_report, make_sensors, make_unlabelled

from report import ChannelView, SweepPoint
from report.charts import factor_chart, operating_chart
from report.fleet import fleet_data, worst_first
from report.page import render_page
from report.strips import BOTTOM, CELLS, TOP, cells_of, common_axis, height_of, strip, threshold_height
from report.sweep import MOST_SPANS, figure_text, joined


def decoded(sweep: dict, point: int, channel: int) -> list[tuple[int, int]]:
    """The alarms of a channel as threshold.js reads them."""
    while sweep["spans"][point][channel] == 0:
        point -= 1
    spans, end = [], 0
    numbers = iter(sweep["spans"][point][channel])
    for gap, length in zip(numbers, numbers, strict=True):
        spans.append((end + gap, end + gap + length))
        end = spans[-1][1]
    return spans


def test_the_page_holds_the_alarms_and_figures_of_every_threshold():
    report = make_report()
    sweep = Page(render_page(report)).json["fleet"]["sweep"]
    assert sweep["used"] == report.in_use == 4 and sweep["factors"][4] == 1
    for number, point in enumerate(report.sweep):
        assert [decoded(sweep, number, channel) for channel in range(3)] == [joined(spans) for spans in point.alarms]
    assert [figure["name"] for figure in sweep["figures"]] == list(report.sweep[0].figures)
    assert sweep["figures"][0]["texts"] == [f"{point.figures['alarms']:,}" for point in report.sweep]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=400))
def test_where_alarms_are_too_many_those_nearest_to_each_other_become_one(pairs):
    spans, end = [], 0
    for length, gap in pairs:
        spans.append((end + gap, end + gap + length))
        end = spans[-1][1] + 1
    found = joined(spans[::-1])
    assert len(found) == min(len(spans), MOST_SPANS)
    assert all(any(start <= first and last <= stop for start, stop in found) for first, last in spans)
    if found:
        assert (found[0][0], found[-1][1]) == (spans[0][0], spans[-1][1])
    assert all(before < after for (_, before), (after, _) in pairwise(found))


def test_figures_are_written_as_their_names_ask_for():
    cases = [
        ("alarms", 1234, "1,234"),
        ("alarms", np.int64(7), "7"),
        ("event F1", 0.8456, "0.846"),
        ("a", 12.34, "12.3"),
    ]
    cases += [("share of normal steps under alarm", 0.0123, "1.2%"), ("share", 1.0, "100%"), ("event F1", None, "none")]
    assert [figure_text(name, value) for name, value, _ in cases] == [text for *_, text in cases]


def test_figures_that_no_threshold_has_are_left_out_and_without_a_sweep_there_is_no_slider():
    channel = make_sensors()
    points = [SweepPoint(f, [[]], {"alarms": 3, "event recall": None}) for f in (0.5, 1.0)]
    page = Page(render_page(make_unlabelled(channels=[channel], sweep=points)))
    assert [figure["name"] for figure in page.json["fleet"]["sweep"]["figures"]] == ["alarms"]
    bare = Page(render_page(make_unlabelled(sweep=[])))
    assert bare.json["fleet"]["sweep"] is None and "Other thresholds" not in bare.text
    assert "slider" not in {value for tag, name, value in bare.attributes if name == "id"}


def places(svg: str) -> list[tuple[float, float] | None]:
    """Where the mark of a chart stands at each threshold."""
    texts = re.search(r'data-places="([^"]*)"', svg)[1].split(",")
    return [tuple(map(float, text.split())) if text else None for text in texts]


def test_the_operating_curve_shows_recall_against_the_rate_of_alarms_by_its_logarithm():
    rates, recalls = (10.0, 1.0, 0.1, 0.0), (1.0, 0.75, 0.5, None)
    figures = [{"alarms per 1,000 steps": x, "event recall": y} for x, y in zip(rates, recalls, strict=True)]
    report = make_report(sweep=[SweepPoint(2.0**n, [[]] * 3, one) for n, one in enumerate(figures)])
    assert report.in_use == 0
    *shown, none = places(operating_chart(report))
    assert none is None
    (x, y), (between_x, between_y), (last_x, last_y) = shown
    assert x - between_x == pytest.approx(between_x - last_x, abs=0.2) and x > last_x
    assert between_y - y == pytest.approx(last_y - between_y, abs=0.2) and y < last_y
    assert operating_chart(make_unlabelled()) == ""


def test_thresholds_are_drawn_against_what_is_known_of_them():
    svg, names = factor_chart(make_report())
    assert names == ["event precision", "event recall"] and svg.count('class="curve') == 2
    across = [x for x, _ in places(svg)]
    np.testing.assert_allclose(np.diff(across), np.diff(across)[0], atol=0.2)  # even, as the factors are by logarithm
    svg, names = factor_chart(make_unlabelled())
    assert names == [] and svg.count('class="curve') == 1 and "event" not in svg
    assert factor_chart(make_report(sweep=[])) == ("", [])


def bars(svg: str, kind: str) -> list[tuple[int, int]]:
    """First cell and the one after the last of the bars of a strip."""
    path = re.search(rf'class="{kind}" d="([^"]*)"', svg)
    return [tuple(map(int, pair)) for pair in re.findall(r"M(\d+) \d+H(\d+)", path[1])] if path else []


def test_a_strip_shows_labels_alarms_and_the_score_where_they_are():
    scores = np.full(3200, 0.25)
    scores[1000:1100] = 8.0
    alarms = [make_alarm(1000, 1099, scores, 1.0)]
    channel = ChannelView("A", {}, scores, [(1600, 1604)], alarms, 1.0, {})
    svg = strip(channel, cells_of(channel, None), height_of([channel]), says_labels=True)
    assert bars(svg, "alarm") == [(100, 110)] and bars(svg, "label") == [(160, 162)]  # two cells at least
    assert height_of([channel]) == 3
    assert re.search(r'class="score" d="([^"]*)"', svg)[1] == f"M0 {BOTTOM}H100v{TOP - BOTTOM}H110v{BOTTOM - TOP}Z"
    assert f"M0 {threshold_height(1, 3):.1f}H{CELLS}" in svg and 'aria-label="labelled intervals: 1, alarms: 1"' in svg
    below, above = threshold_height(0.5, 3), threshold_height(2, 3)
    assert BOTTOM > below > threshold_height(1, 3) > above > TOP
    plain = ChannelView("A", {}, scores, None, [], None, {})
    svg = strip(plain, cells_of(plain, None), height_of([plain]), says_labels=False)
    assert "limit" not in svg and bars(svg, "alarm") == [] and 'class="score"' in svg


def test_strips_of_channels_side_by_side_in_time_share_one_axis():
    def channel(start: str, steps: int) -> ChannelView:
        times = pd.date_range(start, periods=steps, freq="min", tz="UTC")
        return ChannelView(start, {}, np.zeros(steps), None, [], None, {}, times=times)

    day = [channel("2024-03-01 00:00", 1440), channel("2024-03-01 12:00", 720)]
    axis = common_axis(day)
    assert (cells_of(day[0], axis)[[0, -1]] == [0, CELLS - 1]).all()
    assert (cells_of(day[1], axis)[[0, -1]] == [CELLS // 2, CELLS - 1]).all()
    years = [channel("2024-03-01", 100), channel("2022-03-01", 100)]
    assert common_axis(years) is None and common_axis(day[:1]) is None
    assert common_axis([*day, ChannelView("A", {}, np.zeros(5), None, [], None, {})]) is None
    data = fleet_data(make_unlabelled(channels=day, sweep=[]))["channels"]
    assert "edges" not in data[0] and data[1]["edges"][CELLS // 2 :][:2] == [0, 5]


def test_the_channel_with_the_highest_score_over_its_threshold_comes_first():
    def channel(name: str, score: float, threshold: float) -> ChannelView:
        return ChannelView(name, {}, np.array([0.0, score]), None, [], threshold, {})

    channels = [channel("a", 5, 10), channel("b", 3, 1), channel("c", np.nan, 1), channel("d", 8, 4)]
    channels[2] = ChannelView("c", {}, np.full(2, np.nan), None, [], 1.0, {})
    report = make_unlabelled(channels=channels, left_out=0)
    assert worst_first(report) == [1, 3, 0, 2]
    assert [row[0][0] for row in Page(render_page(report)).rows[1:]] == ["b", "d", "a", "c"]
