"""Affiliation precision, recall and F1 of alarms against labelled intervals."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.events import channel_bounds, intervals_of
from metrics.metric import Column, Metric


@dataclass(frozen=True)
class AffiliationMetrics:
    """Precision, recall and F1 in [0, 1]; None where undefined."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Zones:
    """Labelled intervals and the zones around them, all (K,): real bounds in steps, [start, stop)."""

    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    event_start: NDArray[np.float64]
    event_stop: NDArray[np.float64]

    def copies(self, offsets: ArrayLike) -> "Zones":
        """The zones once for each of the offsets (R,) in steps, one copy after the other."""
        return Zones(*(np.add.outer(offsets, bounds).ravel() for bounds in vars(self).values()))


@dataclass(frozen=True)
class _Pieces:
    """Alarms cut at the borders of the zones, all (M,): zone index and real bounds in steps, in time order."""

    zone: NDArray[np.int64]
    start: NDArray[np.float64]
    stop: NDArray[np.float64]


def affiliation_metrics(labels: ArrayLike, alarms: ArrayLike, lengths: Sequence[int]) -> AffiliationMetrics:
    """Affiliation metrics of the alarms (T,) against the labels (T,), both 0/1, averaged over all labelled intervals.

    Huet, Navarro and Rossi, "Local Evaluation of Time Series Anomaly Detection Algorithms", KDD 2022, section 4: a
    channel is cut half-way between neighbouring intervals into one zone per interval. A zone's precision is the mean,
    over its predicted time, of the probability that a time drawn uniformly from the zone lies further from the
    interval; its recall the mean, over the interval, of the probability that a drawn time lies further than the
    nearest alarm of the zone. As in the authors' code step i is the time [i, i + 1).

    Precision is averaged over the zones that hold an alarm and None without one, recall over all zones, 0 where a
    zone holds none; F1 is their harmonic mean, 0 without alarms; all are None without labelled intervals. A channel
    without a labelled interval has no zone: alarms in it count nowhere, which `event_metrics` makes up for.
    """
    zones = zones_of(labels, lengths)
    if not len(zones.start):
        return AffiliationMetrics(None, None, None)
    precision, recall, f1 = (float(value) for value in mean_of_zones(*closeness(intervals_of(alarms, lengths), zones)))
    return AffiliationMetrics(None if np.isnan(precision) else precision, recall, f1)


def zones_of(labels: ArrayLike, lengths: Sequence[int]) -> Zones:
    """The labelled intervals of labels (T,) 0/1, in order, each with what lies nearer to it than to any other."""
    intervals = intervals_of(labels, lengths)
    bounds = channel_bounds(lengths, len(np.asarray(labels)))
    channels = np.searchsorted(bounds[:, 1], intervals[:, 0], side="right")
    event_start, event_stop = intervals[:, 0].astype(float), intervals[:, 1] + 1.0
    start, stop = bounds[channels].astype(float).T
    middles = (event_stop[:-1] + event_start[1:]) / 2
    neighbours = channels[1:] == channels[:-1]
    start[1:][neighbours] = middles[neighbours]
    stop[:-1][neighbours] = middles[neighbours]
    return Zones(start, stop, event_start, event_stop)


def closeness(alarms: NDArray[np.int64], zones: Zones) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of every zone, (K,), of alarms (A, 2): inclusive intervals in order that share no step.

    The precision is nan where the zone holds no alarm.
    """
    pieces, num_zones = _cut(alarms, zones), len(zones.start)
    predicted = np.bincount(pieces.zone, pieces.stop - pieces.start, minlength=num_zones)
    precision = np.bincount(pieces.zone, _precision_integrals(pieces, zones), minlength=num_zones)
    recall = np.bincount(pieces.zone, _recall_integrals(pieces, zones), minlength=num_zones)
    precision = np.divide(precision, predicted, out=np.full(num_zones, np.nan), where=predicted > 0)
    return precision, recall / (zones.event_stop - zones.event_start)


def mean_of_zones(precision: NDArray, recall: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Affiliation precision, recall and F1, (...), of those of zones, (..., K); precision nan where all of it is."""
    held = ~np.isnan(precision)
    count = held.sum(axis=-1)
    known = np.where(held, precision, 0).sum(axis=-1) / np.maximum(count, 1)
    found = recall.mean(axis=-1)
    f1 = 2 * known * found / np.where(known + found > 0, known + found, 1)
    return np.where(count > 0, known, np.nan), found, f1


def _cut(alarms: NDArray[np.int64], zones: Zones) -> _Pieces:
    """Alarms, inclusive intervals (A, 2), as pieces that lie in one zone each; those in no zone are left out."""
    start, stop = alarms[:, 0].astype(float), alarms[:, 1] + 1.0
    first = np.searchsorted(zones.stop, start, side="right")
    behind = np.searchsorted(zones.start, stop, side="left")
    count = behind - first
    alarm = np.repeat(np.arange(len(alarms)), count)
    zone = first[alarm] + np.arange(len(alarm)) - np.repeat(np.cumsum(count) - count, count)
    return _Pieces(zone, np.maximum(start[alarm], zones.start[zone]), np.minimum(stop[alarm], zones.stop[zone]))


def _precision_integrals(pieces: _Pieces, zones: Zones) -> NDArray[np.float64]:
    """Integral over each piece of P(a time of the zone lies further from the event): (M,).

    At distance d > 0 that is 1 - (|event| + d + min(d, margin)) / |zone|, margin being the shorter way from the event
    to the border of the zone; within the event it is 1.
    """
    zone_start, zone_stop = zones.start[pieces.zone], zones.stop[pieces.zone]
    start, stop = zones.event_start[pieces.zone], zones.event_stop[pieces.zone]
    margin = np.minimum(start - zone_start, zone_stop - stop)

    def up_to(distance: NDArray) -> NDArray:
        near = np.minimum(distance, margin)
        both_sides = distance**2 / 2 + near**2 / 2 + margin * (distance - near)
        return distance - ((stop - start) * distance + both_sides) / (zone_stop - zone_start)

    before = up_to(np.maximum(start - pieces.start, 0)) - up_to(np.maximum(start - pieces.stop, 0))
    after = up_to(np.maximum(pieces.stop - stop, 0)) - up_to(np.maximum(pieces.start - stop, 0))
    within = np.maximum(np.minimum(pieces.stop, stop) - np.maximum(pieces.start, start), 0)
    return before + within + after


def _recall_integrals(pieces: _Pieces, zones: Zones) -> NDArray[np.float64]:
    """Integral, over the part of the event nearest to each piece, of P(a time of the zone lies further): (M,).

    A time y of the event at distance d from the piece gives 1 - (min(d, y - zone start) + min(d, zone stop - y)) /
    |zone|. On one side of the piece d is the smaller of the first two or of the last two; `up_to` integrates it.
    """
    zone_start, zone_stop = zones.start[pieces.zone], zones.stop[pieces.zone]
    start, stop = zones.event_start[pieces.zone], zones.event_stop[pieces.zone]
    middles = (pieces.stop[:-1] + pieces.start[1:]) / 2
    neighbours = pieces.zone[1:] == pieces.zone[:-1]
    reach_start, reach_stop = zone_start.copy(), zone_stop.copy()
    reach_start[1:][neighbours] = middles[neighbours]
    reach_stop[:-1][neighbours] = middles[neighbours]

    def up_to(distance: NDArray, room: NDArray) -> NDArray:
        near = np.minimum(distance, room / 2)  # beyond, the border of the zone is nearer than the piece
        other_side = near**2 / 2 + room * (distance - near) - (distance**2 - near**2) / 2
        return distance - (distance**2 / 2 + other_side) / (zone_stop - zone_start)

    def side(low: NDArray, high: NDArray, room: NDArray) -> NDArray:
        return np.where(high > low, up_to(high, room) - up_to(low, room), 0)

    before = side(
        np.maximum(pieces.start - stop, 0), pieces.start - np.maximum(reach_start, start), pieces.start - zone_start
    )
    after = side(
        np.maximum(start - pieces.stop, 0), np.minimum(reach_stop, stop) - pieces.stop, zone_stop - pieces.stop
    )
    within = np.maximum(np.minimum(pieces.stop, stop) - np.maximum(pieces.start, start), 0)
    return before + within + after


AFFILIATION = Metric(
    (
        Column(
            "affiliation_precision",
            "closeness of alarms to labelled intervals against chance (Huet et al., KDD 2022)",
        ),
        Column(
            "affiliation_recall",
            "closeness of labelled intervals to alarms against chance (Huet et al., KDD 2022)",
        ),
        Column(
            "affiliation_f1",
            "harmonic mean of affiliation precision and recall",
            channels="affiliation F1",
        ),
    ),
    lambda steps: astuple(affiliation_metrics(steps.labels, steps.alarmed, steps.lengths)),
    needs_alarms=True,
)
