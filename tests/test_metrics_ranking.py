"""Ranking metrics against scikit-learn and a brute force over all thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_references import pooled_series, slow_best_f1, slow_f1, slow_point_adjusted_best_f1, split, unhurried
from references import slow_auroc, slow_average_precision
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score, roc_curve

from metrics.ranking import auroc, average_precision, best_f1, point_adjusted_best_f1, precision_points, roc_points
from metrics.ranks import ranks_among, ranks_of


@unhurried
@given(pooled_series())
def test_areas_equal_sklearn_and_the_definitions(sample: tuple) -> None:
    labels, scores, _ = sample
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-14)
    assert auroc(labels, scores) == pytest.approx(slow_auroc(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-14)
    assert average_precision(labels, scores) == pytest.approx(slow_average_precision(labels, scores), abs=1e-12)


@unhurried
@given(pooled_series())
def test_points_of_both_curves_equal_sklearns(sample: tuple) -> None:
    labels, scores, _ = sample
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc_points(ranks_of(labels, scores)), (fpr, tpr), atol=1e-14)
    precision, recall, _ = precision_recall_curve(labels, scores)
    np.testing.assert_allclose(precision_points(ranks_of(labels, scores)), (recall[::-1], precision[::-1]), atol=1e-14)


@unhurried
@given(pooled_series(both_classes=False))
def test_ranks_count_the_steps_at_and_above_every_score(sample: tuple) -> None:
    labels, scores, _ = sample
    ranks = ranks_of(labels, scores)
    assert ranks.thresholds.tolist() == sorted(set(scores.tolist()), reverse=True)
    assert ranks.predicted.tolist() == [np.count_nonzero(scores >= t) for t in ranks.thresholds]
    assert ranks.found.tolist() == [np.count_nonzero(labels[scores >= t]) for t in ranks.thresholds]
    np.testing.assert_array_equal(ranks.thresholds[ranks.place], scores)
    assert ranks.is_one_class == (len(set(labels.tolist())) < 2)


@unhurried
@given(pooled_series(both_classes=False), st.integers(0, 2**32 - 1))
def test_ranks_of_some_steps_are_those_of_sorting_them_alone(sample: tuple, seed: int) -> None:
    labels, scores, _ = sample
    chosen = np.random.default_rng(seed).random(len(scores)) < 0.5
    found = ranks_among(ranks_of(labels, scores), chosen, labels[chosen], scores[chosen])
    alone = ranks_of(labels[chosen], scores[chosen])
    for name in ("thresholds", "found", "predicted", "place"):
        np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))
    np.testing.assert_array_equal(scores[chosen][found.order], scores[chosen][alone.order])


@unhurried
@given(pooled_series())
def test_best_f1_equals_the_brute_force_and_sklearns_curve(sample: tuple) -> None:
    labels, scores, _ = sample
    f1, threshold = best_f1(labels, scores)
    assert (f1, threshold) == pytest.approx(slow_best_f1(labels, scores), abs=1e-12)
    assert f1_score(labels, scores >= threshold) == pytest.approx(f1, abs=1e-12)
    precision, recall, _ = precision_recall_curve(labels, scores)
    assert f1 == pytest.approx(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300)), abs=1e-12)


@unhurried
@given(pooled_series())
def test_point_adjusted_best_f1_equals_the_brute_force(sample: tuple) -> None:
    labels, scores, lengths = sample
    expected = slow_point_adjusted_best_f1(labels, scores, lengths)
    assert point_adjusted_best_f1(labels, scores, lengths) == pytest.approx(expected, abs=1e-12)


def test_worked_example() -> None:
    labels, scores = [0, 1, 1, 1, 0, 0], [0.9, 0.2, 0.8, 0.3, 0.8, 0.1]
    # >= 0.9: nothing; >= 0.8: 1 of 3 predicted, F1 2/6; >= 0.3: 2 of 4, 4/7; >= 0.2: 3 of 5, 6/8; >= 0.1: 3 of 6, 6/9
    assert best_f1(labels, scores) == (0.75, 0.2)
    # adjusted, 0.8 finds all three steps with the two false alarms 0 and 4
    assert point_adjusted_best_f1(labels, scores, [6]) == (0.75, 0.8)
    # a border before step 3 makes two intervals, of which 0.8 finds the first only: 2 of 4, F1 4/7; 0.3: 3 of 5
    assert point_adjusted_best_f1(labels, scores, [3, 3]) == (0.75, 0.3)


def test_equal_scores_are_alarms_together_and_the_highest_of_the_best_thresholds_is_given() -> None:
    assert best_f1([1, 0, 0, 1], np.ones(4)) == (pytest.approx(4 / 6), 1.0)
    # >= 4: 1 of 1, F1 2/3; >= 3: 1 of 2, 2/4; >= 2: 1 of 3, 2/5; >= 1: 2 of 4, 4/6 again
    assert best_f1([1, 0, 0, 1], [4, 3, 2, 1]) == (pytest.approx(2 / 3), 4.0)


@unhurried
@given(pooled_series())
def test_monotone_transforms_change_no_metric_and_carry_the_threshold_along(sample: tuple) -> None:
    labels, scores, lengths = sample
    distinct, ranks = np.unique(scores, return_inverse=True)
    for transformed in (ranks, ranks.astype(float) ** 3 - 1e6, np.exp(ranks / 100)):
        assert average_precision(labels, transformed) == pytest.approx(average_precision(labels, scores))
        for original, changed in [
            (best_f1(labels, scores), best_f1(labels, transformed)),
            (point_adjusted_best_f1(labels, scores, lengths), point_adjusted_best_f1(labels, transformed, lengths)),
        ]:
            assert changed[0] == pytest.approx(original[0])
            assert np.searchsorted(distinct, original[1]) == np.searchsorted(np.unique(transformed), changed[1])


@unhurried
@given(pooled_series())
def test_perfect_scores_give_one_and_adjusting_never_lowers_f1(sample: tuple) -> None:
    labels, scores, lengths = sample
    assert average_precision(labels, labels) == 1
    assert best_f1(labels, labels) == point_adjusted_best_f1(labels, labels, lengths) == (1.0, 1.0)
    assert point_adjusted_best_f1(labels, scores, lengths)[0] >= best_f1(labels, scores)[0]
    assert best_f1(labels, np.zeros(len(labels)))[0] == pytest.approx(slow_f1(labels, np.ones(len(labels))))


@unhurried
@given(pooled_series())
def test_order_of_channels_does_not_matter(sample: tuple) -> None:
    labels, scores, lengths = sample
    turned = [np.concatenate(split(values, lengths)[::-1]) for values in (labels, scores)]
    expected = point_adjusted_best_f1(labels, scores, lengths)
    assert point_adjusted_best_f1(*turned, lengths[::-1]) == pytest.approx(expected)
    assert best_f1(*turned) == pytest.approx(best_f1(labels, scores))
    assert average_precision(*turned) == pytest.approx(average_precision(labels, scores))


@pytest.mark.parametrize("labels", [[0], [1], [0, 0, 0], [1, 1]])
def test_one_class_is_undefined(labels: list[int]) -> None:
    scores = np.arange(len(labels))
    assert auroc(labels, scores) is None
    assert average_precision(labels, scores) is None
    assert best_f1(labels, scores) is None
    assert point_adjusted_best_f1(labels, scores, [len(labels)]) is None
