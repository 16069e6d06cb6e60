"""The order in which alarms are told: by incident, the worst first."""

import math

from report.data import Report
from report.found import AlarmView

MOST_ALARMS = 200  # that are listed, and drawn close up
Place = tuple[int, int]  # number of a channel in the report, number of its alarm


def alarm_at(report: Report, place: Place) -> AlarmView:
    """The alarm at a place."""
    return report.channels[place[0]].alarms[place[1]]


def ranked(report: Report) -> list[tuple[int | None, list[Place]]]:
    """Number and alarms of every incident, in order; alarms of none follow, the highest first, each as (None, [it])."""
    groups = [(incident.number, list(incident.alarms)) for incident in report.incidents]
    grouped = {place for _, places in groups for place in places}
    single = [
        (number, place)
        for number, channel in enumerate(report.channels)
        for place in range(len(channel.alarms))
        if (number, place) not in grouped
    ]
    single.sort(key=lambda place: _order(alarm_at(report, place)))
    return [*((number, places) for number, places in groups if places), *((None, [place]) for place in single)]


def listed(report: Report) -> list[tuple[int | None, list[Place]]]:
    """The first incidents of `ranked`, MOST_ALARMS alarms in all."""
    shown, left = [], MOST_ALARMS
    for number, places in ranked(report):
        if not left:
            break
        shown.append((number, places[:left]))
        left -= len(shown[-1][1])
    return shown


def _order(alarm: AlarmView) -> tuple[float, float]:
    """Sorts by size, by peak where a size says nothing, and what is no number last."""
    size, peak = alarm.size, -alarm.peak
    return (math.inf if size is None else -size), (math.inf if math.isnan(peak) else peak)
