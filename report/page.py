"""The page of a report: one HTML file that needs neither network nor server.

web/page.html is the frame, into which sections, page.css and our scripts are set. Every channel stands in the page as
JSON of its own, which is read when it is drawn: a channel costs nothing until it is looked at.
"""

import html
import json
from pathlib import Path
from string import Template

from report.alarms import alarm_list
from report.charts import factor_chart, operating_chart, pr_chart, roc_chart
from report.data import Report, count
from report.encoding import channel_data, point_limit
from report.fleet import channel_table, fleet_data
from report.ranking import listed
from report.summary import late, summary, warnings
from report.sweep import slider, sweep_data, sweep_ends, sweep_spans
from report.tables import curve_key, headline_table, line_sample, terms

WEB = Path(__file__).parent / "web"
# in this order
SCRIPTS = ["decode", "format", "threshold", "gestures", "scale", "plot", "views", "alarms", "fleet", "charts"]
VERDICT_CLASS = {True: "good", False: "bad", None: "neutral"}
FEW = 4  # alarms that need no search
FOLDED = 12  # alarms in the list of a narrow page before the reader asks for all
ALARMS_LEAD = "When something was off, {}. Choose one to see it closely; ← and → lead to its neighbours."
STRIP_LEAD = 'The strip is the channel over time: its score{}, <span class="swatch alarm"></span>alarms below'
OPERATING_LEAD = "What the slider at the top leads to, from the lowest to the highest threshold."


def render_page(report: Report) -> str:
    """The HTML of a report."""
    limit = point_limit(report.channels)
    close: dict[int, set[int]] = {}
    for _, places in listed(report):
        for channel, alarm in places:
            close.setdefault(channel, set()).add(alarm)
    spans = sweep_spans(report)
    data = [_json("fleet", {**fleet_data(report), "sweep": sweep_data(report, spans)})]
    data += [
        _json(
            f"channel-{place}",
            channel_data(channel, limit, report.labelled, close.get(place, set()), sweep_ends(spans, place)),
        )
        for place, channel in enumerate(report.channels)
    ]
    return _fill(
        "page.html",
        title=html.escape(report.title),
        summary=summary(report),
        verdict=html.escape(report.verdict),
        verdict_class=VERDICT_CLASS[report.verdict_is_good],
        warnings=warnings(report),
        slider=slider(report),
        alarms=_alarms(report),
        fleet=_fleet(report),
        thresholds=_thresholds(report),
        result="" if report.headline is None else _result(report),
        curves=_curves(report) if report.roc or report.pr else "",
        facts=terms(report.facts.items()),
        facts_hidden="" if report.facts else "hidden",
        notes=terms(_split_note(note) for note in report.notes),
        notes_hidden="" if report.notes else "hidden",
        css=_text("page.css"),
        data="\n".join(data),
        scripts="\n".join(f"<script>\n{_text(f'{name}.js')}</script>" for name in SCRIPTS),
    )


def _text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _fill(name: str, **parts: str) -> str:
    return Template(_text(name)).substitute(parts)


def _alarms(report: Report) -> str:
    found = alarm_list(report)
    number = sum(len(places) for _, places in listed(report))
    if not number:
        return found
    grouped = any(len(places) > 1 for _, places in listed(report))
    lead = ALARMS_LEAD.format("the worst incident first" if grouped else "the worst first")
    more = f'<button type="button" class="all" id="all-alarms">Show all {number} alarms</button>'
    fold = number > FOLDED + 3
    if fold:
        found = found.replace('class="alarms"', 'class="alarms folded"', 1)
    total = sum(len(channel.alarms) for channel in report.channels)
    says = count(total, "alarm") + (f", the worst {number} are listed" if number < total else "")
    return _fill(
        "alarms.html",
        lead=lead,
        says=says,
        alarms=found,
        controls_hidden="" if number > FEW else "hidden",
        all=more if fold else "",
    )


def _fleet(report: Report) -> str:
    many = len(report.channels) > 1
    masked = any(channel.masked is not None and channel.masked.any() for channel in report.channels)
    dashed = any(channel.relative for channel in report.channels)
    lead = STRIP_LEAD.format(" (higher is by powers of two, the dashed line is the threshold)" if dashed else "")
    if report.labelled:
        lead += ', <span class="swatch label"></span>labelled anomalies above'
    if masked:
        lead += ', <span class="swatch gap"></span>not measured'
    order = "The channel with the highest score over its threshold first" if dashed else "The highest score first"
    many_lead = f"{order}; click a heading to sort, a channel to see it whole. " if many else ""
    return _fill(
        "fleet.html",
        title="Channels" if many else "Channel",
        lead=f"{many_lead}{lead}.",
        search_hidden="" if many else "hidden",
        channels=channel_table(report),
        left_out=_left_out(report),
    )


def _thresholds(report: Report) -> str:
    operating = operating_chart(report)
    factors, names = factor_chart(report)
    if not factors:
        return ""
    if operating:
        operating = f"<figure><figcaption>Events found and alarms raised</figcaption>{operating}</figure>"
    keys = "".join(f"<span>{line_sample(place)}{html.escape(name)}</span>" for place, name in enumerate(names))
    return _fill(
        "thresholds.html",
        lead=OPERATING_LEAD,
        operating=operating,
        factors=factors,
        factors_title="Events by threshold" if names else "Alarms by threshold",
        factors_key=f'<p class="marks">{keys}</p>' if names else "",
    )


def _result(report: Report) -> str:
    return _fill("result.html", late=late(report), headline=headline_table(report.headline))


def _curves(report: Report) -> str:
    return _fill(
        "curves.html",
        roc=roc_chart(report.roc),
        pr=pr_chart(report.pr, report.prevalence),
        roc_key=curve_key(report.roc, "ROC AUC"),
        pr_key=curve_key(report.pr, "average precision"),
    )


def _left_out(report: Report) -> str:
    if not report.left_out:
        return ""
    verb = "is" if report.left_out == 1 else "are"
    channels = count(report.left_out, "channel")
    return f'<p class="more">{channels} with lower scores {verb} not shown here; alarms.csv has all alarms.</p>'


def _split_note(note: str) -> tuple[str, str]:
    term, colon, text = note.partition(": ")
    return (term, text) if colon else ("", note)


def _json(identifier: str, content: dict) -> str:
    """A <script> of data. No "<" is left in it, so nothing in the data can end the script."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{identifier}">{text}</script>'
