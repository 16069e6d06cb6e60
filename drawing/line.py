"""The layout `line`: one row, one column per time step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawing.layouts import Layout, at_pixels


class Line:
    """One row, one column per time step: the whole channel at full resolution, a picture (C, 1, T)."""

    window: int | None = None
    rows_alike = True
    cuttable = True

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, 1, T)."""
        return np.ascontiguousarray(series.T[:, None, :], dtype=np.float32)

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        """Score map (h, w) -> scores (num_steps,): mean over the rows.

        Cells behind the last step, as of a picture that was padded at its end, are left out.
        """
        row = score_map.mean(axis=0, dtype=np.float64)
        return at_pixels(row[: -(-num_steps // stride)], num_steps, stride)


def line(config: Any) -> Layout:
    """The layout that the settings describe."""
    return Line()
