"""The pictures of a report, as PNG: ROC and precision-recall curves, and one picture per channel.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; curves differ in their dashes too.
Figures are made without pyplot, which keeps every figure alive, and without a layout engine: with it, the 54
channels of SMAP take three times as long.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from report.data import ChannelView, Curve, Report, decimate, is_switch, thin_curve
from runtime.files import file_name

INK, MUTED, RULE = "#1a1c20", "#5f6672", "#d5d8de"
ORANGE, VERMILION, BLUE, GREEN = "#e69f00", "#d55e00", "#0072b2", "#009e73"
CURVE_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, "#cc79a7", "#56b4e9", INK)
LABEL_FILL = "#f8e3b8"
THRESHOLD_STYLE = (0, (5, 3))
# lengths of dashes and gaps in pixels; the model's line is solid
CURVE_DASHES = ((), (7, 3), (2, 2), (9, 3, 2, 3), (5, 2), (12, 3), (4, 4))

PICTURE_POINTS = 2400  # about two per pixel of a channel's picture
CURVE_POINTS = 1200
WIDTH, DPI = 10.0, 110  # inches, pixels per inch
# inches: margins, the gap above a panel that holds its title, and the heights of the panels
TOP, BOTTOM, LEFT, RIGHT, GAP = 0.72, 0.48, 0.62, 0.15, 0.30
VALUE_HEIGHT, MORE_HEIGHT, SWITCH_HEIGHT, ALARM_HEIGHT, SCORE_HEIGHT = 1.5, 0.8, 0.22, 0.16, 1.5


class CurveStyle(NamedTuple):
    """Colour and dashes of a curve, and the number of both in the palette."""

    number: int
    colour: str
    dashes: tuple[int, ...]


def curve_style(place: int) -> CurveStyle:
    """The style of the curve at this place in the list; styles repeat after seven."""
    number = place % len(CURVE_COLOURS)
    return CurveStyle(number, CURVE_COLOURS[number], CURVE_DASHES[number])


def draw_roc(report: Report) -> Figure:
    """ROC curves of the model and of the trivial scores, the diagonal of guessing dotted."""
    figure, axes = _curve_axes("ROC curve, all time steps", "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", zorder=1)
    _draw_curves(axes, report.roc, "lower right", "default")
    return figure


def draw_pr(report: Report) -> Figure:
    """Precision-recall curves of the model and of the trivial scores, with the share of anomalous steps as a line."""
    figure, axes = _curve_axes("Precision and recall, all time steps", "recall", "precision")
    if report.prevalence is not None:
        label = f"prevalence  {report.prevalence:.3f}"
        axes.axhline(report.prevalence, color=MUTED, linewidth=1, linestyle=":", label=label)
    # as steps: the area under them is the average precision
    _draw_curves(axes, report.pr, "upper right", "steps-pre")
    return figure


def draw_channel(channel: ChannelView) -> Figure:
    """Raw columns above, alarms and time-step score below, on one time axis; labelled intervals are shaded.

    The first column and the score are tall, columns with two values are narrow. Series are decimated.
    """
    names = list(channel.columns)
    heights = [
        VALUE_HEIGHT if number == 0 else SWITCH_HEIGHT if is_switch(channel.columns[name]) else MORE_HEIGHT
        for number, name in enumerate(names)
    ]
    heights += [ALARM_HEIGHT, SCORE_HEIGHT]
    figure, panels = _stack(heights)
    *columns, alarms, score = panels
    for number, (axes, name) in enumerate(zip(columns, names, strict=True)):
        _draw_series(axes, channel.columns[name], BLUE if number == 0 else GREEN)
        _title(axes, name)
        if heights[number] == SWITCH_HEIGHT:
            axes.set_yticks([])
    _draw_alarms(alarms, channel)
    _draw_series(score, channel.scores, INK)
    _title(score, "time-step score")
    if channel.threshold is not None and np.isfinite(channel.threshold):
        score.axhline(channel.threshold, color=VERMILION, linewidth=1, linestyle=THRESHOLD_STYLE)
    for axes in panels:
        axes.set_xlim(-0.5, channel.num_steps - 0.5)
        axes.tick_params(labelbottom=axes is score, bottom=axes is score)
    score.set_xlabel("time step", color=MUTED, fontsize=9)
    _shade(figure, channel, panels)
    _heading(figure, channel)
    return figure


def write_channels(folder: Path, report: Report) -> None:
    """Write the picture of every channel into `folder` as <channel>.png."""
    for channel in report.channels:
        draw_channel(channel).savefig(folder / f"{file_name(channel.name)}.png", dpi=DPI)


def _curve_axes(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold", pad=10)
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    _plain(axes)
    return figure, axes


def _draw_curves(axes: Axes, curves: list[Curve], corner: str, steps: str) -> None:
    for number, curve in enumerate(curves):
        style = curve_style(number)
        # matplotlib counts dashes in line widths, and the lines here are 1.4 wide
        dashes = (0, tuple(length / 1.4 for length in style.dashes)) if style.dashes else "-"
        x, y = thin_curve(curve, CURVE_POINTS)
        width, order = (2.4, 5) if number == 0 else (1.4, 3)
        label = f"{curve.name}  {curve.area:.3f}"
        axes.plot(
            x, y, color=style.colour, linewidth=width, linestyle=dashes, zorder=order, label=label, drawstyle=steps
        )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=corner, fontsize=9, framealpha=0.92, edgecolor="none", labelcolor=INK, handlelength=3)


def _stack(heights: list[float]) -> tuple[Figure, list[Axes]]:
    """A figure with one panel under the other, of the heights given in inches."""
    total = TOP + sum(heights) + GAP * (len(heights) - 1) + BOTTOM
    figure = Figure(figsize=(WIDTH, total))
    panels, above = [], total - TOP
    for height in heights:
        box = (LEFT / WIDTH, (above - height) / total, 1 - (LEFT + RIGHT) / WIDTH, height / total)
        panels.append(figure.add_axes(box, facecolor="none"))
        _plain(panels[-1])
        above -= height + GAP
    return figure, panels


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=3)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text.replace("$", r"\$"), loc="left", fontsize=8.5, color=MUTED, pad=3)


def _draw_series(axes: Axes, values: np.ndarray, colour: str) -> None:
    kept = decimate(values, PICTURE_POINTS)
    axes.plot(kept, np.asarray(values)[kept], color=colour, linewidth=0.8)


def _draw_alarms(axes: Axes, channel: ChannelView) -> None:
    for alarm in channel.alarms:
        axes.axvspan(alarm.start - 0.5, alarm.end + 0.5, facecolor=VERMILION, edgecolor=VERMILION, linewidth=0.9)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    _title(axes, "alarms" if channel.alarms else "no alarms")


def _shade(figure: Figure, channel: ChannelView, panels: list[Axes]) -> None:
    """Shade the labelled intervals behind all panels and the gaps between them."""
    top, bottom = panels[0].get_position(), panels[-1].get_position()
    behind = figure.add_axes((top.x0, bottom.y0, top.width, top.y1 - bottom.y0), zorder=-1)
    behind.set_axis_off()
    behind.set_xlim(panels[0].get_xlim())
    for start, end in channel.intervals or []:
        # the edge keeps an interval of one step visible
        behind.axvspan(start - 0.5, end + 0.5, facecolor=LABEL_FILL, edgecolor=ORANGE, linewidth=0.6)


def _heading(figure: Figure, channel: ChannelView) -> None:
    """The channel's name at the top and, on the right, what the marks mean."""
    height = figure.get_figheight()
    name = channel.name.replace("$", r"\$")
    figure.text(LEFT / WIDTH, 1 - 0.27 / height, name, color=INK, fontsize=12, fontweight="bold", va="center")
    marks = [
        Patch(facecolor=LABEL_FILL, edgecolor=ORANGE, label=_labelled(channel)),
        Patch(facecolor=VERMILION, label=_count(len(channel.alarms), "alarm")),
    ]
    if channel.threshold is not None and np.isfinite(channel.threshold):
        dashed = Line2D([], [], color=VERMILION, linewidth=1, linestyle=THRESHOLD_STYLE)
        dashed.set_label(f"threshold {channel.threshold:.3g}")
        marks.append(dashed)
    figure.legend(
        handles=marks,
        ncols=3,
        loc="center right",
        bbox_to_anchor=(1 - RIGHT / WIDTH, 1 - 0.27 / height),
        fontsize=8.5,
        frameon=False,
        labelcolor=MUTED,
        borderaxespad=0,
        borderpad=0,
        columnspacing=2,
        handleheight=0.7,
    )


def _labelled(channel: ChannelView) -> str:
    return "not labelled" if channel.intervals is None else _count(len(channel.intervals), "labelled interval")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
