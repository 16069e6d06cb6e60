"""The corrected event-wise F-score against its formula from counted steps, and worked examples."""

import numpy as np
import pytest
from hypothesis import given
from metric_references import alarmed_series, slow_corrected_event_f05, split, unhurried

from metrics.corrected_events import corrected_event_f
from metrics.events import event_metrics


@unhurried
@given(alarmed_series())
def test_the_score_equals_the_slow_reference_in_any_order_of_channels(sample: tuple) -> None:
    labels, alarms, lengths = sample
    if not labels.any():
        assert corrected_event_f(labels, alarms, lengths) is None
        return
    expected = pytest.approx(slow_corrected_event_f05(labels, alarms, lengths), abs=1e-12)
    assert corrected_event_f(labels, alarms, lengths) == expected
    turned = [np.concatenate(split(values, lengths)[::-1]) for values in (labels, alarms)]
    assert corrected_event_f(*turned, lengths[::-1]) == expected


def test_worked_example() -> None:
    labels = [1, 1, 0, 0, 0, 0, 1, 0, 0, 0]
    alarms = [0, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    # 0-1 is found, 6 is missed, the alarm 4 is false: 1/2 and 1/2; 2 of 7 normal steps are under alarm: 1/2 * 5/7
    precision, recall = 5 / 14, 1 / 2
    expected = 1.25 * precision * recall / (0.25 * precision + recall)
    assert corrected_event_f(labels, alarms, [10]) == pytest.approx(expected)
    expected = 2 * precision * recall / (precision + recall)
    assert corrected_event_f(labels, alarms, [10], beta=1) == pytest.approx(expected)


def test_an_alarm_over_everything_gets_nothing_for_finding_everything() -> None:
    labels, everything = np.repeat([0, 1, 0], [50, 5, 45]), np.ones(100)
    assert event_metrics(labels, everything, [100]).f1 == 1
    assert corrected_event_f(labels, everything, [100]) == 0


@unhurried
@given(alarmed_series())
def test_perfect_alarms_get_one_and_without_false_steps_nothing_is_corrected(sample: tuple) -> None:
    labels, alarms, lengths = sample
    if not labels.any():
        return
    assert corrected_event_f(labels, labels, lengths) == 1
    within = alarms & (labels == 1)  # no normal step is under alarm: nothing to correct
    assert corrected_event_f(labels, within, lengths, beta=1) == pytest.approx(
        event_metrics(labels, within, lengths).f1
    )


def test_edges() -> None:
    assert corrected_event_f([0, 1, 0], [0, 0, 0], [3]) == 0
    assert corrected_event_f([0, 1, 0], [1, 0, 0], [3]) == 0
    assert corrected_event_f([0, 0, 0], [0, 1, 0], [3]) is None
    assert corrected_event_f([1, 1], [0, 1], [2]) == 1  # without normal steps nothing is false
