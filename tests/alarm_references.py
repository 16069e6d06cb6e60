"""The alarm policy written out step by step: loops over single numbers, from the words of default.py."""

import math
from dataclasses import dataclass

import numpy as np

from evaluation.alarms import Policy
from evaluation.thresholds import Learnt
from metrics.events import Alarm


def slow_root(score: float) -> float:
    return math.copysign(math.sqrt(abs(score)), score)


def slow_squared(distance: float) -> float:
    return math.copysign(distance * distance, distance)


def middle(values: list[float]) -> float:
    """The median: the middle one, or the mean of the two."""
    ranked = sorted(values)
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def is_learnt(rule: str) -> bool:
    return rule in ("maxima", "pot") or rule.startswith("q")


def slow_limits(
    distances: list[float], threshold: float, usual: float | None, policy: Policy, place: int, history: int
) -> tuple[float, float, float]:
    """Roots of the scores that the step at `place` must exceed to start an alarm and to keep one going.

    And the threshold, as far up as the running level has risen.
    """
    start = go_on = risen = slow_root(threshold)
    if is_learnt(policy.threshold):
        if policy.contrast:
            known = distances[max(place + 1 - history, 0) : place + 1] if policy.causal else distances
            way = policy.contrast * (max(known) - middle(known))
            start = max(start, middle(known) + way)
            go_on = max(go_on, middle(known) + policy.release * way)
        if policy.drift and usual is not None:
            level = slow_root(usual)
            before = ([level] * policy.drift + distances[:place])[-policy.drift :]
            risen += max(middle(before) - level, 0.0)
            start = max(start, risen)
    return start * math.sqrt(policy.factor), go_on * math.sqrt(policy.factor), risen * math.sqrt(policy.factor)


@dataclass
class Lasting:
    """An alarm that lasts: measured steps before its first and its latest, and what it is so far.

    Of all its steps distances, and the threshold as it had risen by then.
    """

    begun: int
    kept: int
    alarm: Alarm
    distances: list[float]
    risen: list[float]


def slow_alarms(
    scores: np.ndarray, learnt: Learnt, policy: Policy, thresholds: list[float] | None = None, history: int = 10_000
) -> tuple[list[Alarm], list[bool]]:
    """The alarms in scores (T,) and whether each step keeps one going; only measured steps are counted."""
    steps = [step for step, score in enumerate(scores) if not math.isnan(score)]
    distances = [slow_root(float(scores[step])) for step in steps]
    floor = slow_root(learnt.threshold) * math.sqrt(policy.factor)
    usual = None if learnt.usual is None else slow_root(learnt.usual)
    shift, lasting, before = 0.0, None, None
    found: list[Alarm] = []
    going, elsewhere = set(), set()

    def end(lasting: Lasting, after_long: bool) -> float:
        """Note an alarm that has ended; returns how far the usual level has moved by now."""
        level = middle(lasting.distances[-max(policy.moved_after // 2, 1) :])
        moved = after_long and level > floor + shift
        if lasting.kept - lasting.begun + 1 >= policy.least_length:
            first = lasting.alarm
            found.append(Alarm(first.start, first.end, first.peak, first.at, first.limit, moved))
        return max(level - usual, 0.0) if moved and usual is not None else shift

    for place, (step, distance) in enumerate(zip(steps, distances, strict=True)):
        threshold = learnt.threshold if thresholds is None else thresholds[step]
        start, go_on, risen = slow_limits(distances, threshold, learnt.usual, policy, place, history)
        if lasting is not None:
            long = policy.moved_after > 0 and place - lasting.begun >= policy.moved_after
            if long or place - lasting.kept > max(policy.join, 1):
                counted = len(found)
                shift = end(lasting, long)
                if len(found) > counted:
                    before = (lasting.kept, slow_root(found[-1].peak))
                lasting = None
        if lasting is None:
            if shift:
                elsewhere.add(step)
                if distance < usual + shift / 2:
                    shift = 0.0
            limit = max(start, floor + shift) if shift else start
            if policy.cool_down and before is not None and place - before[0] <= policy.cool_down:
                limit = max(limit, before[1])
            if distance > limit:
                new = Alarm(step, step, slow_squared(distance), step, slow_squared(limit))
                lasting = Lasting(place, place, new, [], [])
        if lasting is not None:
            lasting.distances.append(distance)
            lasting.risen.append(risen)
            if distance > max(go_on, min(lasting.risen), floor + shift if shift else go_on):
                lasting.kept, old = place, lasting.alarm
                peak, at = max((old.peak, -old.at), (slow_squared(distance), -step))
                lasting.alarm = Alarm(old.start, step, peak, -at, old.limit)
                if place - lasting.begun + 1 >= policy.least_length:
                    going.add(step)
    if lasting is not None:
        end(lasting, after_long=False)
    if not policy.causal and policy.prune and is_learnt(policy.threshold):
        found = slow_pruned(found, scores, elsewhere, policy.prune)
    kept = {step for alarm in found for step in range(alarm.start, alarm.end + 1)}
    return found, [step in going & kept for step in range(len(scores))]


def slow_pruned(alarms: list[Alarm], scores: np.ndarray, elsewhere: set[int], share: float) -> list[Alarm]:
    """From the highest peak on, up to the last that is `share` of itself above the next; the last is the normal."""
    inside = {step for alarm in alarms for step in range(alarm.start, alarm.end + 1)} | elsewhere
    normal = [float(s) for step, s in enumerate(scores) if step not in inside and not math.isnan(s)]
    ranked = sorted(alarms, key=lambda alarm: -alarm.peak)
    peaks = [slow_root(alarm.peak) for alarm in ranked] + [slow_root(max(normal, default=-math.inf))]
    kept = 0
    for number in range(len(ranked)):
        if peaks[number] - peaks[number + 1] > share * abs(peaks[number]):
            kept = number + 1
    return sorted(ranked[:kept], key=lambda alarm: alarm.start)
