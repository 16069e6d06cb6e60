"""The list of alarms on the page, by incident, the worst first. As HTML; alarms.js draws the one that is chosen."""

import html
import math

from report.data import ChannelView, Report, count
from report.found import AlarmView
from report.ranking import Place, alarm_at, listed, ranked
from report.wording import When, columns_text, is_labelled, size_text, whens

MET = {True: 'yes">on a label', False: 'no">no label'}


def alarm_list(report: Report) -> str:
    """The alarms of `listed`, each a link of its own, and how many more there are."""
    total = sum(len(places) for _, places in ranked(report))
    if not total:
        return '<p class="more">No alarm was raised.</p>'
    times = [whens(channel) for channel in report.channels]
    named = len(report.channels) > 1 or report.left_out > 0
    items, rank = [], 0
    for group, (number, places) in enumerate(listed(report)):
        if len(places) > 1:
            items.append(_incident(report, number, places, times, group))
        for place in places:
            rank += 1
            channel = report.channels[place[0]]
            when = times[place[0]][place[1]]
            items.append(_alarm(channel, alarm_at(report, place), when, place, rank, group, len(places) > 1, named))
    rest = (
        f"and {count(total - rank, 'more alarm')} with lower peaks; alarms.csv has all alarms." if total > rank else ""
    )
    return f'<ol class="alarms" id="alarms">{"".join(items)}</ol><p class="more" id="more-alarms">{rest}</p>'


def incident_count(report: Report) -> int:
    """How many incidents all alarms make."""
    return len(ranked(report))


def _incident(report: Report, number: int | None, places: list[Place], times: list[list[When]], group: int) -> str:
    """The heading of several alarms that belong together."""
    channels = {place[0] for place in places}
    starts = [times[channel][alarm] for channel, alarm in places]
    first = min(starts, key=lambda when: when.order)
    last = max(places, key=lambda place: _ends(report, place))
    timed = report.channels[last[0]].times is not None
    span = f"{first.start} to {times[last[0]][last[1]].end}"
    text = f"{count(len(places), 'alarm')} in {count(len(channels), 'channel')}, {'' if timed else 'steps '}{span}"
    title = "Incident" if number is None else f"Incident {number}"
    return f'<li class="incident" data-group="{group}"><b>{title}</b> <span>{html.escape(text)}</span></li>'


def _ends(report: Report, place: Place) -> float:
    channel, end = report.channels[place[0]], alarm_at(report, place).end
    return end if channel.times is None else channel.times[end].value


def _alarm(
    channel: ChannelView,
    alarm: AlarmView,
    when: When,
    place: Place,
    rank: int,
    group: int,
    together: bool,
    named: bool,
) -> str:
    """One alarm: its rank, channel and sensor, size, time, and whether it meets a label."""
    name, causes = html.escape(channel.name), html.escape(columns_text(alarm))
    who = f"<b>{name}</b>" if named or not causes else f"<b>{causes}</b>"
    sensor = f'<span class="causes">{causes}</span>' if causes and named else ""
    steps = "" if channel.times is not None else "step " if alarm.start == alarm.end else "steps "
    span = when.start if channel.times is not None or alarm.start == alarm.end else f"{when.start} to {when.end}"
    details = [f"{steps}{span}", when.brief, *([alarm.kind] if alarm.kind else [])]
    met = is_labelled(channel, alarm)
    mark = "" if met is None else f'<span class="met {MET[met]}</span>'
    size = alarm.size or 0.0
    bar = f'<i style="width:{100 * _bar(size):.0f}%"></i>' if size else ""
    return (
        f'<li class="alarm{" together" if together else ""}" data-group="{group}"><a href="#alarm-{rank}" '
        f'data-channel="{place[0]}" data-alarm="{place[1]}" data-order="{when.order}">'
        f'<span class="rank">{rank}</span>'
        f'<span class="who">{who} {sensor}</span><span class="size">{size_text(alarm)}{bar}</span>'
        f'<span class="time">{html.escape(" · ".join(details))}</span>{mark}</a></li>'
    )


def _bar(size: float) -> float:
    """How long the bar of a size is, in [0, 1]: by its logarithm, whole at 32 times the threshold."""
    return min(max(math.log2(max(size, 1)) / 5, 0.04), 1)
