"""Colours and lines of the pictures.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; curves differ in their dashes too.
"""

from typing import NamedTuple

from matplotlib.axes import Axes

INK, MUTED, RULE = "#1a1c20", "#5f6672", "#d5d8de"
ORANGE, VERMILION, BLUE, GREEN = "#e69f00", "#d55e00", "#0072b2", "#009e73"
CURVE_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, "#cc79a7", "#56b4e9", INK)
LABEL_FILL = "#f8e3b8"
GAP_FILL, GAP_EDGE = "#e6e8ec", "#c6cad1"
THRESHOLD_STYLE = (0, (5, 3))
# lengths of dashes and gaps in pixels; the model's line is solid
CURVE_DASHES = ((), (7, 3), (2, 2), (9, 3, 2, 3), (5, 2), (12, 3), (4, 4))
DPI = 110  # pixels per inch


class CurveStyle(NamedTuple):
    """Colour and dashes of a curve, and the number of both in the palette."""

    number: int
    colour: str
    dashes: tuple[int, ...]


def curve_style(place: int) -> CurveStyle:
    """The style of the curve at this place in the list; styles repeat after seven."""
    number = place % len(CURVE_COLOURS)
    return CurveStyle(number, CURVE_COLOURS[number], CURVE_DASHES[number])


def style_axes(axes: Axes) -> None:
    """Thin grey axes on two sides."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=3)
