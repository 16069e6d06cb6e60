"""What was measured when: rows in the order of time, and the steps at which nothing was measured.

The rule of the gaps, the same for a file as for rows that arrive one at a time: where two neighbouring rows lie 1.5
steps or more apart, the steps between them are there and empty. It needs these two rows and the step, nothing of
what comes later. Jitter below half a step puts nothing in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.errors import InputError, warn

# A density sees no further than this many steps: a longer pause looks to it like one of this length, and a
# recording that was switched off over the winter stays as small as what was measured.
MAX_GAP = 4096
MAX_CELLS = 2**28  # numbers in one recording, 2 GiB


@dataclass(frozen=True, eq=False)
class Recording:
    """One channel as measured, in the order of time; gaps are filled up with empty steps."""

    values: NDArray[np.float64]  # (T, D), NaN where nothing was measured
    columns: list[str]
    times: pd.DatetimeIndex | None  # (T,), time zone kept; None: steps are only counted
    rows: NDArray[np.int64]  # (T,) data row of the input, from 0, that a step is; -1 for the empty steps of a gap
    labels: NDArray[np.int8] | None  # (T,) 0 or 1; None: unlabelled

    def __len__(self) -> int:
        return len(self.values)

    def take(self, steps: NDArray | slice) -> "Recording":
        """Some of its steps: indices, a mask (T,) or a slice, which copies nothing."""
        return replace(
            self,
            values=self.values[steps],
            times=None if self.times is None else self.times[steps],
            rows=self.rows[steps],
            labels=None if self.labels is None else self.labels[steps],
        )

    def select(self, columns: list[str]) -> "Recording":
        """Some of its columns, all of them known, in the order given."""
        if columns == self.columns:
            return self
        return replace(self, values=self.values[:, [self.columns.index(name) for name in columns]], columns=columns)


def ordered(recording: Recording, where: str, order: NDArray[np.float64] | None = None) -> Recording:
    """Its rows in the order of time, or of `order` (T,) where there are no times, the first of each time only.

    Rows without a time (NaT, NaN) are left out. What was left out or moved is counted in one warning that names
    `where` the rows are from. Raises InputError where no row has a time or all have the same.
    """
    if recording.times is None and order is None:
        return recording
    key = order if recording.times is None else recording.times.asi8
    timed = np.flatnonzero(~np.isnan(order) if recording.times is None else ~recording.times.isna())
    if len(timed) == 0:
        raise InputError(f"{where}: no row has a time. Name another column with --time-column, or none.")
    key = key[timed]
    backwards = int((key[1:] < key[:-1]).sum())
    sorting = np.argsort(key, kind="stable") if backwards else slice(None)
    timed, key = timed[sorting], key[sorting]
    first = np.append(True, key[1:] != key[:-1])
    if len(key) > 1 and first.sum() == 1:
        raise InputError(
            f"{where}: all {len(key)} rows have the same time, so there is no order in time. Name another column with "
            "--time-column, or none where the rows are in order."
        )
    told = {
        "without a time were left out": len(recording) - len(timed),
        "lay before the row above them and were sorted": backwards,
        "with the time of an earlier row were left out": int((~first).sum()),
    }
    if any(told.values()):
        parts = [f"{count} {what}" for what, count in told.items() if count]
        warn(f"{where}: of {len(recording)} rows {', '.join(parts)}.")
        return recording.take(timed[first])
    return recording


def typical_step(times: pd.DatetimeIndex) -> pd.Timedelta:
    """The median distance of neighbouring stamps, of those that lie apart. Raises InputError where none do."""
    distances = np.diff(times.asi8)
    distances = distances[distances > 0]
    if len(distances) == 0:
        raise InputError(f"{len(times)} time stamps, none after the other, have no step between them.")
    return pd.Timedelta(max(int(np.median(distances)), 1), unit=times.unit)


def known_step(steps: Mapping[str, pd.Timedelta] | None, channel: str) -> pd.Timedelta | None:
    """The step of a channel among those known from training; one of another name has the step that all of them have."""
    if steps and channel not in steps and len(set(steps.values())) == 1:
        return next(iter(steps.values()))
    return (steps or {}).get(channel)


def with_gaps(recording: Recording, step: pd.Timedelta) -> Recording:
    """The recording with empty steps (NaN, at t + k step) wherever neighbouring rows lie 1.5 steps or more apart.

    Between two rows there are round(distance / step) - 1 of them, at most MAX_GAP. An empty step is labelled 1 where
    both its neighbours are. Rows that come later change nothing before them: with a known step, calls on (last row,
    new rows) put together give what one call on all gives. Raises InputError where the result would not fit MAX_CELLS.
    """
    if recording.times is None or len(recording) < 2:
        return recording
    distances = np.diff(recording.times.asi8) / (step / pd.Timedelta(1, unit=recording.times.unit))
    missing = np.clip(np.floor(distances + 0.5) - 1, 0, MAX_GAP).astype(np.int64)
    total = len(recording) + int(missing.sum())
    if total == len(recording):
        return recording
    if total * max(recording.values.shape[1], 1) > MAX_CELLS:
        raise InputError(
            f"{len(recording)} rows with times {step} apart, mostly, and {total - len(recording)} such steps without a "
            "row between them are too many. Resample the recording to an even step, or set --time-column none."
        )
    places = np.arange(len(recording)) + np.append(0, np.cumsum(missing))
    empty = np.ones(total, dtype=bool)
    empty[places] = False
    values = np.full((total, recording.values.shape[1]), np.nan)
    values[places] = recording.values
    rows = np.full(total, -1, dtype=np.int64)
    rows[places] = recording.rows
    before = np.repeat(np.arange(len(missing)), missing)  # (empty steps,) the row in front of each
    numbers = np.flatnonzero(empty) - places[before]
    times = recording.times[np.repeat(np.arange(len(recording)), np.append(missing, 0) + 1)]
    offsets = np.zeros(total, dtype=np.int64)
    offsets[empty] = numbers
    times = pd.DatetimeIndex(times + offsets * step).as_unit(recording.times.unit)
    labels = None
    if recording.labels is not None:
        labels = np.empty(total, dtype=np.int8)
        labels[places] = recording.labels
        labels[empty] = recording.labels[before] & recording.labels[before + 1]
    return Recording(values, recording.columns, times, rows, labels)
