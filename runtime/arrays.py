"""Arrays on disk that are read and written item by item, so that they never stand in memory as a whole."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ArrayFile(Sequence):
    """A .npy file (N, ..) as a sequence of its N items (..); an item assigned is written at once.

    Several processes may write different items of one file. A memory map would do the same, but its pages count as the
    process's memory until the system takes them back.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError or ValueError for a file that is missing, damaged or not stored item after item."""
        header = np.load(path, mmap_mode="r", allow_pickle=False)  # checks the size; no page of it is touched
        if not header.ndim or not header.flags.c_contiguous:
            raise ValueError("not stored item after item")
        self.path, self.shape, self._dtype, self._start = path, header.shape, header.dtype, header.offset
        self._values = math.prod(self.shape[1:])

    @classmethod
    def create(cls, path: Path, shape: tuple[int, ...], dtype: type[np.floating] = np.float32) -> "ArrayFile":
        """A new file of zeros."""
        np.lib.format.open_memmap(path, "w+", dtype, shape)
        return cls(path)

    def __len__(self) -> int:
        return self.shape[0]

    def _place(self, number: int) -> int:
        if not 0 <= number < len(self):
            raise IndexError(f"item {number} of {len(self)} in {self.path}")
        return self._start + number * self._values * self._dtype.itemsize

    def __getitem__(self, number: int) -> NDArray[Any]:
        with self.path.open("rb") as file:
            file.seek(self._place(number))
            return np.fromfile(file, self._dtype, self._values).reshape(self.shape[1:])

    def __setitem__(self, number: int, item: NDArray[Any]) -> None:
        if item.shape != self.shape[1:]:
            raise ValueError(f"an item of shape {item.shape} in {self.path} of shape {self.shape}")
        with self.path.open("r+b") as file:
            file.seek(self._place(number))
            with np.errstate(over="ignore"):  # what half a number cannot hold becomes infinite, which is high enough
                item.astype(self._dtype, copy=False).tofile(file)
