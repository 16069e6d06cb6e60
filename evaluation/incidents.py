"""Alarms of several channels at one time, taken for one incident."""

from collections.abc import Sequence

import pandas as pd

from metrics.events import Alarm

SHARED = 0.5  # of the shorter of two alarms that must lie in the other


def incidents_of(alarms: Sequence[Sequence[Alarm]], times: Sequence[pd.DatetimeIndex | None]) -> list[list[int]]:
    """The number of the incident, from 1 in time order, of every alarm of every channel.

    Alarms of different channels are one incident where at least half of the shorter lies in the other. Only times can
    tell: the steps of channels without are not those of others, and each of their alarms is an incident by itself.
    """
    entries = []
    for channel, (found, stamps) in enumerate(zip(alarms, times, strict=True)):
        for place, alarm in enumerate(found):
            ends = (alarm.start, alarm.end)
            span = ends if stamps is None else tuple(_instant(stamps[step]) for step in ends)
            entries.append((stamps is None, *span, channel, place))
    numbers = [[0] * len(found) for found in alarms]
    count, latest = 0, []  # the incidents that may go on: number, and the spans of their alarms by channel
    for untimed, start, end, channel, place in sorted(entries):
        joined = None
        if not untimed:
            latest = [entry for entry in latest if entry[2] >= start]
            joined = next((e for e in latest if e[3] != channel and _shared(e[1], e[2], start, end)), None)
        if joined is None:
            count += 1
        number = count if joined is None else joined[0]
        numbers[channel][place] = number
        latest.append((number, start, end, channel))
    return numbers


def _instant(time: pd.Timestamp) -> int:
    """Nanoseconds since 1970, in UTC where the time has a zone."""
    return time.as_unit("ns").value


def _shared(first: int, last: int, start: int, end: int) -> bool:
    """Whether at least the share of the shorter of two spans lies in the other."""
    common = min(last, end) - max(first, start)
    return common >= SHARED * min(last - first, end - start)
