"""Pictures of every depth: what 8 bits show, 16 bits and floats show too, never a white sheet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.pictures import PictureDataset, PictureFile
from runtime.errors import InputError

SIZE = (32, 40)


def grey() -> np.ndarray:
    """A smooth grey picture in 0..255."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    return 120 + 60 * np.sin(rows / 5) + 40 * np.cos(columns / 7)


def read(path: Path, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The picture as the extractor sees it, not normalised: (3, H, W)."""
    return PictureDataset([PictureFile(path)], size, (0.0,) * 3, (1.0,) * 3)[0][0]


DEPTHS = {
    "8 bit.png": lambda values: values.round().astype(np.uint8),
    "16 bit.png": lambda values: (values * 257).round().astype(np.uint16),
    "16 bit.tiff": lambda values: (values * 257).round().astype(np.uint16),
    "32 bit.tiff": lambda values: (values * 257).round().astype(np.int32),
    "float.tiff": lambda values: (values / 255).astype(np.float32),
}


@pytest.mark.parametrize("size", [SIZE, (64, 48)], ids=str)
@pytest.mark.parametrize("name", DEPTHS)
def test_every_depth_shows_the_same_picture(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(DEPTHS[name](grey())).save(path)
    found = read(path, size)
    assert found.shape == (3, *size) and found.dtype == np.float32
    reference = Image.fromarray(grey().astype(np.float32)).resize(size[::-1], Image.Resampling.LANCZOS)
    np.testing.assert_allclose(
        found, np.broadcast_to(np.asarray(reference) / 255, found.shape), atol=1.6 / 255
    )  # 8 bits round twice


def test_sixteen_bits_keep_what_eight_would_round_away(tmp_path: Path) -> None:
    values = np.full(SIZE, 1000, dtype=np.uint16)
    values[:, 20:] += 100  # less than one step of 8 bits
    Image.fromarray(values).save(tmp_path / "deep.png")
    found = read(tmp_path / "deep.png")[0]
    assert found[0, 30] - found[0, 5] == pytest.approx(100 / 65535, rel=1e-3)


@pytest.mark.parametrize("values", [-5.0, 300.0, 2.0], ids=str)
def test_a_float_picture_of_unknown_scale_is_refused(values: float, tmp_path: Path) -> None:
    Image.fromarray(np.full(SIZE, values, dtype=np.float32)).save(tmp_path / "odd.tiff")
    with pytest.raises(
        InputError, match=r"odd\.tiff: has pixels from .* expected 0 to 1 .*(--picture-depth|Save it with)"
    ):
        read(tmp_path / "odd.tiff")
