"""The page of judged pictures, and what is counted: against numbers made by hand, and in Chromium."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from picture_folders import CLASSES, NUM_BAD, NUM_GOOD, draw_mvtec
from picture_runs import run
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from evaluation.pictures import PictureVerdict, highest_region
from report.overlays import deep_picture, heat_of, overlay
from report.pictures import KindTable, PictureReport, PictureView, render_pictures, write_picture_report

EVIL = '<img src=x onerror=alert(1)> & "defect"/000.png'


def view(number: int, verdict: str, label: int, name: str = "") -> PictureView:
    grey = Image.new("RGB", (60, 40), (90 + number, 90, 90))
    red = Image.new("RGB", (60, 40), (220, 20, 20))
    return PictureView(name or f"hole/{number:03}.png", 5.0 - number, 2.5, verdict, label, grey, red)


def made() -> PictureReport:
    views = [view(0, "bad", 1, EVIL), view(1, "bad", 0), view(2, "bad", 1), view(3, "good", 1), view(4, "good", 0)]
    kinds = KindTable("Kinds", "By folder.", ["kind", "pictures"], [[EVIL, 3], ["mean", 3]], ["../x/report.html"], True)
    return PictureReport("tile", "2 of 3 found", {"pictures": "5"}, views, kinds=kinds, warnings=[EVIL])


def test_names_from_data_end_up_as_text() -> None:
    page = render_pictures(made())
    assert "<img src=x" not in page and "&lt;img src=x onerror=alert(1)&gt; &amp;" in page
    assert len(re.findall(r'<li class="picture', page)) == 5
    assert page.count("data:image/jpeg;base64,") == 10 and "http" not in page.replace("http-equiv", "")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs of two classes."""
    place = tmp_path_factory.mktemp("judged")
    draw_mvtec(place / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        result = run("mvtec", Path("data"), "--head", "gaussian", "--threshold", "2", "--pro-eval")
    assert result.code == 0, result.err
    (found,) = place.glob("work/*_gaussian/mvtec")
    assert f"Report: {found.relative_to(place)}/report.html" in result.out
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_metrics_json_and_scores_csv_are_of_the_score_files(judged: Path, name: str) -> None:
    scores = judged / name / "scores"
    values, labels = (np.load(scores / f"{file}.npy") for file in ("anomaly_score", "labels"))
    told = json.loads((scores / "metrics.json").read_text())
    assert told["detection"] == pytest.approx(roc_auc_score(labels, values))
    assert told["average precision"] == pytest.approx(average_precision_score(labels, values))
    assert (told["threshold"], told["pictures"], told["defective"]) == (2.0, NUM_GOOD + NUM_BAD, NUM_BAD)
    assert told["found"] == (values[labels == 1] > 2).sum() and told["false alarms"] == (values[labels == 0] > 2).sum()
    assert told["by defect"]["defect"]["pictures"] == NUM_BAD
    with (scores / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == pytest.approx(values.tolist())
    assert [row["verdict"] for row in rows] == ["bad" if value > 2 else "good" for value in values]
    assert [int(row["label"]) for row in rows] == labels.tolist()


def test_several_classes_have_their_means(judged: Path) -> None:
    told = json.loads((judged / "metrics.json").read_text())
    single = [json.loads((judged / name / "scores" / "metrics.json").read_text()) for name in CLASSES]
    for name in ("detection", "localisation", "pro", "average precision"):
        assert told["mean"][name] == pytest.approx(np.mean([metrics[name] for metrics in single]))
    page = (judged / "report.html").read_text(encoding="utf-8")
    for link in re.findall(r'href="([^"]+report.html)"', page):
        assert (judged / link).is_file()
    assert "/tmp/" not in page and str(judged) not in page


def test_the_page_of_a_class_begins_with_the_highest_score(judged: Path) -> None:
    page = (judged / "tile" / "scores" / "report.html").read_text(encoding="utf-8")
    scores = [float(text) for text in re.findall(r'data-score="([^"]+)"', page)]
    expected = np.sort(np.load(judged / "tile" / "scores" / "anomaly_score.npy"))[::-1]
    assert scores == pytest.approx(expected.tolist(), rel=1e-4)
    assert str(judged.parents[2]) not in page
    assert len(page) < 300_000


def test_the_region_is_around_the_peak_in_pixels_of_the_picture() -> None:
    score_map = np.zeros((10, 20), np.float32)
    score_map[2:4, 5:8] = 2.0
    score_map[3, 6] = 3.0
    score_map[8, 15:18] = 1.0  # another, below half of the way
    assert highest_region(score_map, (20, 10)) == (5, 2, 8, 4)
    assert highest_region(score_map, (40, 40)) == (10, 8, 16, 16)
    assert highest_region(np.zeros((4, 4), np.float32), (4, 4)) == (0, 0, 4, 4)


def test_a_verdict_needs_a_threshold() -> None:
    told = {threshold: PictureVerdict("a", 1.0, threshold, (0, 0, 1, 1), 1.0).verdict for threshold in (None, 0.5, 1.0)}
    assert told == {None: "", 0.5: "bad", 1.0: "good"}


def test_heat_is_a_half_at_the_threshold_and_deep_maps_have_their_peak_at_white() -> None:
    score_map = np.full((8, 8), 3.0, np.float32)
    np.testing.assert_allclose(heat_of(score_map, (16, 12), 3.0), np.full((12, 16), 0.5))
    assert np.asarray(deep_picture(score_map, (16, 12))).min() == 65535
    grey = np.full((12, 16, 3), 100, np.uint8)
    np.testing.assert_array_equal(np.asarray(overlay(grey, np.zeros((12, 16), np.float32))), grey)


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_the_page_shows_where_on_hover_and_focus(browser, tmp_path: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(write_picture_report(tmp_path, made()).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")

    def shown() -> list[int]:
        script = "[...document.querySelectorAll('.over')].map(image => Number(getComputedStyle(image).opacity))"
        return page.evaluate(script)

    assert shown() == [0, 0, 0, 0, 0]
    page.locator(".picture").nth(1).hover()
    assert shown() == [0, 1, 0, 0, 0]
    page.mouse.move(0, 0)
    page.locator(".picture").nth(3).focus()
    assert shown() == [0, 0, 0, 1, 0]
    page.locator("#show-heat").check()
    assert shown() == [1, 1, 1, 1, 1]
    page.locator("#only-mistaken").check()
    assert page.locator(".picture:visible .mistaken").all_inner_texts() == ["false alarm", "missed"]
    page.locator("#only-bad").check()
    assert page.locator(".picture:visible").count() == 3
    context.close()
    assert complaints == [] and [url for url in requests if not url.startswith(("file:", "data:"))] == []


def test_a_real_page_has_curves_and_no_complaints(browser, judged: Path) -> None:
    page, complaints = browser.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((judged / "report.html").as_uri())
    page.locator("a", has_text="tile").click()
    page.wait_for_url("**/tile/scores/report.html")
    assert page.locator(".picture").count() == NUM_GOOD + NUM_BAD
    assert page.locator("svg.chart").count() == 2
    page.close()
    assert complaints == []
