"""The strip of a channel: its score over its time, with labels above and alarms below, as a small SVG."""

import html
import math

import numpy as np
from numpy.typing import NDArray

from report.clock import instants, usual_interval
from report.data import ChannelView
from report.thinning import spans_of

CELLS = 320  # of time
TOP, BOTTOM = 5, 25  # between which the score is drawn
LABELS, ALARMS = (0, 4), (26, 31)  # lanes
HEIGHT = 31
LOWEST = -2.0  # power of two of the threshold at the bottom of a strip
FEWEST, MOST = 2, 5  # such powers at the top
LEAST_SHARE = 0.3  # of the time of the whole fleet that a channel usually has; else each has an axis of its own


def common_axis(channels: list[ChannelView]) -> tuple[int, int] | None:
    """From and to which instant in microseconds all channels go, where they lie side by side in time; else None."""
    if len(channels) < 2 or any(channel.times is None for channel in channels):
        return None
    ends = np.array([_ends(instants(channel.times).astype(np.int64)) for channel in channels])
    first, last = int(ends[:, 0].min()), int(ends[:, 1].max())
    return (first, last) if np.median(np.diff(ends, axis=1)) >= LEAST_SHARE * (last - first) else None


def _ends(at: NDArray[np.int64]) -> tuple[int, int]:
    """Where the first step of a channel begins and its last one ends."""
    return int(at[0]), int(at[-1] + usual_interval(at))


def cells_of(channel: ChannelView, axis: tuple[int, int] | None) -> NDArray[np.intp]:
    """The cell of the strip that each step lies in, (T,)."""
    if channel.times is None:
        return even_cells(channel.num_steps)
    at = instants(channel.times).astype(np.int64)
    first, last = axis or _ends(at)
    return ((at - first) * CELLS // max(last - first, 1)).astype(np.intp).clip(0, CELLS - 1)


def even_cells(steps: int) -> NDArray[np.intp]:
    """The cells of steps that follow each other evenly, (T,)."""
    return np.arange(steps) * CELLS // steps


def height_of(channels: list[ChannelView]) -> float:
    """The power of two of the threshold at the top of the strips: just above the highest score of all channels."""
    highest = max((channel.highest or 0 for channel in channels if channel.relative), default=0)
    return float(min(max(math.ceil(math.log2(max(highest, 1e-9))), FEWEST), MOST))


def strip_data(channel: ChannelView, cells: NDArray[np.intp]) -> list[int] | None:
    """The first step at or after the left edge of every cell, (CELLS,); None where the steps lie evenly."""
    if (cells == even_cells(channel.num_steps)).all():
        return None
    return np.searchsorted(cells, np.arange(CELLS)).tolist()


def strip(channel: ChannelView, cells: NDArray[np.intp], top: float, says_labels: bool) -> str:
    """When a channel has labels (above), high scores and alarms (below), and where it was not measured (grey).

    The threshold times two to the power of `top` lies at the top.
    """
    alarms = [(alarm.start, alarm.end) for alarm in channel.alarms]
    masked = [] if channel.masked is None else spans_of(channel.masked, CELLS)
    paths = "".join(
        f'<path class="{name}" d="{path}"/>'
        for name, path in (
            ("gap", _bars(masked, cells, 0, HEIGHT)),
            ("score", _area(channel, cells, top)),
            ("label", _bars(channel.intervals or [], cells, *LABELS)),
            ("alarm", _bars(alarms, cells, *ALARMS)),
        )
        if path or name == "alarm"
    )
    limit = f'<path class="limit" d="M0 {threshold_height(1, top):.1f}H{CELLS}"/>' if channel.relative else ""
    return (
        f'<svg class="strip" viewBox="0 0 {CELLS} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(strip_text(channel, says_labels))}">{paths}{limit}</svg>'
    )


def strip_text(channel: ChannelView, says_labels: bool) -> str:
    """What a strip shows, in words."""
    parts = [f"alarms: {len(channel.alarms)}"]
    if says_labels:
        number = None if channel.intervals is None else len(channel.intervals)
        parts.insert(0, "not labelled" if number is None else f"labelled intervals: {number}")
    if channel.masked is not None and channel.masked.any():
        parts.append(f"not measured: {channel.masked.mean():.1%}")
    return ", ".join(parts)


def threshold_height(factor: float, top: float) -> float:
    """Where so many times the threshold lies in a strip."""
    part = (math.log2(factor) - LOWEST) / (top - LOWEST)
    return BOTTOM - min(max(part, 0), 1) * (BOTTOM - TOP)


def _bars(spans: list[tuple[int, int]], cells: NDArray[np.intp], top: int, bottom: int) -> str:
    """Inclusive spans of steps as bars of an SVG path, at least two cells wide, or a short one could not be seen."""
    filled = np.zeros(CELLS + 2, dtype=bool)  # one empty cell more on either side
    for start, end in spans:
        first = min(cells[start], CELLS - 2)
        filled[first + 1 : max(cells[end], first + 1) + 2] = True
    edges = np.flatnonzero(np.diff(filled)).reshape(-1, 2)
    return "".join(f"M{start} {top}H{end}V{bottom}H{start}Z" for start, end in edges.tolist())


def _area(channel: ChannelView, cells: NDArray[np.intp], top: float) -> str:
    """The highest score of every cell as an area: by its logarithm in thresholds, or from lowest to highest."""
    scores = np.asarray(channel.scores, dtype=float)
    known = np.isfinite(scores)
    if not known.any():
        return ""
    inside, starts = np.unique(cells, return_index=True)
    highest = np.maximum.reduceat(np.where(known, scores, -np.inf), starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        if channel.relative:
            parts = (np.log2(highest.clip(min=0) / channel.threshold) - LOWEST) / (top - LOWEST)
        else:
            low, high = scores[known].min(), scores[known].max()
            parts = (highest - low) / (high - low or 1)
    heights = np.zeros(CELLS, dtype=int)
    # where cells lie closer than steps, each step reaches up to the next, unless that is far away
    measured = np.where(np.isfinite(highest), np.rint(parts.clip(0, 1) * (BOTTOM - TOP)), 0).astype(int)
    usual = max(int(np.median(np.diff(inside))), 1) if len(inside) > 1 else CELLS
    for cell, after, height in zip(inside, [*inside[1:], CELLS], measured, strict=True):
        heights[cell : min(after, cell + 2 * usual)] = height
    changes = np.flatnonzero(np.diff(heights, prepend=0, append=0))
    if not len(changes):
        return ""
    path, before = [f"M0 {BOTTOM}"], 0
    for cell, height in zip(changes.tolist(), [*heights[changes[:-1]].tolist(), 0], strict=True):
        path.append(f"H{cell}v{before - height}")
        before = height
    return "".join(path) + "Z"
