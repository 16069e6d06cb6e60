"""Scores of columns, each looked at by itself, put together to those of their channel."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from runs.rows import COLUMN_CELL, per_cell

Combine = Literal["mean", "max", "highest", "logs"]
TINY = 1e-12  # the logarithm of a score of 0 is that of this


@dataclass(frozen=True, eq=False)
class ChannelScores:
    """Scores (rows, T) of a channel, NaN where nothing was measured, and what its columns have in them.

    `of_columns` (D, T / COLUMN_CELL): the mean sum over the rows of each column's scores, or None of a channel that is
    looked at as one.
    """

    rows: NDArray[np.float32]
    of_columns: NDArray[np.float32] | None = None


class Combination:
    """Scores (rows, T) of a channel from those of its columns, which are added one by one.

    `how`: the mean of the columns, the highest, the mean of the `number` highest, or the geometric mean (of logs), at
    every step over those columns that were measured there.
    """

    def __init__(self, how: Combine, number: int) -> None:
        if how not in get_args(Combine):
            raise ValueError(f"combine = {how!r}, expected one of {', '.join(get_args(Combine))}.")
        self._how, self._number = how, 1 if how == "max" else number
        self._count: NDArray[np.int64] | int = 0
        self._total: NDArray[np.float64] | float = 0.0
        self._highest: list[NDArray[np.float32]] = []
        self._columns: list[NDArray[np.float32]] = []

    def add(self, scores: NDArray[np.float32], measured: NDArray[np.bool_]) -> None:
        """The scores (rows, T) of the next column, which count where it was `measured` (T,)."""
        self._columns.append(per_cell(np.where(measured, scores.sum(axis=0), np.nan), COLUMN_CELL))
        if self._how in ("max", "highest"):
            carried = np.where(measured, scores, -np.inf)
            for place, kept in enumerate(self._highest):  # as in an insertion sort, the highest first
                self._highest[place], carried = np.maximum(kept, carried), np.minimum(kept, carried)
            if len(self._highest) < self._number:
                self._highest.append(carried)
            return
        logs = self._how == "logs"
        values = np.log(scores.astype(np.float64) + TINY) if logs else scores.astype(np.float64)
        self._total = self._total + np.where(measured, values, 0.0)
        self._count = self._count + measured

    def scores(self) -> ChannelScores:
        """What all columns give."""
        columns = np.stack(self._columns) if len(self._columns) > 1 else None
        if self._highest:
            found = np.stack(self._highest)
            inside = np.isfinite(found)
            count, total = inside.sum(axis=0), np.where(inside, found, 0.0).sum(axis=0, dtype=np.float64)
        else:
            count, total = self._count, self._total
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        rows = np.exp(mean) - TINY if self._how == "logs" else mean
        return ChannelScores(rows.astype(np.float32), columns)
