"""The ROC and the precision-recall curves of a report, as PNG."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from report.data import Curve, Report
from report.style import INK, MUTED, RULE, curve_style, style_axes

CURVE_POINTS = 1200
LEGEND_COLUMNS, LEGEND_ROW = 2, 0.2  # height in inches


def thin_curve(curve: Curve, limit: int) -> tuple[NDArray, NDArray]:
    """At most `limit` points of a curve, evenly spaced along its length, both ends included: x and y, (K,) each.

    From left to right, whatever the order of the curve.
    """
    x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
    if x[0] > x[-1]:
        x, y = x[::-1], y[::-1]
    if len(x) <= limit:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], limit - 1), side="left"))
    kept = np.union1d(kept.clip(max=len(x) - 1), [len(x) - 1])
    return x[kept], y[kept]


def draw_roc(report: Report) -> Figure:
    """ROC curves of the model and of the trivial scores, the diagonal of guessing dotted."""
    figure, axes = _curve_axes("ROC curve, all time steps", "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", zorder=1)
    _draw_curves(axes, report.roc, "default")
    return figure


def draw_pr(report: Report) -> Figure:
    """Precision-recall curves of the model and of the trivial scores, with the share of anomalous steps as a line."""
    figure, axes = _curve_axes("Precision and recall, all time steps", "recall", "precision")
    if report.prevalence is not None:
        label = f"prevalence  {report.prevalence:.3f}"
        axes.axhline(report.prevalence, color=MUTED, linewidth=1, linestyle=":", label=label)
    # as steps: the area under them is the average precision
    _draw_curves(axes, report.pr, "steps-pre")
    return figure


def _curve_axes(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold", pad=10)
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    style_axes(axes)
    return figure, axes


def _draw_curves(axes: Axes, curves: list[Curve], steps: str) -> None:
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
    names = axes.get_legend_handles_labels()[1]
    if names:  # below, as no corner is free of curves; the figure grows by its rows
        columns = min(len(names), LEGEND_COLUMNS)
        style = {"fontsize": 9, "frameon": False, "labelcolor": INK, "handlelength": 3, "columnspacing": 2.5}
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.13), ncols=columns, **style)
        width, height = axes.figure.get_size_inches()
        axes.figure.set_size_inches(width, height + LEGEND_ROW * -(-len(names) // columns))
