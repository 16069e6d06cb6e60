"""Windows of steps, means over steps, and moving moments."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PARTS = 5  # of a training series, each judged by what the others taught


class Moments(NamedTuple):
    """Number of values, their mean, and their sum of squared distances from the mean, each (T,)."""

    count: Array
    mean: Array
    squares: Array

    def part(self, first: int, length: int) -> "Moments":
        """The entries first .. first + length - 1."""
        return Moments(*(values[first : first + length] for values in self))


def moving_moments(values: Array, window: int) -> Moments:
    """Moments (T,) of the steps t - window // 2 .. t + (window - 1) // 2 around each step t of `values` (T,).

    At the borders these are the steps that exist. Windows are put together from windows of 1, 2, 4, .. steps, in
    O(T log window): a difference of cumulated sums would take O(T) but lose the spread of small changes beside large
    values. Here a constant window has its very value as mean and a spread of exactly 0.
    """
    num_steps = len(values)
    window = min(window, 2 * num_steps + 1)  # more reaches beyond both borders from everywhere
    sides = (window // 2, (window - 1) // 2)
    count = np.pad(np.ones(num_steps), sides)
    block = Moments(count, np.pad(values, sides), np.zeros_like(count))  # of windows of `size` steps
    total = Moments(*np.zeros((3, num_steps)))
    size, done = 1, 0
    while True:
        if window & size:
            total = _merged(total, block.part(done, num_steps))
            done += size
        if done == window:
            return total
        length = len(block.mean) - size
        block = _merged(block.part(0, length), block.part(size, length))
        size *= 2


def _merged(left: Moments, right: Moments) -> Moments:
    """Moments of both groups of values together (Chan, Golub & LeVeque, The American Statistician 37, 1983)."""
    count = left.count + right.count
    share = right.count / np.maximum(count, 1)
    distance = right.mean - left.mean
    return Moments(count, left.mean + share * distance, left.squares + right.squares + left.count * share * distance**2)


def resampled(values: NDArray[np.floating], length: int) -> NDArray[np.float64]:
    """Linear interpolation along the last axis to `length` samples, cell centres on cell centres.

    The one-dimensional case of torch's bilinear interpolation with align_corners=False: values beyond the
    first and last centre are those of the border. (..., T) -> (..., length).
    """
    num_steps = values.shape[-1]
    centres = (np.arange(length) + 0.5) * num_steps / length - 0.5
    return np.apply_along_axis(lambda row: np.interp(centres, np.arange(num_steps), row), -1, values)


def window_starts(num_steps: int, window: int, step: int) -> NDArray[np.int64]:
    """First steps (N,) of windows that cover a series: `step` apart, the last one ending with the series.

    A series shorter than `window` has one window, at 0. Raises ValueError for a `step` that leaves gaps.
    """
    if num_steps < 1 or not 1 <= step <= window:
        raise ValueError(f"windows of {window} steps, {step} apart, cannot cover {num_steps} steps without a gap.")
    last = max(num_steps - window, 0)
    return np.append(np.arange(0, last, step), last)


def cut_windows(values: NDArray[np.floating], window: int, step: int) -> tuple[NDArray, NDArray[np.int64]]:
    """Windows (N, window) of a series (T,), and their first steps (N,) as `window_starts` gives them.

    A series shorter than `window` goes on with its last value.
    """
    starts = window_starts(len(values), window, step)
    padded = np.pad(values, (0, max(window - len(values), 0)), mode="edge")
    return padded[starts[:, None] + np.arange(window)], starts


def join_windows(scores: NDArray[np.floating], starts: NDArray[np.integer], num_steps: int) -> NDArray[np.float64]:
    """Scores (N, window) of windows at `starts` (N,) -> scores of the series (num_steps,), the mean where they overlap.

    What a window holds behind the end of the series is left out. Raises ValueError where a step has no score.
    """
    steps = np.asarray(starts)[:, None] + np.arange(scores.shape[1])
    inside = steps < num_steps
    counts = np.bincount(steps[inside], minlength=num_steps)
    if not counts.all():
        raise ValueError(f"no window holds step {counts.argmin()} of {num_steps}: take the starts of window_starts.")
    return np.bincount(steps[inside], weights=scores[inside], minlength=num_steps) / counts


def training_parts(num_steps: int) -> list[tuple[int, int]]:
    """Start and stop of the parts of a training series that are judged by what the others taught.

    PARTS of them, as long as each other but for a step; a shorter series has one for every step.
    """
    ends = np.linspace(0, num_steps, min(PARTS, num_steps) + 1).astype(int).tolist()
    return list(zip(ends[:-1], ends[1:], strict=True))


def learnt_steps(num_steps: int, held_out: float) -> int:
    """How many first steps of a training series are learnt from: all but a share of them, one at least."""
    return max(num_steps - int(held_out * num_steps), 1)


def coarsen(series: NDArray[np.floating], factor: int) -> NDArray[np.float64]:
    """Means of `factor` steps each, (T, C) -> (T / factor, C); a short last group goes on with its last value."""
    padded = np.pad(series.astype(np.float64), ((0, -len(series) % factor), (0, 0)), mode="edge")
    return padded.reshape(-1, factor, series.shape[1]).mean(axis=1)


def refine(scores: NDArray[np.floating], factor: int, num_steps: int) -> NDArray[np.float64]:
    """Scores (..., T / factor) of coarsened steps -> scores (..., num_steps), linear between the groups' centres."""
    return resampled(scores, scores.shape[-1] * factor)[..., :num_steps]
