"""Alarms on held-out training scores: every part of them against the threshold of the others."""

from dataclasses import replace

import numpy as np
import pytest
from alarm_references import slow_alarms
from conftest import plain_policy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_watch import policies

from drawing.steps import PARTS
from evaluation.alarms import Policy
from evaluation.quiet import quiet_alarms
from evaluation.thresholds import Learnt, learn

NAN = np.nan


def slow_thresholds(known: list[float], policy: Policy) -> list[float]:
    """At every step what is learnt of all steps that lie in other fifths."""
    number = len(known)
    fifth = [next(p for p in range(5) if step < int((p + 1) * number / 5)) for step in range(number)]
    return [
        learn(
            policy.threshold, policy.risk, np.array([k for k, f in zip(known, fifth, strict=True) if f != own])
        ).threshold
        for own in fifth
    ]


@settings(deadline=None, max_examples=60, database=None)
@given(st.integers(5, 120), policies, st.integers(0, 10_000))
# a step at which the level is back, and which is an alarm by the limit of before: the threshold is below what is usual
@example(57, replace(plain_policy("q0.5"), moved_after=12, factor=0.25), 6654)
def test_every_part_is_judged_by_the_others(steps: int, policy: Policy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.gamma(2, size=steps) * np.repeat(rng.choice([1, 1, 4], steps // 7 + 1), 7)[:steps]
    policy = replace(policy, threshold=rng.choice(["q0.5", "q0.9", "maxima", "pot", "3"]))
    expected, _ = slow_alarms(
        scores, learn(policy.threshold, policy.risk, scores), policy, slow_thresholds(scores.tolist(), policy)
    )
    holed = np.insert(scores, rng.integers(0, steps, 30), NAN)
    assert quiet_alarms(scores, policy) == quiet_alarms(holed, policy) == (len(expected), steps)


def test_what_is_high_in_one_part_only_is_an_alarm() -> None:
    """By a threshold of all of the scores it would be none."""
    scores = np.random.default_rng(0).uniform(size=1000)
    scores[450:455], scores[900] = 50.0, 1.0
    policy = plain_policy("q1")
    assert learn("q1", 6.0, scores) == Learnt(50.0, float(np.median(scores)))
    assert quiet_alarms(scores, policy) == (1, 1000)


def test_scores_that_are_alike_are_silent() -> None:
    for rule in ("maxima", "pot", "q0.99"):
        assert quiet_alarms(np.full(700, 3.0), plain_policy(rule)) == (0, 700)


@pytest.mark.parametrize("known", range(PARTS))
def test_too_few_scores_say_nothing(known: int) -> None:
    scores = np.full(50, NAN)
    scores[10 : 10 + known] = 1.0
    assert quiet_alarms(scores, plain_policy("maxima")) == (0, 0)
