"""Reversible ways to draw a channel as a picture and to read a score map back as time-step scores.

`make_layout` makes the one that the settings name. A layout draws one stretch of a series as a picture
(C, H, W), one plane per colour, and reads a map of that picture back as one score per time step.
Layouts with a `window` hold that many steps: `window_starts` cuts longer channels, `join_windows` joins the scores.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drawing import LAYOUTS

MIN_SIDE = 32  # pixels each way: with fewer the extractor's deepest feature map is too small to pad


class Layout(Protocol):
    """What every layout can do, and what it knows of its pictures.

    `window`: steps per picture, None where a picture holds a channel of any length. `rows_alike`: all rows of a picture
    are alike, so that one of them tells all. `cuttable`: a picture is one row as long as its channel, and may be scored
    in overlapping pieces.
    """

    window: int | None
    rows_alike: bool
    cuttable: bool

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, H, W). A series shorter than `window` goes on with its last values."""

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) of a picture of `num_steps` steps -> scores (num_steps,).

        Cell (i, j) of the map stands at pixel (i * stride, j * stride), as in a network whose kernels are odd and
        padded alike on both sides. Between cells scores are interpolated linearly, behind the last they stay.
        """


def at_pixels(cells: NDArray[np.floating], length: int, stride: int) -> NDArray[np.float64]:
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


def map_at_pixels(score_map: NDArray[np.floating], size: tuple[int, int], stride: int) -> NDArray[np.float64]:
    """Bilinear interpolation of a score map (h, w) at a stride to the pixels (H, W) = `size` of its picture."""
    return at_pixels(at_pixels(score_map, size[1], stride).T, size[0], stride).T


def padded(series: NDArray[np.floating], window: int) -> NDArray[np.float64]:
    """Series (T, C) -> one row of `window` steps per colour (C, window), the last value repeated at the end."""
    check_length(len(series), window)
    return np.pad(series.T.astype(np.float64), ((0, 0), (0, window - len(series))), mode="edge")


def check_length(num_steps: int, window: int) -> None:
    """Raises ValueError where a picture of `window` steps cannot hold `num_steps`."""
    if not 1 <= num_steps <= window:
        raise ValueError(f"{num_steps} steps, but a picture holds 1 to {window}: cut the series by window_starts.")


def make_layout(config: Any) -> Layout:
    """The layout that `config.layout` names, of the size that the settings give it.

    It reads input_size (stretch), window (fold, gasf, gadf, mtf), fold_width (fold) and mtf_bins (mtf).
    Raises InputError for an unknown name and for sizes that make no picture.
    """
    return LAYOUTS[config.layout](config)
