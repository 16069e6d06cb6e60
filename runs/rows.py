"""The rows of a channel's scores: their names, which of them are added up, and the score of the whole channel."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drawing.steps import moving_moments
from runtime.errors import InputError

NUM_LEVELS = 3
COLUMN_CELL = 8  # steps over which the scores of single columns are averaged before they are kept
TAIL = 0.99  # quantile of the training scores that calibration `quantile` takes for 1


def scale_row(scale: int, level: str) -> str:
    """The name of the row of a pyramid level such as `level 1`, of the series drawn with `scale` steps per column."""
    return f"scale {scale} {level}"


def unnamed_rows(number: int) -> list[str]:
    """Names of rows that were kept without: of pyramid levels where they can be, in the order of time scales."""
    if number % NUM_LEVELS:
        return [f"row {row + 1}" for row in range(number)]
    return [scale_row(row // NUM_LEVELS + 1, f"level {row % NUM_LEVELS + 1}") for row in range(number)]


def chosen_rows(names: Sequence[str], levels: tuple[int, ...]) -> list[int]:
    """The numbers of the rows of some pyramid levels; rows that are of no level are always chosen.

    Raises InputError where a level is asked for that no row is of, unless all levels are.
    """
    of_row = [int(found[1]) if (found := re.search(r"\blevel (\d+)$", name)) else None for name in names]
    missing = sorted(set(levels) - set(of_row))
    if missing and len(levels) < NUM_LEVELS:
        raise InputError(
            f"levels = {' '.join(map(str, levels))}: these scores have the rows {', '.join(names)}; none is of level "
            f"{missing[0]}. Leave levels as they are."
        )
    return [row for row, level in enumerate(of_row) if level is None or level in levels]


def per_cell(values: NDArray[np.floating], cell: int) -> NDArray[np.float32]:
    """Means of `cell` steps each, (T,) -> (T / cell,), of those that are no NaN; NaN where all are."""
    padded = np.pad(values.astype(np.float64), (0, -len(values) % cell), constant_values=np.nan).reshape(-1, cell)
    known = np.isfinite(padded)
    count = known.sum(axis=1)
    total = np.where(known, padded, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def time_step_scores(
    rows: NDArray[np.floating],
    train: NDArray[np.floating] | None,
    calibration: str,
    smooth: int,
    trailing: bool = False,
) -> NDArray[np.float64]:
    """Scores (rows, T) of a channel -> one per step (T,), NaN where nothing was measured.

    Rows are calibrated on the training steps (rows, T'), added up and averaged over `smooth` steps around each, or of
    those up to it (`trailing`). Raises InputError for a calibration without training steps.
    """
    if train is None and calibration != "none":
        raise InputError(f"calibration = {calibration}: there are no training scores to learn it from. Set it to none.")
    centre, spread = learn_calibration(rows if train is None else train, calibration)
    return moving_mean(((rows.astype(np.float64) - centre) / spread).sum(axis=0), smooth, trailing)


def learn_calibration(train: NDArray[np.floating], calibration: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and spread (rows, 1) of the training scores (rows, T) of a channel; 0 and 1 for the calibration none."""
    centre, spread = np.zeros((len(train), 1)), np.ones((len(train), 1))
    known = train.astype(np.float64)
    if calibration != "none":
        centre = np.nanmedian(known, axis=1, keepdims=True)
    if calibration == "quantile":
        tail = np.nanquantile(known, TAIL, axis=1, keepdims=True) - centre
        # a channel whose training scores are all alike has no tail to measure by
        spread = np.where(tail > 0, tail, np.maximum(np.abs(centre), np.finfo(np.float32).tiny))
    return centre, spread


def moving_mean(scores: NDArray[np.float64], window: int, trailing: bool) -> NDArray[np.float64]:
    """The mean over the measured of the `window` steps around each step, or up to it, (T,); NaN stays NaN."""
    measured = np.isfinite(scores)
    ahead = (window - 1) // 2 if trailing else 0  # the centred window of so many steps before ends with the step itself
    total, share = (
        moving_moments(np.pad(values, (ahead, 0)), window).mean[: len(scores)]
        for values in (np.where(measured, scores, 0.0), measured.astype(np.float64))
    )
    return np.where(measured, total / np.where(share > 0, share, 1.0), np.nan)


def channel_score(rows: NDArray[np.floating], top_k: float, smooth: int) -> float:
    """One score of a channel from the rows (rows, T) that are added up: the mean of its highest `top_k` steps.

    NaN where no step was measured.
    """
    scores = time_step_scores(rows, None, "none", smooth)
    steps = np.sort(scores[np.isfinite(scores)])
    return float(steps[-max(1, int(len(steps) * top_k)) :].mean()) if len(steps) else float("nan")
