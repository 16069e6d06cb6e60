"""Resampled metrics against scikit-learn on series that are really put together, and all draws of few channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_references import all_resamples, pooled_series, resample, unhurried
from references import slow_auroc, slow_average_precision
from sklearn.metrics import average_precision_score, roc_auc_score

from metrics import bootstrap
from metrics.bootstrap import BootstrapIntervals, bootstrap_intervals, resampled_metrics


@unhurried
@given(pooled_series(both_classes=False), st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 4096]))
def test_resampled_metrics_equal_sklearn_on_the_resampled_series(sample: tuple, seed: int, block: int) -> None:
    labels, scores, lengths = sample
    weights = np.random.default_rng(seed).integers(0, 4, size=(10, len(lengths)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "BLOCK", block)
        aurocs, precisions = resampled_metrics(labels, scores, lengths, weights)
    for draw, area, precision in zip(weights, aurocs, precisions, strict=True):
        drawn_labels, drawn_scores = resample(labels, lengths, draw), resample(scores, lengths, draw)
        if len(set(drawn_labels.tolist())) < 2:
            assert np.isnan(area)
            assert np.isnan(precision)
        else:
            assert area == pytest.approx(roc_auc_score(drawn_labels, drawn_scores), abs=1e-12)
            assert precision == pytest.approx(average_precision_score(drawn_labels, drawn_scores), abs=1e-12)


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
    assert bootstrap_intervals(labels, np.arange(len(labels)), lengths) == BootstrapIntervals(None, None)
