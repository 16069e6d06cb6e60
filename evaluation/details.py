"""What an alarm is like: which row of scores carries it, a spike or a slow change, and what in training was nearest."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drawing.gaps import filled
from metrics.events import Alarm

MOVED = "the level has moved"
FINE, COARSE = 16, 64  # steps between the cells of a row up to which it tells of spikes, and of changes
LONGEST = 256  # steps of a window that is looked up in training: those around the peak of a longer alarm
SHORTEST = 32
CELL = 4  # pixels between the cells of pyramid level 0, before pooling


@dataclass(frozen=True)
class Detail:
    """`row` has the largest part of the score beyond its usual; `kind` says in words what that means.

    `nearest` are the first and last step of the training window most like that around the peak, and `window` those of
    the latter; None where there is no training series at hand.
    """

    row: str = ""
    kind: str = ""
    window: tuple[int, int] | None = None
    nearest: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class RowScores:
    """Scores (rows, T) of a channel by the names of their rows; `usual` (rows,) are those of training, where known."""

    names: list[str]
    rows: NDArray[np.floating]
    usual: NDArray[np.floating] | None

    def carrying(self, alarm: Alarm) -> str:
        """The row with the highest sum over an alarm beyond what is usual."""
        beyond = self.rows[:, alarm.start : alarm.end + 1]
        if self.usual is not None:
            beyond = beyond - self.usual[:, None]
        return self.names[int(np.nansum(beyond, axis=1).argmax())]


def detail_of(
    alarm: Alarm,
    scores: RowScores | None,
    train: NDArray[np.floating] | None = None,
    test: NDArray[np.floating] | None = None,
) -> Detail:
    """What an alarm is like; `train` (T',) and `test` (T,) are of the column that it comes from."""
    row = "" if scores is None else scores.carrying(alarm)
    windows = (None, None)
    if train is not None and test is not None and np.isfinite(train).any() and np.isfinite(test).any():
        windows = nearest_window(train, test, alarm)
    return Detail(row, kind_of(row, alarm), *windows)


def usual_rows(train: NDArray[np.floating]) -> NDArray[np.floating] | None:
    """The median of every row of training scores (rows, T), (rows,); None where nothing was held out."""
    return np.nanmedian(train, axis=1) if np.isfinite(train).any() else None


def kind_of(row: str, alarm: Alarm) -> str:
    """What it means that a row carries an alarm, in words; empty where the row's name does not say."""
    if alarm.moved:
        return MOVED
    found = re.search(r"scale (\d+) level (\d+)", row)
    if found is None:
        return ""
    cell = int(found[1]) * CELL * 2 ** int(found[2])
    return "spike" if cell <= FINE else "change" if cell <= COARSE else "slow change"


def nearest_window(
    train: NDArray[np.floating], test: NDArray[np.floating], alarm: Alarm
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The window of a test column (T,) around an alarm, and that of its training (T',) with the least distance to it.

    First and last step of each. The squared distance of all windows at once follows from their sums of squares and a
    correlation (Mueen et al., "The Fastest Similarity Search Algorithm for Time Series Subsequences", 2017).
    """
    length = min(max(alarm.end - alarm.start + 1, SHORTEST), LONGEST, len(train), len(test))
    middle = alarm.at if alarm.end - alarm.start + 1 > length else (alarm.start + alarm.end) // 2
    first = min(max(middle - length // 2, 0), len(test) - length)
    known, asked = filled(train), filled(test)[first : first + length]
    centre = known.mean()  # less cancellation
    known, asked = known - centre, asked - centre
    squares = np.concatenate([[0.0], np.cumsum(known**2)])
    distance = squares[length:] - squares[:-length] - 2 * np.correlate(known, asked, mode="valid")
    start = int(distance.argmin())
    return (first, first + length - 1), (start, start + length - 1)
