"""The page of a report: one HTML file that needs neither network nor server.

page.html is the frame; page.css, page.js and plotly.js are set into it. The curves and every channel stand in the
page as JSON of their own, which page.js reads when it draws them: a channel costs nothing until it is opened.
"""

import html
import json
import math
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs

from report.data import ChannelView, Curve, Report, alarm_peaks, bin_width, decimate, is_switch, thin_curve
from report.figures import CURVE_POINTS, curve_style
from report.tables import DASH, channel_table, curve_key, headline_table, terms

HERE = Path(__file__).parent
PAGE_POINTS = 10_000  # per series: channels like those of SMAP and MSL are drawn step by step, however far one zooms
VERDICT_CLASS = {True: "good", False: "bad", None: "neutral"}


def render_page(report: Report) -> str:
    """The HTML of a report."""
    curves = {
        "roc": _curves(report.roc),
        "pr": _curves(report.pr),
        "prevalence": None if report.prevalence is None else _number(report.prevalence),
    }
    data = [_json("curves", curves)]
    data += [_json(f"channel-{number}", _channel(channel)) for number, channel in enumerate(report.channels)]
    return Template(_text("page.html")).substitute(
        title=html.escape(report.title),
        summary=_summary(report),
        verdict=html.escape(report.verdict),
        verdict_class=VERDICT_CLASS[report.verdict_is_good],
        late=_late(report),
        headline=headline_table(report.headline),
        curves_hidden="" if report.roc or report.pr else "hidden",
        roc_key=curve_key(report.roc, "ROC AUC"),
        pr_key=curve_key(report.pr, "average precision"),
        channels=channel_table(report.channels),
        facts=terms(report.facts.items()),
        facts_hidden="" if report.facts else "hidden",
        notes=terms(_split_note(note) for note in report.notes),
        notes_hidden="" if report.notes else "hidden",
        plotly_version=version("plotly"),
        css=_text("page.css"),
        plotly=get_plotlyjs(),
        data="\n".join(data),
        js=_text("page.js"),
    )


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _summary(report: Report) -> str:
    """What was measured, in numbers, as rows of a <dl>."""
    steps = sum(channel.num_steps for channel in report.channels)
    intervals = sum(len(channel.intervals or []) for channel in report.channels)
    unlabelled = sum(channel.intervals is None for channel in report.channels)
    anomalous = sum(int(channel.labels.sum()) for channel in report.channels)
    return terms(
        [
            ("channels", f"{len(report.channels):,}"),
            ("time steps", f"{steps:,}"),
            ("labelled intervals", f"{intervals:,}"),
            ("anomalous steps", f"{anomalous:,}"),
            ("prevalence", DASH if report.prevalence is None else f"{report.prevalence:.1%}"),
            *([("channels without labels", f"{unlabelled:,}")] if unlabelled else []),
        ]
    )


def _late(report: Report) -> str:
    """Why the position must stand beside a result, where the labels of this data lie late."""
    share = report.late_share
    if share is None or share < 0.55:
        return ""
    return (
        f"Here {share:.0%} of the anomalous steps lie in the second half of their channel, so any score that merely "
        "grows with time looks good."
    )


def _split_note(note: str) -> tuple[str, str]:
    term, colon, text = note.partition(": ")
    return (term, text) if colon else ("", note)


def _curves(curves: list[Curve]) -> list[dict]:
    result = []
    for number, curve in enumerate(curves):
        x, y = thin_curve(curve, CURVE_POINTS)
        dash = ",".join(f"{length}px" for length in curve_style(number).dashes) or "solid"
        result.append({"name": curve.name, "x": _numbers(x), "y": _numbers(y), "dash": dash})
    return result


def _channel(channel: ChannelView) -> dict:
    """What page.js needs to draw a channel."""
    alarms = zip(channel.alarms, alarm_peaks(channel), strict=True)
    return {
        "name": channel.name,
        "steps": channel.num_steps,
        "stride": bin_width(channel.num_steps, PAGE_POINTS),
        "columns": [
            {"name": name, "switch": is_switch(values), **_series(values)} for name, values in channel.columns.items()
        ],
        "score": _series(channel.scores),
        "threshold": None if channel.threshold is None else _number(channel.threshold),
        "labelled": channel.intervals is not None,
        "intervals": [[int(start), int(end)] for start, end in channel.intervals or []],
        "alarms": [[int(alarm.start), int(alarm.end), _number(alarm.peak), peak] for alarm, peak in alarms],
    }


def _series(values: NDArray) -> dict:
    kept = decimate(values, PAGE_POINTS)
    return {"x": kept.tolist(), "y": _numbers(np.asarray(values)[kept])}


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(value) for value in np.asarray(values).tolist()]


def _number(value: float) -> float | None:
    """Five significant digits, enough for a screen; None for NaN and infinity, which JSON cannot hold."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _json(identifier: str, content: dict) -> str:
    """A <script> of data. No "<" is left in it, so nothing in the data can end the script."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{identifier}">{text}</script>'
