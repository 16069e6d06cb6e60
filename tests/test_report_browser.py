"""The page of a report in Chromium: it opens, sorts and zooms without complaint."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from made_report import EVIL, make_report

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

    def __init__(self, browser, path: Path, width: int) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#pr .main-svg")

    def channels(self) -> list[str]:
        """Names of the channels from top to bottom."""
        return self.page.locator("tr[data-channel] th").all_inner_texts()

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
    page.get_by_role("button", name="channel", exact=True).click()
    assert tab.channels()[-2:] == ["A-1", "A-10"] and head.get_attribute("aria-sort") == "none"

    row = page.get_by_role("button", name="A-10", exact=True)
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
    assert page.locator("tr[data-channel='1'] + tr.detail").count() == 1
    page.get_by_role("button", name=EVIL, exact=True).click()
    page.wait_for_selector("tr[data-channel='2'] + .detail .main-svg")
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
    assert page.stat().st_size < 25e6
    tab = Tab(browser, page, 1280)
    tab.context.close()
