"""The report: what is drawn of a series, the files, the page as text and the page in Chromium."""

import json
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.image import imread

from metrics.events import Alarm
from report import ChannelView, Curve, Report, Table, write_report
from report.data import alarm_peaks, bin_width, decimate, extremes, is_switch, thin_curve
from report.figures import LABEL_FILL, draw_channel, draw_pr, file_name
from report.page import render_page
from report.tables import format_cell

EVIL = '</script><img src="http://x/y">&amp;/..'
# steps: one channel that is drawn step by step, one that is decimated, one with hostile names
LENGTHS = {"A-1": 900, "A-10": 25_000, EVIL: 300}
AUROCS = {"A-1": 0.25, "A-10": None, EVIL: 0.7512345678901234}

series = arrays(np.float64, st.integers(1, 400), elements=st.integers(-5, 5).map(float))
limits = st.integers(2, 100)


def make_channel(name: str, steps: int) -> ChannelView:
    rng = np.random.default_rng(steps)
    scores = np.abs(rng.normal(size=steps))
    scores[steps // 4 : steps // 4 + 5] = np.nan
    scores[steps // 2 + 3] = 9.0
    columns = {f"value <i>{name}</i>": np.sin(np.arange(steps) / 9), "$command$": np.arange(steps) // 50 % 2}
    metrics = {"steps": steps, "ROC AUC": AUROCS[name], "spread": np.float32(0.5), "kind": f"<b>{name}"}
    intervals, alarms = (
        [(steps // 2, steps // 2 + 20), (steps - 1, steps - 1)],
        [Alarm(steps // 2, steps // 2 + 9, 9.0)],
    )
    return ChannelView(name, columns, scores, intervals, alarms, 2.5, metrics)


def make_report(**changes: object) -> Report:
    x = np.linspace(0, 1, 5000)
    content = {
        "title": f"Test {EVIL}",
        "verdict": f"The model is BELOW {EVIL}",
        "headline": Table(
            ["score", "ROC AUC", "AP", "steps"],
            [["model <1>", 0.65312345, 0.2, 1_234_567], ["position t/T", 0.801, None, float("nan")]],
            groups=[("", 1), ("pooled", 2), ("more", 1)],
            ranked=(1, 2),
            highlight=0,
        ),
        "roc": [Curve("model <1>", x, np.sqrt(x), 0.653), Curve("position t/T", x[::-1], x[::-1] ** 0.25, 0.801)],
        "pr": [Curve("model <1>", x, 1 - x, 0.187), Curve("position t/T", x[::-1], 1 - x[::-1] ** 2, 0.268)],
        "prevalence": 0.128,
        "channels": [make_channel(name, steps) for name, steps in LENGTHS.items()],
        "facts": {"weights": "resnet18 <approximate>", "version": "1.0"},
        "notes": ["ROC AUC: area under <the> curve: yes", "no term here"],
    }
    return Report(**(content | changes))


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


def test_a_channel_picture_holds_columns_score_labels_alarms_and_threshold():
    channel = make_channel("A-1", 900)
    value, command, alarms, score, behind = draw_channel(channel).axes
    np.testing.assert_array_equal(value.lines[0].get_ydata(), list(channel.columns.values())[0])
    assert command.get_position().height < value.get_position().height / 4
    np.testing.assert_array_equal(score.lines[0].get_ydata(), channel.scores)
    assert score.lines[1].get_ydata() == [2.5, 2.5]
    assert [(patch.get_x(), patch.get_width()) for patch in alarms.patches] == [(449.5, 10)]
    assert [(patch.get_x(), patch.get_width()) for patch in behind.patches] == [(449.5, 21), (898.5, 1)]
    assert len({axes.get_xlim() for axes in (value, command, alarms, score, behind)}) == 1


def test_the_precision_picture_shows_every_curve_and_the_prevalence():
    (axes,) = draw_pr(make_report()).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["prevalence  0.128", "model <1>  0.187", "position t/T  0.268"]
    assert axes.lines[0].get_ydata() == [0.128, 0.128]


def test_writing_a_report_leaves_its_files_and_nothing_else(tmp_path):
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "old.png").touch()
    assert write_report(tmp_path, make_report()) == tmp_path / "report.html"
    assert {path.name for path in tmp_path.iterdir()} == {"roc.png", "pr.png", "channels", "report.html"}
    pictures = sorted((tmp_path / "channels").iterdir())
    assert sorted(path.name for path in pictures) == sorted(f"{file_name(name)}.png" for name in LENGTHS)
    shade = tuple(int(LABEL_FILL[place : place + 2], 16) for place in (1, 3, 5))
    for picture in pictures:
        pixels = np.round(imread(picture)[..., :3] * 255)
        assert (pixels == shade).all(axis=2).any() and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    assert imread(tmp_path / "roc.png").std() > 0.05


def test_file_names_of_different_channels_differ():
    assert file_name("A-1") == "A-1" and file_name("a/b") == "a%2Fb" != file_name("a%2Fb")


def test_cells_are_written_as_readers_expect():
    cells = [0.65312, 1, np.int64(8505), 12_345.6, 0.00001234, 0.0, -0.5, None, float("nan"), "3/4"]
    assert [format_cell(cell) for cell in cells] == [
        *("0.653", "1", "8,505", "1.23e+04", "1.23e-05", "0.000", "−0.500", "–", "–", "3/4")
    ]


class Page(HTMLParser):
    """Collects what the tests look at; the parser itself never complains, so open tags are counted here."""

    VOID = {"meta", "link", "path", "br", "img"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.rows: list[list[tuple[str, str | None]]] = []
        self.json: dict[str, dict] = {}
        self.text = ""
        self._json = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(("", dict(attrs).get("data-value")))
        self._json = dict(attrs).get("id", "") if dict(attrs).get("type") == "application/json" else ""

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            if self._json:
                self.json[self._json] = json.loads(data)
        elif "svg" not in self.open and "style" not in self.open:
            self.text += data
            if {"td", "th"} & set(self.open):
                text, value = self.rows[-1][-1]
                self.rows[-1][-1] = (text + data, value)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_page(make_report()))


def test_the_page_is_whole_and_loads_nothing(page):
    assert page.open == []
    loads = [
        entry for entry in page.attributes if entry[1] in ("src", "href", "srcset", "action", "data", "xlink:href")
    ]
    assert loads == [("link", "href", "data:,")]
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
    rows = {row[0][0]: row for row in page.rows}
    model, position = (row[1:] for row in page.rows if row[0][0] in ("model <1>", "position t/T") and len(row) == 4)
    assert model == [("0.653", "0.65312345"), ("0.200", "0.2"), ("1,234,567", "1234567")]
    assert position == [("0.801", "0.801"), ("–", None), ("–", None)]
    areas = [row[1] for row in page.rows if row[0][0] in ("model <1>", "position t/T") and len(row) == 2]
    assert areas == [("0.653", "0.653"), ("0.801", "0.801"), ("0.187", "0.187"), ("0.268", "0.268")]
    for name, steps in LENGTHS.items():
        (text, _), _, (_, shown_steps), (shown, value), (_, spread), (_, kind) = rows[name]
        assert (text, shown_steps, spread, kind) == (name, str(steps), "0.5", f"<b>{name}")
        assert value == (None if AUROCS[name] is None else repr(AUROCS[name]))
        assert shown == format_cell(AUROCS[name])


def test_the_best_of_each_ranked_column_is_bold_and_the_model_marked():
    text = render_page(make_report())
    assert 'class="num starts best" data-value="0.801">0.801' in text and 'best" data-value="0.65312345"' not in text
    assert '<tr class="model"><th scope="row">model &lt;1&gt;</th>' in text


def test_the_data_of_a_channel_is_complete_or_decimated_and_free_of_nan(page):
    small, large = page.json["channel-0"], page.json["channel-1"]
    value = make_channel("A-1", 900).columns["value <i>A-1</i>"]
    np.testing.assert_allclose(small["columns"][0]["y"], value, rtol=1e-4, atol=1e-9)
    assert small["stride"] == 1 and large["stride"] == 5
    assert None in small["score"]["y"] and None in large["score"]["y"]
    assert len(large["score"]["x"]) < 12_000 and max(filter(None, large["score"]["y"])) == 9.0
    assert len(small["columns"][1]["x"]) < 100  # flat runs are left out
    assert small["intervals"] == [[450, 470], [899, 899]] and small["alarms"] == [[450, 459, 9.0, 453]]


def test_a_report_without_channels_labels_or_curves_is_a_page_too(tmp_path):
    bare = make_report(
        channels=[], roc=[], pr=[], facts={}, notes=[], prevalence=float("nan"), headline=Table(["score"], [["model"]])
    )
    assert Page(render_page(bare)).json["curves"] == {"roc": [], "pr": [], "prevalence": None}
    assert write_report(tmp_path, bare).exists()


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
