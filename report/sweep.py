"""What other thresholds would give, as a slider on the page and as JSON that moves it."""

import html

import numpy as np
from numpy.typing import NDArray

from report.data import Report
from report.tables import is_number

MOST_SPANS = 160  # alarms of a channel at one threshold: a strip shows no more; nearer ones are joined


Spans = list[tuple[int, int]]


def sweep_spans(report: Report) -> list[list[Spans]]:
    """The alarms of every channel at every point of the sweep, few enough to be shown."""
    return [[joined(alarms) for alarms in point.alarms] for point in report.sweep]


def sweep_data(report: Report, spans: list[list[Spans]]) -> dict | None:
    """Factors, figures and the alarms of `sweep_spans`; None where there is no sweep.

    `spans` holds for every factor and channel starts and lengths of its alarms, as the distance from the end of the
    one before and the steps beyond the first; 0 stands for the alarms of the factor before.
    """
    if not report.sweep:
        return None
    differences, before = [], [None] * len(report.channels)
    for now in spans:
        pairs = zip(now, before, strict=True)
        differences.append([0 if alarms == old else _differences(alarms) for alarms, old in pairs])
        before = now
    return {
        "factors": [float(f"{point.factor:.4g}") for point in report.sweep],
        "used": report.in_use,
        "figures": [
            {"name": name, "texts": [figure_text(name, point.figures.get(name)) for point in report.sweep]}
            for name in figure_names(report)
        ],
        "spans": differences,
    }


def figure_names(report: Report) -> list[str]:
    """The figures that some point of the sweep has, in order of appearance."""
    names = dict.fromkeys(name for point in report.sweep for name in point.figures)
    return [name for name in names if any(is_number(point.figures.get(name)) for point in report.sweep)]


def figure_text(name: str, value: float | int | None) -> str:
    """A figure of the sweep as its name asks for: a share as percent, a count with commas, else three digits."""
    if not is_number(value):
        return "none"
    if name.startswith("share"):
        return f"{value:.1%}" if value < 0.9995 else "100%"
    return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:,.3f}" if value < 10 else f"{value:,.1f}"


def sweep_ends(spans: list[list[Spans]], channel: int) -> NDArray[np.intp]:
    """The first and last steps of all alarms of a channel under any threshold, whose times the page must know."""
    return np.unique([step for alarms in spans for span in alarms[channel] for step in span]).astype(np.intp)


def joined(spans: Spans) -> Spans:
    """At most MOST_SPANS spans in order: where there are more, those with the least between them become one."""
    ends = np.array(sorted(spans), dtype=int).reshape(-1, 2)
    if len(ends) > MOST_SPANS:
        between = ends[1:, 0] - ends[:-1, 1]
        cuts = np.sort(np.argsort(-between, kind="stable")[: MOST_SPANS - 1])
        ends = np.column_stack([ends[[0, *(cuts + 1)], 0], ends[[*cuts, -1], 1]])
    return [(start, end) for start, end in ends.tolist()]


def slider(report: Report) -> str:
    """The bar with the slider and the figures at the threshold in use; nothing without a sweep."""
    if not report.sweep:
        return ""
    used = report.sweep[report.in_use]
    figures = "".join(
        f'<div><dt>{html.escape(name)}</dt><dd data-figure="{place}">'
        f"{figure_text(name, used.figures.get(name))}</dd></div>"
        for place, name in enumerate(figure_names(report))
    )
    last = len(report.sweep) - 1
    low, high = (f"{report.sweep[place].factor:.3g}" for place in (0, last))
    return (
        '<div class="threshold" id="threshold" role="group" aria-label="Threshold">'
        '<div class="slide"><label for="slider">Threshold <output id="factor" for="slider">as learnt</output></label>'
        f'<input type="range" id="slider" min="0" max="{last}" step="1" value="{report.in_use}" '
        f'aria-valuetext="as learnt">'
        f'<span class="range"><span>× {low}</span>'
        '<button type="button" id="as-learnt" disabled>as learnt</button>'
        f"<span>× {high}</span></span></div>"
        f'<dl class="figures">{figures}</dl></div>'
    )


def _differences(spans: Spans) -> list[int]:
    numbers, before = [], 0
    for start, end in spans:
        numbers += [start - before, end - start]
        before = end
    return numbers
