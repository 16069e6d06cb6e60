"""What of the affiliation F1 is merit: alarms at random places reach about one half, and more where they are many."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.affiliation import closeness, mean_of_zones, zones_of
from metrics.events import channel_bounds, intervals_of
from metrics.metric import Column, Metric

NUM_SHIFTS = 20


def affiliation_gain(
    labels: ArrayLike, alarms: ArrayLike, lengths: Sequence[int], num_shifts: int = NUM_SHIFTS, seed: int = 0
) -> float | None:
    """Affiliation F1 less its mean over random shifts of the same alarms, within [-1, 1]; None without intervals.

    Labels and alarms (T,), both 0/1. As many alarms, as long, that know nothing of the data are where the scale
    begins, and for affiliation metrics that is far from 0: a time drawn from the zone of an interval has a precision of
    about one half (Huet et al., KDD 2022, section 4). No alarm and an alarm over everything both gain 0.
    """
    shifts = np.vstack([np.zeros((1, len(lengths)), dtype=np.int64), random_shifts(lengths, num_shifts, seed)])
    f1 = shifted_f1(labels, alarms, lengths, shifts)
    return None if f1 is None else float(f1[0] - f1[1:].mean())


def random_shifts(lengths: Sequence[int], num_shifts: int, seed: int) -> NDArray[np.int64]:
    """Shifts of every channel, (R, C) steps, each uniform from 0 to the channel's length, and the same on every run.

    Each channel has one shift in every R-th of its length, in random order: so spread, few of them are enough.
    """
    rng = np.random.default_rng(seed)
    part = rng.permuted(np.tile(np.arange(num_shifts), (len(lengths), 1)), axis=1).T
    return (np.asarray(lengths) * (part + rng.random(part.shape)) / num_shifts).astype(np.int64)


def shifted_f1(
    labels: ArrayLike, alarms: ArrayLike, lengths: Sequence[int], shifts: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Affiliation F1, (R,), of the alarms (T,) moved shifts[r, c] >= 0 steps on in channel c, round its end.

    None without a labelled interval. All shifts are measured at once, as copies of the series one after the other.
    """
    zones, num_zones = zones_of(labels, lengths), len(intervals_of(labels, lengths))
    if not num_zones:
        return None
    bounds, copies = channel_bounds(lengths, len(np.asarray(labels))), np.arange(len(shifts)) * sum(lengths)
    moved = _moved(intervals_of(alarms, lengths), bounds, shifts, copies)
    of_zones = closeness(moved, zones.copies(copies))
    return mean_of_zones(*(values.reshape(len(shifts), num_zones) for values in of_zones))[2]


def _moved(alarms: NDArray, bounds: NDArray, shifts: NDArray, copies: NDArray) -> NDArray[np.int64]:
    """The alarms (A, 2) in each of R copies of the series: inclusive intervals in order, cut at the end of a channel.

    What is cut stands as two alarms, which are no further from anything than the one.
    """
    channels = np.searchsorted(bounds[:, 1], alarms[:, 0], side="right")
    first, behind = bounds[channels].T
    start = first + (alarms[:, 0] - first + shifts[:, channels]) % (behind - first)  # (R, A)
    end = start + alarms[:, 1] - alarms[:, 0]
    turned = end >= behind  # these go on at the beginning of the channel
    beginning = np.broadcast_to(first, start.shape)
    pairs = np.stack([start, np.minimum(end, behind - 1)], axis=-1) + copies[:, None, None]
    rest = np.stack([beginning, end - (behind - first)], axis=-1) + copies[:, None, None]
    pieces = np.concatenate([pairs.reshape(-1, 2), rest[turned]])
    return pieces[np.argsort(pieces[:, 0], kind="stable")]


AFFILIATION_GAIN = Metric(
    (
        Column(
            "affiliation_gain",
            "affiliation F1 less that of the same alarms at random places of their channel: 0 is chance",
            headline="affiliation gain",
        ),
    ),
    lambda steps: (affiliation_gain(steps.labels, steps.alarmed, steps.lengths),),
    needs_alarms=True,
)
