"""The picture of a channel, as PNG: its columns, alarms and score on one time axis.

Figures are made without pyplot, which keeps every figure alive, and without a layout engine: with it, the 54
channels of SMAP take three times as long. Most of the rest is the making of axes and ticks: channels alike in their
panels are drawn one after the other in the same figure, and only the lowest panel has ticks of time.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from report.clock import axis_title, instants, jumps, reach, wall_clock
from report.data import ChannelView, count, labels_text
from report.style import (
    BLUE,
    DPI,
    GAP_EDGE,
    GAP_FILL,
    GREEN,
    INK,
    LABEL_FILL,
    MUTED,
    ORANGE,
    THRESHOLD_STYLE,
    VERMILION,
    style_axes,
)
from report.thinning import alone, decimate, is_switch, spans_of, with_breaks
from runtime.files import file_name
from runtime.progress import progress_bar

PICTURE_POINTS = 2400  # about two per pixel of a channel's picture
MOST_SPANS = 1000  # of unmeasured steps, about one per pixel
WIDTH = 10.0  # inches
# inches: margins, the gap above a panel that holds its title, and the heights of the panels
TOP, BOTTOM, LEFT, RIGHT, GAP = 0.72, 0.48, 0.62, 0.15, 0.30
PANEL_WIDTH = WIDTH - LEFT - RIGHT
VALUE_HEIGHT, MORE_HEIGHT, SWITCH_HEIGHT, ALARM_HEIGHT, SCORE_HEIGHT = 1.5, 0.8, 0.22, 0.16, 1.5


def draw_channel(channel: ChannelView, says_labels: bool = True) -> Figure:
    """Raw columns above, alarms and time-step score below, on one time axis; labelled intervals are shaded.

    The first column and the score are tall, columns with two values are narrow. Series are decimated. Grey bands are
    steps where nothing was measured. `says_labels` is whether the legend speaks of labels.
    """
    picture = _Picture(*_frame(channel))
    picture.show(channel, says_labels)
    return picture.figure


def write_channels(folder: Path, channels: list[ChannelView], says_labels: bool = True) -> None:
    """Write the pictures of channels into `folder` as <channel>.png."""
    picture = None
    with progress_bar(len(channels), desc="Pictures", unit="channel") as bar:
        for channel in channels:
            frame = _frame(channel)
            if picture is None or picture.frame != frame:
                picture = _Picture(*frame)
            picture.show(channel, says_labels)
            # written three times as fast as by default, and a quarter larger
            path = folder / f"{file_name(channel.name)}.png"
            picture.figure.savefig(path, dpi=DPI, pil_kwargs={"compress_level": 1})
            bar.update()


def _frame(channel: ChannelView) -> tuple[list[float], bool]:
    """What channels that are drawn in one figure share: inches of the panels, and whether they have times."""
    heights = [
        VALUE_HEIGHT if number == 0 else SWITCH_HEIGHT if is_switch(values) else MORE_HEIGHT
        for number, values in enumerate(channel.columns.values())
    ]
    return [*heights, ALARM_HEIGHT, SCORE_HEIGHT], channel.times is not None


class _Picture:
    """One panel under the other, of heights in inches: a figure that shows channels one after the other."""

    def __init__(self, heights: list[float], has_times: bool) -> None:
        self.frame = heights, has_times
        total = TOP + sum(heights) + GAP * (len(heights) - 1) + BOTTOM
        self.figure = Figure(figsize=(WIDTH, total), dpi=DPI)
        self.panels, above = [], total - TOP
        for height in heights:
            box = (LEFT / WIDTH, (above - height) / total, PANEL_WIDTH / WIDTH, height / total)
            self.panels.append(self._panel(box, has_values=height > SWITCH_HEIGHT))
            above -= height + GAP
        self.panels[-1].xaxis.set_visible(True)
        self.panels[-2].set_ylim(0, 1)
        # behind all panels and the gaps between them
        box = (LEFT / WIDTH, BOTTOM / total, PANEL_WIDTH / WIDTH, 1 - (TOP + BOTTOM) / total)
        self.behind = self.figure.add_axes(box, zorder=-1)
        self.behind.set_axis_off()

    def _panel(self, box: tuple[float, float, float, float], has_values: bool) -> Axes:
        axes = self.figure.add_axes(box, facecolor="none")
        style_axes(axes)
        axes.xaxis.set_visible(False)
        # a power of ten that all ticks share stands above them, beside the title
        axes.yaxis.get_offset_text().set(x=-0.008, horizontalalignment="right", color=MUTED, fontsize=6.5)
        if not has_values:
            axes.set_yticks([])
        return axes

    def show(self, channel: ChannelView, says_labels: bool) -> None:
        """Draw a channel in place of the one before."""
        self._clear()
        *columns, alarms, score = self.panels
        heights, _ = self.frame
        time = _Time(channel)
        for number, (axes, (name, values)) in enumerate(zip(columns, channel.columns.items(), strict=True)):
            time.draw(axes, values, GREEN if heights[number] == SWITCH_HEIGHT else BLUE)
            _title(axes, name)
        for alarm in channel.alarms:
            alarms.axvspan(*time.span(alarm.start, alarm.end), facecolor=VERMILION, edgecolor=VERMILION, linewidth=0.9)
        _title(alarms, "alarms" if channel.alarms else "no alarms")
        hidden = channel.hidden_columns
        _title(alarms, f"and {count(hidden, 'more column')}, not drawn" if hidden else "", loc="right")
        time.draw(score, channel.scores, INK)
        _title(score, "time-step score")
        if channel.threshold is not None and np.isfinite(channel.threshold):
            score.axhline(channel.threshold, color=VERMILION, linewidth=1, linestyle=THRESHOLD_STYLE)
        for axes in (*self.panels, self.behind):
            axes.set_xlim(time.left[0], time.right[-1])
        time.mark(score)
        score.set_xlabel(axis_title(channel.times), color=MUTED, fontsize=9)
        _shade(self.behind, channel, time)
        _heading(self.figure, channel, says_labels)

    def _clear(self) -> None:
        for axes in (*self.panels, self.behind):
            for artist in (*axes.lines, *axes.patches):
                artist.remove()
            axes.relim()
        for artist in (*self.figure.texts, *self.figure.legends):
            artist.remove()


class _Time:
    """The time axis of a channel: its steps, or its times as days."""

    def __init__(self, channel: ChannelView) -> None:
        self.times = channel.times
        self.places = np.arange(channel.num_steps, dtype=float)
        if channel.times is not None:
            self.places = np.asarray(date2num(instants(channel.times)), dtype=float)
        self.left, self.right = reach(self.places)
        self.breaks = jumps(channel.times)

    def span(self, start: int, end: int) -> tuple[float, float]:
        return self.left[start], self.right[end]

    def mark(self, axes: Axes) -> None:
        """Ticks of a time axis."""
        if self.times is not None:
            locator = AutoDateLocator(tz=self.times.tz)
            formatter = ConciseDateFormatter(locator, tz=self.times.tz)
            first, last = wall_clock(self.times[[0, -1]]).astype("datetime64[D]")
            if first < last:  # by itself it would set the day of the last tick beside all of them
                formatter.offset_formats = ["", "%Y", "%Y", "%Y", "%Y", "%Y"]
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(formatter)
            axes.xaxis.get_offset_text().set(color=MUTED, size=8.5)

    def draw(self, axes: Axes, values: NDArray, colour: str) -> None:
        kept = with_breaks(decimate(values, PICTURE_POINTS), self.breaks)
        x, y = self.places[kept], np.asarray(values, dtype=float)[kept]
        stops = np.unique(np.searchsorted(kept, self.breaks, side="right"))
        x, y = np.insert(x, stops, np.nan), np.insert(y, stops, np.nan)
        axes.plot(x, y, color=colour, linewidth=0.8)
        single = alone(y) & np.isfinite(y)
        if single.any():
            axes.plot(x[single], y[single], color=colour, linestyle="none", marker=".", markersize=2.5)


def _title(axes: Axes, text: str, loc: str = "left") -> None:
    # at a given height: to find one by itself, matplotlib lays out all ticks once more
    axes.set_title(text.replace("$", r"\$"), loc=loc, fontsize=8.5, color=MUTED, pad=3, y=1.0)


def _shade(behind: Axes, channel: ChannelView, time: _Time) -> None:
    """Shade what is labelled and what was not measured."""
    # the edge keeps a span of one step visible
    for start, end in spans_of(channel.masked, MOST_SPANS) if channel.masked is not None else []:
        behind.axvspan(*time.span(start, end), facecolor=GAP_FILL, edgecolor=GAP_EDGE, linewidth=0.6)
    for start, end in channel.intervals or []:
        behind.axvspan(*time.span(start, end), facecolor=LABEL_FILL, edgecolor=ORANGE, linewidth=0.6)


def _heading(figure: Figure, channel: ChannelView, says_labels: bool) -> None:
    """The channel's name at the top and, on the right, what the marks mean."""
    height = figure.get_figheight()
    name = channel.name.replace("$", r"\$")
    figure.text(LEFT / WIDTH, 1 - 0.27 / height, name, color=INK, fontsize=12, fontweight="bold", va="center")
    marks = [Patch(facecolor=VERMILION, label=count(len(channel.alarms), "alarm"))]
    if says_labels:
        marks.insert(0, Patch(facecolor=LABEL_FILL, edgecolor=ORANGE, label=labels_text(channel)))
    if channel.threshold is not None and np.isfinite(channel.threshold):
        dashed = Line2D([], [], color=VERMILION, linewidth=1, linestyle=THRESHOLD_STYLE)
        dashed.set_label(f"threshold {channel.threshold:.3g}")
        marks.append(dashed)
    if channel.masked is not None and channel.masked.any():
        marks.append(Patch(facecolor=GAP_FILL, edgecolor=GAP_EDGE, label="not measured"))
    figure.legend(
        handles=marks,
        ncols=len(marks),
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
