"""The table of alarms on the page, highest peak first, as HTML."""

import html
import math

from report.clock import duration_text, instants, time_texts
from report.data import ChannelView, Report, count
from report.tables import cell_html, format_cell, sort_head

MOST_ALARMS = 200


def alarm_table(report: Report) -> str:
    """The highest MOST_ALARMS alarms of all channels, sortable by page.js, and how many more there are.

    A column that would be empty is left out.
    """
    places = [(number, place) for number, channel in enumerate(report.channels) for place in range(len(channel.alarms))]
    if not places:
        return '<p class="more">No alarm was raised.</p>'
    places.sort(key=lambda place: _rank(report.channels[place[0]].alarms[place[1]].peak))
    shown = places[:MOST_ALARMS]
    ratios = [_ratio(report.channels[number], place) for number, place in shown]
    causes = [report.channels[number].alarm_causes[place : place + 1] for number, place in shown]
    heads = [
        sort_head("channel", "text"),
        *(sort_head(name, "number") for name in ("start", "end", "length")),
        sort_head("peak score", "number", order="descending"),
        *([sort_head("×\u00a0threshold", "number")] if any(ratios) else []),
        *([sort_head("causes", "text")] if any(causes) else []),
    ]
    spans = [_spans(channel) for channel in report.channels]
    rows = []
    for (number, place), ratio, cause in zip(shown, ratios, causes, strict=True):
        name = html.escape(report.channels[number].name)
        cells = [spans[number][place], cell_html(float(report.channels[number].alarms[place].peak), "peak", none="")]
        if any(ratios):
            cells.append(f'<td class="num ratio" data-value="{ratio!r}">{ratio:,.3g} ×</td>' if ratio else "<td></td>")
        if any(causes):
            text = html.escape("".join(cause))
            cells.append(f'<td class="causes" data-value="{text}">{text}</td>')
        rows.append(
            f'<tr data-channel="{number}" data-alarm="{place}"><th scope="row" data-value="{name}">'
            f'<button type="button" aria-expanded="false">{name}</button></th>{"".join(cells)}</tr>'
        )
    more = len(places) - len(shown)
    rest = f"and {count(more, 'more alarm')} with lower peaks; alarms.csv has all alarms." if more else ""
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Alarms"><table class="sorted" id="alarms">'
        f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="more">{rest}</p>'
    )


def _rank(peak: float) -> float:
    """Sorts the highest first and what is no number last; equal peaks stay in the order of the report."""
    return math.inf if math.isnan(peak) else -peak


def _ratio(channel: ChannelView, place: int) -> float | None:
    """How many times the threshold the peak of an alarm is, or None where that says nothing."""
    threshold = channel.threshold
    if threshold is None or not 0 < threshold < math.inf:
        return None
    ratio = float(channel.alarms[place].peak) / threshold
    return ratio if math.isfinite(ratio) else None


def _spans(channel: ChannelView) -> list[str]:
    """The cells start, end and length of every alarm of a channel."""
    cells = []
    times = channel.times
    ends = [step for alarm in channel.alarms for step in (alarm.start, alarm.end)]
    texts = time_texts(times, ends) if times is not None and ends else []
    stamps = instants(times) if times is not None else None
    for number, alarm in enumerate(channel.alarms):
        steps = alarm.end - alarm.start + 1
        if stamps is None:
            pairs = [(format_cell(alarm.start), ""), (format_cell(alarm.end), ""), (count(steps, "step"), "")]
            values = [alarm.start, alarm.end, steps]
        else:
            start, end = stamps[[alarm.start, alarm.end]].astype("int64").tolist()
            pairs = [
                (texts[2 * number], f"step {format_cell(alarm.start)}"),
                (texts[2 * number + 1], f"step {format_cell(alarm.end)}"),
                (count(steps, "step"), duration_text((end - start) / 1e6) if end > start else ""),
            ]
            values = [start, end, steps]
        parts = zip(("start", "end", "length"), values, pairs, strict=True)
        cells.append("".join(_two_lines(name, value, *pair) for name, value, pair in parts))
    return cells


def _two_lines(name: str, value: int, text: str, below: str) -> str:
    below = f"<small>{html.escape(below)}</small>" if below else ""
    return f'<td class="num {name}" data-value="{int(value)}">{html.escape(text)}{below}</td>'
