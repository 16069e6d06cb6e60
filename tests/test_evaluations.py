"""Metrics against slow references written from their definitions, and the properties that define them."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import connected_regions, slow_auroc, slow_average_precision, slow_pro
from sklearn.metrics import average_precision_score, roc_auc_score

from metrics.pictures import format_metrics, per_region_overlap, picture_metrics
from metrics.ranking import auroc, average_precision

unhurried = settings(deadline=None, max_examples=60, database=None)


@st.composite
def masks_and_score_maps(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Masks and score maps (N, H, W) with both classes; few distinct scores make ties."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 9)), draw(st.integers(2, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = (rng.random(shape) < draw(st.sampled_from([0.05, 0.2, 0.5, 0.9]))).astype(np.uint8)
    masks[0, 0, :2] = 0, 1
    scores = rng.normal(size=shape) + draw(st.sampled_from([-1.0, 0.0, 1.0, 3.0])) * masks
    decimals = draw(st.sampled_from([0, 1, 8]))
    return masks, np.round(scores, decimals).astype(draw(st.sampled_from([np.float32, np.float64])))


@st.composite
def labels_and_scores(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores (T,) with both classes and ties."""
    size = draw(st.integers(2, 40))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    labels[:2] = 0, 1
    scores = draw(st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=size, max_size=size))
    return labels, np.array(scores, dtype=float)


@unhurried
@given(masks_and_score_maps(), st.sampled_from([0.05, 0.3, 0.5, 1.0]))
def test_pro_equals_the_slow_reference(sample: tuple[np.ndarray, np.ndarray], max_fpr: float) -> None:
    masks, score_maps = sample
    expected = slow_pro(masks, score_maps, max_fpr)
    assert per_region_overlap(masks, score_maps, max_fpr) == pytest.approx(expected, abs=1e-9)


@unhurried
@given(masks_and_score_maps())
def test_pro_integrates_to_a_rate_of_three_tenths_and_lies_in_0_1(sample: tuple[np.ndarray, np.ndarray]) -> None:
    masks, score_maps = sample
    value = per_region_overlap(masks, score_maps)
    assert value == per_region_overlap(masks, score_maps, 0.3)
    assert 0 <= value <= 1 + 1e-12


def drawn_masks() -> np.ndarray:
    """Three pictures: regions of 1 and 25 pixels, two squares that touch at a corner, and a normal picture."""
    masks = np.zeros((3, 12, 12), dtype=np.uint8)
    masks[0, 1, 1] = 1
    masks[0, 5:10, 5:10] = 1
    masks[1, 2:4, 2:4] = 1
    masks[1, 4:7, 4:7] = 1
    return masks


def test_pro_of_drawn_regions_equals_the_slow_reference() -> None:
    masks = drawn_masks()
    assert [len(connected_regions(mask)) for mask in masks] == [2, 1, 0]
    rng = np.random.default_rng(0)
    for strength in (0.0, 0.5, 2.0):
        score_maps = rng.normal(size=masks.shape) + strength * masks
        assert per_region_overlap(masks, score_maps) == pytest.approx(slow_pro(masks, score_maps), abs=1e-9)


def test_pro_weighs_every_region_the_same() -> None:
    masks = drawn_masks()
    score_maps = np.zeros(masks.shape)
    score_maps[0, 1, 1] = 2  # one region of three, found before any normal pixel
    one_third = (1 / 3 + (1 / 3 + 0.3 * 2 / 3)) / 2  # then all other pixels at once: a straight line to (1, 1)
    assert per_region_overlap(masks, score_maps) == pytest.approx(one_third)
    score_maps = np.zeros(masks.shape)
    score_maps[0, 5:10, 5:10] = 2
    assert per_region_overlap(masks, score_maps) == pytest.approx(one_third)


def test_pro_takes_regions_that_touch_at_a_corner_as_one() -> None:
    masks, score_maps = drawn_masks()[1:2], np.zeros((1, 12, 12))
    score_maps[0, 2:4, 2:4] = 1  # 4 of the 13 pixels of one region, not one of two regions
    start = 4 / 13
    assert per_region_overlap(masks, score_maps) == pytest.approx(start + 0.15 * (1 - start))


def test_pro_counts_regions_of_two_pictures_apart_and_false_positives_over_all() -> None:
    masks = np.zeros((2, 2, 2), dtype=np.uint8)
    masks[0, 1] = masks[1, 0] = 1  # the last row of one picture, the first row of the next
    score_maps = np.array([[[5, 0], [4, 4]], [[3, 3], [2, 1]]], dtype=float)
    # (0, 0), (1/4, 0), (1/4, 1/2), (1/4, 1), ...: nothing is found below a rate of 1/4, all from there on
    assert per_region_overlap(masks, score_maps) == pytest.approx(0.05 / 0.3)


@unhurried
@given(masks_and_score_maps())
def test_pro_of_perfect_scores_is_one_and_of_inverted_ones_zero(sample: tuple[np.ndarray, np.ndarray]) -> None:
    masks, _ = sample
    assert per_region_overlap(masks, masks.astype(float)) == pytest.approx(
        slow_pro(masks, masks.astype(float)), abs=1e-12
    )
    distinct = np.random.default_rng(0).permutation(masks.size).reshape(masks.shape) / masks.size
    assert per_region_overlap(masks, masks + distinct / 2) == pytest.approx(1)
    assert per_region_overlap(masks, distinct / 2 - masks) == pytest.approx(0)


@unhurried
@given(masks_and_score_maps())
def test_monotone_transforms_of_the_scores_change_nothing(sample: tuple[np.ndarray, np.ndarray]) -> None:
    masks, score_maps = sample
    ranks = np.unique(score_maps, return_inverse=True)[1].reshape(masks.shape)
    for transformed in (ranks, ranks**3 - 1e6, np.exp(ranks / masks.size)):
        assert per_region_overlap(masks, transformed) == pytest.approx(per_region_overlap(masks, score_maps))
        assert auroc(masks, transformed) == pytest.approx(auroc(masks, score_maps))


@unhurried
@given(masks_and_score_maps(), st.randoms(use_true_random=False))
def test_order_of_pictures_and_value_of_masks_do_not_matter(sample: tuple[np.ndarray, np.ndarray], random) -> None:
    masks, score_maps = sample
    order = random.sample(range(len(masks)), len(masks))
    expected = pytest.approx(per_region_overlap(masks, score_maps))
    assert per_region_overlap(masks[order], score_maps[order]) == expected
    assert per_region_overlap(masks * 255, score_maps) == expected
    assert per_region_overlap(masks > 0, score_maps) == expected


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_only_is_undefined_and_says_nothing(value: int) -> None:
    masks, score_maps = np.full((2, 4, 4), value, dtype=np.uint8), np.random.default_rng(0).random((2, 4, 4))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert per_region_overlap(masks, score_maps) is None
        assert auroc(masks, score_maps) is None
        assert auroc([value] * 5, np.arange(5)) is None
        assert average_precision(np.full(7, value), np.arange(7.0)) is None
        pictures = picture_metrics([value] * 2, np.arange(2.0), masks, score_maps, with_pro=True)
    assert caught == []
    assert pictures == {"detection": None, "localisation": None, "pro": None}


@unhurried
@given(labels_and_scores())
def test_auroc_equals_sklearn_and_the_comparison_of_pairs(sample: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = sample
    assert auroc(labels, scores) == pytest.approx(slow_auroc(labels, scores), abs=1e-12)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-14)
    assert auroc(labels.tolist(), scores.tolist()) == auroc(labels, scores)


@unhurried
@given(labels_and_scores())
def test_average_precision_equals_the_references(sample: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = sample
    assert average_precision(labels, scores) == pytest.approx(slow_average_precision(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-14)


def test_small_integer_labels_do_not_overflow() -> None:
    labels = np.ones(1000, dtype=np.uint8)
    labels[:100] = 0
    scores = np.linspace(0, 1, 1000, dtype=np.float32)
    assert auroc(labels, scores) == 1.0
    assert average_precision(labels, scores) == pytest.approx(1)


def test_known_values() -> None:
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert auroc(labels, scores) == 0.75
    assert average_precision(labels, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert auroc(labels, np.zeros(4)) == 0.5
    assert auroc(labels, -labels) == 0


def test_picture_metrics_are_detection_localisation_and_on_request_pro() -> None:
    rng = np.random.default_rng(3)
    masks = drawn_masks()
    score_maps = (rng.normal(size=masks.shape) + masks).astype(np.float32)
    labels, scores = [1, 1, 0], np.array([0.2, 0.9, 0.4], dtype=np.float32)
    metrics = picture_metrics(labels, scores, masks, score_maps, with_pro=True)
    assert metrics["detection"] == 0.5
    assert metrics["localisation"] == pytest.approx(slow_auroc(masks.ravel(), score_maps.ravel()))
    assert metrics["pro"] == pytest.approx(slow_pro(masks, score_maps))
    without = picture_metrics(labels, scores, masks, score_maps, with_pro=False)
    assert without == {name: metrics[name] for name in ("detection", "localisation")}


def test_metrics_are_over_what_is_labelled_and_what_has_masks() -> None:
    rng = np.random.default_rng(0)
    labels = [0, 1, -1, 1, 0, 1]
    masked = [True, True, False, False, True, True]
    masks, maps, scores = np.zeros((6, 8, 8), np.uint8), rng.random((6, 8, 8)), rng.random(6)
    masks[1, 2:5, 3:6] = masks[5, :2, :2] = 1
    found = picture_metrics(labels, scores, masks, maps, True, masked)
    rows = np.array([0, 1, 4, 5])
    assert found["detection"] == pytest.approx(roc_auc_score([0, 1, 1, 0, 1], scores[[0, 1, 3, 4, 5]]))
    assert found["localisation"] == pytest.approx(roc_auc_score(masks[rows].ravel(), maps[rows].ravel()))
    assert found["pro"] == pytest.approx(slow_pro(masks[rows], maps[rows]))


@pytest.mark.parametrize(
    ("labels", "masked", "told"),
    [
        ([0, 1, 1], [True, False, False], "localisation AUROC undefined (no masks)  PRO undefined (no masks)"),
        ([1, 1, 1], [False, False, False], "(one class only)  localisation AUROC undefined (no masks)"),
        (
            [-1, -1, -1],
            [False, False, False],
            "detection AUROC undefined (no labels)  localisation AUROC undefined (no",
        ),
        ([0, 0, -1], [True, True, False], "(one class only)  localisation AUROC undefined (one class only)"),
        ([0, 1, 1], [True, True, True], "localisation AUROC undefined (one class only)"),  # empty masks
    ],
    ids=["no masks", "defects alone", "no labels", "good alone", "empty masks"],
)
def test_what_is_undefined_has_its_reason(labels: list[int], masked: list[bool], told: str) -> None:
    maps = np.random.default_rng(0).random((3, 8, 8))
    found = picture_metrics(labels, maps[:, 0, 0], np.zeros((3, 8, 8), np.uint8), maps, True, masked)
    assert told in format_metrics(found)
