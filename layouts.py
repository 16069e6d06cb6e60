"""Reversible ways to draw a channel as a picture and to read a score map back as time-step scores."""

import numpy as np
from numpy.typing import NDArray


def _resample(values: NDArray[np.floating], length: int) -> NDArray[np.float64]:
    """Linear interpolation along the last axis to `length` samples, cell centres on cell centres.

    The one-dimensional case of torch's bilinear interpolation with align_corners=False: values beyond the
    first and last centre are those of the border. (..., T) -> (..., length).
    """
    num_steps = values.shape[-1]
    centres = (np.arange(length) + 0.5) * num_steps / length - 0.5
    return np.apply_along_axis(lambda row: np.interp(centres, np.arange(num_steps), row), -1, values)


class Stretch:
    """The reference report's layout: time squeezed or stretched to the picture's width, all rows alike."""

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        """Series (T, C) -> picture (C, height, width), a read-only view of one row per colour."""
        rows = _resample(series.T, self.width).astype(np.float32)
        return np.broadcast_to(rows[:, None, :], (len(rows), self.height, self.width))

    def to_series(self, score_map: NDArray[np.floating], num_steps: int) -> NDArray[np.float64]:
        """Score map (height, width) -> one score per time step (num_steps,): mean over the rows, resampled."""
        return _resample(score_map.mean(axis=0, dtype=np.float64), num_steps)
