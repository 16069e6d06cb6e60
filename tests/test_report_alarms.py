"""The list of alarms: by incident, the worst first, each with a link of its own, and no more than a reader can use."""

import numpy as np
import pytest
from made_report import EVIL, Page, make_report, make_sensors, make_unlabelled

from report import AlarmView, ChannelView, IncidentView
from report.page import render_page
from report.ranking import listed, ranked
from report.wording import columns_text, nearest_text


def quiet(alarms: list[AlarmView], **changes: object) -> ChannelView:
    content = {"intervals": None, "threshold": None, "metrics": {}} | changes
    return ChannelView(name="A", columns={}, scores=np.zeros(500), alarms=alarms, **content)


def links(page: Page) -> list[tuple[int, int]]:
    """Channel and alarm that the links of the page stand for, from top to bottom."""
    values = {
        name: [v for t, n, v in page.attributes if t == "a" and n == name] for name in ("data-channel", "data-alarm")
    }
    return [(int(channel), int(alarm)) for channel, alarm in zip(*values.values(), strict=True)]


def test_alarms_of_all_channels_stand_in_one_list_the_highest_over_its_threshold_first():
    report = make_unlabelled()
    page = Page(render_page(report))
    sizes = {(n, m): alarm.peak / 2 for n, c in enumerate(report.channels) for m, alarm in enumerate(c.alarms)}
    expected = sorted(sizes, key=sizes.get, reverse=True)
    assert links(page) == expected
    for place, (item, (channel, alarm)) in enumerate(zip(page.items, expected, strict=True)):
        view = report.channels[channel].alarms[alarm]
        assert item.startswith(
            f"{place + 1}{report.channels[channel].name} {columns_text(view)}{sizes[channel, alarm]:.2f} ×"
        )
    hrefs = [value for tag, name, value in page.attributes if tag == "a" and name == "href"]
    assert hrefs == [f"#alarm-{number}" for number in range(1, 7)]
    assert page.text.index("Alarms\n") < page.text.index("Channels\n")


def test_in_a_labelled_report_each_alarm_says_whether_it_meets_a_label():
    report = make_report(channels=[*make_report().channels, make_sensors()], sweep=[])
    alarms = [*report.channels[0].alarms, AlarmView(100, 120, 103, 5.0, 2.5)]
    report = make_report(
        channels=[ChannelView(**(vars(report.channels[0]) | {"alarms": alarms})), *report.channels[1:]]
    )
    items = Page(render_page(report)).items
    marks = {item.split(" ×")[0][1:]: item for item in items}
    assert marks["A-1 3.60"].endswith("steps 450 to 459 · 10 stepson a label")
    assert marks["A-1 2.00"].endswith("steps 100 to 120 · 21 stepsno label")
    assert not any("label" in item for item in items if "pump 1" in item)  # nobody has labelled it
    assert sum(EVIL in item for item in items) == 1


def test_incidents_come_first_and_in_their_order_and_other_alarms_follow():
    report = make_unlabelled()
    grouped = [IncidentView(1, [(1, 2), (0, 2)]), IncidentView(2, [(0, 0)])]
    report = make_unlabelled(incidents=grouped)
    left = [(1, 1), (0, 1), (1, 0)]
    assert ranked(report) == [(1, [(1, 2), (0, 2)]), (2, [(0, 0)]), *((None, [place]) for place in left)]
    page = Page(render_page(report))
    assert links(page) == [(1, 2), (0, 2), (0, 0), *left]
    assert page.items[0].startswith("Incident 1 2 alarms in 2 channels, 2024-10-2")
    assert not any(item.startswith("Incident 2") for item in page.items)  # of one alarm there is nothing to sum up
    assert "alarms6incidents5" in page.text


def test_no_more_alarms_are_listed_than_a_reader_can_use():
    alarms = [AlarmView(step, step, step, float(step)) for step in range(0, 500, 2)]
    report = make_unlabelled(channels=[quiet([*alarms, AlarmView(499, 499, 499, float("nan"))])], left_out=0)
    page = Page(render_page(report))
    assert len(page.items) == 200 and page.items[0] == "1A 498step 498 · 1 step"
    assert ranked(report)[-1] == (None, [(0, 250)])
    assert "and 51 more alarms with lower peaks" in page.text and "251 alarms, the worst 200 are listed" in page.text
    together = make_unlabelled(channels=[quiet(alarms)], incidents=[IncidentView(7, [(0, n) for n in range(250)])])
    assert [len(places) for _, places in listed(together)] == [200]
    assert "No alarm was raised." in Page(render_page(make_unlabelled(channels=[quiet([])]))).text


@pytest.mark.parametrize("threshold", [None, 0.0, -1.0, float("inf"), float("nan")])
def test_nothing_is_told_as_a_multiple_of_what_it_cannot_be(threshold):
    alarms = [AlarmView(3, 4, 3, 7.5, threshold), AlarmView(9, 9, 9, float("nan"), threshold)]
    page = Page(render_page(make_unlabelled(channels=[quiet(alarms, threshold=threshold)], left_out=0)))
    assert page.items == ["1A 7.5steps 3 to 4 · 2 steps", "2A step 9 · 1 step"]
    assert "×" not in "".join(page.items) and alarms[0].size is None


def test_what_an_alarm_comes_from_is_told_in_words():
    def alarm(*columns: tuple[str, float], **more: object) -> AlarmView:
        return AlarmView(0, 1, 0, 1.0, columns=list(columns), **more)

    assert columns_text(alarm(("a", 0.72), ("b", 0.15), ("c", 0.1), ("d", 0.02))) == "a 72 %, b 15 %, c 10 %"
    assert columns_text(alarm(("a", 1.0))) == "a" and columns_text(alarm()) == ""
    assert nearest_text(alarm(nearest=(1200, 1231))) == "steps 1,200 to 1,231" and nearest_text(alarm()) == ""
    times = make_sensors().times[[5, 36]]
    assert nearest_text(alarm(nearest=(5, 36), nearest_times=times)) == "2024-10-26 18:05 to 2024-10-26 18:36"
