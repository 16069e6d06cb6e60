"""Nearest window statistics: what to try before any network.

A window is told by five numbers, its mean, standard deviation, least and greatest value and range. A step is as odd as
those of the window around it are far from the nearest of training, in standard deviations of that distance in training,
at the width where that is most. Simple statistics of this kind keep up with deep detectors: Wu & Keogh, "Current Time
Series Anomaly Detection Benchmarks are Flawed and are Creating the Illusion of Progress", TKDE 2021, section 2.2.
"""

import math
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from sklearn.neighbors import NearestNeighbors

from datasets import SeriesTask
from detectors.columnwise import MIN_SPREAD, Array, ColumnDetector, Learnt
from drawing.steps import moving_moments, training_parts
from settings.config import Config

PER_WINDOW = 8  # windows begin an eighth of their width apart
MOST = 10_000  # training windows of a width that are kept; of more, as many at equal distances
LEAST = 3  # a width that does not fit so often into the training is left out


class WindowStatistics(ColumnDetector):
    """The greatest of the distances at all `widths`."""

    def __init__(self, config: Config, known: dict[str, list[str]]) -> None:
        grid = math.lcm(*(_hop(width) for width in config.widths))
        super().__init__(config, known, max(config.widths), grid)

    def learn(self, pieces: list[Array]) -> Learnt:
        """Statistics (N, 5) of training windows by width, and mean and deviation (2,) of their distances."""
        longest = max(map(len, pieces))
        learnt: Learnt = {}
        for width in [w for w in self.config.widths if LEAST * w <= longest] or [min(self.config.widths)]:
            known = np.concatenate([_statistics(piece, width) for piece in pieces])
            known = known[:: -(-len(known) // MOST)]
            distances = []
            for start, stop in training_parts(len(known)):
                beside = PER_WINDOW  # a window that shares steps with one left out is no other
                rest = np.concatenate([known[: max(start - beside, 0)], known[stop + beside :]])
                if len(rest):
                    distances.append(_nearest(rest, known[start:stop]))
            found = np.concatenate(distances) if distances else np.zeros(1)
            learnt[f"windows {width}"] = known
            learnt[f"distances {width}"] = np.array([found.mean(), max(float(found.std()), MIN_SPREAD)])
        return learnt

    def errors(self, learnt: Learnt, values: Array) -> Array:
        """The greatest distance of every step (T,), in deviations above their mean, 0 below it."""
        odd = np.zeros(len(values))
        for width in [int(name.split()[1]) for name in learnt if name.startswith("windows")]:
            mean, deviation = learnt[f"distances {width}"]
            found = (_nearest(learnt[f"windows {width}"], _statistics(values, width)) - mean) / deviation
            odd = np.maximum(odd, np.interp(np.arange(len(values)), _centres(len(values), width), found))
        return odd


def _centres(num_steps: int, width: int) -> Array:
    """The steps around which windows are told."""
    return np.arange(0, num_steps, _hop(width))


def _hop(width: int) -> int:
    return max(width // PER_WINDOW, 1)


def _statistics(values: Array, width: int) -> Array:
    """Mean, deviation, least and greatest value and range of the windows of a column (T,): (N, 5).

    At the ends a window holds the steps that exist.
    """
    moments = moving_moments(values, width)
    low = minimum_filter1d(values, width, mode="nearest")
    high = maximum_filter1d(values, width, mode="nearest")
    found = np.column_stack([moments.mean, np.sqrt(moments.squares / moments.count), low, high, high - low])
    return found[_centres(len(values), width)]


def _nearest(known: Array, asked: Array) -> Array:
    """Distance from each of some statistics (M, 5) to the nearest known (N, 5): (M,)."""
    return NearestNeighbors(n_neighbors=1).fit(known).kneighbors(asked)[0][:, 0]


def statistics(
    config: Config, task: SeriesTask, known: dict[str, list[str]], folder: Path, device: torch.device
) -> WindowStatistics:
    """The detector that the settings describe."""
    return WindowStatistics(config, known)
