"""Affiliation metrics against numeric integration, and worked examples."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from metric_references import pooled_series, slow_affiliation, split, unhurried

from metrics.affiliation import AffiliationMetrics, affiliation_metrics


@unhurried
@given(pooled_series())
def test_precision_and_recall_equal_numeric_integration(sample: tuple) -> None:
    labels, scores, lengths = sample
    for threshold in (-0.5, 0.5, 1.5):
        metrics = affiliation_metrics(labels, scores > threshold, lengths)
        precision, recall = slow_affiliation(labels, scores > threshold, lengths)
        assert metrics.precision == (None if precision is None else pytest.approx(precision, abs=1e-10))
        assert metrics.recall == pytest.approx(recall, abs=1e-10)


def test_longer_series_equal_numeric_integration() -> None:
    rng = np.random.default_rng(0)
    for share in (0.005, 0.02, 0.3):
        labels = np.repeat(rng.random(40) < 0.2, 10).astype(int)
        alarms = rng.random(400) < share
        metrics = affiliation_metrics(labels, alarms, [90, 150, 160])
        expected = slow_affiliation(labels, alarms, [90, 150, 160])
        assert (metrics.precision, metrics.recall) == pytest.approx(expected, abs=1e-10)


def test_worked_example_of_one_event() -> None:
    labels, alarms = np.zeros(10), np.zeros(10)
    labels[4:6] = alarms[8] = 1  # event [4, 6), zone [0, 10), alarm [8, 9)
    # precision: distances 2 to 3, and 4 steps free on either side: P = 1 - (2 + 2 d) / 10, 0.3 at the mean of 2.5
    # recall: y in [4, 6) lies d = 8 - y, 4 to 2, from the alarm; [y - d, y + d] is in the zone: P = 1 - 2 d / 10,
    # 0.4 at the mean of 3
    expected = AffiliationMetrics(pytest.approx(0.3), pytest.approx(0.4), pytest.approx(2 * 0.3 * 0.4 / 0.7))
    assert affiliation_metrics(labels, alarms, [10]) == expected


def test_worked_example_of_two_events_and_an_alarm_across_their_zones() -> None:
    labels, alarms = np.zeros(12), np.zeros(12)
    labels[[1, 8, 9]] = alarms[4:6] = 1  # events [1, 2) and [8, 10), zones [0, 5) and [5, 12), alarm [4, 5) + [5, 6)
    # zone 1: d 2 to 3; only 1 step before the event: P = 1 - (1 + d + 1) / 5, 0.1 at 2.5
    # zone 2: d 3 to 2; only 2 steps after the event: P = 1 - (2 + d + 2) / 7, 1 / 14 at 2.5
    precision = (1 / 10 + 1 / 14) / 2
    # zone 1: y in [1, 2), d = 4 - y; y steps before it, more than d after it: P = 1 - (y + 4 - y) / 5 = 1 / 5
    # zone 2: y in [8, 10), d = y - 6; 12 - y < d from 9 on: integral of d + min(d, 12 - y) is 5 up to 9, 6 after it,
    # so 1 - 11 / 7 / 2 = 3 / 14
    recall = (1 / 5 + 3 / 14) / 2
    metrics = affiliation_metrics(labels, alarms, [12])
    assert (metrics.precision, metrics.recall) == pytest.approx((precision, recall))


def test_zones_without_alarm_lower_recall_and_leave_precision_alone() -> None:
    labels, alarms = np.zeros(20), np.zeros(20)
    labels[[4, 5, 14, 15]] = alarms[8] = 1  # zones [0, 10) and [10, 20): the first as in the example of one event
    expected = (0.3, 0.4 / 2)
    for lengths in ([20], [10, 10]):
        metrics = affiliation_metrics(labels, alarms, lengths)
        assert (metrics.precision, metrics.recall) == pytest.approx(expected)


def test_channels_without_an_event_have_no_zone() -> None:
    labels, alarms = np.zeros(30), np.zeros(30)
    labels[14:16] = alarms[18] = 1
    expected = affiliation_metrics(labels[10:20], alarms[10:20], [10])
    alarms[[0, 9, 20, 29]] = 1
    assert astuple(affiliation_metrics(labels, alarms, [10, 10, 10])) == pytest.approx(astuple(expected))


@unhurried
@given(pooled_series())
def test_perfect_alarms_give_one_and_order_of_channels_does_not_matter(sample: tuple) -> None:
    labels, scores, lengths = sample
    assert astuple(affiliation_metrics(labels, labels, lengths)) == pytest.approx((1, 1, 1))
    alarms = scores > 0.5
    turned = [np.concatenate(split(values, lengths)[::-1]) for values in (labels, alarms)]
    metrics, expected = affiliation_metrics(*turned, lengths[::-1]), affiliation_metrics(labels, alarms, lengths)
    for name, value in vars(expected).items():
        assert getattr(metrics, name) == (None if value is None else pytest.approx(value))
        assert value is None or -1e-12 <= value <= 1 + 1e-12


def test_what_is_undefined_is_none() -> None:
    quiet, one = [0, 0, 0], [0, 1, 0]
    assert affiliation_metrics(one, quiet, [3]) == AffiliationMetrics(None, 0.0, 0.0)
    assert affiliation_metrics(one, [1, 0, 0], [1, 2]) == AffiliationMetrics(None, 0.0, 0.0)  # alarm in no zone
    assert affiliation_metrics(quiet, one, [3]) == AffiliationMetrics(None, None, None)
    assert affiliation_metrics(quiet, quiet, [3]) == AffiliationMetrics(None, None, None)
    assert affiliation_metrics([1], [1], [1]) == AffiliationMetrics(1.0, 1.0, 1.0)
    assert affiliation_metrics([1, 1], [0, 1], [2]).precision == 1.0
