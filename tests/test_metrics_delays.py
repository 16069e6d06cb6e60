"""Delays of alarms against a loop over the steps of every interval, and worked examples."""

import numpy as np
import pytest
from hypothesis import given
from metric_references import alarmed_series, slow_delays, slow_event_counts, split, unhurried

from metrics.delays import DELAYS, delays
from metrics.metric import Options, Steps


def quantiles(labels: list[int], alarms: list[int], lengths: list[int]) -> tuple:
    """`delay_median` and `delay_90`."""
    options = Options(vus_window=5, bootstrap=0, point_adjust=False)
    return DELAYS.values(Steps(np.array(labels), np.zeros(len(labels)), np.array(alarms), lengths, options))


@unhurried
@given(alarmed_series())
def test_delays_equal_the_slow_reference(sample: tuple) -> None:
    assert delays(*sample).tolist() == slow_delays(*sample)


@unhurried
@given(alarmed_series())
def test_every_found_interval_has_one_delay_and_earlier_alarms_lower_it(sample: tuple) -> None:
    labels, alarms, lengths = sample
    assert len(delays(labels, alarms, lengths)) == slow_event_counts(labels, alarms, lengths)[0]
    earlier = np.concatenate([np.append(part[1:], 0) | part for part in split(alarms, lengths)])
    assert len(delays(labels, earlier, lengths)) >= len(delays(labels, alarms, lengths))
    assert not delays(labels, labels, lengths).any()
    assert not delays(labels, np.ones(len(labels)), lengths).any()


def test_worked_example() -> None:
    labels = [0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1]
    alarms = [0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0]
    # 1-3 is told of at 2; an alarm is running when 6-9 starts; 11-12 is missed
    assert delays(labels, alarms, [13]).tolist() == [1, 0]
    # a border before step 6 cuts the running alarm: its part in the next channel starts at 6
    assert delays(labels, alarms, [6, 7]).tolist() == [1, 0]
    # a border before step 7: the interval 7-9 is told of at 8
    assert delays(labels, alarms, [7, 6]).tolist() == [1, 0, 1]


def test_median_and_90_percent_quantile_are_over_the_intervals_found() -> None:
    # delays 0, 1, 2, 4 and a missed interval: median 1.5; 90 % lies at 0.9 * 3 = 2.7, that is 2 + 0.7 * 2
    labels = [1, 1, 1, 1, 1, 0] * 5
    alarms = [1, 0, 0, 0, 0, 0] + [0, 1, 0, 1, 0, 0] + [0, 0, 1, 0, 0, 0] + [0, 0, 0, 0, 1, 0] + [0, 0, 0, 0, 0, 1]
    assert quantiles(labels, alarms, [30]) == pytest.approx((1.5, 3.4))


def test_what_is_undefined_is_none() -> None:
    assert quantiles([0, 1, 0], [1, 0, 1], [3]) == (None, None)
    assert quantiles([0, 1, 1], [0, 0, 0], [3]) == (None, None)
    assert quantiles([0, 0, 0], [0, 1, 0], [3]) == (None, None)
    assert delays([], [], []).tolist() == []
