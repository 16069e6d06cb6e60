"""Alarms of several channels at one time are one incident: against a loop over all pairs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.incidents import SHARED, incidents_of
from metrics.events import Alarm

MINUTES = pd.date_range("2026-03-28 23:00", periods=400, freq="min", tz="UTC")


def alarm(start: int, end: int) -> Alarm:
    return Alarm(start, end, 1.0, start, 1.0)


def numbers(*spans: list[tuple[int, int]], times: list[pd.DatetimeIndex | None] | None = None) -> list[list[int]]:
    """The incidents of channels with alarms at these steps, by default minutes of one clock."""
    alarms = [[alarm(*span) for span in channel] for channel in spans]
    return incidents_of(alarms, times or [MINUTES] * len(spans))


def test_alarms_are_one_incident_where_half_of_the_shorter_lies_in_the_other() -> None:
    assert SHARED == 0.5
    assert numbers([(0, 20)], [(10, 30)]) == [[1], [1]]
    assert numbers([(0, 20)], [(11, 31)]) == [[1], [2]]
    assert numbers([(0, 300)], [(295, 305)]) == [[1], [1]]  # of the shorter
    assert numbers([(0, 300)], [(296, 306)]) == [[1], [2]]
    assert numbers([(0, 100)], [(50, 50)], [(100, 100)], [(101, 101)]) == [[1], [1], [1], [2]]


def test_alarms_of_one_channel_are_one_incident_by_that_of_another_only() -> None:
    assert numbers([(0, 5), (5, 5)]) == [[1, 2]]
    assert numbers([(0, 20), (21, 40)], [(100, 140)]) == [[1, 2], [3]]
    assert numbers([(0, 20), (21, 40)], [(0, 40)]) == [[1, 1], [1]]


def test_incidents_are_counted_as_they_begin() -> None:
    assert numbers([(50, 60), (200, 220)], [], [(0, 9), (51, 60)]) == [[2, 3], [], [1, 2]]
    assert numbers() == [] and numbers([], []) == [[], []]


def test_what_joins_an_incident_may_bring_others_to_it() -> None:
    assert numbers([(0, 20)], [(10, 30)], [(20, 40)]) == [[1], [1], [1]]


def test_times_decide_and_not_steps() -> None:
    """One clock in two zones, at two rates and in two units; of naive times nobody knows the zone."""
    berlin = pd.date_range("2026-03-29 00:00", periods=200, freq="2min", tz="Europe/Berlin").as_unit("s")
    assert berlin[0] == MINUTES[0]
    assert numbers([(100, 120)], [(50, 60)], times=[MINUTES, berlin]) == [[1], [1]]
    assert numbers([(100, 120)], [(100, 120)], times=[MINUTES, berlin]) == [[1], [2]]
    later = MINUTES + pd.Timedelta(1, "h")
    assert numbers([(100, 120)], [(40, 60)], times=[MINUTES, later]) == [[1], [1]]
    wall = MINUTES.tz_localize(None)
    assert numbers([(100, 120)], [(100, 120)], times=[wall, wall]) == [[1], [1]]


def test_steps_of_channels_without_times_are_not_those_of_others() -> None:
    assert numbers([(0, 20)], [(0, 20)], [(0, 20)], [(0, 20)], times=[None, MINUTES, None, MINUTES]) == [
        [2],
        [1],
        [3],
        [1],
    ]


def test_nor_where_times_are_as_small_as_steps() -> None:
    first = pd.DatetimeIndex(np.arange(400).astype("datetime64[ns]"))
    assert numbers([(0, 20)], [(0, 20)], [(0, 20)], times=[None, first, first]) == [[2], [1], [1]]


def slow_incidents(spans: list[list[tuple[int, int]]]) -> list[list[int]]:
    """In the order of their begins every alarm joins the first of another channel that it shares half with."""
    order = sorted((start, end, c, n) for c, found in enumerate(spans) for n, (start, end) in enumerate(found))
    number: dict[tuple[int, int], int] = {}
    for place, (start, end, channel, n) in enumerate(order):
        joined = None
        for first, last, other, m in order[:place]:
            common = min(end, last) - max(start, first)
            if other != channel and common >= 0 and 2 * common >= min(end - start, last - first):
                joined = number[other, m]
                break
        number[channel, n] = joined or 1 + max(number.values(), default=0)
    return [[number[c, n] for n in range(len(found))] for c, found in enumerate(spans)]


@st.composite
def channels(draw: st.DrawFn) -> list[list[tuple[int, int]]]:
    """Alarms of up to four channels; those of one channel do not overlap."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        lengths = draw(st.lists(st.integers(1, 30), max_size=12))
        edges = np.cumsum([0, *lengths])
        found.append([(int(a), int(b) - 1) for a, b in zip(edges[:-1:2], edges[1::2], strict=False)])
    return found


@settings(deadline=None, max_examples=200, database=None)
@given(channels())
def test_incidents_against_a_loop_over_all_pairs(spans: list[list[tuple[int, int]]]) -> None:
    assert numbers(*spans) == slow_incidents(spans)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_channels_does_not_matter_to_begins_that_differ(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = rng.permutation(360)[:12].reshape(4, 3)
    spans = [[(int(s), int(s) + int(rng.integers(1, 30))) for s in sorted(row)] for row in starts]
    order = rng.permutation(4)
    found = numbers(*[spans[n] for n in order])
    assert [found[list(order).index(n)] for n in range(4)] == numbers(*spans)
