"""Trivial time-step scores: what any result must be compared with.

Each function takes the training and test series of one channel, (T, D) with the telemetry value in column 0, and
returns the score of every step of either, higher = more anomalous. Where columns are looked at one by one, so do they:
`trivial_scores` gives them each in its own unit, and takes the mean over the columns.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from drawing.gaps import filled
from drawing.scaling import learn_scaling
from runs.rows import moving_mean

Series = NDArray[np.floating]
TrainAndTest = tuple[Series, Series]
Baseline = Callable[[Series, Series], TrainAndTest]

MIN_SPREAD = 0.05  # of the published scale [-1, 1]; a value that is constant in train would else score without bound
RANGE_WINDOW = 64  # steps of the moving average
MATCH_WINDOW = 32  # steps of a window that is looked up among the training windows
MOST_WINDOWS = 10_000  # training windows that are looked up; of more, as many at equal distances
BLOCK = 256  # windows that are looked up at a time


def trivial_scores(
    baseline: Baseline, train: Series, test: Series, scaling: str | None, smooth: int = 1, trailing: bool = False
) -> TrainAndTest:
    """Scores by a baseline of series with gaps, (T, D): NaN where nothing was measured.

    With a `scaling` they are the mean over the columns, each in that unit; else those of the series as it is. The
    distance to the nearest window, the only one that jumps from step to step as a model's scores do, is averaged over
    `smooth` steps as those are, around each or up to it (`trailing`): without, it would look worse than it is.
    """
    if scaling is None:
        found = baseline(_filled(train), _filled(test))
    else:
        units = learn_scaling(scaling, train.T)
        scaled = _filled(units(train)), _filled(units(test))
        columns = [baseline(scaled[0][:, [n]], scaled[1][:, [n]]) for n in range(train.shape[1])]
        found = tuple(np.mean([column[split] for column in columns], axis=0) for split in (0, 1))
    known = tuple(
        np.where(np.isnan(series).all(axis=1), np.nan, scores)
        for scores, series in zip(found, (train, test), strict=True)
    )
    return tuple(moving_mean(scores, smooth, trailing) for scores in known) if baseline is nearest_window else known


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
    known, asked = (np.lib.stride_tricks.sliding_window_view(x[:, 0], length) for x in (train, test))
    places = np.arange(0, len(known), -(-len(known) // MOST_WINDOWS))
    looked_up = known[places]
    of_train = _to_nearest(looked_up, known, places)
    # where nothing changes, as in a command or a sensor that rests, one window stands for all
    new = _unlike_the_last(asked)
    of_test = _to_nearest(looked_up[_unlike_the_last(looked_up)], asked[new])[np.cumsum(new) - 1]
    return _per_step(of_train, len(train)), _per_step(of_test, len(test))


def _unlike_the_last(windows: Series) -> NDArray[np.bool_]:
    """Whether each window (N, length) differs from the one before it."""
    return np.append(True, (windows[1:] != windows[:-1]).any(axis=1))


def _to_nearest(known: Series, asked: Series, places: NDArray[np.integer] | None = None) -> Series:
    """Distance of each window asked for (N, length) to the nearest of the known ones (K, length).

    With `places` (K,), which of the windows asked for the known ones are, to the nearest that shares no step with it.
    """
    length, centre = known.shape[1], known.mean()  # large values with small changes would cost digits
    known = known - centre
    # |a - k|^2 = |a|^2 + 2 (|k|^2 / 2 - a k), and one product gives the brackets, the least of which is the nearest's
    table = np.vstack([-known.T, (known**2).sum(axis=1) / 2])
    distances = np.empty(len(asked))
    room, with_one = np.empty((BLOCK, len(known))), np.ones((BLOCK, length + 1))  # used again: new memory takes time
    for begin in range(0, len(asked), BLOCK):
        block = asked[begin : begin + BLOCK] - centre
        with_one[: len(block), :-1] = block
        brackets = np.matmul(with_one[: len(block)], table, out=room[: len(block)])
        if places is not None:
            numbers = np.arange(begin, begin + len(block))
            first, last = np.searchsorted(places, [numbers[0] - length + 1, numbers[-1] + length])
            shares = np.abs(places[first:last] - numbers[:, None]) < length
            brackets[:, first:last][shares] = np.inf
        # the distance itself is taken anew: the brackets of windows that are nearly alike have few digits left
        distances[begin : begin + BLOCK] = np.linalg.norm(block - known[brackets.argmin(axis=1)], axis=1)
    return distances


def _per_step(of_windows: Series, num_steps: int) -> Series:
    """Scores of windows as scores of the steps at their centres, those of the first and last window repeated."""
    before = (num_steps - len(of_windows)) // 2
    return np.pad(of_windows, (before, num_steps - len(of_windows) - before), mode="edge")
