"""The layout `fold`: rows of consecutive steps one under the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawing.layouts import MIN_SIDE, Layout, check_length, map_at_pixels, padded
from runtime.errors import InputError


class Fold:
    """Rows of `fold_width` consecutive steps one under the other, so that periods line up.

    The reshaping of TimesNet (Wu et al., ICLR 2023, section 3.1), with rows for its columns. A picture
    (C, rows, fold_width) holds window = fold_width * rows steps.
    """

    rows_alike = False
    cuttable = False

    def __init__(self, fold_width: int, rows: int) -> None:
        self.fold_width = fold_width
        self.rows = rows
        self.window: int | None = fold_width * rows

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, rows, fold_width). Raises ValueError for more than `window` steps."""
        rows = padded(series, self.rows * self.fold_width)
        return rows.reshape(-1, self.rows, self.fold_width).astype(np.float32)

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) -> scores (num_steps,): row after row."""
        check_length(num_steps, self.rows * self.fold_width)
        return map_at_pixels(score_map, (self.rows, self.fold_width), stride).ravel()[:num_steps]


def fold(config: Any) -> Layout:
    """The layout that the settings describe. Raises InputError for sizes that make no picture."""
    if config.fold_width < MIN_SIDE:
        raise InputError(
            f"layout fold: fold_width = {config.fold_width} is not allowed, as it is the width of the picture. "
            f"Set fold_width to {MIN_SIDE} or more."
        )
    return Fold(config.fold_width, max(-(-config.window // config.fold_width), MIN_SIDE))
