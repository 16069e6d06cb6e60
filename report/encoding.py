"""The data of a channel as JSON for page.js, in few characters.

Numbers stand as differences of successive integers, which are short; page.js adds them up. A million points are two
or three megabytes in this way, where numbers with five digits beside their steps would be thirteen.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from report.clock import axis_title, jumps, offset_text, offsets, set_backs, usual_interval, wall_clock
from report.data import ChannelView, alarm_peaks, labels_text
from report.thinning import bin_width, decimate, fair_limit, is_switch, spans_of, with_breaks

MOST_POINTS = 10_000  # per series: channels like those of SMAP and MSL are drawn step by step, however far one zooms
FEWEST_POINTS = 1000  # per series: about one per pixel
ALL_POINTS = 1_000_000  # in one page, step by step
THINNED_POINTS = 700_000  # in one page where not all steps are drawn, as each point needs its step then
MOST_SPANS = 1000  # of unmeasured steps, about one per pixel
LEVELS = 2000  # at least as many different values across most of a series
TINY = 1e-280  # nothing that differs by less is told apart
LARGEST = 1e12  # integer: sums of differences stay exact in the page


def point_limit(channels: list[ChannelView]) -> int:
    """How many points each series may have, so that a page of many series stays small."""
    series = [values for channel in channels for values in (channel.scores, *channel.columns.values())]
    lengths = [min(len(values), MOST_POINTS) for values in series if not is_switch(values)]
    if sum(lengths) <= ALL_POINTS:
        return MOST_POINTS
    return max(fair_limit(lengths, THINNED_POINTS), FEWEST_POINTS)


def channel_data(channel: ChannelView, limit: int, says_labels: bool) -> dict:
    """What the page needs to draw a channel, `limit` points per series; `says_labels`: whether it speaks of labels."""
    stops = _stops(channel)
    kept = {name: with_breaks(decimate(values, limit), stops) for name, values in channel.columns.items()}
    kept_scores = with_breaks(decimate(channel.scores, limit), stops)
    alarms = list(zip(channel.alarms, alarm_peaks(channel), strict=True))
    masked = [] if channel.masked is None else spans_of(channel.masked, MOST_SPANS)
    stride = bin_width(channel.num_steps, limit)
    data = {
        "name": channel.name,
        "steps": channel.num_steps,
        "stride": stride,
        "columns": [
            {"name": name, "switch": is_switch(values), **_series(values, kept[name])}
            for name, values in channel.columns.items()
        ],
        "hidden": channel.hidden_columns,
        "score": _series(channel.scores, kept_scores),
        "threshold": None if channel.threshold is None else number(channel.threshold),
        "labels": labels_text(channel) if says_labels else None,
        "intervals": [[int(start), int(end)] for start, end in channel.intervals or []],
        "masked": [[start, end] for start, end in masked],
        "alarms": [[int(alarm.start), int(alarm.end), number(alarm.peak), peak] for alarm, peak in alarms],
        "causes": channel.alarm_causes,
        "title": axis_title(channel.times),
    }
    if channel.times is not None:
        spans = np.array([span[:2] for what in ("intervals", "masked", "alarms") for span in data[what]], dtype=int)
        ends = (spans.reshape(-1, 2, 1) + np.arange(-1, 2)).ravel()  # half a step beyond is where a span is drawn to
        # flat runs are filled at every multiple of the stride
        seen = [kept_scores, *kept.values(), ends, np.arange(0, channel.num_steps, stride), [0, channel.num_steps - 1]]
        needed = np.unique(np.concatenate(seen).clip(0, channel.num_steps - 1))
        data["times"] = {**_times(channel, needed), "breaks": _steps(stops)}
    return data


def numbers(values: Iterable[float]) -> list[float | None]:
    """`number` of each."""
    return [number(value) for value in np.asarray(values).tolist()]


def number(value: float) -> float | None:
    """Five significant digits, enough for a screen; None for NaN and infinity, which JSON cannot hold."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _stops(channel: ChannelView) -> NDArray[np.intp]:
    """Steps after which the page breaks every line."""
    return jumps(None) if channel.times is None else np.union1d(jumps(channel.times), set_backs(channel.times))


def _series(values: NDArray, kept: NDArray) -> dict:
    """Steps x and values y, y in units of 1 / per; null where there is none, which the next difference ignores."""
    drawn = np.asarray(values, dtype=float)[kept]
    known = np.isfinite(drawn)
    per = _per(drawn[known])
    counts = np.rint(drawn[known] * per)
    differences = np.full(len(drawn), None, dtype=object)
    differences[known] = np.diff(counts, prepend=0).astype(np.int64)
    return {"x": _steps(kept), "y": differences.tolist(), "per": int(per) if per >= 1 else per}


def _per(values: NDArray) -> float:
    """The power of ten that gives most of the values, extremes aside, LEVELS to ten times LEVELS integers."""
    if len(values) == 0 or (values == np.rint(values)).all() and np.abs(values).max() < LEVELS:
        return 1.0
    low, high = np.quantile(values, [0.01, 0.99])
    span = high - low or np.ptp(values) or abs(values[0])
    finest = math.floor(math.log10(LARGEST / max(np.abs(values).max(), TINY)))
    return 10.0 ** min(math.ceil(math.log10(LEVELS / max(span, TINY))), finest)


def _steps(steps: NDArray) -> list[int]:
    """Ascending steps as differences; -n stands for n differences of 1."""
    result: list[int] = []
    for difference in np.diff(steps, prepend=0).tolist():
        if difference != 1:
            result.append(difference)
        elif result and result[-1] < 0:
            result[-1] -= 1
        else:
            result.append(-1)
    return result


def _times(channel: ChannelView, needed: NDArray) -> dict:
    """Wall-clock times of the needed steps, without those on a straight line between others, in units of 1 / per ms."""
    wall = wall_clock(channel.times).astype(np.int64)
    per = 1 if (wall % 1000 == 0).all() else 1000
    at = wall[needed] // (1000 // per)
    slopes = np.diff(at) / np.diff(needed)
    knots = np.ones(len(needed), dtype=bool)
    knots[1:-1] = slopes[1:] != slopes[:-1]
    ahead = offsets(channel.times)
    changes = np.flatnonzero(np.diff(ahead)) + 1
    return {
        "steps": _steps(needed[knots]),
        "at": np.diff(at[knots], prepend=0).tolist(),
        "per": per,
        "usual": usual_interval(wall) / 1000,
        # of which offset from UTC the times are, where that changes within the series
        "offsets": [[step, offset_text(ahead[step])] for step in ([0, *changes.tolist()] if len(changes) else [])],
    }
