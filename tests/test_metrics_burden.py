"""Normal steps under alarm, repeated alarms and alarms on quiet data, against loops and worked examples."""

import numpy as np
import pytest
from hypothesis import given
from metric_references import alarmed_series, slow_repeated_alarms, split, unhurried

from metrics.burden import QUIET_ALARMS, normal_alarmed_share, quiet_alarms, repeated_alarms
from metrics.metric import Options, Steps


@unhurried
@given(alarmed_series())
def test_the_normal_share_is_counted_over_the_normal_steps(sample: tuple) -> None:
    labels, alarms, _ = sample
    normal = [bool(alarm) for label, alarm in zip(labels, alarms, strict=True) if not label]
    expected = sum(normal) / len(normal) if normal else None
    assert normal_alarmed_share(labels, alarms) == (None if expected is None else pytest.approx(expected))


def test_shares_of_normal_steps() -> None:
    assert normal_alarmed_share([1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]) == 1 / 4
    assert normal_alarmed_share([1, 1, 0, 0], [1, 1, 0, 0]) == 0
    assert normal_alarmed_share([1, 0], [0, 1]) == 1
    assert normal_alarmed_share([1, 1], [1, 1]) is None


@unhurried
@given(alarmed_series())
def test_repeated_alarms_equal_the_slow_reference_and_add_up_over_channels(sample: tuple) -> None:
    labels, alarms, lengths = sample
    found = repeated_alarms(labels, alarms, lengths)
    assert found == slow_repeated_alarms(labels, alarms, lengths)
    parts = zip(split(labels, lengths), split(alarms, lengths), strict=True)
    assert found == sum(repeated_alarms(label, alarm, [len(label)]) for label, alarm in parts)
    assert repeated_alarms(labels, labels, lengths) == repeated_alarms(labels, alarms | True, lengths) == 0


def test_worked_example_of_repeated_alarms() -> None:
    labels = [0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1]
    alarms = [1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1]
    # 1-4 has the alarms 0-1 and 3; 6-8 has 6 and 8-10; 10 has 8-10, its first
    assert repeated_alarms(labels, alarms, [11]) == 2
    # a border before step 3 makes 3 the first alarm of 3-4
    assert repeated_alarms(labels, alarms, [3, 8]) == 1
    assert repeated_alarms([0, 0, 0], [1, 0, 1], [3]) == 0
    assert repeated_alarms([1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [5]) == 2


def test_quiet_alarms_are_counted_per_10000_steps() -> None:
    assert quiet_alarms((3, 20_000)) == 1.5
    assert quiet_alarms((0, 500)) == 0
    assert quiet_alarms((1, 500)) == 20
    assert quiet_alarms((0, 0)) is quiet_alarms(None) is None


def test_quiet_alarms_need_neither_labels_nor_alarms_on_the_steps_judged() -> None:
    options = Options(vus_window=5, bootstrap=0, point_adjust=False)
    assert QUIET_ALARMS.values(Steps(None, np.zeros(3), None, [3], options, quiet=(2, 4_000))) == (5,)
    assert QUIET_ALARMS.values(Steps(None, np.zeros(3), None, [3], options)) == (None,)
