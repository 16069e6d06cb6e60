"""Curves as SVG: ROC, precision and recall, and what other thresholds would give. Drawn once, coloured by page.css."""

import html
import math
from collections.abc import Callable, Iterable

import numpy as np

from report.curves import thin_curve
from report.data import Curve, Report
from report.found import ALARM_RATE, ALARMS, EVENT_F1, EVENT_PRECISION, EVENT_RECALL
from report.style import curve_style
from report.tables import is_number

WIDTH, HEIGHT = 460, 340  # of the coordinates of a chart
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 10, 46
POINTS = 400  # of a curve
EVENT_FIGURES = (EVENT_PRECISION, EVENT_RECALL, EVENT_F1)  # drawn against the threshold


class Chart:
    """An SVG with axes from `x` to `y`, (low, high) each, both linear, or `x` by its logarithm."""

    def __init__(self, name: str, x: tuple[float, float], y: tuple[float, float], log: bool = False) -> None:
        self.name, self.x, self.y, self.log = name, x, y, log
        self.parts: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the coordinates of the SVG."""
        low, high, x = (math.log(value) for value in (*self.x, x)) if self.log else (*self.x, x)
        across = (x - low) / (high - low)
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def axes(self, x: Iterable[float], y: Iterable[float], text: Callable[[float], str], x_title: str, y_title: str):
        """Grid lines and labels at the values x and y, and the titles of both axes."""
        for value in x:
            across, bottom = self.at(value, self.y[0])
            self.parts.append(f'<path class="grid" d="M{across:.1f} {TOP}V{bottom:.1f}"/>')
            self.parts.append(f'<text x="{across:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{text(value)}</text>')
        for value in y:
            left, up = self.at(self.x[0], value)
            self.parts.append(f'<path class="grid" d="M{left:.1f} {up:.1f}H{WIDTH - RIGHT}"/>')
            self.parts.append(f'<text x="{left - 6:.1f}" y="{up + 4:.1f}" text-anchor="end">{_short(value)}</text>')
        middle, half = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
        self.parts.append(f'<text class="title" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{x_title}</text>')
        self.parts.append(
            f'<text class="title" transform="translate(13 {half}) rotate(-90)" text-anchor="middle">{y_title}</text>'
        )

    def line(self, x: Iterable[float], y: Iterable[float], place: int, name: str, steps: bool = False) -> None:
        """A curve in the style of its place; `steps`: upright first, then level."""
        points = [self.at(*point) for point in zip(x, y, strict=True)]
        if steps:
            points = [
                corner for (a, _), (b, up) in zip(points, points[1:], strict=False) for corner in ((a, up), (b, up))
            ]
        style = curve_style(place)
        dashes = " ".join(map(str, style.dashes))
        path = "L".join(f"{across:.1f} {up:.1f}" for across, up in points)
        self.parts.append(
            f'<path class="curve curve-{style.number}{" first" if place == 0 else ""}" stroke-dasharray="{dashes}" '
            f'data-name="{html.escape(name)}" d="M{path}"/>'
        )

    def guess(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """The dotted line of what guessing reaches."""
        (x, y), (to_x, to_y) = self.at(*start), self.at(*end)
        self.parts.append(f'<path class="guess" d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"/>')

    def svg(self, says: str, **data: str) -> str:
        """The whole; `says` is what a reader hears, `data` its data- attributes."""
        attributes = "".join(f' data-{name}="{html.escape(text)}"' for name, text in data.items())
        plane = " ".join(f"{value:.6g}" for value in (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM, *self.x, *self.y))
        return (
            f'<svg class="chart" id="{self.name}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{html.escape(says)}" data-plane="{plane}"{" data-log" if self.log else ""}{attributes}>'
            f'{"".join(self.parts)}<circle class="point" r="4" style="display:none"/></svg>'
        )


def roc_chart(curves: list[Curve]) -> str:
    """The ROC curves, the model's on top."""
    chart = Chart("roc", (0, 1), (0, 1))
    chart.axes(_fifths(), _fifths(), _short, "false positive rate", "true positive rate")
    chart.guess((0, 0), (1, 1))
    _curves(chart, curves)
    return chart.svg("ROC curves", x="false positive rate", y="true positive rate")


def pr_chart(curves: list[Curve], prevalence: float | None) -> str:
    """The precision-recall curves as steps, the area under which is the average precision."""
    chart = Chart("pr", (0, 1), (0, 1))
    chart.axes(_fifths(), _fifths(), _short, "recall", "precision")
    if is_number(prevalence):
        chart.guess((0, prevalence), (1, prevalence))
    _curves(chart, curves, steps=True)
    return chart.svg("Precision-recall curves", x="recall", y="precision")


def operating_chart(report: Report) -> str:
    """Event recall against alarms per 1,000 steps at every point of the sweep; empty without such figures."""
    points = [(point.figures.get(ALARM_RATE), point.figures.get(EVENT_RECALL)) for point in report.sweep]
    rates = [rate for rate, recall in points if is_number(rate) and is_number(recall) and rate > 0]
    if not rates:
        return ""
    # what has no alarm at all stands on the left edge
    low, high = min(rates) / 1.6, max(rates) * 1.6
    chart = Chart("operating", (low, high), (0, 1), log=True)
    chart.axes(_decades(low, high), _fifths(), _short, "alarms per 1,000 steps", "event recall")
    shown = [(max(rate, low), recall) if is_number(rate) and is_number(recall) else None for rate, recall in points]
    known = [point for point in shown if point]
    chart.line(*zip(*known, strict=True), 0, "thresholds")
    places = [None if point is None else chart.at(*point) for point in shown]
    return _with_marker(chart, places, report.in_use, "Event recall against alarms per 1,000 steps")


def factor_chart(report: Report) -> tuple[str, list[str]]:
    """Event precision, recall and F1 against the threshold, or, where they are not known, the number of alarms.

    And the names of the lines; nothing where neither is known.
    """
    names = [name for name in EVENT_FIGURES if any(is_number(point.figures.get(name)) for point in report.sweep)]
    if not names and not any(is_number(point.figures.get(ALARMS)) for point in report.sweep):
        return "", []
    factors = [point.factor for point in report.sweep]
    most = 1 if names else _nice(max(point.figures.get(ALARMS) or 0 for point in report.sweep))
    chart = Chart("factors", (factors[0], max(factors[-1], factors[0] * 1.01)), (0, most), log=True)
    ticks = [
        value for value in (0.01, 0.03, 0.1, 0.25, 0.5, 1, 2, 4, 10, 30, 100) if factors[0] <= value <= factors[-1]
    ]
    heights = _fifths() if names else [most * part / 4 for part in range(5)]
    chart.axes(ticks, heights, lambda value: f"× {value:g}", "threshold, times the learnt one", "" if names else ALARMS)
    for place, name in enumerate(names or [ALARMS]):
        known = [(p.factor, p.figures[name]) for p in report.sweep if is_number(p.figures.get(name))]
        chart.line(*zip(*known, strict=True), place, name)
    places = [chart.at(factor, 0) for factor in factors]
    says = f"{', '.join(names or [ALARMS])} against the threshold"
    return _with_marker(chart, places, report.in_use, says, upright=True), names


def _with_marker(chart: Chart, places: list, used: int, says: str, upright: bool = False) -> str:
    """The chart with a mark that threshold.js moves to the place of the threshold."""
    x, y = places[used] or (-99, -99)
    learnt = (
        f'<path class="learnt" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        if upright
        else (f'<circle class="learnt" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
    )
    now = f'<path class="now" d="M0 {TOP}V{HEIGHT - BOTTOM}"/>' if upright else '<circle class="now" r="6.5"/>'
    chart.parts.append(f'{learnt}<g class="marker" transform="translate({x:.1f} {0 if upright else y:.1f})">{now}</g>')
    texts = ["" if place is None else f"{place[0]:.1f} {0 if upright else place[1]:.1f}" for place in places]
    return chart.svg(says, places=",".join(texts))


def _curves(chart: Chart, curves: list[Curve], steps: bool = False) -> None:
    for place, curve in reversed(list(enumerate(curves))):  # the model, which is the first, lies on top
        chart.line(*thin_curve(curve, POINTS), place, curve.name, steps)


def _fifths() -> list[float]:
    return [part / 5 for part in range(6)]


def _decades(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(found) < 3:  # a short way: 2 and 5 of every decade too
        found = [unit * 10.0**power for power in powers for unit in (1, 2, 5) if low <= unit * 10.0**power <= high]
    return found


def _nice(value: float) -> float:
    """The next number above that quarters well."""
    unit = 10.0 ** math.floor(math.log10(max(value, 1)))
    return next(unit * step for step in (1, 2, 4, 6, 8, 10) if unit * step >= value)


def _short(value: float) -> str:
    return f"{value:,.3g}" if not is_number(value) or value < 1000 else f"{np.rint(value):,.0f}"
