"""The page of a report in Chromium: it opens, sorts and zooms without complaint."""

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_report import EVIL, make_report, make_unlabelled
from plotly.offline import get_plotlyjs

from metrics.events import Alarm
from report import ChannelView, Curve, write_report
from report.page import render_page


@pytest.fixture(scope="module")
def browser():
    """Chromium, headless."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield chromium
        chromium.close()


class Tab:
    """The report in one tab of the browser, which notes down errors and requests."""

    def __init__(self, browser, path: Path, width: int, ready: str = "#pr .main-svg") -> None:
        # a zone that no data of ours are in: times must not depend on the reader's
        self.context = browser.new_context(viewport={"width": width, "height": 900}, timezone_id="America/New_York")
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector(ready)

    def channels(self) -> list[str]:
        """Names of the channels from top to bottom."""
        return self.page.locator("#channels tr[data-channel] th").all_inner_texts()

    def time_range(self) -> list[float]:
        """First and last step that the opened channel shows."""
        return self.page.evaluate("document.querySelector('.detail .plot')._fullLayout.xaxis.range")

    def changed_range(self, before: list[float]) -> list[float]:
        """The shown range once it differs from `before`; the page's policy forbids playwright's own waiting."""
        deadline = time.monotonic() + 10
        while (after := self.time_range()) == before:
            assert time.monotonic() < deadline, "the plot did not zoom"
            self.page.wait_for_timeout(50)
        return after


@pytest.fixture(params=[1280, 420])
def tab(request, browser, tmp_path):
    tab = Tab(browser, write_report(tmp_path, make_report()), request.param)
    yield tab
    tab.context.close()


def test_in_the_browser_the_table_sorts_a_channel_opens_and_zooms(tab):
    page = tab.page
    page.get_by_role("button", name="ROC AUC", exact=True).click()
    assert tab.channels() == [EVIL, "A-1", "A-10"]  # None last
    head = page.locator("th", has=page.get_by_role("button", name="ROC AUC", exact=True))
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert tab.channels() == ["A-1", EVIL, "A-10"] and head.get_attribute("aria-sort") == "ascending"
    page.locator("#channels").get_by_role("button", name="channel", exact=True).click()
    assert tab.channels()[-2:] == ["A-1", "A-10"] and head.get_attribute("aria-sort") == "none"

    row = page.locator("#channels").get_by_role("button", name="A-10", exact=True)
    row.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".detail .main-svg")
    assert row.get_attribute("aria-expanded") == "true"
    marks = " ".join(page.locator(".detail .marks").inner_text().split())
    assert marks == "2 labelled intervals 1 alarm threshold 2.5"
    before = tab.time_range()
    assert before == [-0.5, 24_999.5]
    box = page.locator(".detail .nsewdrag").first.bounding_box()
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, height)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, height, steps=4)
    page.mouse.up()
    start, end = tab.changed_range(before)
    assert start == pytest.approx(6250, rel=0.05) and end == pytest.approx(12_500, rel=0.05)

    page.get_by_role("button", name="steps", exact=True).click()  # an opened channel moves with its row
    assert page.locator("#channels tr[data-channel='1'] + tr.detail").count() == 1
    page.locator("#channels").get_by_role("button", name=EVIL, exact=True).click()
    page.wait_for_selector("#channels tr[data-channel='2'] + .detail .main-svg")
    row.click()
    assert page.locator(".detail").count() == 1 and row.get_attribute("aria-expanded") == "false"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    assert tab.complaints == []
    assert [url.split("/")[-1] for url in tab.requests] == ["report.html"]


def test_in_the_browser_a_bare_report_opens_without_complaint(browser, tmp_path):
    path = write_report(
        tmp_path, make_report(channels=[], roc=[], pr=[Curve("model", np.eye(2)[0], np.eye(2)[1], 0.5)])
    )
    tab = Tab(browser, path, 1280)
    tab.context.close()
    assert tab.complaints == []


def test_in_the_browser_54_channels_open(browser, tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 8000))
    channels = [
        ChannelView(f"C-{number}", {"value": noise[0], "c": noise[0] > 1}, noise[1], [(5, 99)], [], 3.0, {"n": number})
        for number in range(54)
    ]
    page = tmp_path / "report.html"
    page.write_text(render_page(make_report(channels=channels)), encoding="utf-8")
    assert page.stat().st_size - len(get_plotlyjs()) < 6e6
    tab = Tab(browser, page, 1280)
    tab.context.close()


def opened(tab: Tab, row) -> list:
    """The range that the plot of a row shows once it is opened."""
    row.click()
    tab.page.wait_for_selector(".detail .main-svg")
    return tab.changed_range([])


@pytest.mark.parametrize("width", [1200, 400])
def test_in_the_browser_a_row_of_the_alarms_opens_its_channel_zoomed_to_the_alarm(browser, tmp_path, width):
    report = make_unlabelled()
    tab = Tab(browser, write_report(tmp_path, report), width, ready="#alarms")
    page, channel = tab.page, report.channels[1]
    whole, alarm = channel.times.tz_localize(None), channel.alarms[2]
    opened(tab, page.locator("#alarms tr[data-channel='1'][data-alarm='2']"))
    margin = 2 * (alarm.end - alarm.start + 1)
    page.wait_for_timeout(300)  # first all is drawn, then zoomed
    half = pd.Timedelta(seconds=30)
    expected = [whole[alarm.start - margin] - half, whole[alarm.end + margin] + half]
    assert [pd.Timestamp(end) for end in tab.time_range()] == expected
    marks = " ".join(page.locator(".detail .marks").inner_text().split())
    assert marks == "3 alarms threshold 2 not measured"
    plot = page.locator(".detail .plot")
    assert "time (Europe/Berlin)" in plot.text_content() and "and 4 more columns, not drawn" in plot.text_content()

    page.locator(".detail").evaluate("detail => detail.scrollIntoView()")
    box = page.locator(".detail .nsewdrag").first.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.wait_for_selector(".detail .hoverlayer .legend")
    hover = page.locator(".detail .hoverlayer").first.text_content()
    step = int(hover.split("step ")[-1].split(", UTC+01:00")[0].replace(",", ""))
    assert abs(step - (alarm.start + alarm.end) / 2) < 4 and "Temperature 91 %" in hover
    assert f"{whole[step]:%Y-%m-%d %H:%M}" in hover
    zoomed = tab.time_range()
    page.mouse.dblclick(*middle)
    assert [pd.Timestamp(end) for end in tab.changed_range(zoomed)] == [whole[0] - half, whole[-1] + half]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.context.close()
    assert tab.complaints == []


def test_in_the_browser_alarms_of_steps_zoom_and_a_long_table_is_folded(browser, tmp_path):
    starts = range(100, 7900, 100)
    alarms = [Alarm(start, start + 9, float(start)) for start in starts]
    channel = ChannelView("A", {"value": np.arange(8000.0)}, np.zeros(8000), [], alarms, 1.0, {})
    tab = Tab(browser, write_report(tmp_path, make_report(channels=[channel])), 1200)
    rows = tab.page.locator("#alarms tbody tr")
    assert rows.count() == len(alarms) and tab.page.locator("#alarms tbody tr:visible").count() == 20
    opened(tab, rows.first)
    tab.page.wait_for_timeout(300)
    assert tab.time_range() == [alarms[-1].start - 50.5, alarms[-1].end + 50.5]
    tab.page.get_by_role("button", name="start", exact=True).click()
    tab.page.keyboard.press("Enter")
    assert rows.first.get_attribute("data-alarm") == "0"
    tab.page.get_by_role("button", name=f"Show all {len(alarms)} rows").click()
    assert tab.page.locator("#alarms tr[data-alarm]:visible").count() == len(alarms)
    tab.context.close()
    assert tab.complaints == []
