"""The layout `stretch`: time squeezed or stretched to one width."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawing.layouts import Layout, at_pixels
from drawing.steps import resampled


class Stretch:
    """The reference report's layout: time squeezed or stretched to the picture's width, all rows alike."""

    window: int | None = None
    rows_alike = True
    cuttable = False

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
        return resampled(row if stride == 1 else at_pixels(row, self.width, stride), num_steps)


def stretch(config: Any) -> Layout:
    """The layout that the settings describe."""
    return Stretch(*config.input_size)
