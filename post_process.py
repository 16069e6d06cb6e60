"""From log-likelihood maps to anomaly score maps and picture scores (MSFlow section III-D)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=True)[:, 0]


def _picture_max(maps: Tensor) -> Tensor:
    return maps.amax(dim=(1, 2), keepdim=True)


def add_score_map(logp: list[Tensor], size: tuple[int, int]) -> Tensor:
    """MSFlow's "add": likelihoods relative to the picture's most likely place, summed over the levels.

    p = sum_l resize(exp(logp_l - max logp_l)); score = max p - p. Log-likelihood maps (B, H_l, W_l) -> (B, H, W).
    """
    p = torch.stack([_resize((level - _picture_max(level)).exp(), size) for level in logp]).sum(dim=0)
    return _picture_max(p) - p


def mul_score_map(logp: list[Tensor], size: tuple[int, int]) -> Tensor:
    """MSFlow's "mul": log-likelihoods summed over the levels, so that likelihoods multiply.

    q = sum_l resize(logp_l); p = exp(q - max q); score = max p - p. Log-likelihood maps (B, H_l, W_l) -> (B, H, W).
    """
    q = torch.stack([_resize(level, size) for level in logp]).sum(dim=0)
    p = (q - _picture_max(q)).exp()
    return _picture_max(p) - p


def energy_score_map(logp: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Energies -log p summed over the levels: unlike "add" and "mul" alike from picture to picture.

    score = sum_l placed(-logp_l), every cell where it looks from. Log-likelihood maps (B, H_l, W_l) -> (B, H, W).
    """
    return torch.stack([_placed(_placed(-level, size[0], 1), size[1], 2) for level in logp]).sum(dim=0)


def _placed(maps: Tensor, length: int, axis: int) -> Tensor:
    """Maps stretched along an axis to a length, linearly, cell i of n at pixel i length / n: the last end before it.

    That is where convolutions and pooling with padding on both sides have their centres. MSFlow's own maps have the
    last cell at the last pixel instead, which moves what is far from the first one by up to a cell.
    """
    cells = maps.shape[axis]
    place = torch.arange(length, device=maps.device, dtype=maps.dtype) * (cells / length)
    before = place.floor().clamp(max=cells - 1)
    after, share = (before + 1).clamp(max=cells - 1).long(), (place - before).clamp(0, 1)
    share = share[:, None] if axis == 1 else share
    return maps.index_select(axis, before.long()) * (1 - share) + maps.index_select(axis, after) * share


def picture_scores(score_map: Tensor, top_k: float) -> Tensor:
    """One score per picture: the mean of the highest `top_k` share of its map, "mul" for MSFlow. (B, H, W) -> (B,)."""
    pixels = score_map.flatten(1)
    return pixels.topk(max(1, int(pixels.shape[1] * top_k)), dim=1).values.mean(dim=1)
