"""From time-step scores to alarms, the same for a whole series and for one that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.thresholds import Learnt, is_number, root
from evaluation.watch import Limits, Watch
from metrics.events import Alarm
from settings.config import Config

HISTORY = 10_000  # measured steps that a causal policy looks back over


@dataclass(frozen=True)
class Policy:
    """When scores become alarms: settings of the same names in default.py.

    `factor` multiplies the thresholds, to try others than those that were learnt.
    """

    threshold: str
    risk: float
    contrast: float
    release: float
    join: int
    least_length: int
    prune: float
    cool_down: int
    moved_after: int
    drift: int
    causal: bool
    factor: float = 1.0

    @classmethod
    def of(cls, config: Config) -> Policy:
        """That of the settings."""
        return cls(**{name: getattr(config, name) for name in cls.__dataclass_fields__ if name != "factor"})


def raise_alarms(
    scores: NDArray[np.floating],
    learnt: Learnt,
    policy: Policy,
    thresholds: NDArray[np.floating] | None = None,
) -> tuple[list[Alarm], NDArray[np.bool_]]:
    """The alarms in the scores (T,) of a channel, in time order, and which steps keep one going (T,).

    None without a threshold; `thresholds` (T,) are taken instead where it is not the same at every step. Steps at which
    nothing was measured (NaN) start and end no alarm, and do not cut one in two.
    """
    return raise_by_factor(scores, learnt, policy, [policy.factor], thresholds)[0]


def raise_by_factor(
    scores: NDArray[np.floating],
    learnt: Learnt,
    policy: Policy,
    factors: Sequence[float],
    thresholds: NDArray[np.floating] | None = None,
) -> list[tuple[list[Alarm], NDArray[np.bool_]]]:
    """What `raise_alarms` gives by the policy with each of some factors; what they have in common is computed once."""
    if learnt.threshold is None:
        return [([], np.zeros(len(scores), dtype=bool)) for _ in factors]
    steps = np.flatnonzero(np.isfinite(scores))
    floors = np.full(len(steps), learnt.threshold) if thresholds is None else thresholds[steps]
    distances, needed = root(scores[steps]), limits(scores[steps], floors, learnt.usual, policy)
    found = []
    for factor in factors:
        watch, going = Watch(replace(policy, factor=factor), learnt), np.zeros(len(scores), dtype=bool)
        going[steps] = watch.push(distances, needed, steps)
        alarms = watch.finish()
        if not policy.causal and not is_number(policy.threshold):
            alarms = _pruned(alarms, scores, watch.moved, policy.prune)
        found.append((alarms, going & under_alarm(alarms, len(scores))))
    return found


def limits(
    scores: NDArray[np.floating],
    thresholds: NDArray[np.floating],
    usual: float | None,
    policy: Policy,
    before: NDArray[np.floating] | None = None,
) -> Limits:
    """What the scores of some measured steps (T,) must exceed to start an alarm, and to keep one going, by factor 1.

    It is the learnt one of `thresholds` (T,), unless somebody has set it; but at least
    - to start, median + contrast (maximum - median) of the series: where the level has moved since training, only what
      stands out from the new one is worth an alarm. (Hundman et al., KDD 2018, section 3.2, also choose a threshold by
      the series that is judged.) To go on, a share `release` of that way is enough. A causal policy takes median and
      maximum of the steps up to each, of `before` (N,) too.
    - the threshold, as far above the median of the last `drift` steps as it lies above the `usual` score: what changes
      slowly is no event.
    """
    distances, past = root(scores), np.zeros(0) if before is None else root(before)
    start = go_on = risen = root(thresholds)
    if not is_number(policy.threshold) and len(scores):
        if policy.drift and usual is not None:
            level = float(root(np.array(usual)))
            known = pd.Series(np.concatenate([np.full(policy.drift, level), past, distances]))
            latest = known.rolling(policy.drift).median().shift(1).to_numpy()[policy.drift + len(past) :]
            risen = risen + np.maximum(latest - level, 0)
            start = risen
        if policy.contrast:
            median, highest = _middle_and_top(distances, past, policy.causal)
            way = policy.contrast * (highest - median)
            start = np.maximum(start, median + way)
            go_on = np.maximum(go_on, median + policy.release * way)
    return Limits(start, go_on, risen)


def _middle_and_top(
    distances: NDArray[np.float64], past: NDArray[np.float64], causal: bool
) -> tuple[NDArray[np.float64] | float, NDArray[np.float64] | float]:
    """Median and maximum of a series, or of what is known of it at each of its steps."""
    if not causal:
        return np.median(distances), distances.max()
    seen = pd.Series(np.concatenate([past, distances])).rolling(HISTORY, min_periods=1)
    return seen.median().to_numpy()[len(past) :], seen.max().to_numpy()[len(past) :]


def _pruned(
    alarms: list[Alarm], scores: NDArray[np.floating], moved: list[tuple[int, int]], least: float
) -> list[Alarm]:
    """The alarms whose peaks stand out: from the highest on, the last that is a share `least` above the next, and those
    before it.

    The lowest is compared with the highest score outside all alarms and where the level had not `moved`, steps from and
    before. Hundman et al., KDD 2018, section 3.3; here of the scores' roots.
    """
    if not alarms or not least:
        return alarms
    outside = np.where(np.isfinite(scores), scores, -np.inf)
    for start, stop in [*((alarm.start, alarm.end + 1) for alarm in alarms), *moved]:
        outside[start:stop] = -np.inf
    ranked = sorted(alarms, key=lambda alarm: -alarm.peak)
    peaks = root(np.array([alarm.peak for alarm in ranked] + [outside.max()]))
    stands_out = np.flatnonzero(peaks[:-1] - peaks[1:] > least * np.abs(peaks[:-1]))
    kept = ranked[: stands_out[-1] + 1] if len(stands_out) else []
    return sorted(kept, key=lambda alarm: alarm.start)


def under_alarm(alarms: list[Alarm], num_steps: int) -> NDArray[np.bool_]:
    """Whether each step lies in an alarm, (T,)."""
    covered = np.zeros(num_steps, dtype=bool)
    for alarm in alarms:
        covered[alarm.start : alarm.end + 1] = True
    return covered
