"""Resampled metrics against scikit-learn on series that are really put together, and all draws of few channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_references import all_resamples, pooled_series, resample, unhurried
from references import slow_auroc, slow_average_precision
from sklearn.metrics import average_precision_score, roc_auc_score

from metrics import bootstrap
from metrics.bootstrap import (
    BootstrapIntervals,
    bootstrap_differences,
    bootstrap_intervals,
    channel_draws,
    channels_won,
    percentile_intervals,
    resampled_metrics,
)


@unhurried
@given(pooled_series(both_classes=False), st.integers(0, 2**32 - 1), st.sampled_from([(2, 1), (7, 3), (512, 32)]))
def test_resampled_metrics_equal_sklearn_on_the_resampled_series(sample: tuple, seed: int, sizes: tuple) -> None:
    labels, scores, lengths = sample
    weights = np.random.default_rng(seed).integers(0, 4, size=(10, len(lengths)))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("SLICE", "BLOCK"), sizes, strict=True):
            patch.setattr(bootstrap, name, value)
        aurocs, precisions = resampled_metrics(labels, scores, lengths, weights)
    for draw, area, precision in zip(weights, aurocs, precisions, strict=True):
        drawn_labels, drawn_scores = resample(labels, lengths, draw), resample(scores, lengths, draw)
        if len(set(drawn_labels.tolist())) < 2:
            assert np.isnan(area)
            assert np.isnan(precision)
        else:
            assert area == pytest.approx(roc_auc_score(drawn_labels, drawn_scores), abs=1e-12)
            assert precision == pytest.approx(average_precision_score(drawn_labels, drawn_scores), abs=1e-12)


def test_series_too_long_for_float32_are_summed_in_float64() -> None:
    labels, scores, lengths = three_channels()
    weights = np.random.default_rng(0).integers(1, 4, size=(10, 3))
    expected = resampled_metrics(labels, scores, lengths, weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "MANY", 0)
        rounded = resampled_metrics(labels, scores, lengths, weights)
        patch.setattr(bootstrap, "MOST_EXACT", 100)
        np.testing.assert_allclose(resampled_metrics(labels, scores, lengths, weights), expected, rtol=1e-12)
    assert np.abs(rounded[1] - expected[1]).max() > 1e-12


def test_of_many_thresholds_float32_leaves_eight_digits() -> None:
    rng = np.random.default_rng(0)
    labels, scores, lengths = rng.random(20_000) < 0.3, rng.normal(size=20_000), [4000] * 5
    weights = rng.integers(0, 4, size=(20, 5))
    found = resampled_metrics(labels, scores, lengths, weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "MANY", 10**9)
        np.testing.assert_allclose(found, resampled_metrics(labels, scores, lengths, weights), rtol=1e-8)


def three_channels() -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Channels of unlike quality; the last has no labelled step, so one draw of 27 has one class only."""
    rng = np.random.default_rng(5)
    labels, lengths = np.zeros(60, dtype=int), [20, 25, 15]
    labels[5:9] = labels[30:40] = 1
    strength = np.repeat([3.0, 0.5, 0.0], lengths)
    return labels, np.round(rng.normal(size=60) + strength * labels, 1), lengths


@pytest.mark.parametrize("confidence", [0.95, 0.6])
def test_intervals_are_the_percentiles_over_all_draws_of_three_channels(confidence: float) -> None:
    labels, scores, lengths = three_channels()
    draws = [draw for draw in all_resamples(3) if draw != [0, 0, 3]]
    assert len(draws) == 26
    series = [(resample(labels, lengths, draw), resample(scores, lengths, draw)) for draw in draws]
    intervals = bootstrap_intervals(labels, scores, lengths, num_resamples=20_000, confidence=confidence, seed=1)
    for slow_metric, (low, high) in [
        (slow_auroc, intervals.auroc),
        (slow_average_precision, intervals.average_precision),
    ]:
        values = np.array([slow_metric(*drawn) for drawn in series])
        for end, share in [(low, (1 - confidence) / 2), (high, (1 + confidence) / 2)]:
            # the exact distribution has 9 values: the percentile is where it steps over the share
            assert np.mean(values < end - 1e-9) <= share + 0.01
            assert np.mean(values < end + 1e-9) >= share - 0.01


def test_the_same_seed_draws_the_same_channels_for_every_score() -> None:
    labels, scores, lengths = three_channels()
    first = bootstrap_intervals(labels, scores, lengths, num_resamples=50, seed=3)
    assert bootstrap_intervals(labels, scores, lengths, num_resamples=50, seed=3) == first
    assert bootstrap_intervals(labels, np.exp(scores), lengths, num_resamples=50, seed=3) == first
    assert bootstrap_intervals(labels, scores[::-1], lengths, num_resamples=50, seed=3) != first


def test_one_channel_gives_its_own_value() -> None:
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    intervals = bootstrap_intervals(labels, scores, [4], num_resamples=7)
    assert intervals.auroc == pytest.approx((0.75, 0.75))
    assert intervals.average_precision == pytest.approx((0.5 + 0.5 * 2 / 3,) * 2)


def test_constant_and_perfect_scores() -> None:
    labels, _, lengths = three_channels()
    assert bootstrap_intervals(labels, np.zeros(60), lengths, num_resamples=50).auroc == (0.5, 0.5)
    perfect = bootstrap_intervals(labels, labels, lengths, num_resamples=50)
    assert perfect == BootstrapIntervals((1.0, 1.0), (1.0, 1.0))


@pytest.mark.parametrize("labels", [[0], [1], [0, 0, 0], [1, 1], []])
def test_one_class_is_undefined(labels: list[int]) -> None:
    lengths = [1] * len(labels)
    undefined = BootstrapIntervals(None, None)
    assert bootstrap_intervals(labels, np.arange(len(labels)), lengths) == undefined
    assert bootstrap_differences(labels, np.arange(len(labels)), np.zeros(len(labels)), lengths) == undefined


@unhurried
@given(pooled_series(), st.integers(0, 2**32 - 1), st.sampled_from([0.95, 0.5]))
def test_differences_are_the_percentiles_of_sklearns_on_the_resampled_series(
    sample: tuple, seed: int, confidence: float
) -> None:
    labels, scores, lengths = sample
    other = np.round(np.random.default_rng(seed).normal(size=len(labels)) + 0.5 * labels, 1)
    differences = []
    for draw in channel_draws(len(lengths), 6, seed):
        truth, a, b = (resample(values, lengths, draw) for values in (labels, scores, other))
        if len(set(truth.tolist())) == 2:
            metrics = roc_auc_score, average_precision_score
            differences.append([metric(truth, a) - metric(truth, b) for metric in metrics])
    found = bootstrap_differences(labels, scores, other, lengths, 6, confidence, seed)
    if not differences:
        assert found == BootstrapIntervals(None, None)
        return
    shares = [(1 - confidence) / 2, (1 + confidence) / 2]
    expected = np.quantile(differences, shares, axis=0)
    assert found.auroc == pytest.approx(expected[:, 0], abs=1e-12)
    assert found.average_precision == pytest.approx(expected[:, 1], abs=1e-12)


def test_draws_are_of_as_many_channels_as_there_are_each_alike_often() -> None:
    weights = channel_draws(5, 20_000)
    assert weights.shape == (20_000, 5) and (weights.sum(axis=1) == 5).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(5), abs=0.03)
    # each is left out of (1 - 1/5)^5 of the draws
    assert (weights == 0).mean(axis=0) == pytest.approx(np.full(5, 0.8**5), abs=0.02)


def test_differences_are_paired_and_change_sign_with_the_order_of_the_scores() -> None:
    labels, scores, lengths = three_channels()
    other = np.random.default_rng(1).normal(size=60) + labels
    forward = bootstrap_differences(labels, scores, other, lengths, num_resamples=200)
    backward = bootstrap_differences(labels, other, scores, lengths, num_resamples=200)
    for metric in ("auroc", "average_precision"):
        low, high = getattr(forward, metric)
        assert getattr(backward, metric) == pytest.approx((-high, -low))
    # channels of unlike quality spread the metrics of either, not their difference
    same = bootstrap_differences(labels, scores, np.exp(scores), lengths, num_resamples=200)
    assert same == BootstrapIntervals((0.0, 0.0), (0.0, 0.0))
    # from resamples that are there already
    a, b = (resampled_metrics(labels, values, lengths, channel_draws(3, 200)) for values in (scores, other))
    assert percentile_intervals((a[0] - b[0], a[1] - b[1])) == forward


def test_channels_are_won_by_the_higher_value_where_both_have_one() -> None:
    assert channels_won([0.9, 0.8, 0.5, None, 0.3, None], [0.1, 0.9, 0.5, 0.4, None, None]) == (1, 1)
    assert channels_won([3, 2, 1], [0, 0, 2]) == (2, 1)
    assert channels_won([], []) == (0, 0)
    with pytest.raises(ValueError):
        channels_won([1.0], [])
