"""What stands at the top of the page: what was looked at, in numbers, and what to beware of. As HTML."""

import html

import numpy as np

from report.alarms import incident_count
from report.clock import time_texts, wall_clock, zone_name
from report.data import Report
from report.tables import is_number, terms


def summary(report: Report) -> str:
    """The counts of a report as rows of a <dl>."""
    steps = sum(channel.num_steps for channel in report.channels)
    shown = len(report.channels)
    rows = [("channels", f"{shown:,}")]
    if report.left_out:
        rows = [("channels", f"{shown:,} of {shown + report.left_out:,}")]
    elif shown == 1:
        rows = [("channel", report.channels[0].name)]
    rows += [("time steps", f"{steps:,}"), *_columns(report), *_alarms(report, steps)]
    rows += _labels(report) if report.labelled else []
    unmeasured = sum(int(channel.masked.sum()) for channel in report.channels if channel.masked is not None)
    rows += [("steps not measured", f"{unmeasured:,}")] if unmeasured else []
    return terms([*rows, *_time_span(report)])


def warnings(report: Report) -> str:
    """What makes the result worse than it looks, as a box; nothing where there is nothing to say."""
    if not report.warnings:
        return ""
    items = "".join(f"<li>{html.escape(warning)}</li>" for warning in report.warnings)
    return (
        '<aside class="warnings" aria-labelledby="warnings-title">'
        f'<h2 id="warnings-title">What makes this result worse than it looks</h2><ul>{items}</ul></aside>'
    )


def late(report: Report) -> str:
    """Why the position must stand beside a result, where the labels of this data lie late."""
    share = report.late_share
    if share is None or share < 0.55:
        return ""
    return (
        f"Here {share:.0%} of the anomalous steps lie in the second half of their channel, so any score that merely "
        "grows with time looks good."
    )


def _columns(report: Report) -> list[tuple[str, str]]:
    widths = sorted({len(channel.columns) + channel.hidden_columns for channel in report.channels})
    if not widths or widths == [1]:
        return []
    columns = " to ".join(f"{width:,}" for width in dict.fromkeys(widths[:1] + widths[-1:]))
    return [("columns" if len(report.channels) == 1 else "columns per channel", columns)]


def _alarms(report: Report, steps: int) -> list[tuple[str, str]]:
    alarms, incidents = sum(len(channel.alarms) for channel in report.channels), incident_count(report)
    alarmed = sum(int(channel.alarmed.sum()) for channel in report.channels)
    return [
        ("alarms", f"{alarms:,}"),
        *([("incidents", f"{incidents:,}")] if incidents < alarms else []),
        ("steps under alarm", f"{alarmed / max(steps, 1):.2%}"),
    ]


def _labels(report: Report) -> list[tuple[str, str]]:
    intervals = sum(len(channel.intervals or []) for channel in report.channels)
    unlabelled = sum(channel.intervals is None for channel in report.channels)
    anomalous = sum(int(channel.labels.sum()) for channel in report.channels)
    share = f" ({report.prevalence:.1%})" if is_number(report.prevalence) else ""
    return [
        ("labelled intervals", f"{intervals:,}"),
        ("anomalous steps", f"{anomalous:,}{share}"),
        *([("channels without labels", f"{unlabelled:,}")] if unlabelled else []),
    ]


def _time_span(report: Report) -> list[tuple[str, str]]:
    """The first and the last time of all channels; named after their zone where they share one."""
    timed = [channel.times for channel in report.channels if channel.times is not None]
    if not timed:
        return []
    first = timed[int(np.argmin([wall_clock(times[:1])[0] for times in timed]))]
    last = timed[int(np.argmax([wall_clock(times[-1:])[0] for times in timed]))]
    zones = {zone_name(times) for times in timed}
    zone = f" ({zones.pop()})" if len(zones) == 1 and "" not in zones else ""
    return [(f"first to last time{zone}", f"{time_texts(first, [0])[0]} to {time_texts(last, [len(last) - 1])[0]}")]
