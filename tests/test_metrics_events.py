"""Runs of ones and event-wise counts against loops over sets of steps, and worked examples."""

import numpy as np
import pytest
from hypothesis import given
from metric_references import pooled_series, slow_event_counts, slow_intervals, split, unhurried

from metrics.events import EventMetrics, event_metrics, intervals_of


@unhurried
@given(pooled_series(both_classes=False))
def test_intervals_equal_the_slow_reference(sample: tuple) -> None:
    labels, _, lengths = sample
    assert intervals_of(labels, lengths).tolist() == [list(pair) for pair in slow_intervals(labels, lengths)]


def test_intervals_end_at_the_border_of_their_channel() -> None:
    mask = [1, 1, 1, 0, 1, 1]
    assert intervals_of(mask, [6]).tolist() == [[0, 2], [4, 5]]
    assert intervals_of(mask, [2, 3, 1]).tolist() == [[0, 1], [2, 2], [4, 4], [5, 5]]
    assert intervals_of(mask, [0, 2, 0, 4, 0]).tolist() == [[0, 1], [2, 2], [4, 5]]
    assert intervals_of([0, 0], [1, 1]).shape == intervals_of([], []).shape == (0, 2)


@pytest.mark.parametrize("lengths", [[2, 2], [], [4, -1]])
def test_lengths_that_do_not_fit_are_an_error_that_says_so(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"{len(lengths)} channels add up to {sum(lengths)} steps.* has 3 steps"):
        intervals_of([0, 1, 0], lengths)


@unhurried
@given(pooled_series(both_classes=False))
def test_counts_equal_the_slow_reference(sample: tuple) -> None:
    labels, scores, lengths = sample
    for threshold in (-1.0, 0.5, 1.5):
        metrics = event_metrics(labels, scores > threshold, lengths)
        counts = (metrics.num_found, metrics.num_missed, metrics.num_false_alarms)
        assert counts == slow_event_counts(labels, scores > threshold, lengths)


def test_worked_example() -> None:
    labels = [0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1]
    alarms = [1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0]
    # one channel: the alarm 0-1 finds 1-2, the alarm 4-7 finds 5 and 7, the alarm 9 is false, 10-11 is missed
    expected = EventMetrics(3, 1, 1, precision=3 / 4, recall=3 / 4, f1=6 / 8)
    assert event_metrics(labels, alarms, [12]) == expected
    # a border before step 1 cuts the first alarm: its part 0 is false now, its part 1 still finds 1-2
    assert event_metrics(labels, alarms, [1, 11]) == EventMetrics(3, 1, 2, 3 / 5, 3 / 4, 6 / 9)
    # a border before step 2 cuts the interval 1-2: 1 is found, 2 is missed
    assert event_metrics(labels, alarms, [2, 10]) == EventMetrics(3, 2, 1, 3 / 4, 3 / 5, 6 / 9)


def test_several_alarms_on_one_interval_count_once() -> None:
    assert event_metrics([1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [5]) == EventMetrics(1, 0, 0, 1.0, 1.0, 1.0)


def test_what_is_undefined_is_none() -> None:
    quiet, one = [0, 0, 0], [0, 1, 0]
    assert event_metrics(one, quiet, [3]) == EventMetrics(0, 1, 0, precision=None, recall=0.0, f1=0.0)
    assert event_metrics(quiet, one, [3]) == EventMetrics(0, 0, 1, precision=0.0, recall=None, f1=None)
    assert event_metrics(quiet, quiet, [3]) == EventMetrics(0, 0, 0, None, None, None)
    assert event_metrics([1], [1], [1]) == EventMetrics(1, 0, 0, 1.0, 1.0, 1.0)


@unhurried
@given(pooled_series(both_classes=False))
def test_counts_of_channels_add_up_in_any_order(sample: tuple) -> None:
    labels, scores, lengths = sample
    alarms = scores > 0.5
    metrics = event_metrics(labels, alarms, lengths)
    parts = [
        event_metrics(part, alarm, [len(part)])
        for part, alarm in zip(split(labels, lengths), split(alarms, lengths), strict=True)
    ]
    for name in ("num_found", "num_missed", "num_false_alarms"):
        assert getattr(metrics, name) == sum(getattr(part, name) for part in parts)
    perfect = event_metrics(labels, np.array(labels), lengths)
    assert (perfect.num_missed, perfect.num_false_alarms) == (0, 0)
