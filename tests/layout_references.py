"""Small layouts of every kind, score maps for them, and how torch reads such a map between its cells."""

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch.nn import functional as F

from drawing.fold import Fold
from drawing.layouts import Layout
from drawing.line import Line
from drawing.pairwise import GramianAngularField, MarkovTransitionField
from drawing.stretch import Stretch

STRIDES = [1, 4, 8, 16, 32]
WINDOWED = {
    "fold": Fold(48, 40),
    "gasf": GramianAngularField(96, "summation"),
    "gadf": GramianAngularField(96, "difference"),
    "mtf": MarkovTransitionField(96, 8),
}
EVERY = {"stretch": Stretch(32, 128), "line": Line(), **WINDOWED}
each_stride = pytest.mark.parametrize("stride", STRIDES)
each_layout = pytest.mark.parametrize("name", EVERY)
each_windowed = pytest.mark.parametrize("name", WINDOWED)
each_pairwise = pytest.mark.parametrize("name", ["gasf", "gadf", "mtf"])
few = settings(deadline=None, max_examples=25, database=None)
long_series = st.integers(300, 100_000)
any_stride = st.sampled_from(STRIDES)


def bump(centre: float, size: int, sigma: float) -> np.ndarray:
    return np.exp(-0.5 * ((np.arange(size) - centre) / sigma) ** 2)


def smooth_bound(stride: float, tau: float) -> float:
    """Largest error of linear interpolation of sin(t / tau) between points `stride` apart."""
    return (stride / tau) ** 2 / 8 + 1e-9


def cells_along(length: int, stride: int) -> np.ndarray:
    """The pixels on which the cells of a feature map stand."""
    return np.arange(0, length, stride)


def pixels_by_torch(cells: np.ndarray, size: tuple[int, int], stride: int) -> np.ndarray:
    """Bilinear interpolation between cells at multiples of the stride; behind the last its own value."""
    spanned = tuple((length - 1) // stride * stride + 1 for length in size)
    pixels = F.interpolate(torch.from_numpy(cells)[None, None], size=spanned, mode="bilinear", align_corners=True)
    missing = (0, size[1] - spanned[1], 0, size[0] - spanned[0])
    return F.pad(pixels, missing, mode="replicate")[0, 0].numpy()


def random_map(size: tuple[int, int], stride: int) -> np.ndarray:
    return np.random.default_rng(stride).normal(size=[-(-length // stride) for length in size])


def steps_of_picture(layout: Layout, num_steps: int) -> tuple[int, int]:
    return layout.to_image(np.zeros((num_steps, 1))).shape[1:]
