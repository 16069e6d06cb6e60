"""One file of a picture as numbers: whatever its mode and depth, colours in 0..255, and masks. Nothing else opens one.

A picture is shown as a viewer shows it: turned by its EXIF orientation, the first of several frames, what is
transparent laid on black. A deep one (whole numbers of 16 bits and more, or floats) is scaled by its `white`, the value
of full brightness: of a camera with 12 bits that is 4095, in whatever file it saves them.

A mask is never turned. It marks a place where it is not 0; more exactly, where

- it is visible, where parts of it are transparent and what is visible is all black or nowhere black; of what is
  partly black the rest;
- the index is not 0, in a palette, whatever colours it has; of a palette of black and white alone the white;
- the value is above half of the highest, in a lossy file (JPEG), which is not 0 all around what was marked.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from runtime.errors import InputError, warn
from runtime.reading import check_is_file, said

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm", ".pnm"}
WHITES = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits
FULL = {"whole numbers": 65535.0, "floats": 1.0}  # the white of deep pictures of which nothing else is known
ORIENTATION = 0x0112  # the EXIF tag
SQUEEZED = 1100  # bytes that one byte of a PNG can stand for at the most (deflate: 1032)
HUGE = 2**24  # pixels
OWN = "Copy or save it again, or take it out."  # what to do about a damaged file of one's own


@dataclass(frozen=True)
class Head:
    """What a file says of its picture before it is decoded.

    `size` is width and height as shown, `stored` before it is turned; `deep` is a key of FULL or empty.
    """

    size: tuple[int, int]
    stored: tuple[int, int]
    deep: str
    alpha: bool
    frames: int


@dataclass(frozen=True)
class PictureReader:
    """Reads the pictures of one data set: `white` is that of deep ones, None: all that their format can hold.

    Raises InputError for what cannot be read; `remedy` is what to do about a damaged file.
    """

    white: float | None = None
    remedy: str = OWN
    _told: set[str] = field(default_factory=set, compare=False, repr=False)

    def head(self, path: Path) -> Head:
        """What a file says of its picture, without decoding it."""
        with self._opened(path) as picture:
            stored = shown = picture.size
            # of a PNG this decodes everything, unless its EXIF stands in front
            if (picture.format != "PNG" or "exif" in picture.info) and _orientation(picture) >= 5:
                turned = (stored[1], stored[0])
                stored, shown = (turned, shown) if picture.format == "TIFF" else (stored, turned)  # PIL turned it
            alpha = picture.has_transparency_data and picture.mode != "I;16"
            return Head(shown, stored, _depth(picture), alpha, getattr(picture, "n_frames", 1))

    def shown_size(self, path: Path) -> tuple[int, int]:
        """Width and height as shown, whatever has to be decoded for it."""
        with self._opened(path) as picture:
            width, height = picture.size
            turned = _orientation(picture) >= 5 and picture.format != "TIFF"  # which PIL has turned already
            return (height, width) if turned else (width, height)

    def extent(self, path: Path) -> tuple[float, float]:
        """The lowest and the highest value of a deep picture."""
        with self._opened(path) as picture:
            return _extent(_deep_values(picture, path, self.remedy))

    def colours(self, path: Path, size: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """A picture (H, W, 3) in 0..255, resized to `size`, width and height."""
        with self._opened(path) as picture:
            if deep := _depth(picture):
                values = _deep_values(picture, path, self.remedy)
                planes = np.moveaxis(self._scaled(values, deep, path), -1, 0)
                resized = [np.asarray(_resized(Image.fromarray(np.ascontiguousarray(p)), size)) for p in planes]
                colours = np.stack(resized, axis=-1).clip(0, 255)  # what overshoots at an edge, as 8 bits do it
                return np.repeat(colours, 3, axis=2) if len(planes) == 1 else colours
            shown = _upright(picture)
            if shown.has_transparency_data:
                shown = _on_black(shown)
            return np.asarray(_resized(shown.convert("RGB"), size), dtype=np.float32)

    def mask(self, path: Path) -> NDArray[np.bool_]:
        """Where a mask (H, W) marks something: see above. A folder holds masks that count together."""
        if path.is_dir():
            parts = [self.mask(part) for part in sorted(path.iterdir()) if is_picture(part)]
            if not parts or len({part.shape for part in parts}) > 1:
                raise InputError(f"{path}: holds no masks, or masks of several sizes. {self.remedy}")
            return np.logical_or.reduce(parts)
        with self._opened(path) as picture:
            if _depth(picture):
                return (_deep_values(picture, path, self.remedy) != 0).any(axis=-1)
            picture.load()
            return _marked(picture, path)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Image.Image]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of PIL about what does not matter here
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                check_is_file(path, "a picture", self.remedy)
                # opened here: PIL maps a grey TIFF that it opens itself as if it were turned already
                with path.open("rb") as file, Image.open(file) as picture:
                    self._check_size(path, picture)
                    yield picture
        except InputError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise InputError(
                f"{path}: claims to have more than {Image.MAX_IMAGE_PIXELS / 1e6:.0f} million pixels: it stays closed. "
                "Cut it into tiles, or make it smaller."
            ) from error
        except Exception as error:  # PIL raises a dozen types on damaged files, SyntaxError among them
            raise InputError(f"{path}: is not a readable picture ({said(error)}). {self.remedy}") from error

    def _check_size(self, path: Path, picture: Image.Image) -> None:
        """A short file that claims to be huge is damaged: memory for it is not even asked for.

        A picture of one colour may be short; of other formats than PNG, which have no such bound, huge ones are not.
        """
        bytes_there, pixels = path.stat().st_size, picture.size[0] * picture.size[1]
        if pixels > 8 * SQUEEZED * bytes_there and (picture.format == "PNG" or pixels > HUGE):
            raise InputError(
                f"{path}: is not a readable picture (it claims {picture.size[0]} x {picture.size[1]} pixels in "
                f"{bytes_there} bytes). {self.remedy}"
            )

    def _scaled(self, values: NDArray[np.floating], deep: str, path: Path) -> NDArray[np.float32]:
        """Deep values (H, W, 1 to 4) with their white at 255, on black where they have alpha; none is above white."""
        low, high = _extent(values)
        white = self.white or FULL[deep]
        if not 0 <= low <= high or (self.white is None and high > white):
            raise InputError(
                f"{path}: has pixels from {low:.4g} to {high:.4g}, expected 0 to {white:g} in a picture of {deep}. "
                f"{_depth_remedy(low, high)}"
            )
        if high > white and "above" not in self._told:
            self._told.add("above")
            warn(
                f"{path}: has pixels up to {high:g}; what is above {white:g}, the white of this run, is drawn white. "
                f"If that is its depth, train with --picture-depth {_white_of(high):g}. Others like it are not named."
            )
        scaled = np.minimum(values[..., : _planes(values)] * np.float32(255 / white), 255)
        return scaled * (values[..., -1:] / 65535) if _planes(values) < values.shape[-1] else scaled


def is_picture(path: Path) -> bool:
    """Whether a path is a file with the ending of a picture, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def find_white(paths: list[Path], reader: PictureReader, where: str) -> tuple[float | None, str]:
    """The white of the deep ones among training pictures, None where there are none, and how it was found, in words.

    The least of 8, 10, 12, 14 and 16 bits that holds all of them, and 1 for floats. Raises InputError where floats are
    above 1, and where there are floats and whole numbers.
    """
    deep = {path: head.deep for path in paths if (head := reader.head(path)).deep}
    if not deep:
        return None, ""
    if len(set(deep.values())) > 1:
        first = {kind: next(path for path, of in deep.items() if of == kind) for kind in FULL}
        raise InputError(
            f"{where}: has pictures of whole numbers ({first['whole numbers']}) and of floats ({first['floats']}), "
            "which have no white in common. Save all alike, or set --picture-depth to the white of both."
        )
    (kind,) = set(deep.values())
    lowest, highest, brightest = np.inf, -np.inf, Path()
    for path in deep:
        low, high = reader.extent(path)
        if not 0 <= low <= high <= FULL[kind]:
            raise InputError(
                f"{path}: has pixels from {low:.4g} to {high:.4g}, expected 0 to {FULL[kind]:g} in one of {kind}. "
                f"{_depth_remedy(low, high)}"
            )
        if high > highest:
            highest, brightest = high, path
        lowest = min(lowest, low)
    if kind == "floats":
        return 1.0, ""
    white = _white_of(highest)
    bits = int(np.log2(white + 1))
    told = f"{len(deep)} of {len(paths)} training pictures are deep, with values up to {highest:g} ({brightest.name})"
    return white, f"{where}: {told}: their white is {white:g}, {bits} bits. Another: --picture-depth, such as 65535."


def _white_of(value: float) -> float:
    """The least usual white that holds a value."""
    return next((float(white) for white in WHITES if value <= white), float(np.ceil(value)))


def _depth_remedy(low: float, high: float) -> str:
    if low >= 0 and np.isfinite(high):
        return f"Set --picture-depth to their white, such as {_white_of(high):g}."
    return "Save it with 8 or 16 bits."


def _depth(picture: Image.Image) -> str:
    """Of what the values of an opened picture are that PIL would cut down to 8 bits; empty where they have no more."""
    if picture.mode == "F":
        return "floats"
    deep = picture.mode == "I" or picture.mode.startswith("I;16") or any(";16" in raw for raw in _raw_modes(picture))
    return "whole numbers" if deep else ""


def _raw_modes(picture: Image.Image) -> list[str]:
    """How PIL will take the bytes of an opened picture."""
    tiles = getattr(picture, "tile", [])
    return [str(tile[3][0] if isinstance(tile[3], tuple) else tile[3]) for tile in tiles]


def _deep_values(picture: Image.Image, path: Path, remedy: str) -> NDArray[np.float32]:
    """The values of a deep picture as shown, (H, W, 1) or with colours and alpha (H, W, 2 to 4).

    PIL keeps the upper byte only of 16-bit colours: the lower comes from reading the file as if its bytes were swapped.
    """
    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        return np.asarray(_upright(picture), dtype=np.float32)[:, :, None]
    (raw, *others) = set(_raw_modes(picture))
    if not others and raw == "LA;16B" and picture.mode == "RGBA":
        pairs = _as_raw(path, "RGBA").astype(np.float32)
        return pairs[:, :, 0::2] * 256 + pairs[:, :, 1::2]
    base, order = raw[:-1], raw[-1]
    swapped = {"B": "L", "L": "B", "N": "B" if np.little_endian else "L"}.get(order)
    if others or swapped is None or base not in ("RGB;16", "RGBA;16", "RGBX;16"):
        raise InputError(f"{path}: is not a readable picture (16 bits of kind {raw}). Save it as grey or RGB.")
    upper = np.asarray(_upright(picture), dtype=np.float32)
    values = upper * 256 + _as_raw(path, base + swapped)
    return values[:, :, :3] if base == "RGBX;16" else values


def _planes(values: NDArray) -> int:
    """How many planes of deep values (H, W, 1 to 4) are colours: one or three, the last of two or four is alpha."""
    return values.shape[-1] - (values.shape[-1] % 2 == 0)


def _extent(values: NDArray) -> tuple[float, float]:
    colours = values[..., : _planes(values)]
    return float(colours.min()), float(colours.max())


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, upright, where there is none or the EXIF is damaged."""
    with suppress(Exception):
        found = int(picture.getexif().get(ORIENTATION, 1))
        return found if 1 <= found <= 8 else 1
    return 1


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()
    return ImageOps.exif_transpose(picture) if _orientation(picture) > 1 else picture


def _as_raw(path: Path, raw: str) -> NDArray[np.uint8]:
    """A picture whose bytes are taken otherwise than its file says, as shown."""
    with path.open("rb") as file, Image.open(file) as picture:
        picture.tile = [_with_raw(tile, raw) for tile in picture.tile]
        return np.asarray(_upright(picture))


def _with_raw(tile: Any, raw: str) -> Any:
    arguments = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
    return type(tile)(*tile[:3], arguments)


def _resized(picture: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    return picture if size is None else picture.resize(size, Image.Resampling.LANCZOS)


def _on_black(picture: Image.Image) -> Image.Image:
    """What is seen of a picture with alpha in front of black; without a transparent pixel it is as it was."""
    visible = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", visible.size, (0, 0, 0, 255)), visible)


def _marked(picture: Image.Image, path: Path) -> NDArray[np.bool_]:
    """Where a mask of 8 bits marks something."""
    if picture.has_transparency_data:
        values = np.asarray(picture.convert("RGBA"))
        visible, coloured = values[..., 3] > 0, (values[..., :3] > 0).any(axis=-1)
        if not visible.any() and coloured.any() and not coloured.all():
            raise InputError(f"{path}: a mask that is wholly transparent, in two colours. Save it without alpha.")
        if not visible.all():
            return visible & coloured if len(set(coloured[visible].tolist())) > 1 else visible
        if np.ptp(values[..., 3]):
            raise InputError(f"{path}: a mask of several alphas, none of them 0. Save it without alpha.")
    if picture.mode == "P":
        return _marked_in_palette(picture, path)
    values = np.asarray(picture if picture.mode in ("1", "L") else picture.convert("RGB"))
    highest = values if values.ndim == 2 else values.max(axis=-1)
    if picture.format in ("JPEG", "MPO"):
        return highest > highest.max() / 2
    return highest > 0


def _marked_in_palette(picture: Image.Image, path: Path) -> NDArray[np.bool_]:
    index = np.asarray(picture)
    palette = np.array(picture.getpalette("RGB"), dtype=int).reshape(-1, 3)
    used = [number for number in np.unique(index).tolist() if number < len(palette)]
    colours = {number: tuple(palette[number].tolist()) for number in used}
    black, white = (0, 0, 0), (255, 255, 255)
    if set(colours.values()) == {black, white}:  # a picture of two colours that was given a palette
        return np.isin(index, [number for number, colour in colours.items() if colour == white])
    if colours.get(0, black) != black and black in colours.values():
        raise InputError(
            f"{path}: a mask with a palette in which 0 is {colours[0]} and another index black: which is normal? "
            "Save it as grey, 0 where nothing is marked."
        )
    return index > 0
