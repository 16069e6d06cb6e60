"""Score maps and picture scores against plain loops, and the properties they are defined by."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from references import resize_align_corners
from torch import Tensor

from models.flows import log_likelihood_maps
from post_process import add_score_map, mul_score_map, picture_scores

LEVELS = [(6, 8), (3, 4), (2, 1)]
SIZE = (13, 10)
each_map = pytest.mark.parametrize("score_map", [add_score_map, mul_score_map])
each_seed = pytest.mark.parametrize("seed", range(3))


def make_z(seed: int, batch: int = 3, scale: float = 1.0) -> list[Tensor]:
    """Levels with different numbers of planes, as a ResNet's."""
    generator = torch.Generator().manual_seed(seed)
    planes = [4, 6, 10]
    return [
        scale * torch.randn(batch, channels, *size, generator=generator, dtype=torch.float64)
        for channels, size in zip(planes, LEVELS, strict=True)
    ]


def make_logp(seed: int, batch: int = 3, scale: float = 1.0) -> list[Tensor]:
    return log_likelihood_maps(make_z(seed, batch, scale))


def slow_log_likelihood(z: np.ndarray) -> np.ndarray:
    maps = np.zeros((len(z), *z.shape[2:]))
    for picture, y, x in np.ndindex(*maps.shape):
        maps[picture, y, x] = -sum(value**2 for value in z[picture, :, y, x]) / 2 / z.shape[1]
    return maps


def slow_add(logp: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    pictures = []
    for levels in zip(*logp, strict=True):
        p = sum(resize_align_corners(np.exp(level - level.max()), size) for level in levels)
        pictures.append(p.max() - p)
    return np.array(pictures)


def slow_mul(logp: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    pictures = []
    for levels in zip(*logp, strict=True):
        q = sum(resize_align_corners(level, size) for level in levels)
        p = np.exp(q - q.max())
        pictures.append(p.max() - p)
    return np.array(pictures)


@each_seed
def test_log_likelihood_is_minus_half_the_mean_square_over_the_planes(seed: int) -> None:
    z = make_z(seed)
    for level, maps in zip(z, log_likelihood_maps(z), strict=True):
        assert maps.shape == (3, *level.shape[2:])
        np.testing.assert_allclose(maps, slow_log_likelihood(level.numpy()), rtol=1e-12)


@each_seed
@pytest.mark.parametrize("size", [SIZE, (6, 8), (4, 4), (1, 1)], ids=str)
def test_score_maps_equal_the_slow_references(seed: int, size: tuple[int, int]) -> None:
    logp = make_logp(seed)
    arrays = [level.numpy() for level in logp]
    np.testing.assert_allclose(add_score_map(logp, size), slow_add(arrays, size), rtol=0, atol=1e-12)
    np.testing.assert_allclose(mul_score_map(logp, size), slow_mul(arrays, size), rtol=0, atol=1e-12)


@each_map
@each_seed
def test_pictures_of_a_batch_do_not_influence_each_other(score_map, seed: int) -> None:
    logp = make_logp(seed)
    together = score_map(logp, SIZE)
    for picture in range(3):
        alone = score_map([level[picture : picture + 1] for level in logp], SIZE)
        torch.testing.assert_close(together[picture : picture + 1], alone)


@settings(deadline=None, max_examples=60, database=None)
@given(
    st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 1.0, 5.0, 50.0]), st.sampled_from([torch.float32, torch.float64])
)
def test_scores_start_at_zero_and_are_bounded(seed: int, scale: float, dtype: torch.dtype) -> None:
    logp = [level.to(dtype) for level in make_logp(seed, batch=2, scale=scale)]
    for score_map, highest in ((add_score_map, len(logp)), (mul_score_map, 1)):
        maps = score_map(logp, SIZE)
        assert maps.shape == (2, *SIZE)
        assert (maps.amin(dim=(1, 2)) == 0).all()
        assert maps.isfinite().all()
        assert (maps <= highest).all()


@each_seed
def test_the_most_likely_place_scores_zero_and_less_likely_ones_more(seed: int) -> None:
    logp = make_logp(seed)
    q = sum(
        torch.from_numpy(np.array([resize_align_corners(picture, SIZE) for picture in level.numpy()])) for level in logp
    )
    maps = mul_score_map(logp, SIZE)
    for likelihood, scores in zip(q, maps, strict=True):
        assert scores.flatten()[likelihood.argmax()] == 0
        assert torch.equal(likelihood.flatten().argsort(descending=True), scores.flatten().argsort())


@each_map
@each_seed
@pytest.mark.parametrize("level", range(3))
def test_a_constant_added_to_a_level_changes_nothing(score_map, seed: int, level: int) -> None:
    """log_likelihood_maps leaves a constant out, so neither map may depend on it.

    "add" takes each level relative to its own maximum; in "mul" a constant passes through the resizing, whose weights
    sum to one, and cancels against the maximum.
    """
    logp = make_logp(seed)
    expected = score_map(logp, SIZE)
    logp[level] = logp[level] + torch.tensor([7.0, -300.0, 0.25], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(score_map(logp, SIZE), expected, rtol=0, atol=1e-10)


@each_map
def test_equally_likely_places_all_score_zero(score_map) -> None:
    logp = [torch.full((2, *size), -level - 1.0) for level, size in enumerate(LEVELS)]
    torch.testing.assert_close(score_map(logp, SIZE), torch.zeros(2, *SIZE), rtol=0, atol=1e-6)


@each_map
def test_an_unlikely_place_scores_highest_where_it_lies(score_map) -> None:
    logp = [torch.zeros(1, 9, 9) for _ in range(3)]
    for level in logp:
        level[0, 2, 6] = -5
    scores = score_map(logp, (33, 33))[0]  # corners on corners: cell 2 of 0..8 is pixel 8 of 0..32
    assert divmod(int(scores.argmax()), 33) == (8, 24)


@pytest.mark.parametrize("top_k", [1e-9, 0.004, 0.03, 0.5, 1.0])
def test_picture_score_is_the_mean_of_the_highest_pixels(top_k: float) -> None:
    maps = mul_score_map(make_logp(0), (20, 10))
    count = max(1, int(200 * top_k))
    expected = [np.sort(picture.numpy().ravel())[::-1][:count].mean() for picture in maps]
    np.testing.assert_allclose(picture_scores(maps, top_k), expected, rtol=1e-12)


def test_a_tiny_share_is_one_pixel_and_the_whole_is_the_mean() -> None:
    maps = torch.rand(4, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(picture_scores(maps, 1e-9), maps.amax(dim=(1, 2)))
    torch.testing.assert_close(picture_scores(maps, 1.0), maps.mean(dim=(1, 2)))
