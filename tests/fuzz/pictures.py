"""Pictures, masks, and the tables that list them."""

import io
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.picture_files import PictureReader
from data.picture_folders import read_visa
from data.picture_lists import read_list
from data.pictures import Listing

from .harness import Case
from .mutations import damaged, displaced, garbled, written

SUFFIXES = ["png", "png", "jpg", "tif", "bmp", "gif", "webp", "ppm"]
MODES = ["RGB", "RGB", "L", "RGBA", "LA", "P", "1", "I;16", "F", "CMYK"]
EXACT = {"png", "bmp", "ppm", "tif"}
MASKS: list[Callable[[NDArray[np.bool_], random.Random], Image.Image]] = [
    lambda marked, rng: Image.fromarray(marked * np.uint8(rng.choice([1, 2, 7, 128, 255]))),
    lambda marked, rng: Image.fromarray(marked),
    lambda marked, rng: Image.fromarray(marked * np.uint16(rng.choice([1, 255, 256, 65535]))),
    lambda marked, rng: Image.fromarray(marked[..., None] * np.uint8([0, 0, rng.choice([1, 255])])),
    lambda marked, rng: _palette(marked, [0, 0, 0, *rng.choices(range(3), k=3)]),
    lambda marked, rng: Image.fromarray(np.dstack([marked * 0, marked * 0, marked * 0, marked * 255]).astype("u1")),
    lambda marked, rng: Image.fromarray(np.dstack([*[marked * 0 + 255] * 3, marked * 80]).astype("u1")),
]


class Pictures:
    """Pictures of every mode and format, masks whose marks are known, and lists, whole and damaged."""

    def __init__(self, place: Path) -> None:
        pass

    def case(self, rng: random.Random, folder: Path) -> Case:
        choice = rng.random()
        return (_listed if choice < 0.15 else _mask if choice < 0.3 else _picture)(rng, folder)


def _picture(rng: random.Random, folder: Path) -> Case:
    mode, suffix = rng.choice(MODES), rng.choice(SUFFIXES)
    colours = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (rng.randrange(1, 40), 23, 3), np.uint8)
    picture = _in_mode(colours, mode)
    path, file = folder / f"picture.{suffix}", io.BytesIO()
    options = {"compression": rng.choice(["raw", "tiff_lzw", "tiff_adobe_deflate"])} if suffix == "tif" else {}
    if rng.random() < 0.2 and suffix in ("png", "jpg", "tif"):
        exif = Image.Exif()
        exif[0x0112] = rng.randrange(10)
        options["exif"] = exif
    try:
        picture.save(file, {"tif": "TIFF", "jpg": "JPEG"}.get(suffix, suffix.upper()), **options)
    except Exception:  # PIL cannot write this mode in this format
        file = io.BytesIO()
        Image.fromarray(colours).save(file, "PNG")
        mode, suffix, options = "RGB", "png", {}
    data = file.getvalue()
    whole = rng.random() < 0.25
    if not whole:
        data = _claiming(rng, suffix) if rng.random() < 0.1 else damaged(rng, data)
    path.write_bytes(data)
    whole &= not displaced(rng, path)
    size = rng.choice([None, (16, 8)])

    def check(found: NDArray[np.float32]) -> None:
        assert found.dtype == np.float32 and found.ndim == 3 and found.shape[2] == 3
        assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 255
        if whole and mode == "RGB" and suffix in EXACT and "exif" not in options and size is None:
            np.testing.assert_array_equal(found, colours)

    def read() -> NDArray[np.float32]:
        reader = PictureReader(white=rng.choice([None, 4095.0]))
        head = reader.head(path)
        found = reader.colours(path, size)
        if size is None and suffix != "png":  # of which the head does not look behind the pixels
            assert head.size == found.shape[1::-1] == reader.shown_size(path)
        return found

    return Case(f"{mode} {suffix} {len(data)} bytes", read, check, ("picture.",))


def _in_mode(colours: NDArray[np.uint8], mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(colours[:, :, 0].astype(np.uint16) * 13)
    if mode == "F":
        return Image.fromarray(colours[:, :, 0].astype(np.float32) / 255)
    picture = Image.fromarray(colours)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(colours[:, :, 1]))
    return picture.convert(mode)


def _claiming(rng: random.Random, suffix: str) -> bytes:
    """A short picture of one colour that claims a huge size."""
    file, side = io.BytesIO(), rng.choice([4000, 9000])
    Image.new("1", (8, 8)).save(file, "PNG")
    data = file.getvalue()
    if suffix == "gif":
        return (
            b"GIF89a"
            + struct.pack("<HH", side, side)
            + b"\x80\0\0\0\0\0\xff\xff\xff,"
            + b"\0" * 4
            + struct.pack("<HH", side, side)
            + b"\0\2\2\x44\x01\0;"
        )
    if suffix == "ppm":
        return f"P{rng.choice('123456')} {side} {side} 255\n".encode() + b"0 " * 50
    if suffix == "bmp":
        return b"BM" + struct.pack("<IHHI", 62, 0, 0, 62) + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 1, *[0] * 6)
    return data.replace(struct.pack(">II", 8, 8), struct.pack(">II", side, side))


def _palette(index: NDArray[np.bool_], colours: list[int]) -> Image.Image:
    picture = Image.fromarray(index.astype(np.uint8))
    picture.putpalette(colours)
    return picture


def _mask(rng: random.Random, folder: Path) -> Case:
    marked = np.zeros((30, 20), dtype=bool)
    marked[5:12, rng.randrange(10) : 15] = True
    kind = rng.randrange(len(MASKS))
    file, path = io.BytesIO(), folder / "mask.png"
    MASKS[kind](marked, rng).save(file, "PNG")
    whole = rng.random() < 0.5
    path.write_bytes(file.getvalue() if whole else damaged(rng, file.getvalue()))
    whole &= not displaced(rng, path)

    def check(found: NDArray[np.bool_]) -> None:
        assert found.dtype == bool and found.ndim == 2
        if whole:
            np.testing.assert_array_equal(found, marked)

    return Case(f"mask {kind}", lambda: PictureReader().mask(path), check, ("mask.png",))


def _listed(rng: random.Random, folder: Path) -> Case:
    visa, path = rng.random() < 0.5, folder / "list.csv"
    (folder / "a.png").write_bytes(b"")
    rows = ["image,label,mask,split", "a.png,good,,train", "a.png,bad,a.png,test", "a.png,ok,,test"]
    if visa:
        path = folder / "split_csv" / "1cls.csv"
        path.parent.mkdir()
        rows = [
            "object,split,label,image,mask",
            "x,test,anomaly,a.png,",
            "x,test,normal,a.png,",
            "x,train,normal,a.png,",
        ]
        rows.append("x,test,anomaly,a.png,a.png")
    text = "\n".join(rows) + "\n"
    whole = rng.random() < 0.2
    path.write_bytes(text.encode() if whole else written(rng, garbled(rng, text)))
    whole &= not displaced(rng, path)

    def check(found: Listing) -> None:
        assert all(file.anomalous in (True, False, None) for file in found)
        if whole:
            expected = [(True, False), (False, True), (True, True)] if visa else [(True, True), (False, True)]
            assert [(file.anomalous, file.masked) for file in found] == expected

    read = (lambda: read_visa(folder, "x", "test")) if visa else (lambda: read_list(path, "test"))
    return Case(f"list {path.read_bytes()[:90] if path.is_file() else ''!r}", read, check, (path.name,))
