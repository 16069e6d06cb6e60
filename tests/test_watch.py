"""Alarms of a whole series and of a stream against a loop over its steps, for all settings."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from alarm_references import slow_alarms
from conftest import plain_policy
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import ChannelScores
from evaluation import alarms as alarms_module
from evaluation import watch as watch_module
from evaluation.alarms import Policy, limits, raise_alarms
from evaluation.causes import Causes
from evaluation.frames import Scored
from evaluation.thresholds import Learnt, root
from evaluation.watch import Limits, Watch
from metrics.events import Alarm
from serving import stream as stream_module
from serving.stream import Stream

NAN = np.nan
LEARNT = Learnt(4.0, 1.0)
HISTORY = 25  # instead of 10,000 steps, so that it is full in these tests

policies = st.builds(
    Policy,
    threshold=st.sampled_from(["maxima", "maxima", "q0.9", "5"]),
    risk=st.just(6.0),
    contrast=st.sampled_from([0.0, 0.25, 0.5]),
    release=st.sampled_from([0.0, 0.5, 1.0]),
    join=st.sampled_from([0, 1, 2, 3, 8]),
    least_length=st.sampled_from([1, 1, 2, 4]),
    prune=st.sampled_from([0.0, 0.0, 0.125, 0.5]),
    cool_down=st.sampled_from([0, 0, 2, 10]),
    moved_after=st.sampled_from([0, 0, 1, 2, 5, 12]),
    drift=st.sampled_from([0, 0, 1, 4, 9, 40]),
    causal=st.booleans(),
    factor=st.sampled_from([1.0, 1.0, 0.25, 2.25]),
)
# a level that stays for a while, noise upon it, and whether it was measured; in halves, so that sums are exact
pieces = st.tuples(
    st.integers(-2, 14), st.integers(1, 14), st.integers(0, 3), st.sampled_from([True, True, True, False])
)
learnt_of = st.sampled_from(
    [Learnt(4.0, 1.0), Learnt(4.0, 0.0), Learnt(6.25, 2.25), Learnt(4.0, None), Learnt(0.25, 0.25)]
)


@st.composite
def series(draw: st.DrawFn) -> np.ndarray:
    """Scores (T,): squares of distances in halves that stay on a level, walk and jump."""
    parts = draw(st.lists(pieces, min_size=1, max_size=9))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    found = [
        (level + rng.integers(-noise, noise + 1, length)) / 2 if on else np.full(length, NAN)
        for level, length, noise, on in parts
    ]
    distances = np.concatenate(found)
    return np.sign(distances) * distances**2


@pytest.fixture(scope="module", autouse=True)
def short_history():
    """What is looked back over, and at once, is little, so that borders lie in the series of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alarms_module, "HISTORY", HISTORY)
        patch.setattr(stream_module, "HISTORY", HISTORY)
        patch.setattr(watch_module, "BLOCK", 17)
        yield


@settings(deadline=None, max_examples=500, database=None)
@given(series(), learnt_of, policies)
def test_alarms_are_those_of_a_loop_over_the_steps(scores: np.ndarray, learnt: Learnt, policy: Policy) -> None:
    alarms, going = raise_alarms(scores, learnt, policy)
    expected, kept = slow_alarms(scores, learnt, policy, history=HISTORY)
    assert alarms == expected
    assert going.tolist() == kept


@settings(deadline=None, max_examples=100, database=None)
@given(series(), st.integers(0, 99), policies)
def test_thresholds_may_change_from_step_to_step(scores: np.ndarray, seed: int, policy: Policy) -> None:
    thresholds = np.random.default_rng(seed).integers(1, 6, len(scores)) ** 2.0
    alarms, going = raise_alarms(scores, LEARNT, policy, thresholds)
    assert (alarms, going.tolist()) == slow_alarms(scores, LEARNT, policy, thresholds.tolist(), HISTORY)


# The same in a stream


class Itself:
    """A detector whose score is the value."""

    rows, reach, grid = ["score"], 0, 1

    def scores(self, channel: str, values: np.ndarray) -> ChannelScores:
        return ChannelScores(values.T)


class Known:
    """What was learnt elsewhere."""

    known = {"c": ["score"]}
    config = SimpleNamespace(smooth=1, trailing=False, columns=("all",))

    def __init__(self, learnt: Learnt, policy: Policy) -> None:
        self.policy, self._learnt = policy, learnt

    def learnt(self, channel: str) -> Learnt:
        return self._learnt

    def scored(self, channel, rows, of_columns, times, data_rows, watched) -> Scored:
        causes = Causes(["score"], None, None)
        return Scored(channel, times, rows[0], self._learnt, [], watched(rows[0]), causes, data_rows)


cuts = st.lists(st.sampled_from([1, 1, 2, 3, 7, 30]), min_size=1, max_size=5)


@settings(deadline=None, max_examples=100, database=None)
@given(series(), learnt_of, policies, cuts, st.booleans())
def test_a_stream_raises_the_alarms_of_the_series_whatever_the_pieces(
    tmp_path_factory: pytest.TempPathFactory,
    scores: np.ndarray,
    learnt: Learnt,
    policy: Policy,
    sizes: list[int],
    killed: bool,
) -> None:
    """It is saved and begun anew after every piece, or not; and ignores whether `causal` is set."""
    state = tmp_path_factory.getbasetemp() / "watch.npz"
    known = Known(learnt, policy)
    stream, found, flags, start, turn = Stream(Itself(), known, "c", None), [], [], 0, 0
    while start < len(scores):
        size = sizes[turn % len(sizes)]
        flags += stream.push(scores[start : start + size, None])["alarm"].tolist()
        found += stream.ended() if turn % 2 else []  # whoever does not ask finds them later
        if killed:
            stream.save(state)
            stream = Stream(Itself(), known, "c", None)
            stream.restore(state)
        start, turn = start + size, turn + 1
    flags += stream.finish()["alarm"].tolist()
    found += stream.ended(last=True)
    expected, kept = slow_alarms(scores, learnt, replace(policy, causal=True), history=HISTORY)
    assert found == expected
    assert flags == kept
    assert not stream._watch.moved, "what only a whole series asks for is not kept"


def test_a_stream_remembers_as_much_as_the_drift_asks_for() -> None:
    """Which is more than is looked back over else."""
    scores = np.linspace(1, 7, 200) ** 2
    for drift, expected in ((60, 0), (80, 1)):
        stream = Stream(Itself(), Known(LEARNT, replace(plain_policy("maxima"), drift=drift)), "c", None)
        for start in range(0, 200, 10):
            stream.push(scores[start : start + 10, None])
        stream.finish()
        assert len(stream.ended(last=True)) == expected


@settings(deadline=None, max_examples=100, database=None)
@given(series(), learnt_of, policies, st.integers(1, 20))
def test_the_alarm_that_lasts_is_the_one_that_ends_here(
    scores: np.ndarray, learnt: Learnt, policy: Policy, every: int
) -> None:
    """At any step it is the alarm of a series that ends there."""
    policy, measured = replace(policy, causal=True, least_length=1), np.flatnonzero(np.isfinite(scores))
    watch, ended = Watch(policy, learnt), []
    floors = np.full(len(measured), learnt.threshold)
    for start in range(0, len(measured), every):
        steps, done = measured[start : start + every], measured[:start]
        allowed = limits(scores[steps], floors[: len(steps)], learnt.usual, policy, scores[done])
        watch.push(root(scores[steps]), allowed, steps)
        ended += watch.ended()
        expected = slow_alarms(scores[: steps[-1] + 1], learnt, policy, history=HISTORY)[0]
        assert ended + ([watch.lasting] if watch.lasting else []) == expected


def test_a_state_is_json() -> None:
    watch = Watch(replace(plain_policy("maxima"), moved_after=6), Learnt(4.0, 1.0))
    scores = np.array([1.0, 9, 9, 9, 9, 9, 9, 9, 9, 25, 9, 9])
    watch.push(root(scores), Limits(*np.full((3, 12), 2.0)), np.arange(12))
    state = json.loads(json.dumps(asdict(watch.state)))
    assert asdict(Watch(watch.policy, Learnt(4.0, 1.0), state).state) == asdict(watch.state)
    assert state["ended"] and state["shift"] == 2.0


# By example: threshold 4, usual 1, and every policy but what is set is plain


def alarms(scores: list[float] | np.ndarray, learnt: Learnt = LEARNT, **policy) -> list[Alarm]:
    return raise_alarms(np.asarray(scores, dtype=float), learnt, replace(plain_policy("maxima"), **policy))[0]


def spans(found: list[Alarm]) -> list[tuple[int, int]]:
    return [(alarm.start, alarm.end) for alarm in found]


def test_an_alarm_is_a_run_of_steps_above_the_threshold() -> None:
    (first, second) = alarms([1, 4, 9, 16, 9, 4, 4, 25])
    assert first == Alarm(2, 4, 16.0, 3, 4.0, moved=False)  # the threshold itself is none
    assert second == Alarm(7, 7, 25.0, 7, 4.0)
    assert alarms([]) == alarms([NAN, NAN]) == alarms([4.0] * 9) == []


@pytest.mark.parametrize(("join", "expected"), [(0, 3), (1, 3), (2, 2), (4, 2), (5, 1)])
def test_alarms_that_lie_no_further_apart_than_join_are_one(join: int, expected: int) -> None:
    found = alarms([9, 9, 1, 9, 1, 1, 1, 1, 16, 1], join=join)
    assert len(found) == expected and found[0].start == 0 and found[-1].end == 8
    assert [alarm.peak for alarm in found] == [9.0] * (expected - 1) + [16.0]


def test_on_a_level_that_has_risen_slowly_an_alarm_goes_on_above_the_lowest_that_it_was_since() -> None:
    slowly = [1, 1.5, 2, 2.5, 3, 3.5, 4]
    up, back = [*slowly, 8, *[4] * 30], [*slowly, 8, *[1] * 20, *[3] * 30]
    assert spans(alarms(np.square(up), drift=3, join=50)) == [(7, 7)]
    assert spans(alarms(np.square(back), drift=3, join=50)) == [(7, 57)]  # in blocks of 17 steps


def test_steps_between_joined_parts_are_in_the_alarm_but_do_not_keep_it_going() -> None:
    scores = np.array([9, 1, 1, 9, 1.0])
    found, going = raise_alarms(scores, LEARNT, replace(plain_policy("maxima"), join=3))
    assert spans(found) == [(0, 3)] and going.tolist() == [True, False, False, True, False]


def test_steps_that_were_not_measured_neither_start_nor_cut_an_alarm() -> None:
    outage = [NAN] * 50
    assert spans(alarms([NAN, 9, *outage, 9, NAN, 1, *outage, 9, NAN])) == [(1, 52), (105, 105)]
    assert spans(alarms([9, 9, *outage, 9, 1], moved_after=5)) == [(0, 52)]
    assert spans(alarms([9, *outage, 9, 1], least_length=3)) == []  # two steps are known of


@settings(deadline=None, max_examples=200, database=None)
@given(series(), learnt_of, policies, st.data())
def test_more_steps_that_were_not_measured_change_nothing(
    scores: np.ndarray, learnt: Learnt, policy: Policy, data: st.DataObject
) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(scores)), max_size=30)))
    holed = np.insert(scores, places, NAN)
    steps = np.insert(np.arange(len(scores)), places, -1)  # of the scores as they were
    expected, going = raise_alarms(scores, learnt, policy)
    found, kept = raise_alarms(holed, learnt, policy)
    moved = [replace(alarm, start=steps[alarm.start], end=steps[alarm.end], at=steps[alarm.at]) for alarm in found]
    assert moved == expected
    np.testing.assert_array_equal(kept[steps >= 0], going)
    assert not kept[steps < 0].any()


def test_short_alarms_are_none() -> None:
    scores = np.array([9, 1, 9, 9, 1, 9, 9, 9, 1.0])
    policy = replace(plain_policy("maxima"), least_length=3)
    found, going = raise_alarms(scores, LEARNT, policy)
    assert spans(found) == [(5, 7)]
    assert np.flatnonzero(going).tolist() == [7]  # before that nobody could know


def test_in_the_time_after_an_alarm_only_a_higher_peak_starts_another() -> None:
    scores = [1, 16, 1, 9, 1, 25, 1, 1, 1, 1, 1, 9]
    assert spans(alarms(scores)) == [(1, 1), (3, 3), (5, 5), (11, 11)]
    found = alarms(scores, cool_down=5)
    assert spans(found) == [(1, 1), (5, 5), (11, 11)]
    assert [alarm.limit for alarm in found] == [4.0, 16.0, 4.0]
    assert spans(alarms(scores, cool_down=6)) == [(1, 1), (5, 5)]


def test_an_alarm_that_was_too_short_asks_for_no_rest() -> None:
    assert spans(alarms([1, 16, 1, 9, 9, 1], cool_down=9, least_length=2)) == [(3, 4)]


# A level that moves


def test_a_change_of_level_is_one_alarm() -> None:
    """Of so many steps; afterwards what stands out from the new level is found, and when it is back, from the old."""
    scores = np.repeat([1.0, 16, 1], [50, 300, 100])
    scores[200:203] = 64
    scores[400] = 9
    found = alarms(scores, moved_after=60)
    assert spans(found) == [(50, 109), (200, 202), (400, 400)]
    assert [alarm.moved for alarm in found] == [True, False, False]
    assert found[1].limit == pytest.approx((2 + 3) ** 2)  # the threshold is as far above the new level
    assert spans(alarms(scores, moved_after=0)) == [(50, 349), (400, 400)]
    assert spans(alarms(scores, moved_after=301)) == [(50, 349), (400, 400)]


def test_a_level_may_move_again() -> None:
    found = alarms(np.repeat([1.0, 16, 64, 16, 1], [20, 50, 50, 50, 20]), moved_after=10)
    # back from 64 to 16 is more than half-way: it is a level of its own
    assert spans(found) == [(20, 29), (70, 79), (120, 129)] and all(alarm.moved for alarm in found)


def test_the_level_is_that_of_the_second_half() -> None:
    scores = np.concatenate([np.ones(5), np.full(10, 400.0), np.full(40, 16.0), [49.0], np.full(5, 16.0)])
    (first, second) = alarms(scores, moved_after=20)
    assert spans([first, second]) == [(5, 24), (55, 55)] and first.moved and second.limit == pytest.approx(25)


def test_a_burst_now_and_then_is_no_new_level() -> None:
    scores = np.ones(400)
    scores[50::10] = 25
    found = alarms(scores, join=20, moved_after=100)
    assert len(found) > 1 and not any(alarm.moved for alarm in found)
    assert spans(alarms(np.where(np.arange(99) == 30, 25, 1), join=60, moved_after=20)) == [(30, 30)]
    assert not alarms(np.where(np.arange(99) == 30, 25, 1), join=60, moved_after=20)[0].moved


def test_without_a_usual_score_a_level_that_stays_alarms_on() -> None:
    found = alarms(np.full(25, 9.0), Learnt(4.0, None), moved_after=10)
    assert spans(found) == [(0, 9), (10, 19), (20, 24)]
