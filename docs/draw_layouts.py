"""Draw one channel of the sample in every layout, for the README.

uv run python -m docs.draw_layouts      # writes docs/layouts.png
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from data.sample import RECIPES, Series, channel_series
from drawing.fold import Fold
from drawing.layouts import Layout
from drawing.line import Line
from drawing.pairwise import GramianAngularField, MarkovTransitionField
from drawing.stretch import Stretch
from report.style import BLUE, INK, LABEL_FILL, MUTED, ORANGE, RULE, VERMILION

CHANNEL = "W-1"  # a wave with a period of 47.3 steps, so that its fold lines up
WINDOW = slice(332, 588)  # the steps of gasf, gadf and mtf: a wave that runs too slow for a while
SQUARES: list[tuple[str, Layout, str]] = [
    ("stretch", Stretch(256, 256), "all steps squeezed to\none width, rows alike"),
    ("fold", Fold(47, 33), "row under row of 47 steps,\nso that periods line up"),
    ("gasf", GramianAngularField(256, "summation"), "every pair of steps:\ncosine of their angles' sum"),
    ("gadf", GramianAngularField(256, "difference"), "every pair of steps: sine of\ntheir angles' difference"),
    ("mtf", MarkovTransitionField(256, 8), "every pair of steps: how often\none value follows the other"),
]
WIDTH, HEIGHT, DPI = 10.0, 5.15, 110  # inches, inches, pixels per inch
LEFT, RIGHT, GAP = 0.5, 0.15, 0.16  # inches: margins and the space between the squares
COLOURS = "cividis"  # its steps are told apart without colour vision


def main() -> None:
    """Write docs/layouts.png."""
    recipe = next(recipe for recipe in RECIPES if recipe.channel == CHANNEL)
    draw(channel_series(recipe, "test", 0)).savefig(Path(__file__).with_name("layouts.png"), dpi=DPI)


def draw(channel: Series) -> Figure:
    """The series on top, below it its line on the same axis, below both the pictures of all other layouts."""
    figure = Figure(figsize=(WIDTH, HEIGHT))
    _draw_series(_axes(figure, LEFT, 3.6, WIDTH - LEFT - RIGHT, 1.1), channel)
    line = _axes(figure, LEFT, 2.78, WIDTH - LEFT - RIGHT, 0.26)
    _draw_picture(line, Line(), channel.value)
    _name(line, "line", "one row, one column per time step: full resolution")
    side = (WIDTH - LEFT - RIGHT - GAP * (len(SQUARES) - 1)) / len(SQUARES)
    for number, (name, layout, what) in enumerate(SQUARES):
        axes = _axes(figure, LEFT + number * (side + GAP), 0.55, side, side)
        windowed = isinstance(layout, GramianAngularField | MarkovTransitionField)
        _draw_picture(axes, layout, channel.value[WINDOW] if windowed else channel.value)
        _name(axes, name)
        axes.set_xlabel(what, color=MUTED, fontsize=8.5, loc="left", linespacing=1.3)
        if windowed:
            axes.spines[:].set(visible=True, color=VERMILION, linewidth=1.2)
    return figure


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches."""
    axes = figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))
    axes.spines[:].set_visible(False)
    return axes


def _draw_series(axes: Axes, channel: Series) -> None:
    axes.plot(channel.value, color=BLUE, linewidth=1)
    axes.set_xlim(-0.5, len(channel.value) - 0.5)
    axes.spines[["left", "bottom"]].set(visible=True, color=RULE)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=3)
    above = axes.get_xaxis_transform()
    for anomaly in channel.anomalies:
        axes.axvspan(anomaly.first - 0.5, anomaly.last + 0.5, facecolor=LABEL_FILL, edgecolor=ORANGE, linewidth=0.6)
        middle = (anomaly.first + anomaly.last) / 2
        axes.text(middle, 1.04, anomaly.kind, transform=above, color=MUTED, fontsize=8.5, ha="center")
    steps = WINDOW.stop - WINDOW.start
    frame = Rectangle((WINDOW.start, 0), steps, 1, transform=above, clip_on=False, fill=False, zorder=4)
    frame.set(edgecolor=VERMILION, linewidth=1.2)
    axes.add_patch(frame)
    what = f"{steps} steps for\ngasf, gadf, mtf"
    axes.text(WINDOW.stop + 8, 0.04, what, transform=above, color=VERMILION, fontsize=8.5)
    _name(axes, f"channel {CHANNEL}", f"{len(channel.value)} time steps, anomalies shaded", pad=20)


def _draw_picture(axes: Axes, layout: Layout, values: NDArray[np.floating]) -> None:
    """One colour plane of the picture of `values` (T,), without its ticks."""
    picture = layout.to_image(values[:, None])[0]
    axes.imshow(picture, cmap=COLOURS, aspect="auto", interpolation="nearest")
    axes.set(xticks=[], yticks=[])


def _name(axes: Axes, name: str, what: str = "", pad: float = 5) -> None:
    title = axes.set_title(name, loc="left", color=INK, fontsize=10.5, fontweight="bold", pad=pad)
    axes.annotate(
        what, (1, 0), xycoords=title, xytext=(10, 0), textcoords="offset points", color=MUTED, fontsize=8.5, va="bottom"
    )


if __name__ == "__main__":
    main()
