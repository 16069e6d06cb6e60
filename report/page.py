"""The page of a report: one HTML file that needs neither network nor server.

page.html is the frame; page.css, plotly.js and three scripts of ours are set into it. The curves and every channel
stand in the page as JSON of their own, which is read when it is drawn: a channel costs nothing until it is opened.
"""

import html
import json
from importlib.metadata import version
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from report.alarms import alarm_table
from report.curves import CURVE_POINTS, thin_curve
from report.data import Curve, Report, count
from report.encoding import channel_data, number, numbers, point_limit
from report.style import curve_style
from report.summary import late, summary, warnings
from report.tables import channel_table, curve_key, headline_table, terms

HERE = Path(__file__).parent
VERDICT_CLASS = {True: "good", False: "bad", None: "neutral"}
ALARMS_LEAD = (
    "When something was off, the highest peak first. Click a heading to sort, a row to see the alarm in its channel."
)
LABELLED_LEAD = """Where the result comes from. Click a heading to sort, a channel to open its plot. The strip beside
a name runs over the channel's time: <span class="swatch label"></span>labelled anomalies above,
<span class="swatch alarm"></span>alarms below"""
PLAIN_LEAD = """Click a heading to sort, a channel to open its plot. The strip beside a name runs over the channel's
time: <span class="swatch alarm"></span>alarms"""
MASKED_LEAD = ',\n<span class="swatch gap"></span>not measured'


def render_page(report: Report) -> str:
    """The HTML of a report."""
    limit = point_limit(report.channels)
    data = [_json("curves", _curve_data(report))]
    data += [
        _json(f"channel-{place}", channel_data(channel, limit, report.labelled))
        for place, channel in enumerate(report.channels)
    ]
    return Template(_text("page.html")).substitute(
        title=html.escape(report.title),
        summary=summary(report),
        verdict=html.escape(report.verdict),
        verdict_class=VERDICT_CLASS[report.verdict_is_good],
        warnings=warnings(report),
        result="" if report.headline is None else _result(report),
        curves=_curves(report) if report.headline is not None or report.roc or report.pr else "",
        alarms_lead=ALARMS_LEAD if any(channel.alarms for channel in report.channels) else "",
        alarms=alarm_table(report),
        channels_lead=_channels_lead(report),
        channels=channel_table(report.channels, report.labelled),
        left_out=_left_out(report),
        facts=terms(report.facts.items()),
        facts_hidden="" if report.facts else "hidden",
        notes=terms(_split_note(note) for note in report.notes),
        notes_hidden="" if report.notes else "hidden",
        plotly_version=version("plotly"),
        css=_text("page.css"),
        plotly=get_plotlyjs(),
        data="\n".join(data),
        decode_js=_text("decode.js"),
        plots_js=_text("plots.js"),
        js=_text("page.js"),
    )


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _result(report: Report) -> str:
    return Template(_text("result.html")).substitute(late=late(report), headline=headline_table(report.headline))


def _curves(report: Report) -> str:
    return Template(_text("curves.html")).substitute(
        hidden="" if report.roc or report.pr else "hidden",
        roc_key=curve_key(report.roc, "ROC AUC"),
        pr_key=curve_key(report.pr, "average precision"),
    )


def _channels_lead(report: Report) -> str:
    masked = any(channel.masked is not None and channel.masked.any() for channel in report.channels)
    return f"{LABELLED_LEAD if report.labelled else PLAIN_LEAD}{MASKED_LEAD if masked else ''}."


def _left_out(report: Report) -> str:
    if not report.left_out:
        return ""
    verb = "is" if report.left_out == 1 else "are"
    channels = count(report.left_out, "channel")
    return f'<p class="more">{channels} with lower scores {verb} not shown here; alarms.csv has all alarms.</p>'


def _split_note(note: str) -> tuple[str, str]:
    term, colon, text = note.partition(": ")
    return (term, text) if colon else ("", note)


def _curve_data(report: Report) -> dict:
    return {
        "roc": _points(report.roc),
        "pr": _points(report.pr),
        "prevalence": None if report.prevalence is None else number(report.prevalence),
    }


def _points(curves: list[Curve]) -> list[dict]:
    result = []
    for place, curve in enumerate(curves):
        x, y = thin_curve(curve, CURVE_POINTS)
        dash = ",".join(f"{length}px" for length in curve_style(place).dashes) or "solid"
        result.append({"name": curve.name, "x": numbers(x), "y": numbers(y), "dash": dash})
    return result


def _json(identifier: str, content: dict) -> str:
    """A <script> of data. No "<" is left in it, so nothing in the data can end the script."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{identifier}">{text}</script>'
