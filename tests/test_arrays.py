"""Arrays read and written item by item equal what NumPy reads and writes as a whole."""

from pathlib import Path

import numpy as np
import pytest

from runtime.arrays import ArrayFile


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 7), (3, 0)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_items_are_those_of_the_whole_array(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    whole = np.random.default_rng(0).normal(size=shape).astype(dtype)
    np.save(tmp_path / "whole.npy", whole)
    items = ArrayFile(tmp_path / "whole.npy")
    assert len(items) == len(whole)
    np.testing.assert_array_equal(np.stack(list(items)), whole)


def test_items_written_in_any_order_by_two_hands_make_the_whole(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).normal(size=(6, 2, 9)).astype(np.float32)
    hands = ArrayFile.create(tmp_path / "made.npy", whole.shape), ArrayFile(tmp_path / "made.npy")
    for number in (3, 0, 5, 1, 4):
        hands[number % 2][number] = whole[number]
    whole[2] = 0  # never written
    np.testing.assert_array_equal(np.load(tmp_path / "made.npy", allow_pickle=False), whole)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    items = ArrayFile.create(tmp_path / "made.npy", (3, 4))
    before = (tmp_path / "made.npy").read_bytes()
    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        items[0] = np.zeros(5, dtype=np.float32)
    for number in (-1, 3):
        with pytest.raises(IndexError, match=f"item {number} of 3"):
            items[number] = np.zeros(4, dtype=np.float32)
        with pytest.raises(IndexError):
            items[number]
    assert (tmp_path / "made.npy").read_bytes() == before


def test_damaged_files_are_refused_when_they_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "whole.npy"
    np.save(path, np.asfortranarray(np.ones((3, 4))))
    with pytest.raises(ValueError, match="item after item"):
        ArrayFile(path)
    np.save(path, np.ones((3, 4)))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="file size"):
        ArrayFile(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        ArrayFile(path)
    with pytest.raises(FileNotFoundError):
        ArrayFile(tmp_path / "missing.npy")
