"""The table of channels on the page, the worst first: a strip over time, then its figures. As HTML."""

import html

from report.clock import axis_title, instants, time_texts
from report.data import Cell, ChannelView, Report
from report.strips import ALARMS as ALARM_LANE
from report.strips import BOTTOM, CELLS, LOWEST, TOP, cells_of, common_axis, height_of, strip, strip_data
from report.tables import cell_html, has_value, sort_head

SHORT = 28  # letters of a name that stands on one line


def channel_table(report: Report) -> str:
    """One row per channel, sortable by fleet.js: its strip, its highest score, its alarms, then its metrics.

    Metrics that no channel has are left out.
    """
    channels = report.channels
    names = dict.fromkeys(name for channel in channels for name in channel.metrics)
    names = [name for name in names if any(has_value(channel.metrics.get(name)) for channel in channels)]
    texts = {name for channel in channels for name, cell in channel.metrics.items() if isinstance(cell, str)}
    relative = any(channel.relative for channel in channels)
    highest = "highest score, × threshold" if relative else "highest score"
    own = [highest, *(["alarms"] if "alarms" not in names else [])]
    heads = [sort_head("channel", "text"), f'<th scope="col" class="when">{_when(report)}</th>']
    heads += [sort_head(name, "number", order="descending" if name == highest else "none") for name in own]
    heads += [sort_head(name, "text" if name in texts else "number") for name in names]
    axis, top = common_axis(channels), height_of(channels)
    rows = []
    for number in worst_first(report):
        channel = channels[number]
        name, short = html.escape(channel.name), ' class="short"' if len(channel.name) <= SHORT else ""
        values: dict[str, Cell] = {highest: channel.highest, "alarms": len(channel.alarms)} | channel.metrics
        cells = "".join(
            cell_html(
                values.get(head),
                head in own and "own",
                head == "alarms" and head in own and "count",
                label=head,
                short=head == highest,
            )
            for head in [*own, *names]
        )
        rows.append(
            f'<tr data-channel="{number}"><th scope="row"{short} data-value="{name}">'
            f'<button type="button" aria-expanded="false">{name}</button></th>'
            f'<td class="when">{strip(channel, cells_of(channel, axis), top, report.labelled)}</td>{cells}</tr>'
        )
    return (
        f'<table class="sorted" id="channels"><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def worst_first(report: Report) -> list[int]:
    """The numbers of the channels, the one with the highest score over its threshold first."""

    def order(number: int) -> tuple[bool, float]:
        highest = report.channels[number].highest
        return highest is None, -(highest or 0.0)

    return sorted(range(len(report.channels)), key=order)


def fleet_data(report: Report) -> dict:
    """What moves the strips: the names of the channels, their lengths, and where their steps lie."""
    axis = common_axis(report.channels)
    channels = []
    for channel in report.channels:
        edges = strip_data(channel, cells_of(channel, axis))
        channels.append(
            {"name": channel.name, "steps": channel.num_steps, "alarms": _spans(channel)}
            | ({} if edges is None else {"edges": edges})
        )
    heights = {"top": TOP, "bottom": BOTTOM, "low": LOWEST, "high": height_of(report.channels)}
    lane = {"cells": CELLS, "alarms": list(ALARM_LANE), **heights}
    return {"channels": channels, "strip": lane}


def _spans(channel: ChannelView) -> list[list[int]]:
    return [[int(alarm.start), int(alarm.end)] for alarm in channel.alarms]


def _when(report: Report) -> str:
    """The heading of the strips: from when to when, where all share that."""
    axis = common_axis(report.channels)
    timed = [channel for channel in report.channels if channel.times is not None]
    if len(report.channels) == 1 and timed:
        first, last = time_texts(timed[0].times, [0, timed[0].num_steps - 1])
        title = axis_title(timed[0].times)
    elif axis:
        earliest = min(timed, key=lambda channel: instants(channel.times[:1])[0])
        latest = max(timed, key=lambda channel: instants(channel.times[-1:])[0])
        first, last = time_texts(earliest.times, [0])[0], time_texts(latest.times, [latest.num_steps - 1])[0]
        titles = {axis_title(channel.times) for channel in timed}
        title = titles.pop() if len(titles) == 1 else "time"
    else:
        steps = {channel.num_steps for channel in report.channels}
        if len(steps) != 1 or timed:
            return "<span>first step</span><span>each over its own time</span><span>last step</span>"
        first, last, title = "0", f"{steps.pop() - 1:,}", "time step"
    return f"<span>{html.escape(first)}</span><span>{html.escape(title)}</span><span>{html.escape(last)}</span>"
