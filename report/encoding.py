"""The data of a channel as JSON for the page, in few characters.

Numbers stand as differences of successive integers, which are short; decode.js adds them up. A million points are two
or three megabytes in this way, where numbers with five digits beside their steps would be thirteen.
"""

import math

import numpy as np
from numpy.typing import NDArray

from report.clock import axis_title, finest_unit, instants, jumps, offsets, usual_interval
from report.close_ups import CLOSE_POINTS, carriers, window, with_close_ups
from report.data import ChannelView, labels_text
from report.found import AlarmView
from report.thinning import bin_width, decimate, fair_limit, is_switch, spans_of, with_breaks
from report.wording import When, columns_text, is_labelled, nearest_text, size_text, whens

MOST_POINTS = 10_000  # per series: channels like those of SMAP and MSL are drawn step by step, however far one zooms
FEWEST_POINTS = 500  # per series: about one for every other pixel
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


def channel_data(
    channel: ChannelView, limit: int, says_labels: bool, close: set[int] | None = None, ends: NDArray | None = None
) -> dict:
    """What the page needs to draw a channel, `limit` points per series; `says_labels`: whether it speaks of labels.

    `close` are the numbers of the alarms that are drawn closely, by default all; `ends` are more steps whose times
    must be known exactly.
    """
    chosen = [alarm for place, alarm in enumerate(channel.alarms) if close is None or place in close]
    windows = [window(alarm, channel.num_steps) for alarm in chosen]
    names, stops = list(channel.columns), jumps(channel.times)

    def keep(values: NDArray, name: str | None = None) -> NDArray[np.intp]:
        near = [w for a, w in zip(chosen, windows, strict=True) if name is None or name in carriers(a, names)]
        return with_breaks(with_close_ups(values, decimate(values, limit), near), stops)

    kept = {name: keep(values, name) for name, values in channel.columns.items()}
    kept_scores = keep(channel.scores)
    limits = channel.limits if _differ(channel) else None
    kept_limits = [] if limits is None else keep(limits)
    masked = [] if channel.masked is None else spans_of(channel.masked, MOST_SPANS)
    data = {
        "name": channel.name,
        "steps": channel.num_steps,
        "stride": bin_width(channel.num_steps, limit),
        "columns": [
            {"name": name, "switch": is_switch(values), **_series(values, kept[name])}
            for name, values in channel.columns.items()
        ],
        "hidden": channel.hidden_columns,
        "score": _series(channel.scores, kept_scores),
        "threshold": None if channel.threshold is None else number(channel.threshold),
        "limits": None if limits is None else _series(limits, kept_limits),
        "labels": labels_text(channel) if says_labels else None,
        "intervals": [[int(start), int(end)] for start, end in channel.intervals or []],
        "masked": [[start, end] for start, end in masked],
        "alarms": [
            _alarm(channel, alarm, when, names, close is None or place in close)
            for place, (alarm, when) in enumerate(zip(channel.alarms, whens(channel), strict=True))
        ],
        "title": axis_title(channel.times),
    }
    if channel.times is not None:
        spans = [*data["intervals"], *masked, *((alarm.start, alarm.end) for alarm in channel.alarms), *windows]
        near = np.array(spans, dtype=int).reshape(-1, 2, 1) + np.arange(-1, 2)  # a span is drawn half a step further
        peaks = [alarm.at for alarm in channel.alarms]
        last = channel.num_steps - 1
        seen = [kept_scores, kept_limits, *kept.values(), near.ravel(), peaks, [] if ends is None else ends, [0, last]]
        needed = np.unique(np.concatenate(seen).astype(np.intp).clip(0, last))
        data["times"] = {**_times(channel, needed), "breaks": steps_text(stops)}
    return data


def number(value: float) -> float | None:
    """Five significant digits, enough for a screen; None for NaN and infinity, which JSON cannot hold."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def steps_text(steps: NDArray) -> list[int]:
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


def _differ(channel: ChannelView) -> bool:
    """Whether the limits of a channel are known, and not just its threshold."""
    if channel.limits is None:
        return False
    known = channel.limits[np.isfinite(channel.limits)]
    return channel.threshold is None or not np.allclose(known, channel.threshold, rtol=1e-6, atol=0)


def _alarm(channel: ChannelView, alarm: AlarmView, when: When, names: list[str], close: bool) -> dict:
    """An alarm in words and numbers; what it is compared with only where it is drawn closely."""
    data = {
        "span": [int(alarm.start), int(alarm.end)],
        "at": int(alarm.at),
        "peak": number(alarm.peak),
        "threshold": None if alarm.threshold is None else number(alarm.threshold),
        "window": list(window(alarm, channel.num_steps)),
        "when": [when.start, when.end, when.at, when.length],
        "size": size_text(alarm),
        "columns": [[name, number(share)] for name, share in alarm.columns],
        "shown": [names.index(name) for name in carriers(alarm, names)],
        "causes": columns_text(alarm),
        "row": alarm.row,
        "kind": alarm.kind,
        "labelled": is_labelled(channel, alarm),
    }
    if close and alarm.nearest is not None:
        first, last = alarm.nearest
        middle = alarm.at - (last - first) // 2
        data["nearest"] = {
            "text": nearest_text(alarm),
            "from": int(middle if alarm.nearest_at is None else alarm.nearest_at),
            "values": {
                name: _series(values, decimate(values, CLOSE_POINTS)) for name, values in alarm.nearest_values.items()
            },
        }
    return data


def _series(values: NDArray, kept: NDArray) -> dict:
    """Steps x and values y, y in units of 1 / per; null where there is none, which the next difference ignores."""
    drawn = np.asarray(values, dtype=float)[kept]
    known = np.isfinite(drawn)
    per = _per(drawn[known])
    counts = np.rint(drawn[known] * per)
    differences = np.full(len(drawn), None, dtype=object)
    differences[known] = np.diff(counts, prepend=0).astype(np.int64)
    return {"x": steps_text(kept), "y": differences.tolist(), "per": int(per) if per >= 1 else per}


def _per(values: NDArray) -> float:
    """The power of ten that gives most of the values, extremes aside, LEVELS to ten times LEVELS integers."""
    if len(values) == 0 or (values == np.rint(values)).all() and np.abs(values).max() < LEVELS:
        return 1.0
    low, high = np.quantile(values, [0.01, 0.99])
    span = high - low or np.ptp(values) or abs(values[0])
    finest = math.floor(math.log10(LARGEST / max(np.abs(values).max(), TINY)))
    return 10.0 ** min(math.ceil(math.log10(LEVELS / max(span, TINY))), finest)


def _times(channel: ChannelView, needed: NDArray) -> dict:
    """Times of the needed steps as UTC, without those on a straight line between others, in units of 1 / per ms."""
    at = instants(channel.times).astype(np.int64)
    per = 1 if (at % 1000 == 0).all() else 1000
    places = at[needed] // (1000 // per)
    slopes = np.diff(places) / np.diff(needed)
    knots = np.ones(len(needed), dtype=bool)
    knots[1:-1] = slopes[1:] != slopes[:-1]
    ahead = offsets(channel.times)
    changes = np.flatnonzero(np.diff(ahead, prepend=0))  # none where clocks showed UTC throughout
    return {
        "steps": steps_text(needed[knots]),
        "at": np.diff(places[knots], prepend=0).tolist(),
        "per": per,
        "usual": usual_interval(at) / 1000,
        "unit": finest_unit(channel.times),
        # from which step on clocks were how many minutes ahead of UTC
        "offsets": [[step, int(ahead[step])] for step in changes.tolist()],
        "changes": bool((ahead != ahead[0]).any()),
    }
