"""PatchCore's greedy coreset beside a slow one, and the memory that keeps it."""

import numpy as np
import pytest
import torch

from models.densities.coreset import PROJECTED, greedy_coreset
from models.densities.memory import MemoryDensity


def slow_coreset(features: np.ndarray, first: int, size: int) -> list[int]:
    """Each the furthest from the nearest of those before it, all distances anew for each."""
    chosen = [first]
    while len(chosen) < size:
        distances = [
            min(np.inf if n in chosen else np.linalg.norm(feature - features[m]) for m in chosen)
            for n, feature in enumerate(features)
        ]
        distances = [-1 if n in chosen else distance for n, distance in enumerate(distances)]
        chosen.append(int(np.argmax(distances)))
    return chosen


@pytest.mark.parametrize("seed", range(3))
def test_each_is_the_furthest_from_those_before_it(seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(60, 5))
    chosen = greedy_coreset(torch.from_numpy(features), 12, seed).tolist()
    assert chosen == slow_coreset(features, chosen[0], 12)


def test_two_choices_of_a_seed_are_alike_and_of_another_are_not() -> None:
    features = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    one, again, other = (greedy_coreset(features, 10, seed).tolist() for seed in (0, 0, 1))
    assert one == again != other


def test_nothing_is_kept_twice_and_no_more_than_there_is() -> None:
    alike = torch.ones(20, 4)
    assert len(set(greedy_coreset(alike, 8, 0).tolist())) == 8
    assert greedy_coreset(alike, 30, 0).tolist() == list(range(20))


def test_among_projections_nothing_is_much_further_than_without_them() -> None:
    """Johnson and Lindenstrauss: of far more planes than are looked at the choice covers nearly as well."""
    random = torch.Generator().manual_seed(0)
    centres = 8 * torch.randn(10, 4 * PROJECTED, generator=random)
    features = (centres[:, None] + torch.randn(10, 30, 4 * PROJECTED, generator=random)).flatten(0, 1)
    chosen = greedy_coreset(features, 10, 0)
    assert sorted((chosen // 30).tolist()) == list(range(10)), "one of every group"


def test_a_memory_keeps_the_rare_that_a_random_one_loses() -> None:
    random = torch.Generator().manual_seed(0)
    usual, rare = torch.randn(1, 6, 20, 50, generator=random), 40 + torch.randn(1, 6, 20, 1, generator=random)
    level, heads = torch.cat([usual, rare], dim=3), {}
    for greedy in (False, True):
        heads[greedy] = MemoryDensity(1, [6], 15, greedy)
        heads[greedy].fit([[level]], seed=1)
        assert heads[greedy].bank_0_0.shape == (15, 6)
    energies = {greedy: head([rare], torch.tensor([0]))[0].max() for greedy, head in heads.items()}
    assert energies[True] < 0.2 * energies[False]
