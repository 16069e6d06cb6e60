"""A report without labels says nothing about them, and every report lists its alarms."""

import re

import numpy as np
from made_report import Page, make_channel, make_report, make_sensors, make_unlabelled, steps_of

from report import ChannelView, write_report
from report.encoding import ALL_POINTS, channel_data, point_limit
from report.figures import draw_channel
from report.page import render_page

DASH = "–"
FORBIDDEN = re.compile(r"label|\broc\b|prevalence|false|normal|trivial|precision|recall|anomalous", re.IGNORECASE)


def seen(page: Page) -> list[str]:
    """Every text that a reader sees or hears."""
    heard = [value or "" for _, name, value in page.attributes if name in ("aria-label", "title", "alt")]
    return [page.text, *heard]


def test_without_labels_nothing_is_said_about_them(tmp_path):
    for stale in ("roc.png", "pr.png"):
        (tmp_path / stale).touch()
    path = write_report(tmp_path, make_unlabelled())
    page = Page(path.read_text(encoding="utf-8"))
    assert [FORBIDDEN.findall(text) for text in seen(page) if FORBIDDEN.search(text)] == []
    assert DASH not in page.text and not any(cell == DASH for row in page.rows for cell, _ in row)
    assert page.json["channel-0"]["labels"] is None and page.json["channel-0"]["intervals"] == []
    assert {path.name for path in tmp_path.iterdir()} == {"channels", "report.html"}
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert not ids & {"roc", "pr", "result", "operating"} and "factors" in ids
    heads = [cell for cell, _ in page.rows[0]]
    assert heads[2:] == ["highest score, × threshold", "alarms", "steps", "alarmed"]  # no metric that no channel has


def test_the_summary_counts_steps_columns_alarms_and_what_was_not_measured():
    page = Page(render_page(make_unlabelled()))
    facts = ["channels2 of 5", "time steps5,400", "columns per channel12", "alarms6", "steps under alarm4.44%"]
    assert "".join([*facts, "steps not measured270", "first to last time"]) in page.text
    assert "3 channels with lower scores are not shown here; alarms.csv has all alarms." in page.text
    single = Page(render_page(make_unlabelled(channels=[make_sensors()], left_out=1)))
    assert "channels1 of 2time steps3,000columns12alarms3" in single.text
    alone = Page(render_page(make_unlabelled(channels=[make_sensors()], left_out=0)))
    assert "channelpump 1time steps3,000columns12" in alone.text
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
