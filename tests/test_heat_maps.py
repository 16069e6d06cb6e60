"""The heat maps of channels: rows with names, peaks that survive the shrinking, and the whole time axis."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from evaluation.ranking import PIXELS, HeatMap, draw_heat_map
from runs.scores import ScoreFiles

STEPS = 2 * PIXELS + 500  # three share a pixel, and two the last
ROWS = ["scale 1 level 1", "scale 1 level 2", "a $strange$ row"]


def drawn(maps: dict, rows: list[str]) -> Figure:
    """The heat map of a channel whose only column is a ramp, labelled at 100 to 120."""
    source = SimpleNamespace(
        columns=lambda channel: ["value"],
        series=lambda channel, split: np.arange(float(STEPS))[:, None],
        times=lambda channel, split: None,
    )
    task = SimpleNamespace(source=source, labels=SimpleNamespace(intervals=lambda channel: [(100, 120)]))
    config = SimpleNamespace(columns="together", smap_used_dims=[0], timestep_map="add")
    scores = ScoreFiles(None, None, ["A-1"], None, np.array([1.5]), maps, config, {"rows": rows} if rows else {})
    scores.__dict__["of_columns"] = lambda channel: None
    figure = draw_heat_map(scores, 0, task, 1, config)
    figure.draw_without_rendering()
    return figure


@pytest.fixture(scope="module")
def figure() -> Figure:
    heat_map = np.zeros((len(ROWS), STEPS), dtype=np.float32)
    heat_map[1, 1000] = 7.0
    heat_map[2, 600:700] = np.nan
    return drawn({"nll": [heat_map]}, ROWS)


def test_every_row_has_its_name_at_its_height(figure: Figure) -> None:
    above, below, _ = figure.axes
    assert [text.get_text() for text in below.get_yticklabels()] == [row.replace("$", r"\$") for row in ROWS]
    assert below.get_yticks().tolist() == [0, 1, 2] and below.get_ylim() == (2.5, -0.5)
    assert above.get_title("left") == "A-1: rank 1 of 1, score 1.500"


def test_a_single_step_stays_the_peak_at_its_place_and_what_was_not_measured_is_no_score(figure: Figure) -> None:
    image = figure.axes[1].images[0]
    shown, (left, right) = image.get_array(), image.get_extent()[:2]
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    width = (right - left) / shown.shape[1]
    assert shown.max() == 7 and row == 1 and PIXELS / 2 < shown.shape[1] <= PIXELS
    assert width == pytest.approx(3, rel=1e-12)
    assert left + column * width <= 1000 <= left + (column + 1) * width
    gap = left + (np.flatnonzero(np.ma.getmaskarray(shown)[2]) + 0.5) * width
    assert gap.min() == pytest.approx(600, abs=width) and gap.max() == pytest.approx(700, abs=width)


def test_both_panels_show_all_steps_and_no_more(figure: Figure) -> None:
    for axes in figure.axes[:2]:
        assert axes.get_xlim() == (-0.5, STEPS - 0.5)
    assert figure.axes[0].lines[0].get_xdata()[[0, -1]].tolist() == [0, STEPS - 1]


def test_a_map_of_a_picture_has_no_named_rows_and_fills_the_time_axis() -> None:
    _, below, _ = drawn({"add": [np.ones((16, 64))]}, []).axes
    assert not len(below.get_yticks()) and below.get_ylabel() == "score map"
    assert below.images[0].get_extent()[:2] == [-0.5, STEPS - 0.5]


def test_channels_drawn_one_after_the_other_look_as_each_by_itself(tmp_path: Path) -> None:
    lengths, intervals = {"A-1": 400, "B-1": 900, "C-1": 60}, {"A-1": [(30, 40)], "B-1": [], "C-1": [(3, 5), (9, 9)]}
    source = SimpleNamespace(
        columns=lambda channel: ["value"],
        series=lambda channel, split: np.sin(np.arange(lengths[channel]))[:, None] * lengths[channel],
        times=lambda channel, split: None,
    )
    task = SimpleNamespace(source=source, labels=SimpleNamespace(intervals=intervals.get))
    maps = [np.random.default_rng(n).random((len(ROWS), n)) * n for n in lengths.values()]
    config = SimpleNamespace(columns="together", smap_used_dims=[0], timestep_map="add")
    scores = ScoreFiles(None, None, list(lengths), None, np.ones(3), {"nll": maps}, config, {"rows": ROWS})
    scores.__dict__["of_columns"] = lambda channel: None
    picture = HeatMap(ROWS)
    for number in range(3):
        picture.show(scores, number, task, 1, config)
        picture.figure.savefig(tmp_path / "after.png")
        draw_heat_map(scores, number, task, 1, config).savefig(tmp_path / "alone.png")
        np.testing.assert_array_equal(imread(tmp_path / "after.png"), imread(tmp_path / "alone.png"))
