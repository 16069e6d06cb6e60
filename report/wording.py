"""Alarms in words: when they were, how long, how high, what they come from."""

import math
from typing import NamedTuple

from report.clock import duration_text, instants, time_texts
from report.data import ChannelView, count
from report.found import AlarmView
from report.tables import three_digits


class When(NamedTuple):
    """When an alarm was: its ends and its peak as texts, how long it took, and its start as a number to sort by.

    `brief` is how long it took in one unit: time, where there are times.
    """

    start: str
    end: str
    at: str
    length: str
    brief: str
    order: int


def whens(channel: ChannelView) -> list[When]:
    """When every alarm of a channel was, in its times, or in steps where it has none."""
    steps = [step for alarm in channel.alarms for step in (alarm.start, alarm.end, alarm.at)]
    if not steps:
        return []
    texts = [f"{step:,}" for step in steps] if channel.times is None else time_texts(channel.times, steps)
    ends = steps if channel.times is None else instants(channel.times[steps]).astype("int64").tolist()
    found = []
    for number, alarm in enumerate(channel.alarms):
        start, end = ends[3 * number : 3 * number + 2]
        length = brief = count(alarm.end - alarm.start + 1, "step")
        if channel.times is not None and end > start:
            brief = duration_text((end - start) / 1e6)
            length += f", {brief}"
        found.append(When(*texts[3 * number : 3 * number + 3], length, brief, start))
    return found


def size_text(alarm: AlarmView) -> str:
    """The peak as a multiple of the threshold, or as it is; nothing where it is no number."""
    if not math.isfinite(alarm.peak):
        return ""
    return f"{alarm.peak:.3g}" if alarm.size is None else f"{three_digits(alarm.size)} ×"


def columns_text(alarm: AlarmView) -> str:
    """Such as "Current 72 %, Voltage 15 %"; a column that has it all stands without its share."""
    shares = alarm.columns[:3]
    if len(shares) == 1 and shares[0][1] >= 0.995:
        return shares[0][0]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares)


def nearest_text(alarm: AlarmView) -> str:
    """Where the nearest training window lies; empty where none is known."""
    if alarm.nearest is None:
        return ""
    if alarm.nearest_times is not None:
        first, last = time_texts(alarm.nearest_times, [0, len(alarm.nearest_times) - 1])
        return f"{first} to {last}"
    return f"steps {alarm.nearest[0]:,} to {alarm.nearest[1]:,}"


def is_labelled(channel: ChannelView, alarm: AlarmView) -> bool | None:
    """Whether an alarm meets a labelled interval; None where nobody has labelled the channel."""
    if channel.intervals is None:
        return None
    return any(start <= alarm.end and end >= alarm.start for start, end in channel.intervals)
