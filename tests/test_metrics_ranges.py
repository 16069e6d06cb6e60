"""Range areas and volumes against a reference that counts every threshold from scratch, and worked examples."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_references import pooled_series, slow_extended_labels, slow_volumes, split, unhurried
from sklearn.metrics import average_precision_score, roc_auc_score

from metrics.ranges import RangeMetrics, volume_under_surface

R = np.sqrt(1 / 2)  # weight of the only buffer step of a window of 2


@unhurried
@given(pooled_series(), st.sampled_from([0, 1, 2, 5, 12]))
def test_all_four_equal_the_slow_reference(sample: tuple, max_window: int) -> None:
    labels, scores, lengths = sample
    expected = slow_volumes(labels, scores, lengths, max_window)
    assert astuple(volume_under_surface(labels, scores, lengths, max_window)) == pytest.approx(expected, abs=1e-10)


def test_longer_series_with_many_intervals_equal_the_slow_reference() -> None:
    rng = np.random.default_rng(0)
    labels = (np.sin(np.arange(240) / 7) + 0.3 * rng.normal(size=240) > 0.9).astype(int)
    scores = rng.normal(size=240) + labels
    expected = slow_volumes(labels, scores, [100, 1, 139], 40)
    assert astuple(volume_under_surface(labels, scores, [100, 1, 139], 40)) == pytest.approx(expected, abs=1e-10)


def test_worked_example_of_one_interval() -> None:
    labels, scores = [0, 0, 1, 0, 0, 0], [1, 5, 4, 0, 3, 2]
    # windows 0 and 1 have no buffer: one positive behind one of five negatives
    plain = volume_under_surface(labels, scores, [6], 1)
    assert astuple(plain) == pytest.approx((4 / 5, 1 / 2, 4 / 5, 1 / 2))
    # window 2: steps 1 and 3 weigh R. Threshold 5 predicts step 1, so F = 0, B = R, P' = 1 + R / 2, E = 1
    tpr, fpr, precision = R / (1 + R / 2), (1 - R) / (5 - R / 2), R
    # threshold 4 predicts step 2 too: TPR = min((1 + R) / (1 + R / 2), 1) = 1, FPR as before, precision (1 + R) / 2;
    # from there on TPR is 1
    roc = tpr * fpr / 2 + (1 - fpr)
    pr = tpr * precision + (1 - tpr) * (1 + R) / 2
    expected = (roc, pr, (2 * 4 / 5 + roc) / 3, (2 * 1 / 2 + pr) / 3)
    assert astuple(volume_under_surface(labels, scores, [6], 2)) == pytest.approx(expected)


def test_worked_example_of_intervals_that_join() -> None:
    labels, scores = [0, 1, 0, 1, 0, 0, 0], [0.3, 5, 0.2, 7, 0.1, 0, 6]
    # no buffer: step 3 finds 1 of 2 steps, 1 of 2 intervals, TPR 1/4; step 6, FPR 1/5; step 1, TPR 1, precision 2/3
    apart = (1 / 4 * 1 / 5 + 4 / 5, 1 / 4 + 3 / 4 * 2 / 3)
    assert astuple(volume_under_surface(labels, scores, [7], 0)) == pytest.approx(apart * 2)
    # window 2: both reach step 2, so they are one extended interval, found with step 3: TPR 1/2
    joined = (1 / 2 * 1 / 5 + 4 / 5, 1 / 2 + 1 / 2 * 2 / 3)
    metrics = volume_under_surface(labels, scores, [7], 2)
    assert (metrics.range_auc_roc, metrics.range_auc_pr) == pytest.approx(joined)
    # a border between steps 2 and 3 keeps them apart
    metrics = volume_under_surface(labels, scores, [3, 4], 2)
    assert (metrics.range_auc_roc, metrics.range_auc_pr) == pytest.approx(apart)


def test_buffers_end_at_the_border_of_their_channel() -> None:
    labels, scores = [0, 0, 1, 0, 0, 0], [1, 2, 3, 9, 0, 0.5]
    # step 3 is found first and belongs to the next channel: a false alarm, TPR 0 at FPR 1/5, then 1
    metrics = volume_under_surface(labels, scores, [3, 3], 2)
    assert (metrics.range_auc_roc, metrics.range_auc_pr) == pytest.approx((4 / 5, 1 / 2))
    # within one channel it is buffer
    assert volume_under_surface(labels, scores, [6], 2).range_auc_roc > 0.9


def test_constant_scores_are_one_threshold_and_their_pr_area_is_the_mean_weight() -> None:
    labels = [0, 0, 1, 1, 0, 0, 0, 0]
    metrics = volume_under_surface(labels, np.zeros(8), [8], 2)
    assert metrics.range_auc_pr == pytest.approx((2 + 2 * R) / 8)
    fpr = (8 - 2 - 2 * R) / (8 - 2 - R)
    assert metrics.range_auc_roc == pytest.approx(fpr / 2 + (1 - fpr))


@unhurried
@given(pooled_series(), st.integers(0, 12))
def test_monotone_transforms_change_nothing(sample: tuple, max_window: int) -> None:
    labels, scores, lengths = sample
    expected = pytest.approx(astuple(volume_under_surface(labels, scores, lengths, max_window)), abs=1e-12)
    ranks = np.unique(scores, return_inverse=True)[1]
    for transformed in (ranks, ranks.astype(float) ** 3 - 1e6, np.exp(ranks / 100).astype(np.float32)):
        assert astuple(volume_under_surface(labels, transformed, lengths, max_window)) == expected


@unhurried
@given(pooled_series(), st.integers(0, 12))
def test_order_of_channels_does_not_matter(sample: tuple, max_window: int) -> None:
    labels, scores, lengths = sample
    turned = [np.concatenate(split(values, lengths)[::-1]) for values in (labels, scores)]
    expected = astuple(volume_under_surface(labels, scores, lengths, max_window))
    assert astuple(volume_under_surface(*turned, lengths[::-1], max_window)) == pytest.approx(expected, abs=1e-12)


@unhurried
@given(pooled_series(), st.integers(0, 40))
def test_perfect_scores_give_one_and_all_scores_lie_in_0_1(sample: tuple, max_window: int) -> None:
    labels, scores, lengths = sample
    distinct = np.random.default_rng(0).permutation(len(labels)) / len(labels)
    for perfect in (labels, labels + distinct / 2):
        assert astuple(volume_under_surface(labels, perfect, lengths, max_window)) == pytest.approx((1, 1, 1, 1))
    for value in astuple(volume_under_surface(labels, scores, lengths, max_window)):
        assert -1e-12 <= value <= 1 + 1e-12


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_one_interval_without_buffer_is_sklearns_areas_ties_included(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros(30, dtype=int)
    labels[rng.integers(0, 15) : rng.integers(16, 30)] = 1
    scores = np.round(rng.normal(size=30), decimals)
    metrics = volume_under_surface(labels, scores, [30], 0)
    assert metrics.vus_roc == metrics.range_auc_roc == pytest.approx(roc_auc_score(labels, scores))
    assert metrics.vus_pr == metrics.range_auc_pr == pytest.approx(average_precision_score(labels, scores))


def test_reference_extends_labels_as_worked_out_by_hand() -> None:
    extended, groups = slow_extended_labels(np.array([0, 0, 1, 0, 0, 1, 0]), [4, 3], 4)
    half, quarter = np.sqrt(1 / 2), np.sqrt(3 / 4)  # at distances 2 and 1
    assert extended == pytest.approx([half, quarter, 1, quarter, quarter, 1, quarter])
    assert groups == [{0, 1, 2, 3}, {4, 5, 6}]
    assert slow_extended_labels(np.array([0, 1, 0, 1, 0]), [5], 2)[0] == pytest.approx([R, 1, 1, 1, R])


@pytest.mark.parametrize("labels", [[0], [1], [0, 0, 0], [1, 1]])
def test_one_class_is_undefined(labels: list[int]) -> None:
    undefined = RangeMetrics(None, None, None, None)
    assert volume_under_surface(labels, np.arange(len(labels)), [len(labels)]) == undefined


def test_a_negative_window_is_an_error() -> None:
    with pytest.raises(ValueError, match="max_window is a number of steps >= 0, not -1"):
        volume_under_surface([0, 1], [0, 1], [2], -1)
