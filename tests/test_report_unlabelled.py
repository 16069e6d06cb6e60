"""A report without labels says nothing about them, and every report lists its alarms."""

import re

import numpy as np
import pytest
from made_report import CAUSES, EVIL, Page, make_channel, make_report, make_sensors, make_unlabelled, steps_of

from metrics.events import Alarm
from report import ChannelView, write_report
from report.encoding import ALL_POINTS, channel_data, point_limit
from report.figures import draw_channel
from report.page import render_page
from report.tables import DASH

FORBIDDEN = re.compile(r"label|\broc\b|prevalence|false|normal|trivial|precision|recall|anomalous", re.IGNORECASE)


def seen(page: Page) -> list[str]:
    """Every text that a reader sees or hears."""
    heard = [value or "" for _, name, value in page.attributes if name in ("aria-label", "title", "alt")]
    return [page.text, *heard]


def rows_of_alarms(page: Page) -> list[list[tuple[str, str | None]]]:
    heads = next(number for number, row in enumerate(page.rows) if row and row[0][0] == "channel")
    end = next(number for number, row in enumerate(page.rows) if len(row) > 1 and row[1][0] == "when")
    return page.rows[heads + 1 : end]


def test_without_labels_nothing_is_said_about_them(tmp_path):
    for stale in ("roc.png", "pr.png"):
        (tmp_path / stale).touch()
    path = write_report(tmp_path, make_unlabelled())
    page = Page(path.read_text(encoding="utf-8"))
    assert [FORBIDDEN.findall(text) for text in seen(page) if FORBIDDEN.search(text)] == []
    assert DASH not in page.text and not any(cell == DASH for row in page.rows for cell, _ in row)
    assert page.json["channel-0"]["labels"] is None and page.json["channel-0"]["intervals"] == []
    assert {path.name for path in tmp_path.iterdir()} == {"channels", "report.html"}
    assert not any(value in ("roc", "pr", "result") for _, name, value in page.attributes if name == "id")
    heads = [cell for cell, _ in page.rows[-3]]
    assert heads == ["channel", "when", "steps", "alarmed"]  # not the metric that no channel has


def test_the_summary_counts_steps_columns_alarms_and_what_was_not_measured():
    page = Page(render_page(make_unlabelled()))
    facts = ["channels2 of 5", "time steps5,400", "columns per channel12", "alarms6", "steps under alarm4.44%"]
    assert "".join([*facts, "steps not measured270", "first to last time"]) in page.text
    assert "3 channels with lower scores are not shown here; alarms.csv has all alarms." in page.text
    single = Page(render_page(make_unlabelled(channels=[make_sensors()], left_out=1)))
    assert "channels1 of 2time steps3,000columns12alarms3" in single.text
    assert "1 channel with lower scores is not shown here" in single.text


def test_warnings_stand_near_the_top_as_written_and_only_where_there_are_any():
    page = Page(render_page(make_unlabelled()))
    place = page.text.index("What makes this result worse than it looks")
    assert page.text.index("lie under alarm") < place < page.text.index("time steps")
    assert "<half> of all alarms" in page.text
    assert "worse than it looks" not in Page(render_page(make_unlabelled(warnings=[]))).text


def test_where_some_channels_are_labelled_it_is_told_which_are_not():
    page = Page(render_page(make_report(channels=[make_channel("A-1", 900), make_sensors()])))
    assert [page.json[f"channel-{number}"]["labels"] for number in (0, 1)] == ["2 labelled intervals", "not labelled"]
    assert "channels without labels1" in page.text and "Result" in page.text
    assert "steps not measured150" in page.text
    for says, first in ((True, "not labelled"), (False, "3 alarms")):
        assert draw_channel(make_sensors(), says).legends[0].get_texts()[0].get_text() == first
    assert Page(render_page(make_report(headline=None, roc=[], pr=[]))).json["channel-0"]["labels"] is not None


def test_alarms_of_all_channels_stand_in_one_table_the_highest_peak_first():
    report = make_unlabelled()
    page = Page(render_page(report))
    rows = rows_of_alarms(page)
    alarms = [
        (alarm.peak, channel.name, cause)
        for channel in report.channels
        for alarm, cause in zip(channel.alarms, CAUSES, strict=True)
    ]
    expected = sorted(alarms, reverse=True)
    assert [(row[0][0], row[6][0]) for row in rows] == [(name, cause) for _, name, cause in expected]
    assert [float(row[4][1]) for row in rows] == [peak for peak, _, _ in expected]
    assert [float(row[5][1]) for row in rows] == pytest.approx([peak / 2 for peak, _, _ in expected])
    assert rows[0][5][0] == f"{expected[0][0] / 2:.3g} ×"
    text = page.text
    assert text.index("Alarms\n") < text.index("Channels\n")


def test_the_table_of_alarms_of_a_labelled_report_holds_steps_and_no_empty_column():
    text = render_page(make_report())
    page = Page(text)
    rows = rows_of_alarms(page)
    assert [row[0][0] for row in rows] == ["A-1", "A-10", EVIL]
    assert [cell for cell, _ in rows[0]] == ["A-1", "450", "459", "10 steps", "9.000", "3.6 ×"]
    assert page.text.index("Result\n") < page.text.index("Alarms\n") < page.text.index("Channels\n")


def test_no_more_alarms_are_listed_than_a_reader_can_use():
    alarms = [Alarm(step, step, float(step)) for step in range(0, 500, 2)]
    channel = ChannelView("A", {}, np.zeros(500), None, [*alarms, Alarm(499, 499, float("nan"))], None, {})
    page = Page(render_page(make_unlabelled(channels=[channel])))
    rows = rows_of_alarms(page)
    assert len(rows) == 200 and [cell for cell, _ in rows[0]] == ["A", "498", "498", "1 step", "498.000"]
    assert "and 51 more alarms with lower peaks" in page.text
    for threshold in (0.0, -1.0, float("inf"), float("nan")):  # of which nothing is a multiple
        some = ChannelView("A", {}, np.zeros(500), None, alarms[:2], threshold, {})
        assert len(rows_of_alarms(Page(render_page(make_unlabelled(channels=[some]))))[0]) == 5
    quiet = ChannelView("A", {}, np.zeros(500), None, [], None, {})
    assert "No alarm was raised." in Page(render_page(make_unlabelled(channels=[quiet]))).text


def test_a_page_of_many_series_thins_them_and_one_of_few_does_not():
    steps, rng = 8070, np.random.default_rng(0)
    noise = rng.normal(size=(9, steps))

    def fleet(columns: int) -> list[ChannelView]:
        content = {f"c{number}": noise[number] for number in range(columns)}
        return [ChannelView(f"C-{number}", content, noise[8], None, [], None, {}) for number in range(54)]

    assert point_limit(fleet(1)) >= steps and point_limit([]) >= steps
    limit = point_limit(fleet(8))
    assert 1000 <= limit < ALL_POINTS / (54 * 9)
    thinned = channel_data(fleet(8)[0], limit, says_labels=False)
    assert len(steps_of(thinned["score"]["x"])) <= limit + 2
