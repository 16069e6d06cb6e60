"""The layouts `gasf`, `gadf` and `mtf`, whose pixel (i, j) tells of the steps i and j."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drawing.layouts import MIN_SIDE, Layout, check_length, map_at_pixels, padded
from runtime.errors import InputError, unknown_name

CONSTANT_SPAN = 1e-6  # a window that spans less is constant: rescaling would draw its rounding errors


class _Pairwise:
    """What layouts share whose pixel (i, j) tells of the steps i and j: a picture (C, window, window)."""

    rows_alike = False
    cuttable = False

    def __init__(self, window: int) -> None:
        self.window: int | None = window
        self._side = window

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, window, window). Raises ValueError for more than `window` steps."""
        return np.stack([self._field(row) for row in padded(series, self._side)]).astype(np.float32)

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) -> scores (num_steps,): half the mean of row t plus half the mean of column t.

        Pixels that tell of repeated last values do not count.
        """
        check_length(num_steps, self._side)
        pixels = map_at_pixels(score_map, (self._side, self._side), stride)[:num_steps, :num_steps]
        return (pixels.mean(axis=0) + pixels.mean(axis=1)) / 2

    def _field(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError


class GramianAngularField(_Pairwise):
    """Values of a window, rescaled to [-1, 1] and taken as cosines of angles: how the angles of two steps add up.

    Pixel (i, j) is cos(a_i + a_j) by summation, sin(a_i - a_j) by difference, a = arccos(rescaled value)
    (Wang & Oates, IJCAI 2015, "Imaging Time-Series to Improve Classification and Imputation", section 2.1).
    A constant window has no range to rescale; its values are taken as 0: -1 by summation, 0 by difference.
    """

    def __init__(self, window: int, method: Literal["summation", "difference"]) -> None:
        super().__init__(window)
        if method not in ("summation", "difference"):
            raise unknown_name("method", method, ["summation", "difference"])
        self.method = method

    def _field(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, span = values.min(), np.ptp(values)
        cos = np.zeros_like(values) if span < CONSTANT_SPAN else np.clip(2 * (values - low) / span - 1, -1, 1)
        sin = np.sqrt(1 - cos**2)
        if self.method == "summation":
            return np.outer(cos, cos) - np.outer(sin, sin)
        return np.outer(sin, cos) - np.outer(cos, sin)


class MarkovTransitionField(_Pairwise):
    """Values of a window sorted into `n_bins` quantile bins: how often one step's bin is followed by another's.

    Pixel (i, j) is the share of the steps in the bin of step i whose next step lies in the bin of step j
    (Wang & Oates, IJCAI 2015, "Imaging Time-Series to Improve Classification and Imputation", section 2.2).
    A value on the edge of two bins belongs to the lower. A constant window never leaves its bin: 1 everywhere.
    """

    def __init__(self, window: int, n_bins: int) -> None:
        super().__init__(window)
        self.n_bins = n_bins

    def _field(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if np.ptp(values) < CONSTANT_SPAN:
            return np.ones((len(values), len(values)))
        edges = np.percentile(values, np.linspace(0, 100, self.n_bins + 1)[1:-1])
        bins = np.searchsorted(edges, values)
        counts = np.zeros((self.n_bins, self.n_bins))
        np.add.at(counts, (bins[:-1], bins[1:]), 1)
        # the bin of the last step may have no next step
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        return shares[np.ix_(bins, bins)]


def gasf(config: Any) -> Layout:
    """The layout that the settings describe. Raises InputError for sizes that make no picture."""
    return GramianAngularField(_side(config), "summation")


def gadf(config: Any) -> Layout:
    """The layout that the settings describe. Raises InputError for sizes that make no picture."""
    return GramianAngularField(_side(config), "difference")


def mtf(config: Any) -> Layout:
    """The layout that the settings describe. Raises InputError for sizes that make no picture."""
    if config.mtf_bins < 2:
        raise InputError(f"layout mtf: mtf_bins = {config.mtf_bins} is not allowed. Set mtf_bins to 2 or more.")
    return MarkovTransitionField(_side(config), config.mtf_bins)


def _side(config: Any) -> int:
    if config.window < MIN_SIDE:
        raise InputError(
            f"layout {config.layout}: window = {config.window} is not allowed, as it is the side of the picture. "
            f"Set window to {MIN_SIDE} or more."
        )
    return config.window
