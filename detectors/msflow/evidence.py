"""What of the energies of a drawing is evidence, where some of what they see was made up."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

CELLS_SEEN = 6  # cells on which an energy mostly depends
MADE_UP = 0.1  # share of them, from which on it is no evidence
MADE_UP_FINEST = 0.6  # the finest sees least of a gap: it alone tells of the steps beside it
CELLS_AT_END = 2  # cells on which what is drawn beyond the end of a series tells most


def discount(energies: NDArray[np.float32], strides: list[int], made_up: NDArray[np.bool_]) -> None:
    """Take energies (rows, T) for none where much of what they see was made up, in place.

    What is usual differs from channel to channel: a wave that is known by heart would be alarmed by what is usual
    elsewhere.

    That is in gaps, `made_up` (T,), and beyond both ends; `strides` are the steps between cells, by row.
    """
    num_steps = energies.shape[1]
    to_end = np.minimum(np.arange(num_steps), np.arange(num_steps)[::-1])
    for row, stride in zip(energies, strides, strict=True):
        share = uniform_filter1d(made_up.astype(np.float64), CELLS_SEEN * stride, mode="nearest")
        unknown = share > (MADE_UP if stride > min(strides) else MADE_UP_FINEST)
        unknown |= to_end < CELLS_AT_END * stride
        row[unknown & np.isfinite(row)] = 0
