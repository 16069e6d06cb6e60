"""Trivial time-step scores: what any result must be compared with.

Each function takes the training and test series of one channel, (T, D) with the telemetry value in column 0, and
returns the score of every step of either, higher = more anomalous. Where columns are looked at one by one, so do they:
`trivial_scores` gives them each in its own unit, and takes the mean over the columns.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from sklearn.neighbors import NearestNeighbors

from drawing.gaps import filled
from drawing.scaling import learn_scaling

Series = NDArray[np.floating]
TrainAndTest = tuple[Series, Series]
Baseline = Callable[[Series, Series], TrainAndTest]

MIN_SPREAD = 0.05  # of the published scale [-1, 1]; a value that is constant in train would else score without bound
RANGE_WINDOW = 64  # steps of the moving average
MATCH_WINDOW = 32  # steps of a window that is looked up among the training windows
MOST_WINDOWS = 10_000  # training windows that are looked up; of more, as many at equal distances


def trivial_scores(baseline: Baseline, train: Series, test: Series, scaling: str | None) -> TrainAndTest:
    """Scores by a baseline of series with gaps, (T, D): NaN where nothing was measured.

    With a `scaling` they are the mean over the columns, each in that unit; else those of the series as it is.
    """
    if scaling is None:
        found = baseline(_filled(train), _filled(test))
    else:
        units = learn_scaling(scaling, train.T)
        scaled = _filled(units(train)), _filled(units(test))
        columns = [baseline(scaled[0][:, [n]], scaled[1][:, [n]]) for n in range(train.shape[1])]
        found = tuple(np.mean([column[split] for column in columns], axis=0) for split in (0, 1))
    return tuple(
        np.where(np.isnan(series).all(axis=1), np.nan, scores)
        for scores, series in zip(found, (train, test), strict=True)
    )


def _filled(series: Series) -> Series:
    return np.column_stack([filled(column) for column in series.T])


def random_scores(train: Series, test: Series) -> TrainAndTest:
    """Uniform noise in [0, 1), the same on every run."""
    rng = np.random.default_rng([len(train), len(test)])
    return rng.random(len(train)), rng.random(len(test))


def position(train: Series, test: Series) -> TrainAndTest:
    """The step's place in its file, t / T: it never looks at the data."""
    return np.arange(len(train)) / len(train), np.arange(len(test)) / len(test)


def distance_from_median(train: Series, test: Series) -> TrainAndTest:
    """|x - median| / standard deviation, both of the training values, which is `MIN_SPREAD` at least."""
    median, spread = np.median(train[:, 0]), max(float(train[:, 0].std()), MIN_SPREAD)
    return np.abs(train[:, 0] - median) / spread, np.abs(test[:, 0] - median) / spread


def out_of_range(train: Series, test: Series) -> TrainAndTest:
    """How far the value lies outside the training range, in units of that range: centred mean of `RANGE_WINDOW`."""
    low, high = train[:, 0].min(), train[:, 0].max()

    def outside(values: Series) -> Series:
        excess = np.maximum(low - values, 0) + np.maximum(values - high, 0)
        return uniform_filter1d(excess / max(high - low, MIN_SPREAD), RANGE_WINDOW, mode="nearest")

    return outside(train[:, 0]), outside(test[:, 0])


def nearest_window(train: Series, test: Series) -> TrainAndTest:
    """Euclidean distance from the window around the step to the nearest training window of the same length.

    A training window is compared with those it shares no step with, or it would find itself.
    """
    length = min(MATCH_WINDOW, len(train) // 3, len(test))
    if length < 1:
        return np.zeros(len(train)), np.zeros(len(test))
    known = np.lib.stride_tricks.sliding_window_view(train[:, 0], length)
    asked = np.lib.stride_tricks.sliding_window_view(test[:, 0], length)
    distance = _to_nearest(known, asked)
    return _per_step(_leave_overlapping_out(known, length), len(train)), _per_step(distance, len(test))


def _leave_overlapping_out(windows: Series, length: int) -> Series:
    """Distance of each window to the nearest that shares no step with it, block by block of `length` windows."""
    nearest = np.empty(len(windows))
    for begin in range(0, len(windows), length):
        block = windows[begin : begin + length]
        others = np.concatenate([windows[: max(begin - length + 1, 0)], windows[begin + 2 * length - 1 :]])
        nearest[begin : begin + length] = _to_nearest(others, block)
    return nearest


def _to_nearest(known: Series, asked: Series) -> Series:
    """Distance of each window asked for (N, length) to the nearest that is known."""
    thinned = known[:: -(-len(known) // MOST_WINDOWS)]
    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(thinned).kneighbors(asked)[0][:, 0]


def _per_step(of_windows: Series, num_steps: int) -> Series:
    """Scores of windows as scores of the steps at their centres, those of the first and last window repeated."""
    before = (num_steps - len(of_windows)) // 2
    return np.pad(of_windows, (before, num_steps - len(of_windows) - before), mode="edge")
