"""Arrays on disk: read without trust, or item by item, so that they never stand in memory as a whole."""

import math
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.reading import check_unpacked, reading

NPY = "an array in a .npy file"
NPZ = "arrays in an .npz file"
SAVE = "Save it anew with numpy.save(path, array)."
SAVE_ALL = "Save it anew with numpy.savez(path, name=array)."
OBJECTS = (
    "holds Python objects, which are never loaded: save numbers with numpy.save(path, array.astype(float)), or with "
    "numpy.savez."
)


def read_npy(path: Path, remedy: str = SAVE, missing: str = "", mapped: bool = False) -> NDArray[Any]:
    """The array of a .npy file; `mapped`, no value of it is read yet.

    Raises InputError, with the `remedy`, for all that is no such file; `missing` says what to do where it is not there.
    """
    with reading(path, NPY, remedy, missing):
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                raise InputError(f"{path}: is an archive, expected {NPY}. Save it with numpy.save.")
            file.seek(0)
            _check_header(file, path.stat().st_size, str(path))
        return _checked_text(np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False))


def npz_names(path: Path, remedy: str = SAVE_ALL) -> list[str]:
    """The names of the arrays in an .npz. Raises InputError, with the `remedy`, where it is damaged or empty."""
    with _archive(path, remedy) as arrays:
        if not arrays.files:
            raise InputError(f"{path}: holds no array. Save some with numpy.savez(path, name=array).")
        return list(arrays.files)


def read_npz(path: Path, name: str, remedy: str = SAVE_ALL) -> NDArray[Any]:
    """One array of an .npz. Raises InputError, with the `remedy`, where it is damaged or unpacks as no data do."""
    with _archive(path, remedy) as arrays:
        inside: zipfile.ZipFile = arrays.zip
        member = inside.getinfo(name if name in inside.namelist() else f"{name}.npy")
        check_unpacked(member.file_size, member.compress_size, f"{path}: array {name}")
        with inside.open(member) as file:
            _check_header(file, member.file_size, f"{path}: array {name}")
        return _checked_text(arrays[name])


@contextmanager
def _archive(path: Path, remedy: str) -> Iterator[Any]:
    # opened here, as numpy forgets to close a file that is none
    with reading(path, NPZ, remedy), path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise InputError(f"{path}: is one array, expected {NPZ}. Name it .npy.")
        with arrays:
            yield arrays


def _check_header(file: IO[bytes], size: int, where: str) -> None:
    """Raises InputError for an array of objects, and ValueError where one in `size` bytes claims to be larger.

    Memory for it would be asked for before that is seen.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise InputError(f"{where}: {OBJECTS}")
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"its header claims the shape {shape}, of which {size} bytes are there")


def _checked_text(array: NDArray[Any]) -> NDArray[Any]:
    """The array. Raises ValueError for a text of numbers that are no characters, which would end Python later."""
    for part in [array[name] for name in array.dtype.names or ()] or [array]:
        if part.dtype.kind == "U" and part.size and part.itemsize:
            numbers = np.ascontiguousarray(part).view(np.dtype(np.uint32).newbyteorder(part.dtype.byteorder))
            if numbers.max() > sys.maxunicode:
                raise ValueError("its text holds what is no character")
    return array


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
        self.path, self.shape, self.dtype, self._start = path, header.shape, header.dtype, header.offset
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
        return self._start + number * self._values * self.dtype.itemsize

    def __getitem__(self, number: int) -> NDArray[Any]:
        with self.path.open("rb") as file:
            file.seek(self._place(number))
            return np.fromfile(file, self.dtype, self._values).reshape(self.shape[1:])

    def __setitem__(self, number: int, item: NDArray[Any]) -> None:
        if item.shape != self.shape[1:]:
            raise ValueError(f"an item of shape {item.shape} in {self.path} of shape {self.shape}")
        with self.path.open("r+b") as file:
            file.seek(self._place(number))
            with np.errstate(over="ignore"):  # what half a number cannot hold becomes infinite, which is high enough
                item.astype(self.dtype, copy=False).tofile(file)
