"""What is kept of a series around its alarms, so that they can be seen closely where the whole is thinned."""

import numpy as np
from numpy.typing import NDArray

from report.found import AlarmView
from report.thinning import decimate

CLOSE_POINTS = 400  # per alarm and series: about one for every other pixel
MOST_COLUMNS = 3  # that a close-up shows
CONTEXT = 100  # steps at least that are shown on either side of an alarm


def window(alarm: AlarmView, num_steps: int) -> tuple[int, int]:
    """First and last step of the close-up of an alarm: its own length on either side, CONTEXT steps at least."""
    margin = max(alarm.end - alarm.start + 1, CONTEXT)
    return max(alarm.start - margin, 0), min(alarm.end + margin, num_steps - 1)


def carriers(alarm: AlarmView, names: list[str]) -> list[str]:
    """The columns of a channel, of these names, that the close-up of an alarm shows, the strongest first."""
    return [name for name, _ in alarm.columns if name in names][:MOST_COLUMNS] or names[:1]


def with_close_ups(values: NDArray, kept: NDArray[np.intp], windows: list[tuple[int, int]]) -> NDArray[np.intp]:
    """Kept steps (K,) of values (T,) and, inside each window, up to CLOSE_POINTS more.

    No line through what is left crosses a missing value.
    """
    if not windows or len(kept) == len(values):
        return kept
    more = [start + decimate(values[start : end + 1], CLOSE_POINTS) for start, end in windows]
    kept = np.unique(np.concatenate([kept, *more]))
    missing = np.flatnonzero(np.isnan(np.asarray(values, dtype=float)))
    if not len(missing):
        return kept
    first = np.searchsorted(missing, kept[:-1], side="right")
    between = first < np.searchsorted(missing, kept[1:], side="left")
    known = np.isfinite(values[kept[:-1]]) & np.isfinite(values[kept[1:]])
    return np.union1d(kept, missing[first[between & known]])
