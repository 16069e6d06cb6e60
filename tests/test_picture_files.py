"""One picture file as numbers: every mode and depth against what was written, and what cannot be read."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from picture_bytes import deep_png, deep_tiff, png
from PIL import Image

from data.picture_files import PictureReader, find_white
from runtime.errors import InputError, warn

READER = PictureReader()
RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (24, 37, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (24, 37, 3), dtype=np.uint16)
MARKED = np.zeros((24, 37), dtype=bool)
MARKED[4:10, 20:33] = True


# Colours


MODES = {
    "1.png": lambda: Image.fromarray(COLOURS[..., 0] > 128),
    "L.bmp": lambda: Image.fromarray(COLOURS[..., 0]),
    "P.gif": lambda: Image.fromarray(COLOURS).quantize(64),
    "P.png": lambda: Image.fromarray(COLOURS).quantize(16),
    "CMYK.jpg": lambda: Image.fromarray(COLOURS).convert("CMYK"),
    "CMYK.tiff": lambda: Image.fromarray(COLOURS).convert("CMYK"),
    "YCbCr.jpeg": lambda: Image.fromarray(COLOURS).convert("YCbCr"),
    "RGB.webp": lambda: Image.fromarray(COLOURS),
    "RGB.TIF": lambda: Image.fromarray(COLOURS),
}


@pytest.mark.parametrize("name", MODES)
def test_eight_bits_of_every_mode_are_what_pil_converts_them_to(name: str, tmp_path: Path) -> None:
    MODES[name]().save(tmp_path / name)
    with Image.open(tmp_path / name) as opened:
        expected = np.asarray(opened.convert("RGB"), dtype=np.float32)
    found = READER.colours(tmp_path / name)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("alpha", [0, 51, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_laid_on_black(mode: str, alpha: int, tmp_path: Path) -> None:
    planes = [COLOURS[..., 0]] * 3 if mode == "LA" else list(np.moveaxis(COLOURS, -1, 0))
    seen = np.where(MARKED, np.uint8(alpha), np.uint8(255))
    written = np.dstack([planes[0], seen] if mode == "LA" else [*planes, seen])
    Image.fromarray(written).save(tmp_path / "a.png")
    expected = np.where(MARKED[..., None], np.stack(planes, -1) * (alpha / 255), np.stack(planes, -1))
    np.testing.assert_allclose(READER.colours(tmp_path / "a.png"), expected, atol=0.51)
    assert READER.head(tmp_path / "a.png").alpha


def test_a_transparent_palette_is_laid_on_black(tmp_path: Path) -> None:
    picture = Image.fromarray(MARKED.astype(np.uint8))
    picture.putpalette([250, 240, 230, 10, 20, 30])
    picture.save(tmp_path / "p.png", transparency=0)
    np.testing.assert_array_equal(READER.colours(tmp_path / "p.png"), MARKED[..., None] * np.float32([10, 20, 30]))


@pytest.mark.parametrize("mode", ["L", "I;16"])
@pytest.mark.parametrize(("orientation", "turned"), [(6, -1), (8, 1), (3, 2), (9, 0)])
def test_grey_tiffs_are_turned_too(orientation: int, turned: int, mode: str, tmp_path: Path) -> None:
    values = np.arange(6 * 23, dtype=np.uint8).reshape(6, 23)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values if mode == "L" else values.astype(np.uint16) * 257).save(tmp_path / "a.tif", exif=exif)
    found, expected = READER.colours(tmp_path / "a.tif")[:, :, 0], np.rot90(values, turned)
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert READER.head(tmp_path / "a.tif").size == READER.shown_size(tmp_path / "a.tif") == expected.shape[::-1]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize(("orientation", "turned"), [(6, -1), (8, 1), (3, 2)])
def test_a_picture_is_turned_as_its_exif_says(orientation: int, turned: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.where(MARKED, 255, 0).astype(np.uint8)).convert("RGB")
    picture.save(tmp_path / f"a.{suffix}", exif=exif)
    found = READER.colours(tmp_path / f"a.{suffix}").mean(axis=-1) > 128
    expected = np.rot90(MARKED, turned)
    assert found.shape == expected.shape
    assert (found == expected).mean() > 0.98  # JPEG blurs the edge
    assert READER.head(tmp_path / f"a.{suffix}").size == expected.shape[::-1]


def test_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (40, 200)]
    for name in ("a.gif", "a.tif", "a.webp", "a.png"):
        frames[0].convert("RGB").save(tmp_path / name, save_all=True, append_images=[frames[1].convert("RGB")])
        np.testing.assert_allclose(READER.colours(tmp_path / name), 40, atol=1)
        assert READER.head(tmp_path / name).frames == 2


# Depth


@pytest.mark.parametrize("white", [4095.0, 65535.0])
def test_deep_colours_keep_both_bytes(white: float, tmp_path: Path) -> None:
    """PIL alone keeps the upper one: of 12 bits in 16 it leaves 16 steps."""
    reader = PictureReader(white)
    files = [
        deep_png(tmp_path / "a.png", DEEP),
        deep_tiff(tmp_path / "little.tif", DEEP),
        deep_tiff(tmp_path / "big.tif", DEEP, ">"),
        deep_tiff(tmp_path / "packed.tif", DEEP, "<", compressed=True),
        deep_tiff(tmp_path / "big packed.tif", DEEP, ">", compressed=True),
    ]
    for path in files:
        np.testing.assert_allclose(reader.colours(path), DEEP * (255 / white), rtol=1e-5, err_msg=path.name)
        assert reader.head(path).deep == "whole numbers"
        assert reader.extent(path) == (DEEP.min(), DEEP.max())


def test_deep_alpha_is_laid_on_black(tmp_path: Path) -> None:
    alpha = np.where(MARKED, 13107, 65535).astype(np.uint16)[..., None]
    expected = DEEP * (255 / 4095) * np.where(MARKED, 0.2, 1.0)[..., None]
    found = PictureReader(4095).colours(deep_png(tmp_path / "a.png", np.dstack([DEEP, alpha])))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    grey = PictureReader(4095).colours(deep_png(tmp_path / "b.png", np.dstack([DEEP[..., :1], alpha])))
    np.testing.assert_allclose(grey, np.repeat(expected[..., :1], 3, axis=-1), rtol=1e-5)
    assert PictureReader().extent(tmp_path / "b.png") == (DEEP[..., 0].min(), DEEP[..., 0].max())


@pytest.mark.parametrize(
    ("highest", "white"), [(200, 255), (1000, 1023), (1024, 4095), (4095, 4095), (9000, 16383), (20000, 65535)]
)
def test_the_white_is_the_least_depth_that_holds_every_training_picture(
    highest: int, white: int, tmp_path: Path
) -> None:
    for number, top in enumerate((highest // 2, highest)):
        Image.fromarray(np.linspace(0, top, 64).reshape(8, 8).astype(np.uint16)).save(tmp_path / f"{number}.png")
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "shallow.png")
    found, told = find_white(sorted(tmp_path.iterdir()), READER, "plate")
    assert found == white
    assert f"2 of 3 training pictures are deep, with values up to {highest} (1.png)" in told and f"{white}" in told


def test_whites_of_floats_and_of_eight_bits(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0.7, np.float32)).save(tmp_path / "a.tif")
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(tmp_path / "b.png")
    assert find_white([tmp_path / "a.tif"], READER, "plate") == (1.0, "")
    assert find_white([tmp_path / "b.png"], READER, "plate") == (None, "")
    Image.fromarray(np.full((8, 8), 9, np.uint16)).save(tmp_path / "c.png")
    with pytest.raises(InputError, match=r"plate: .*whole numbers \(.*c\.png\) and of floats \(.*a\.tif\).*--picture-"):
        find_white([tmp_path / "a.tif", tmp_path / "c.png"], READER, "plate")
    Image.fromarray(np.full((8, 8), 180.0, np.float32)).save(tmp_path / "d.tif")
    with pytest.raises(InputError, match=r"d\.tif: .*expected 0 to 1.*--picture-depth .*255"):
        find_white([tmp_path / "d.tif"], READER, "plate")
    np.testing.assert_allclose(PictureReader(255).colours(tmp_path / "d.tif"), 180)


def test_what_is_above_the_white_is_white_and_named_once(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    warn.cache_clear()
    for name in "ab":
        Image.fromarray(np.array([[2000, 9000]] * 4, np.uint16)).save(tmp_path / f"{name}.png")
    reader = PictureReader(4095)
    for name in "ab":
        found = reader.colours(tmp_path / f"{name}.png")
        np.testing.assert_allclose(found[0, :, 0], [2000 * 255 / 4095, 255], rtol=1e-5)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "a.png: has pixels up to 9000" in told and "4095" in told and "--picture-depth 16383" in told


# Masks


def palette(colours: list[int], index: np.ndarray = MARKED) -> Image.Image:
    picture = Image.fromarray(index.astype(np.uint8))
    picture.putpalette(colours)
    return picture


def alpha_mask(colours: np.ndarray, alpha: np.ndarray) -> Image.Image:
    planes = np.broadcast_to(colours, (*MARKED.shape, 3))
    return Image.fromarray(np.dstack([planes, alpha]).astype(np.uint8))


WHITE, RED = np.array([255, 255, 255]), np.array([255, 0, 0])
MASKS = {
    "255.png": lambda: Image.fromarray(MARKED * np.uint8(255)),
    "1 of 255.png": lambda: Image.fromarray(MARKED * np.uint8(1)),
    "one bit.png": lambda: Image.fromarray(MARKED),
    "sixteen bits.png": lambda: Image.fromarray(MARKED * np.uint16(1)),
    "dark blue.png": lambda: Image.fromarray(MARKED[..., None] * np.uint8([0, 0, 1])),
    "dark palette.png": lambda: palette([0, 0, 0, 0, 0, 1]),
    "black palette.png": lambda: palette([0, 0, 0, 0, 0, 0]),
    "no black in the palette.png": lambda: palette([9, 9, 9, 200, 0, 0]),
    "white first in the palette.png": lambda: palette([255, 255, 255, 0, 0, 0], ~MARKED),
    "only alpha, black.png": lambda: alpha_mask(WHITE * 0, MARKED * 255),
    "only alpha, white.png": lambda: alpha_mask(WHITE, MARKED * 80),
    "opaque.png": lambda: alpha_mask(MARKED[..., None] * RED, MARKED * 0 + 255),
    "cut out.png": lambda: alpha_mask(MARKED[..., None] * RED, (np.arange(37) < 35) * 255 + MARKED * 0),
    "jpeg.jpg": lambda: Image.fromarray(MARKED * np.uint8(255)),
    "group.webp": lambda: Image.fromarray(MARKED[..., None] * np.uint8([1, 0, 0])),
    "bmp.bmp": lambda: Image.fromarray(MARKED * np.uint8(7)),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_marks(name: str, tmp_path: Path) -> None:
    options = {"lossless": True} if name.endswith(".webp") else {"quality": 60} if name.endswith(".jpg") else {}
    MASKS[name]().save(tmp_path / name, **options)
    found = READER.mask(tmp_path / name)
    if name.endswith(".jpg"):
        with Image.open(tmp_path / name) as blurred:
            assert ((np.asarray(blurred) > 0) & ~MARKED).sum() > 0, "it should have something to resist"
    np.testing.assert_array_equal(found, MARKED)


def test_an_empty_mask_marks_nothing(tmp_path: Path) -> None:
    for number, empty in enumerate([palette([0, 0, 0, 9, 9, 9], MARKED & False), alpha_mask(WHITE * 0, MARKED * 0)]):
        empty.save(tmp_path / f"{number}.png")
        assert not READER.mask(tmp_path / f"{number}.png").any()


@pytest.mark.parametrize(
    "mask",
    [
        lambda: palette([255, 0, 0, 0, 0, 0]),
        lambda: alpha_mask(MARKED[..., None] * RED, MARKED * 0),
        lambda: alpha_mask(WHITE, 100 + MARKED * 100),
    ],
    ids=["red, then black", "transparent in two colours", "two alphas"],
)
def test_a_mask_that_can_be_read_both_ways_is_refused(mask: Callable[[], Image.Image], tmp_path: Path) -> None:
    mask().save(tmp_path / "odd.png")
    with pytest.raises(InputError, match=r"odd\.png: a mask .*Save it"):
        READER.mask(tmp_path / "odd.png")


def test_the_masks_of_a_folder_count_together(tmp_path: Path) -> None:
    parts = tmp_path / "000"
    parts.mkdir()
    for number, part in enumerate((MARKED & (np.arange(37) < 25), MARKED & (np.arange(37) >= 25))):
        Image.fromarray(part * np.uint8(200)).save(parts / f"{number:03}.png")
    np.testing.assert_array_equal(READER.mask(parts), MARKED)


# What cannot be read


def assert_refused(path: Path, *words: str) -> None:
    for way in (READER.colours, READER.mask):
        with pytest.raises(InputError) as told:
            way(path)
        for word in (str(path), *words):
            assert word in str(told.value)
        assert "\n" not in str(told.value) and "Fetch" not in str(told.value)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    for side in (9500, 14000, 60000):  # from once to many times the limit
        assert_refused(png(tmp_path / f"{side}.png", side, side, 3, 8, b"\0" * 10), "million pixels")
    assert_refused(png(tmp_path / "short.png", 9000, 9000, 3, 8, b"\0" * 10), "9000 x 9000 pixels in 68 bytes", "again")
    honest = png(tmp_path / "black.png", 4000, 4000, 1, 8, b"\0" * 4001 * 4000)
    assert READER.head(honest).size == (4000, 4000)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.gif", "a.bmp"])
def test_a_truncated_file_is_named_with_a_remedy(name: str, tmp_path: Path) -> None:
    Image.fromarray(np.repeat(COLOURS, 4, axis=0)).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for size in (0, 20, len(whole) * 2 // 3):
        (tmp_path / name).write_bytes(whole[:size])
        assert_refused(tmp_path / name, "not a readable picture", "Copy or save it again")


def test_what_is_no_file_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for name, told in {"pipe.png": "is a pipe, expected a picture", "nowhere.png": "not a readable picture"}.items():
        assert_refused(tmp_path / name, told)
    with pytest.raises(InputError, match=r"folder\.png: is a folder, expected a picture"):
        READER.colours(tmp_path / "folder.png")
