"""The page of a report as text: whole, safe, and with the numbers and series of the report."""

import numpy as np
import pytest
from made_report import AUROCS, EVIL, LENGTHS, Page, make_channel, make_report, steps_of, values_of

from report import ChannelView, Table, write_report
from report.encoding import channel_data
from report.page import render_page
from report.tables import format_cell


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_page(make_report()))


def rows_of(page: Page, head: str) -> list[list[tuple[str, str | None]]]:
    """The rows of the table whose first heading this is."""
    starts = [number for number, row in enumerate(page.rows) if row and row[0] == (head, None)]
    end = next((n for n in range(starts[0] + 1, len(page.rows)) if page.tables[n] != page.tables[starts[0]]), None)
    return page.rows[starts[0] + 1 : end]


def test_the_page_is_whole_and_loads_nothing(page):
    assert page.open == []
    loads = [
        entry for entry in page.attributes if entry[1] in ("src", "href", "srcset", "action", "data", "xlink:href")
    ]
    links = [("a", "href", f"#alarm-{number}") for number in (1, 2, 3)]
    assert loads == [("link", "href", "data:,"), *links]
    policy = next(value for tag, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none';") and "http" not in policy


def test_every_text_of_the_user_is_shown_as_written(page):
    for text in [
        EVIL,
        "resnet18 <approximate>",
        "area under <the> curve: yes",
        "no term here",
        "model <1>",
        f"<b>{EVIL}",
    ]:
        assert text in page.text
    assert page.json["channel-2"]["name"] == EVIL
    assert not any(tag == "img" for tag, _, _ in page.attributes)


def test_the_tables_hold_the_numbers_of_the_report(page):
    rows = {row[0][0]: row for row in rows_of(page, "channel")}
    model, position = (row[1:] for row in page.rows if row[0][0] in ("model <1>", "position t/T") and len(row) == 4)
    assert model == [("0.653", "0.65312345"), ("0.200", "0.2"), ("1,234,567", "1234567")]
    assert position == [("0.801", "0.801"), ("", None), ("", None)]
    areas = [row[1] for row in page.rows if row[0][0] in ("model <1>", "position t/T") and len(row) == 2]
    assert areas == [("0.653", "0.653"), ("0.801", "0.801"), ("0.187", "0.187"), ("0.268", "0.268")]
    for name, steps in LENGTHS.items():
        (text, _), _, (times, highest), alarms, (_, shown_steps), (shown, value), (_, spread), (_, kind) = rows[name]
        assert (times, highest, alarms) == ("3.60", "3.6", ("1", "1"))
        assert (text, shown_steps, spread, kind) == (name, str(steps), "0.5", f"<b>{name}")
        assert value == (None if AUROCS[name] is None else repr(AUROCS[name]))
        assert shown == format_cell(AUROCS[name])


def test_cells_are_written_as_readers_expect():
    cells = [0.65312, 1, np.int64(8505), 12_345.6, 0.00001234, 0.0, -0.5, None, float("nan"), "3/4"]
    assert [format_cell(cell) for cell in cells] == [
        *("0.653", "1", "8,505", "1.23e+04", "1.23e-05", "0.000", "−0.500", "", "", "3/4")
    ]
    assert [format_cell(cell, short=True) for cell in (3.2, 14.84, 120.5, 4321.0)] == ["3.20", "14.8", "120", "4,321"]


def test_the_best_of_each_ranked_column_is_bold_and_the_model_marked():
    text = render_page(make_report())
    assert 'class="num starts best" data-value="0.801">0.801' in text and 'best" data-value="0.65312345"' not in text
    assert '<tr class="model"><th scope="row">model &lt;1&gt;</th>' in text


def test_the_data_of_a_channel_is_complete_or_decimated_and_free_of_nan(page):
    small, large = page.json["channel-0"], page.json["channel-1"]
    channel = make_channel("A-1", 900)
    drawn, value = small["columns"][0], channel.columns["value <i>A-1</i>"]
    assert steps_of(drawn["x"]) == list(range(900))
    np.testing.assert_allclose(values_of(drawn), value, atol=1e-4 * np.ptp(value))
    assert small["stride"] == 1 and large["stride"] == 5
    for series in (small["score"], large["score"]):
        assert None in values_of(series) and max(filter(None, values_of(series))) == 9.0
    steps, scores = np.array(steps_of(large["score"]["x"])), make_channel("A-10", 25_000).scores
    known = [value is not None for value in values_of(large["score"])]
    np.testing.assert_allclose(
        np.array(values_of(large["score"]))[known].astype(float), scores[steps[known]], atol=1e-3
    )
    assert len(steps) < 12_000
    assert len(steps_of(small["columns"][1]["x"])) < 100  # flat runs are left out
    assert small["intervals"] == [[450, 470], [899, 899]]
    alarm = small["alarms"][0]
    assert (alarm["span"], alarm["at"], alarm["peak"], alarm["window"]) == ([450, 459], 453, 9.0, [350, 559])
    assert alarm["when"] == ["450", "459", "453", "10 steps"] and alarm["labelled"] is True
    assert small["labels"] == "2 labelled intervals" and small["masked"] == [] and "times" not in small


def test_limits_that_differ_from_step_to_step_stand_beside_the_score():
    channel = make_channel("A-1", 900)
    limits = np.where(np.arange(900) < 400, 2.0, 3.5)
    limits[700] = np.nan
    data = channel_data(ChannelView(**(vars(channel) | {"limits": limits, "alarms": []})), 1000, says_labels=True)[
        "limits"
    ]
    steps = steps_of(data["x"])
    assert steps == [0, 399, 400, 699, 700, 701, 899]
    assert values_of(data) == [None if step == 700 else limits[step] for step in steps]
    even = ChannelView(**(vars(channel) | {"limits": np.where(np.arange(900) < 9, np.nan, channel.threshold)}))
    for plain in (channel, even):
        assert channel_data(plain, 1000, says_labels=True)["limits"] is None


def test_a_report_without_channels_labels_or_curves_is_a_page_too(tmp_path):
    bare = make_report(
        channels=[], roc=[], pr=[], facts={}, notes=[], prevalence=float("nan"), headline=Table(["score"], [["model"]])
    )
    page = Page(render_page(bare))
    assert page.json["fleet"]["channels"] == [] and page.json["fleet"]["sweep"]["spans"] == [[]] * 9
    assert "No alarm was raised." in page.text and "Curves" not in page.text
    assert write_report(tmp_path, bare).exists()
