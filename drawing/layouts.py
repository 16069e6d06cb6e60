"""Reversible ways to draw a channel as a picture and to read a score map back as time-step scores.

LAYOUTS is the registry, `make_layout` reads the settings. A layout draws one stretch of a series as a picture
(C, H, W), one plane per colour, and reads a map of that picture back as one score per time step.
Layouts with a `window` hold that many steps: `window_starts` cuts longer channels, `join_windows` joins the scores.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from drawing.steps import resampled
from runtime.errors import InputError, unknown_name

MIN_SIDE = 32  # pixels each way: with fewer the extractor's deepest feature map is too small to pad
CONSTANT_SPAN = 1e-6  # a window that spans less is constant: rescaling would draw its rounding errors


class Layout(Protocol):
    """What every layout can do. `window`: steps per picture, None where a picture holds a channel of any length."""

    window: int | None

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, H, W). A series shorter than `window` goes on with its last values."""

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) of a picture of `num_steps` steps -> scores (num_steps,).

        Cell (i, j) of the map stands at pixel (i * stride, j * stride), as in a network whose kernels are odd and
        padded alike on both sides. Between cells scores are interpolated linearly, behind the last they stay.
        """


def _at_pixels(cells: NDArray[np.floating], length: int, stride: int) -> NDArray[np.float64]:
    """Linear interpolation along the last axis from cells at 0, stride, 2 stride, .. to `length` pixels.

    (..., length / stride) -> (..., length). Raises ValueError where the number of cells belongs to another stride.
    """
    last = cells.shape[-1] - 1
    # a convolution without padding rounds the number of cells down, all others round it up
    if not max(1, length // stride) <= last + 1 <= -(-length // stride):
        raise ValueError(
            f"{last + 1} cells at stride {stride} do not cover {length} pixels, {-(-length // stride)} would. "
            "Usual cause: the stride of another feature map."
        )
    position = np.minimum(np.arange(length) / stride, last)
    left = position.astype(int)
    right = np.minimum(left + 1, last)
    share = position - left
    return cells[..., left] * (1 - share) + cells[..., right] * share


def _map_at_pixels(score_map: NDArray[np.floating], size: tuple[int, int], stride: int) -> NDArray[np.float64]:
    """Bilinear interpolation of a score map (h, w) at a stride to the pixels (H, W) = `size` of its picture."""
    return _at_pixels(_at_pixels(score_map, size[1], stride).T, size[0], stride).T


def _padded(series: NDArray[np.floating], window: int) -> NDArray[np.float64]:
    """Series (T, C) -> one row of `window` steps per colour (C, window), the last value repeated at the end."""
    _check_length(len(series), window)
    return np.pad(series.T.astype(np.float64), ((0, 0), (0, window - len(series))), mode="edge")


def _check_length(num_steps: int, window: int) -> None:
    if not 1 <= num_steps <= window:
        raise ValueError(f"{num_steps} steps, but a picture holds 1 to {window}: cut the series by window_starts.")


class Stretch:
    """The reference report's layout: time squeezed or stretched to the picture's width, all rows alike."""

    window: int | None = None

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, height, width), a read-only view of one row per colour."""
        rows = resampled(series.T, self.width).astype(np.float32)
        return np.broadcast_to(rows[:, None, :], (len(rows), self.height, self.width))

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) -> one score per time step (num_steps,): mean over the rows, resampled.

        At stride 1 the map may have any width. At others its cells are first put on their pixels (see Layout).
        """
        row = score_map.mean(axis=0, dtype=np.float64)
        return resampled(row if stride == 1 else _at_pixels(row, self.width, stride), num_steps)


class Line:
    """One row, one column per time step: the whole channel at full resolution, a picture (C, 1, T)."""

    window: int | None = None

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, 1, T)."""
        return np.ascontiguousarray(series.T[:, None, :], dtype=np.float32)

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) -> scores (num_steps,): mean over the rows.

        Cells behind the last step, as of a picture that was padded at its end, are left out.
        """
        row = score_map.mean(axis=0, dtype=np.float64)
        return _at_pixels(row[: -(-num_steps // stride)], num_steps, stride)


class Fold:
    """Rows of `fold_width` consecutive steps one under the other, so that periods line up.

    The reshaping of TimesNet (Wu et al., ICLR 2023, section 3.1), with rows for its columns. A picture
    (C, rows, fold_width) holds window = fold_width * rows steps.
    """

    def __init__(self, fold_width: int, rows: int) -> None:
        self.fold_width = fold_width
        self.rows = rows
        self.window: int | None = fold_width * rows

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, rows, fold_width). Raises ValueError for more than `window` steps."""
        rows = _padded(series, self.rows * self.fold_width)
        return rows.reshape(-1, self.rows, self.fold_width).astype(np.float32)

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) -> scores (num_steps,): row after row."""
        _check_length(num_steps, self.rows * self.fold_width)
        return _map_at_pixels(score_map, (self.rows, self.fold_width), stride).ravel()[:num_steps]


class _Pairwise:
    """What layouts share whose pixel (i, j) tells of the steps i and j: a picture (C, window, window)."""

    def __init__(self, window: int) -> None:
        self.window: int | None = window
        self._side = window

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, window, window). Raises ValueError for more than `window` steps."""
        return np.stack([self._field(row) for row in _padded(series, self._side)]).astype(np.float32)

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) -> scores (num_steps,): half the mean of row t plus half the mean of column t.

        Pixels that tell of repeated last values do not count.
        """
        _check_length(num_steps, self._side)
        pixels = _map_at_pixels(score_map, (self._side, self._side), stride)[:num_steps, :num_steps]
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


def _stretch(config) -> Layout:
    return Stretch(*config.input_size)


def _line(config) -> Layout:
    return Line()


def _fold(config) -> Layout:
    if config.fold_width < MIN_SIDE:
        raise InputError(
            f"layout fold: fold_width = {config.fold_width} is not allowed, as it is the width of the picture. "
            f"Set fold_width to {MIN_SIDE} or more."
        )
    return Fold(config.fold_width, max(-(-config.window // config.fold_width), MIN_SIDE))


def _gasf(config) -> Layout:
    return GramianAngularField(_side(config), "summation")


def _gadf(config) -> Layout:
    return GramianAngularField(_side(config), "difference")


def _mtf(config) -> Layout:
    if config.mtf_bins < 2:
        raise InputError(f"layout mtf: mtf_bins = {config.mtf_bins} is not allowed. Set mtf_bins to 2 or more.")
    return MarkovTransitionField(_side(config), config.mtf_bins)


def _side(config) -> int:
    if config.window < MIN_SIDE:
        raise InputError(
            f"layout {config.layout}: window = {config.window} is not allowed, as it is the side of the picture. "
            f"Set window to {MIN_SIDE} or more."
        )
    return config.window


LAYOUTS: dict[str, Callable[..., Layout]] = {
    "stretch": _stretch,
    "line": _line,
    "fold": _fold,
    "gasf": _gasf,
    "gadf": _gadf,
    "mtf": _mtf,
}


def make_layout(config) -> Layout:
    """The layout that `config.layout` names, of the size that the settings give it.

    It reads input_size (stretch), window (fold, gasf, gadf, mtf), fold_width (fold) and mtf_bins (mtf).
    Raises InputError for an unknown name and for sizes that make no picture.
    """
    if config.layout not in LAYOUTS:
        raise unknown_name("layout", config.layout, list(LAYOUTS))
    return LAYOUTS[config.layout](config)
