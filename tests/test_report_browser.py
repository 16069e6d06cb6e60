"""The page of a report in Chromium: alarms are followed, thresholds move, channels are found, without complaint."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_report import EVIL, make_alarm, make_report, make_unlabelled

from report import ChannelView, Curve, IncidentView, Report, write_report
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

    def __init__(self, browser, path: Path, width: int, link: str = "") -> None:
        # a zone that no data of ours are in: times must not depend on the reader's
        self.context = browser.new_context(viewport={"width": width, "height": 900}, timezone_id="America/New_York")
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + link)

    def close(self) -> None:
        """The page has not complained, asked for anything or become wider than the window, in the dark either."""
        self.page.emulate_media(color_scheme="dark")
        self.page.wait_for_timeout(100)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert self.page.evaluate("document.images.length") == 0
        self.context.close()
        assert self.complaints == []
        assert [url.split("#")[0].split("/")[-1] for url in self.requests] == ["report.html"]

    def until(self, read, expected):
        """What `read` gives once it is as expected; the page's policy forbids playwright's own waiting."""
        deadline = time.monotonic() + 60  # a busy machine draws late
        while (found := read()) != expected:
            assert time.monotonic() < deadline, f"{found}, expected {expected}"
            self.page.wait_for_timeout(20)
        return found

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).inner_text().split())

    def channels(self) -> list[str]:
        """Names of the channels that are seen, from top to bottom."""
        return self.page.locator("#channels tr[data-channel]:visible th").all_inner_texts()

    def alarms(self) -> list[str]:
        """Where the links of the alarms that are seen lead, from top to bottom."""
        links = self.page.locator("#alarms a:visible")
        return [links.nth(number).get_attribute("href") for number in range(links.count())]

    def range(self, plot: str) -> list[float]:
        """From and to which place a plot shows."""
        box = self.page.locator(plot)
        return [float(box.get_attribute(f"data-{end}")) for end in ("from", "to")]

    def ink(self, plot: str) -> int:
        """How many pixels of a plot are drawn on."""
        script = """canvas => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, at) => at % 4 === 3 && value > 0).length; }"""
        return self.page.locator(f"{plot} canvas").evaluate(script)

    def slide(self, key: str, times: int = 1) -> None:
        """Move the slider by keys, as a reader would."""
        self.page.locator("#slider").focus()
        for _ in range(times):
            self.page.keyboard.press(key)


@pytest.fixture(params=[1280, 420])
def width(request) -> int:
    return request.param


def grouped(report: Report) -> Report:
    """The report with its first two alarms as one incident."""
    places = [(number, 0) for number in range(2)]
    return Report(**(vars(report) | {"incidents": [IncidentView(1, places)]}))


def test_an_alarm_is_reached_by_its_link_and_by_its_neighbours(browser, tmp_path, width):
    tab = Tab(browser, write_report(tmp_path, grouped(make_report())), width, "#alarm-2")
    page, report = tab.page, make_report()
    assert tab.text("#close-up .name") == "Alarm 2" and tab.text("#close-up .channel") == "A-10"
    assert tab.text("#close-up .place") == "2 of 3"
    assert tab.text("#alarms .incident") == "Incident 1 2 alarms in 2 channels, steps 450 to 12,509"
    alarm = report.channels[1].alarms[0]
    tab.until(lambda: tab.range("#close-up .plot"), [alarm.start - 100.5, alarm.end + 100.5])
    tab.until(lambda: tab.ink("#close-up .plot") > 2000, True)
    about = tab.text("#close-up .about")
    assert "when 12,500 to 12,509" in about and "highest at 12,503" in about and "meets a labelled interval" in about
    top = page.locator("#close-up").bounding_box()["y"]
    assert 0 <= top < 450  # seen without scrolling

    page.locator("#close-up .next").click()
    tab.until(lambda: tab.text("#close-up .channel"), EVIL)
    assert page.evaluate("location.hash") == "#alarm-3" and page.locator("#close-up .next[href]").count() == 0
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    tab.until(lambda: tab.text("#close-up .channel"), "A-1")
    page.go_back()
    tab.until(lambda: tab.text("#close-up .channel"), "A-10")
    page.locator("#alarms a[href='#alarm-3']").click()
    tab.until(lambda: tab.text("#close-up .channel"), EVIL)
    assert page.locator("#alarms [aria-current]").get_attribute("href") == "#alarm-3"

    page.locator("#close-up .whole").click()  # the channel as a whole
    tab.until(lambda: page.locator(".detail canvas").count(), 1)
    assert page.locator("tr.open th").inner_text() == EVIL
    tab.close()


def test_alarms_are_found_and_put_in_order(browser, tmp_path, width):
    tab = Tab(browser, write_report(tmp_path, make_unlabelled()), width)
    assert tab.alarms() == [f"#alarm-{number}" for number in range(1, 7)]
    times = tab.page.locator("#alarms .time")
    tab.page.locator("#order-alarms").select_option("time")
    texts = times.all_inner_texts()
    assert texts == sorted(texts) and len(set(texts)) == 6
    assert tab.text("#close-up .place") == f"{1 + tab.alarms().index('#alarm-1')} of 6"
    tab.page.locator("#find-alarm").fill("temperature")
    assert tab.page.locator("#alarms a:visible").count() == 2
    assert set(tab.page.locator("#alarms a:visible .causes").all_inner_texts()) == {"Temperature 91 %"}
    tab.page.locator("#find-alarm").fill("nothing of this name")
    assert tab.alarms() == [] and tab.page.locator("#none-found").is_visible()
    tab.close()


def test_the_slider_moves_alarms_figures_strips_and_the_operating_point(browser, tmp_path, width):
    report = make_report()
    tab = Tab(browser, write_report(tmp_path, report), width)
    page = tab.page

    def figures() -> dict[str, str]:
        names, values = (page.locator(f"#threshold {part}").all_inner_texts() for part in ("dt", "dd"))
        return dict(zip(names, (value.split()[0] for value in values), strict=True))

    def look() -> list[str]:
        return [
            page.locator("#channels tr[data-channel='0'] .strip .alarm").get_attribute("d"),
            page.locator("#channels tr[data-channel='0'] .strip .limit").get_attribute("d"),
            page.locator("#operating .marker").get_attribute("transform"),
            page.locator("#factors .marker").get_attribute("transform"),
        ]

    first = look()
    assert figures() == {
        "alarms": "3",
        "alarms per 1,000 steps": "0.115",
        "event precision": "1.000",
        "event recall": "0.500",
    }
    assert tab.text("#factor") == "as learnt" and page.locator("#as-learnt").is_disabled()
    tab.slide("ArrowLeft", 2)
    lower = report.sweep[report.in_use - 2]
    assert tab.text("#factor") == f"× {lower.factor:.3f}"
    assert figures()["alarms"] == f"{lower.figures['alarms']:,}" != "3"
    assert figures()["event precision"] == f"{lower.figures['event precision']:.3f}"
    assert all(now != before for now, before in zip(look(), first, strict=True))
    assert page.locator("#channels tr[data-channel='0'] .count").inner_text() == str(len(lower.alarms[0]))
    assert tab.text("#list-says").startswith("3 alarms, ") and page.locator("#alarms .added").count() == 60
    added = page.locator("#alarms .added > a").first
    added.click()  # an alarm that is none as learnt
    tab.until(lambda: tab.text("#close-up .name"), "Below the learnt threshold")
    channel, span = int(added.get_attribute("data-channel")), json.loads(added.get_attribute("data-span"))
    assert tuple(span) in lower.alarms[channel] and "threshold" in tab.text("#close-up .size")
    assert "learnt: 2.5" in tab.text("#close-up .legend")

    page.locator("#alarms a[href='#alarm-1']").click()
    tab.slide("End")  # four times as much, above every score
    assert figures()["alarms"] == "0" and figures()["event precision"] == "none"
    assert page.locator("#alarms .alarm:visible").count() == 0 and tab.text("#list-says") == "0 of 3 alarms stay"
    assert page.locator("#close-up .gone").is_visible()
    page.locator("#as-learnt").click()
    assert look() == first and tab.text("#list-says") == "3 alarms" and page.locator("#close-up .gone").is_hidden()
    tab.close()


def test_channels_are_searched_sorted_opened_and_zoomed(browser, tmp_path, width):
    tab = Tab(browser, write_report(tmp_path, make_report()), width)
    page = tab.page

    def sort(name: str) -> None:
        if width < 760:  # rows are cards, and the choice stands above them
            page.locator("#order-channels").select_option(label=name)
        else:
            page.locator("#channels").get_by_role("button", name=name, exact=True).click()

    def order(name: str) -> str:
        return page.locator("#channels thead th", has_text=name).first.get_attribute("aria-sort")

    assert order("highest score, × threshold") == "descending"
    sort("ROC AUC")
    assert tab.channels() == [EVIL, "A-1", "A-10"] and order("ROC AUC") == "descending"  # None last
    if width > 760:
        page.keyboard.press("Enter")
        assert tab.channels() == ["A-1", EVIL, "A-10"] and order("ROC AUC") == "ascending"
    sort("channel")
    assert tab.channels()[-2:] == ["A-1", "A-10"] and order("ROC AUC") == "none"
    page.locator("#find-channel").fill("a-1")
    assert tab.channels() == ["A-1", "A-10"] and tab.text("#found-channels") == "2 of 3 channels"
    page.locator("#find-channel").fill("-10")
    assert tab.channels() == ["A-10"]

    row = page.locator("#channels").get_by_role("button", name="A-10", exact=True)
    row.focus()
    page.keyboard.press("Enter")
    whole = tab.until(lambda: tab.range(".detail .plot"), [-0.5, 24_999.5])
    assert row.get_attribute("aria-expanded") == "true"
    assert tab.text(".detail .marks").startswith("1 alarm 2 labelled intervals threshold 2.5")
    box = page.locator(".detail canvas").bounding_box()
    left, right, height = box["x"] + 54, box["x"] + box["width"] - 12, box["y"] + 80
    page.mouse.move(left + (right - left) * 0.25, height)
    page.mouse.down()
    page.mouse.move(left + (right - left) * 0.5, height, steps=4)
    page.mouse.up()
    assert tab.range(".detail .plot") == pytest.approx([6250, 12_500], rel=0.02)
    page.keyboard.press("Escape")
    page.mouse.dblclick(left + 50, height)
    assert tab.range(".detail .plot") == whole
    page.locator(".detail canvas").focus()
    page.keyboard.press("+")
    assert tab.range(".detail .plot") == pytest.approx([6249.5, 18_749.5])
    page.keyboard.press("ArrowRight")
    assert tab.range(".detail .plot") == pytest.approx([9374.5, 21_874.5])
    page.locator(".detail .buttons").get_by_role("button", name="show all").click()
    assert tab.range(".detail .plot") == whole

    page.locator("#find-channel").fill("")
    sort("steps")  # an opened channel moves with its row
    assert page.locator("#channels tr[data-channel='1'] + tr.detail").count() == 1
    page.locator("#channels").get_by_role("button", name=EVIL, exact=True).click()
    assert page.locator("#channels tr[data-channel='2'] + .detail canvas").count() == 1
    row.click()
    assert page.locator(".detail").count() == 1 and row.get_attribute("aria-expanded") == "false"
    tab.close()


def test_a_channel_has_a_link_of_its_own_whatever_its_name(browser, tmp_path):
    tab = Tab(browser, write_report(tmp_path, make_report()), 1280)
    for name in (EVIL, "A-10"):
        tab.page.evaluate("name => { location.hash = `#channel-${encodeURIComponent(name)}`; }", name)
        tab.until(lambda: tab.page.locator("tr.open th").all_inner_texts()[-1:], [name])
        tab.page.locator("tr.open th button").click()
    tab.close()


def test_times_are_those_of_the_data_and_values_are_read_under_the_pointer(browser, tmp_path, width):
    report = make_unlabelled()
    channel = report.channels[0]
    alarm = max(channel.alarms, key=lambda alarm: alarm.peak)
    tab = Tab(browser, write_report(tmp_path, report), width)
    page = tab.page
    number = next(href for href in tab.alarms() if page.locator(f"#alarms a[href='{href}'] b").inner_text() == "pump 1")
    page.locator(f"#alarms a[href='{number}']").click()
    tab.until(lambda: tab.text("#close-up .channel"), "pump 1")
    half = pd.Timedelta(seconds=30)
    ends = [channel.times[alarm.start - 100] - half, channel.times[alarm.end + 100] + half]
    assert tab.range("#close-up .plot") == [end.timestamp() * 1000 for end in ends]
    about = tab.text("#close-up .about")
    assert f"when {channel.times[alarm.start]:%Y-%m-%d %H:%M} +0" in about and "looks like level <moved>" in about
    assert "seen at scale 4 level 3" in about and "nearest in training steps 50 to 89" in about
    assert page.locator("#close-up .shares li").all_inner_texts() == ["Pressure 55 %", "Flow 30 %", "Current 9 %"]
    assert "nearest in training" in tab.text("#close-up .legend")

    canvas = page.locator("#close-up canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    middle = box["x"] + (54 + box["width"] - 12) / 2
    page.mouse.move(middle, max(box["y"] + 60, 300))  # below the slider
    tab.until(lambda: ", step " in tab.text("#close-up .readout"), True)
    said = tab.text("#close-up .readout")
    step = int(said.split(", step ")[1].split(" ")[0].replace(",", ""))
    assert abs(step - (alarm.start + alarm.end) / 2) <= 2
    assert said.startswith(f"{channel.times[step]:%Y-%m-%d %H:%M} +0") and "Pressure 55 %" in said
    assert f"score {channel.scores[step]:.4g}" in said
    page.locator("#close-up .whole").hover()  # off the curve, whose readout goes, and all below it moves up
    page.locator("#close-up .whole").click()
    tab.until(lambda: page.locator(".detail canvas").count(), 1)
    whole = [channel.times[0] - half, channel.times[-1] + half]
    assert tab.range(".detail .plot") == [end.timestamp() * 1000 for end in whole]
    tab.close()


def test_curves_tell_their_values(browser, tmp_path):
    tab = Tab(browser, write_report(tmp_path, make_report()), 1280)
    tab.page.locator("#roc").scroll_into_view_if_needed()
    box = tab.page.locator("#roc").bounding_box()
    scale = box["width"] / 460
    # the model's curve is the root: .5 at .25
    tab.page.mouse.move(box["x"] + (52 + 394 * 0.25) * scale, box["y"] + (10 + 284 * 0.5) * scale)
    said = tab.page.locator("figure", has=tab.page.locator("#roc")).locator(".readout").inner_text()
    assert said.startswith("model <1>: true positive rate 0.") and "at false positive rate 0.2" in said
    tab.close()


def test_one_channel_and_a_report_without_anything_open_too(browser, tmp_path, width):
    scores = np.ones(400)
    scores[200:220] = 9
    alarms = [make_alarm(200, 219, scores, 3.0, columns=[("value", 1.0)])]
    channel = ChannelView("box", {"value": scores}, scores, None, alarms, 3.0, {"steps": 400})
    path = write_report(tmp_path, make_unlabelled(channels=[channel], left_out=0))
    assert path.stat().st_size < 200_000
    tab = Tab(browser, path, width)
    tab.until(lambda: tab.page.locator("canvas").count(), 2)  # the alarm and, without a click, its channel
    assert tab.text("#alarms .who") == "value" and not tab.page.locator("#find-channel").is_visible()
    tab.close()
    curve = Curve("model", np.eye(2)[0], np.eye(2)[1], 0.5)
    for bare in (make_report(channels=[], roc=[], pr=[curve], sweep=[]), make_unlabelled(channels=[], sweep=[])):
        Tab(browser, write_report(tmp_path, bare), width).close()


def test_many_channels_make_a_page_that_opens(browser, tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 8000))
    alarms = [make_alarm(500 * number, 500 * number + 30, noise[1], 3.0) for number in range(15)]
    channels = [
        ChannelView(
            f"C-{number}", {"value": noise[0], "c": noise[0] > 1}, noise[1], [(5, 99)], alarms, 3.0, {"n": number}
        )
        for number in range(54)
    ]
    page = tmp_path / "report.html"
    page.write_text(render_page(make_report(channels=channels)), encoding="utf-8")
    assert page.stat().st_size < 6e6
    tab = Tab(browser, page, 420)
    assert tab.page.locator("#alarms a:visible").count() == 12
    tab.page.get_by_role("button", name="Show all 200 alarms").click()
    assert tab.page.locator("#alarms a:visible").count() == 200
    assert "and 610 more alarms with lower peaks" in tab.text("#more-alarms")
    tab.close()
