"""The pictures of a report show what it holds, and its folder is left with them and the page alone."""

from dataclasses import replace

import numpy as np
from made_report import LENGTHS, make_channel, make_report, make_sensors
from matplotlib.image import imread

from report import write_report
from report.curves import draw_pr, draw_roc
from report.figures import draw_channel, file_name, write_channels
from report.style import DPI, LABEL_FILL


def test_a_channel_picture_holds_columns_score_labels_alarms_and_threshold():
    channel = make_channel("A-1", 900)
    value, command, alarms, score, behind = draw_channel(channel).axes
    np.testing.assert_array_equal(value.lines[0].get_ydata(), list(channel.columns.values())[0])
    assert command.get_position().height < value.get_position().height / 4
    steps, drawn = score.lines[0].get_data()
    assert np.isnan(drawn).any()
    np.testing.assert_array_equal(drawn, channel.scores[steps.astype(int)])
    assert set(np.flatnonzero(np.isfinite(channel.scores))) <= set(steps)
    assert score.lines[1].get_ydata() == [2.5, 2.5]
    assert [(patch.get_x(), patch.get_width()) for patch in alarms.patches] == [(449.5, 10)]
    assert [(patch.get_x(), patch.get_width()) for patch in behind.patches] == [(449.5, 21), (898.5, 1)]
    assert len({axes.get_xlim() for axes in (value, command, alarms, score, behind)}) == 1


def test_channels_drawn_one_after_the_other_look_as_each_by_itself(tmp_path):
    quiet = replace(make_channel("A-1", 300), name="quiet", alarms=[], intervals=[], threshold=None)
    low = replace(quiet, name="low", scores=quiet.scores / 100, hidden_columns=3)
    timed = [replace(make_sensors(name), hidden_columns=hidden) for name, hidden in (("pump", 4), ("valve", 0))]
    channels = [make_channel("A-1", 900), quiet, make_channel("A-10", 400), low, *timed]
    write_channels(tmp_path, channels)
    for channel in channels:
        draw_channel(channel).savefig(tmp_path / "alone.png", dpi=DPI)
        np.testing.assert_array_equal(imread(tmp_path / f"{channel.name}.png"), imread(tmp_path / "alone.png"))


def test_the_legend_of_the_curves_hides_none():
    for draw in (draw_pr, draw_roc):
        figure = draw(make_report())
        figure.draw_without_rendering()
        (axes,) = figure.axes
        legend = axes.get_legend().get_window_extent()
        assert legend.y1 < axes.get_window_extent().y0 and legend.y0 > 0
        assert legend.x0 > 0 and legend.x1 < figure.bbox.x1


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


def test_pictures_are_drawn_of_the_channels_asked_for_and_the_page_shows_all(tmp_path):
    drawn = list(LENGTHS)[1:2]
    page = write_report(tmp_path, make_report(), drawn)
    assert [path.name for path in (tmp_path / "channels").iterdir()] == [f"{file_name(drawn[0])}.png"]
    (tmp_path / "all").mkdir()
    assert page.read_text(encoding="utf-8") == write_report(tmp_path / "all", make_report()).read_text(encoding="utf-8")


def test_file_names_of_different_channels_differ():
    assert file_name("A-1") == "A-1" and file_name("a/b") == "a%2Fb" != file_name("a%2Fb")
