"""What is drawn where nothing was measured."""

import numpy as np

from drawing.steps import Array

SHORT = 8  # steps of a gap that is bridged by a straight line


def filled(values: Array) -> Array:
    """Values (T,) with something in place of NaN that looks like the series around it: for drawing, not for scoring.

    A gap of up to `SHORT` steps becomes a straight line. In a longer one the measured values go on as in a mirror,
    those before it in its first half and those behind it in the rest: a line would look like a sensor that stands
    still, and be an anomaly of its own. What has no measured value at all becomes 0.
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
    before = np.where(right > 0, gap - places[np.maximum(right - 1, 0)], len(values))
    behind = np.where(right <= last, places[np.minimum(right, last)] - gap, len(values))
    mirrored = np.where(
        before <= behind, kept[np.clip(right - 1 - before, 0, last)], kept[np.clip(right + behind, 0, last)]
    )
    short = before + behind - 1 <= SHORT
    result = values.copy()
    result[gap] = np.where(short, np.interp(gap, places, kept), mirrored)
    return result
