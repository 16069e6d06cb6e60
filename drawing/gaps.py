"""What is drawn where nothing was measured."""

import numpy as np
from numpy.typing import NDArray

from drawing.steps import Array

SHORT = 8  # steps of a gap that is bridged by a straight line


def filled(values: Array) -> Array:
    """Values (T,) with something in place of NaN that looks like the series around it: for drawing, not for scoring.

    A gap of up to `SHORT` steps becomes a straight line. In a longer one, and at either end, the measured values go on
    as in a mirror at its edge, those before it in its first half and those behind it in the rest: a line would look
    like a sensor that stands still, and be an anomaly of its own. Where the mirror shows a gap, or nothing, it is the
    next value towards the edge: nothing further away than the mirrored step counts. What has no measured value at all
    becomes 0.
    """
    measured = np.isfinite(values)
    if measured.all():
        return values
    places = np.flatnonzero(measured)
    if not len(places):
        return np.zeros_like(values)
    kept, last = values[measured], len(places) - 1
    gap = np.flatnonzero(~measured)
    right = np.searchsorted(places, gap)  # number of the first measured value behind each step
    far = len(values) + SHORT  # there is no edge on that side
    before = np.where(right > 0, gap - places[np.maximum(right - 1, 0)], far)
    behind = np.where(right <= last, places[np.minimum(right, last)] - gap, far)
    first = np.searchsorted(places, gap - 2 * before)  # the first value at the mirrored step or behind it
    final = np.searchsorted(places, gap + 2 * behind, side="right") - 1  # the last there or before it
    mirrored = np.where(before <= behind, kept[np.minimum(first, last)], kept[final])
    short = before + behind - 1 <= SHORT
    result = values.copy()
    result[gap] = np.where(short, np.interp(gap, places, kept), mirrored)
    return result


def made_up(values: Array) -> NDArray[np.bool_]:
    """The steps (T,) of gaps longer than `SHORT`: what is drawn there is no evidence of anything."""
    missing = ~np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]])))
    lengths = edges[1::2] - edges[::2]
    found = np.zeros(len(values), dtype=bool)
    for start, length in zip(edges[::2][lengths > SHORT], lengths[lengths > SHORT], strict=True):
        found[start : start + length] = True
    return found
