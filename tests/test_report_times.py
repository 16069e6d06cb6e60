"""Times in a report: in the zone of the table, whatever their course, in pictures, in tables and in the page's JSON."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from made_report import Page, make_sensors, make_unlabelled, steps_of, values_of
from matplotlib.dates import date2num, num2date

from report import AlarmView, ChannelView
from report.clock import duration_text, jumps, time_texts, zone_name
from report.encoding import channel_data
from report.figures import draw_channel
from report.page import render_page

STARTS = {
    "naive": pd.Timestamp("2024-03-01 09:00"),
    "utc": pd.Timestamp("2024-03-01 09:00", tz="UTC"),
    "summer time begins": pd.Timestamp("2024-03-31 00:30", tz="Europe/Berlin"),
    "summer time ends": pd.Timestamp("2024-10-27 00:30", tz="Europe/Berlin"),
    "half hours": pd.Timestamp("2024-03-01 09:00", tz="Asia/Kolkata"),
    "fixed": pd.Timestamp("2024-03-01 09:00", tz=datetime.timezone(datetime.timedelta(hours=1))),
}
SPACINGS = {
    "regular": lambda rng, steps: np.full(steps, 60.0),
    "irregular": lambda rng, steps: rng.integers(1, 100, steps).astype(float),
    "doubled": lambda rng, steps: rng.integers(0, 2, steps) * 30.0,
    "gaps": lambda rng, steps: np.where(rng.random(steps) < 0.01, 86_400.0, 60.0),
    "milliseconds": lambda rng, steps: np.full(steps, 0.001),
    "microseconds": lambda rng, steps: rng.integers(1, 900, steps) / 1e6,
}


def make_times(start: pd.Timestamp, spacing: str, steps: int) -> pd.DatetimeIndex:
    seconds = np.cumsum(SPACINGS[spacing](np.random.default_rng(0), steps))
    return pd.DatetimeIndex(start + pd.to_timedelta(np.rint(seconds * 1e6), unit="us"))


def timed(times: pd.DatetimeIndex, **changes: object) -> ChannelView:
    rng = np.random.default_rng(1)
    columns = {"value": rng.normal(size=len(times)), "flat": np.zeros(len(times))}
    content = {"intervals": None, "alarms": [], "threshold": None, "metrics": {}} | changes
    return ChannelView(name="A", columns=columns, scores=rng.normal(size=len(times)), times=times, **content)


def milliseconds(times: pd.DatetimeIndex) -> np.ndarray:
    utc = times if times.tz is None else times.tz_convert(None)
    return (utc - pd.Timestamp(0)) / pd.Timedelta(milliseconds=1)


def wall_milliseconds(times: pd.DatetimeIndex) -> np.ndarray:
    return (times.tz_localize(None) - pd.Timestamp(0)) / pd.Timedelta(milliseconds=1)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_page_holds_the_time_of_every_drawn_step_and_what_clocks_showed(start, spacing):
    times = make_times(STARTS[start], spacing, 3000)
    alarm = AlarmView(1501, 1507, 1503, 2.0)
    data = channel_data(timed(times, alarms=[alarm]), 500, says_labels=False, ends=np.array([77, 2901]))
    known = steps_of(data["times"]["steps"])
    drawn = sorted({0, 2999, 1500, 1501, 1503, 1507, 1508, 77, 2901, *steps_of(data["score"]["x"])})
    read = np.interp(drawn, known, values_of(data["times"], "at"))
    np.testing.assert_allclose(read, milliseconds(times)[drawn], atol=0.001)
    changes = [[0, 0], *data["times"]["offsets"]]
    ahead = np.array([next(minutes for step, minutes in reversed(changes) if step <= one) for one in drawn])
    np.testing.assert_allclose(read + 60_000 * ahead, wall_milliseconds(times)[drawn], atol=0.001)
    assert len(known) <= 10 or spacing not in ("regular", "milliseconds")


def test_the_page_knows_how_far_clocks_were_ahead_and_whether_that_changes():
    changing = channel_data(timed(make_times(STARTS["summer time ends"], "regular", 300)), 500, False)["times"]
    # 00:31 is step 0, and clocks are set back at the end of 02:59; the line goes on
    assert changing["offsets"] == [[0, 120], [149, 60]] and changing["changes"] and changing["breaks"] == []
    steady = channel_data(timed(make_times(STARTS["half hours"], "regular", 300)), 500, False)["times"]
    assert steady["offsets"] == [[0, 330]] and not steady["changes"]
    for name in ("utc", "naive"):
        assert channel_data(timed(make_times(STARTS[name], "regular", 300)), 500, False)["times"]["offsets"] == []


def test_zones_are_named_as_people_do():
    named = {name: zone_name(pd.DatetimeIndex([start])) for name, start in STARTS.items()}
    assert named == {
        "naive": "",
        "utc": "UTC",
        "summer time begins": "Europe/Berlin",
        "summer time ends": "Europe/Berlin",
        "half hours": "Asia/Kolkata",
        "fixed": "UTC+01:00",
    }
    west = datetime.timezone(-datetime.timedelta(hours=3, minutes=30))
    assert zone_name(pd.DatetimeIndex([pd.Timestamp("2024-01-01", tz=west)])) == "UTC-03:30"


def test_times_are_written_no_finer_than_needed():
    def written(*times: str) -> list[str]:
        return time_texts(pd.DatetimeIndex(times), [0])

    assert written("2024-03-01", "2024-03-02") == ["2024-03-01"]
    assert written("2024-03-01 00:00", "2024-03-01 12:00") == ["2024-03-01 00:00"]
    assert written("2024-03-01 10:00:00", "2024-03-01 10:00:30") == ["2024-03-01 10:00:00"]
    assert written("2024-03-01 10:00:00.250", "2024-03-01 10:00:00.500") == ["2024-03-01 10:00:00.250"]
    assert written("2024-03-01 10:00:00.250", "2024-03-01 10:07:00.500") == ["2024-03-01 10:00:00"]
    ends = make_times(STARTS["summer time ends"], "regular", 300)
    assert time_texts(ends, [148, 149]) == ["2024-10-27 02:59 +02:00", "2024-10-27 02:00 +01:00"]


def test_durations_have_two_units():
    cases = {0: "0 s", 0.25: "250 ms", 45: "45 s", 59.99: "60 s", 60: "1 min", 4800: "1 h 20 min", 3605: "1 h"}
    cases |= {90_000: "1 d 1 h", 86_400 * 400 + 59: "400 d"}
    assert {seconds: duration_text(seconds) for seconds in cases} == cases


def test_a_long_interval_without_rows_breaks_lines_and_a_usual_one_does_not():
    minutes = np.array([0, 1, 2, 3, 12, 13, 40, 41])
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, unit="min"))
    assert jumps(times).tolist() == [5]
    places = date2num(times.to_numpy())
    value, flat, *_ = draw_channel(timed(times)).axes
    for panel, kept in ((value, range(8)), (flat, [0, 5, 6, 7])):  # a flat run ends and begins there too
        x, y = panel.lines[0].get_data()
        (stop,) = np.flatnonzero(np.isnan(y))
        np.testing.assert_allclose(np.delete(x, stop), places[list(kept)])
        assert x[stop - 1] == places[5] and x[stop + 1] == places[6]


def test_pictures_show_times_in_the_zone_of_the_table_and_what_was_not_measured():
    channel = make_sensors()
    figure = draw_channel(channel, says_labels=False)
    *columns, alarms, score, behind = figure.axes
    assert len(columns) == 8 and score.get_xlabel() == "time (Europe/Berlin)"
    assert alarms.get_title("right") == "and 4 more columns, not drawn"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["3 alarms", "threshold 2", "not measured"]

    def spans(axes):
        return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]

    def seconds(spans):
        return [[num2date(end, tz=ZoneInfo("UTC")) for end in span] for span in spans]

    half = pd.Timedelta(seconds=30)
    masked = np.flatnonzero(channel.masked)
    close = pd.Timedelta(seconds=1)
    for (left, right), (start, end) in zip(
        seconds(spans(alarms)) + seconds(spans(behind)),
        [(alarm.start, alarm.end) for alarm in channel.alarms] + [(masked[0], masked[-1])],
        strict=True,
    ):
        assert abs(left - (channel.times[start] - half)) < close and abs(right - (channel.times[end] + half)) < close
    figure.canvas.draw()
    labels = [
        (num2date(tick, tz=ZoneInfo("Europe/Berlin")), label.get_text())
        for tick, label in zip(score.get_xticks(), score.get_xticklabels(), strict=True)
    ]
    assert labels and all(f"{tick:%H:%M}" == text or f"{tick:%b-%d}" == text for tick, text in labels)


def test_values_between_missing_ones_are_drawn_as_dots_and_never_joined():
    channel = make_sensors()
    panel = draw_channel(channel).axes[6]
    line, dots = panel.lines
    assert np.isfinite(channel.columns["every tenth step"]).sum() == len(dots.get_xdata())
    known = np.isfinite(line.get_ydata())
    assert not (known[1:] & known[:-1]).any()


def test_the_alarms_of_the_page_stand_with_their_times_and_steps():
    page = Page(render_page(make_unlabelled()))
    channel = make_sensors("pump 1", 3000)
    alarm = channel.alarms[1]
    start, end, at = (f"{time:%Y-%m-%d %H:%M} +01:00" for time in channel.times[[alarm.start, alarm.end, alarm.at]])
    assert page.json["channel-0"]["alarms"][1]["when"] == [start, end, at, "40 steps, 39 min"]
    assert f"{start} · 39 min · level <moved>" in page.text
    assert "first to last time (Europe/Berlin)2024-10-26 18:00 +02:00 to 2024-10-29 06:39 +01:00" in page.text
