"""A few features for many: so that none of them is far from one that is kept."""

import math

import torch
from torch import Tensor

PROJECTED = 128  # directions in which distances are told, where the features have more


def greedy_coreset(features: Tensor, size: int, seed: int) -> Tensor:
    """The numbers (size,) of those of some features (N, C) that are kept: each the furthest from all before it.

    Roth et al., "Towards Total Recall in Industrial Anomaly Detection" (PatchCore), CVPR 2022, section 3.2: the greedy
    choice of Sener & Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018,
    among random projections, which keep distances roughly (Dasgupta & Gupta, "An Elementary Proof of a Theorem of
    Johnson and Lindenstrauss", 2003). Projection and first feature are drawn by `seed`; with `size` at N or more all
    are kept. Takes time and memory of N x min(C, PROJECTED) for each that is kept, and in all.
    """
    count, planes = features.shape
    if size >= count:
        return torch.arange(count)
    random = torch.Generator().manual_seed(seed)
    if planes > PROJECTED:
        directions = torch.randn(planes, PROJECTED, generator=random) / math.sqrt(PROJECTED)
        features = features @ directions.to(features)
    features = features.contiguous()
    squares = features.square().sum(dim=1)
    chosen = [int(torch.randint(count, (1,), generator=random))]
    nearest = torch.full_like(squares, torch.inf)
    while len(chosen) < size:
        last = chosen[-1]
        # |a - b|^2 = |a|^2 - 2 a b + |b|^2; what is chosen is nearest to itself, and not chosen again
        distances = torch.addmv(squares, features, features[last], alpha=-2) + squares[last]
        torch.minimum(nearest, distances, out=nearest)
        nearest[last] = -torch.inf
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen)
