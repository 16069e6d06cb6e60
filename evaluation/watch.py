"""The state between two steps of a series: whether an alarm lasts, and what level is usual by now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.thresholds import Learnt, root, squared
from metrics.events import Alarm

if TYPE_CHECKING:
    from evaluation.alarms import Policy

BLOCK = 4096  # steps that are looked at together: an alarm takes as long as so many, not as all that are left


class Limits(NamedTuple):
    """Roots of the scores that each of some measured steps must exceed, (T,) each.

    `start` starts an alarm. What lasts goes on above `go_on`, and above the least that `risen` was since it started:
    the threshold, as far up as the level had slowly risen by then. At no step is either higher than `start`.
    """

    start: NDArray[np.float64]
    go_on: NDArray[np.float64]
    risen: NDArray[np.float64]

    def part(self, steps: slice) -> Limits:
        """Those of some of the steps."""
        return Limits(*(roots[steps] for roots in self))

    def times(self, factor: float) -> Limits:
        """Those of scores so many times as high."""
        return Limits(*(roots * np.sqrt(factor) for roots in self))


@dataclass
class State:
    """What a watch knows after some steps, as JSON can hold it. All levels are roots of scores.

    `taken` counts the measured steps so far, and of the alarm that lasts `begun` and `kept` are the counts before its
    first and its latest; `begun` is None where there is none. `start`, `end` and `at` are numbers of steps, as `peak`
    and `limit` of that alarm, `risen` the least of the limits of that name since its start, and `recent` its latest
    distances. `last_kept` and `last_peak` are of the alarm before; `shift` is how far the usual level has moved since
    training. `ended` are alarms that nobody has asked for yet.
    """

    taken: int = 0
    begun: int | None = None
    kept: int = 0
    start: int = 0
    end: int = 0
    peak: float = 0.0
    at: int = 0
    limit: float = 0.0
    risen: float = 0.0
    recent: list[float] = field(default_factory=list)
    last_kept: int | None = None
    last_peak: float = 0.0
    shift: float = 0.0
    ended: list[list[Any]] = field(default_factory=list)


class Watch:
    """Raises and ends alarms as steps arrive, in pieces of any length, by a policy and what was learnt.

    An alarm starts above one limit and lasts while steps above others, no higher ones, follow each other within `join`
    steps. After `moved_after` steps it ends; where half of its latest lie above the threshold the level has moved: the
    median of its second half is usual from then on, until distances fall back half-way. Within `cool_down` steps of an
    alarm only a higher peak starts another. Alarms of fewer than `least_length` steps are none. Only steps that were
    measured count.
    """

    def __init__(self, policy: Policy, learnt: Learnt, state: dict[str, Any] | None = None) -> None:
        self.policy = policy
        self._floor = 0.0 if learnt.threshold is None else float(root(np.array(learnt.threshold)))
        self._floor *= float(np.sqrt(policy.factor))
        self._usual = None if learnt.usual is None else float(root(np.array(learnt.usual)))
        self._join = max(policy.join, 1)  # neighbours are one alarm
        self.state = State(**(state or {}))
        self.moved: list[tuple[int, int]] = []  # steps from and before which the level was another; not of a stream

    def push(self, distances: NDArray[np.float64], limits: Limits, steps: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Take the roots of the scores of more measured steps, the limits of each and their numbers, (N,) each.

        The limits are those of the learnt threshold; the policy's `factor` counts here.
        Returns which of them keep an alarm going, (N,): the steps between parts that were joined do not.
        """
        flags, limits = np.zeros(len(steps), dtype=bool), limits.times(self.policy.factor)
        place = 0
        while place < len(steps):
            block = slice(place, place + BLOCK)
            if self.state.begun is None:
                count = self._until_start(distances[block], limits.part(block), steps[block])
            else:
                count = self._until_end(distances[block], limits.part(block), steps[block], flags[block])
            self.state.taken += count
            place += count
        return flags

    def finish(self) -> list[Alarm]:
        """The alarms that have ended since the last call, and the one that lasts: nothing more will come."""
        if self.state.begun is not None:
            self._end(long=False)
        return self.ended()

    @property
    def lasting(self) -> Alarm | None:
        """The alarm that lasts, so far."""
        return None if self.state.begun is None else self._alarm(moved=False)

    def _alarm(self, moved: bool) -> Alarm:
        state = self.state
        peak, limit = (float(squared(np.array(distance))) for distance in (state.peak, state.limit))
        return Alarm(state.start, state.end, peak, state.at, limit, moved)

    def ended(self) -> list[Alarm]:
        """The alarms that have ended since the last call."""
        ended, self.state.ended = self.state.ended, []
        return [Alarm(*values) for values in ended]

    def _needed(self, roots: NDArray[np.float64]) -> NDArray[np.float64]:
        """The limits `roots`, where the level has moved by at least that much above what was learnt."""
        return np.maximum(roots, self._floor + self.state.shift) if self.state.shift else roots

    def _until_start(self, distances: NDArray[np.float64], limits: Limits, steps: NDArray[np.integer]) -> int:
        """Go on to the next alarm, or to the step at which the level is back; returns how many steps lie before it."""
        state, policy = self.state, self.policy
        needed = self._needed(limits.start)
        if policy.cool_down and state.last_kept is not None:
            cooling = state.taken + np.arange(len(steps)) - state.last_kept <= policy.cool_down
            needed = np.where(cooling, np.maximum(needed, state.last_peak), needed)
        start = _first(distances > needed)
        if state.shift:
            back = _first(distances < self._usual + state.shift / 2)
            if not policy.causal:
                self.moved.append((int(steps[0]), int(steps[min(back, start, len(steps) - 1)]) + 1))
            if back <= start and back < len(steps):  # where both, the level is back first
                state.shift = 0.0
                return back
        if start < len(steps):
            state.begun = state.kept = state.taken + start
            state.start = state.end = state.at = int(steps[start])
            state.peak, state.limit = float(distances[start]), float(needed[start])
            state.risen = float(limits.risen[start])
        return start

    def _until_end(
        self,
        distances: NDArray[np.float64],
        limits: Limits,
        steps: NDArray[np.integer],
        flags: NDArray[np.bool_],
    ) -> int:
        """Go on to the end of the alarm that lasts; sets `flags` and returns how many steps lie before it."""
        state, policy = self.state, self.policy
        # what the alarm itself adds to the running level must not end it, so the level before it counts
        risen = np.minimum.accumulate(np.minimum(limits.risen, state.risen))
        going = np.flatnonzero(distances > self._needed(np.maximum(limits.go_on, risen)))
        before = np.append(state.kept, state.taken + going)
        gap = _first(np.diff(before) > self._join)  # the first step that keeps going, but too late
        stop = int(before[gap]) + self._join + 1  # the count at which it has ended
        longest = state.begun + policy.moved_after if policy.moved_after else stop
        count = min(min(stop, longest) - state.taken, len(steps))
        state.risen = float(np.append(state.risen, risen)[count])
        inside = going[:gap][going[:gap] < count]
        if len(inside):
            highest = inside[int(distances[inside].argmax())]
            if distances[highest] > state.peak:
                state.peak, state.at = float(distances[highest]), int(steps[highest])
            state.kept, state.end = state.taken + int(inside[-1]), int(steps[inside[-1]])
            flags[inside[state.taken + inside - state.begun + 1 >= policy.least_length]] = True
        if policy.moved_after:
            state.recent = [*state.recent, *distances[:count].tolist()][-max(policy.moved_after // 2, 1) :]
        if count < len(steps):
            self._end(long=policy.moved_after > 0 and longest <= stop)
        return count

    def _end(self, long: bool) -> None:
        state = self.state
        level = float(np.median(state.recent)) if long else 0.0
        moved = long and level > self._floor + state.shift
        if state.kept - state.begun + 1 >= self.policy.least_length:
            state.ended.append(list(vars(self._alarm(moved)).values()))
            state.last_kept, state.last_peak = state.kept, state.peak
        if moved and self._usual is not None:
            state.shift = max(level - self._usual, 0.0)
        state.begun, state.recent = None, []


def _first(found: NDArray[np.bool_]) -> int:
    """The place of the first that is true, or the length of the array."""
    return int(found.argmax()) if found.any() else len(found)
