"""Made-up pictures in the layout of MVTec AD: two textures and an object, six kinds of defects, drawn on first use.

A defective picture is a good one with one thing wrong, so that its mask is known to the pixel.
"""

import zlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from runtime.files import atomic_folder

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIZE = 128  # pixels each way
NUM_TRAIN, NUM_GOOD, PER_KIND = 40, 10, 5
VISIBLE = 0.12  # difference of a colour, white being 1, that the eye sees above the noise
FEWEST = 40  # visible pixels of a defect
ATTEMPTS = 100


class Kind(StrEnum):
    """What is wrong in a picture, as the folders of the test pictures are named."""

    SCRATCH = "scratch"
    STAIN = "stain"
    HOLE = "hole"
    FIBRE = "fibre"
    SMEAR = "smear"
    SHIFT = "shift"


def weave(rng: Generator) -> tuple[Array, Mask]:
    """Threads over and under each other, (H, W, 3), and where a defect may lie."""
    y, x = _grid()
    y, x = y + rng.uniform(0, 16), x + rng.uniform(0, 16)
    across, along = np.sin(np.pi * x / 8), np.sin(np.pi * y / 8)
    over = np.sign(np.sin(np.pi * x / 8 + 0.01) * np.sin(np.pi * y / 8 + 0.01)) > 0
    height = np.where(over, np.abs(across), np.abs(along))
    colour = np.where(over[..., None], (0.62, 0.55, 0.42), (0.50, 0.46, 0.38))
    return colour * (0.55 + 0.5 * height[..., None]), np.ones((SIZE, SIZE), bool)


def slate(rng: Generator) -> tuple[Array, Mask]:
    """Stone in layers, never twice the same."""
    layers = sum(weight * _cloud(rng, size) for weight, size in ((0.03, 0.8), (0.07, (1.2, 7)), (0.03, (4, 20))))
    colour = np.array((0.46, 0.48, 0.50)) + layers[..., None] * np.array((0.9, 0.95, 1.0))
    return colour, np.ones((SIZE, SIZE), bool)


def washer(rng: Generator) -> tuple[Array, Mask]:
    """A metal ring with four notches on a dark ground, turned at random; a defect lies on the metal."""
    y, x = _grid()
    y, x = y - SIZE / 2 + 0.5 - rng.uniform(-3, 3), x - SIZE / 2 + 0.5 - rng.uniform(-3, 3)
    radius, angle = np.hypot(x, y), np.arctan2(y, x) + rng.uniform(0, 2 * np.pi)
    notch = 3.5 * np.exp(-np.square((angle + np.pi / 4) % (np.pi / 2) - np.pi / 4) / 0.01)
    metal = (radius < 52 - notch) & (radius > 22)
    soft = ndimage.gaussian_filter(metal.astype(float), 0.8)
    brushed = 0.66 + 0.05 * np.sin(2.2 * radius) + 0.06 * np.cos(2 * np.arctan2(y, x) + 0.6)
    ground = 0.13 + 0.02 * _cloud(rng, 3.0)
    grey = soft * brushed + (1 - soft) * ground
    return grey[..., None] * np.array((0.97, 0.98, 1.0)), ndimage.binary_erosion(metal, iterations=4)


CLASSES: dict[str, Callable[[Generator], tuple[Array, Mask]]] = {"slate": slate, "washer": washer, "weave": weave}


def write_sample_pictures(folder: Path, seed: int = 0) -> None:
    """Draw all pictures and masks into a folder, whole or not at all."""
    with atomic_folder(folder) as temporary:
        for name in CLASSES:
            for number in range(NUM_TRAIN):
                _save(
                    temporary / name / "train" / "good" / f"{number:03}.png", good_picture(name, "train", number, seed)
                )
            for number in range(NUM_GOOD):
                _save(temporary / name / "test" / "good" / f"{number:03}.png", good_picture(name, "good", number, seed))
            for kind in Kind:
                for number in range(PER_KIND):
                    picture, mask = bad_picture(name, kind, number, seed)
                    _save(temporary / name / "test" / kind / f"{number:03}.png", picture)
                    _save(temporary / name / "ground_truth" / kind / f"{number:03}_mask.png", mask.astype(float))


def good_picture(name: str, part: str, number: int, seed: int = 0) -> Array:
    """A good picture (H, W, 3) of a class, colours from 0 to 1."""
    clean, noise = _seeds(name, part, number, seed)
    return _taken(CLASSES[name](clean)[0], noise)


def bad_picture(name: str, kind: Kind, number: int, seed: int = 0) -> tuple[Array, Mask]:
    """A picture (H, W, 3) with a defect, and where it differs visibly from the same one without (H, W)."""
    clean, noise = _seeds(name, kind, number, seed)
    picture, allowed = CLASSES[name](clean)
    for _ in range(ATTEMPTS):
        changed, place = DEFECTS[kind](picture, allowed, clean)
        differs = (np.abs(changed - picture).max(axis=2) > VISIBLE) & place
        mask = ndimage.binary_fill_holes(ndimage.binary_closing(differs, iterations=4)) & place
        if np.count_nonzero(differs) >= FEWEST:
            return _taken(np.where(place[..., None], changed, picture), noise), mask
    raise RuntimeError(f"{name}: no room for a {kind}")


def _seeds(name: str, part: str, number: int, seed: int) -> tuple[Generator, Generator]:
    """For the picture and for its noise; keyed by name, so that another class leaves all others as they were."""
    keys = (zlib.crc32(name.encode()), zlib.crc32(part.encode()), number)
    clean, noise = SeedSequence(seed, spawn_key=keys).spawn(2)
    return default_rng(clean), default_rng(noise)


def _grid() -> tuple[Array, Array]:
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    return y, x


def _cloud(rng: Generator, size: float | tuple[float, float]) -> Array:
    """Smooth noise (H, W) of deviation 1 with blobs of a size in pixels."""
    cloud = ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE)), size, mode="wrap")
    return cloud / cloud.std()


def _taken(picture: Array, rng: Generator) -> Array:
    """As a camera takes it: a little brighter or darker, with noise."""
    return np.clip(picture * rng.uniform(0.96, 1.04) + rng.normal(0, 0.015, picture.shape), 0, 1)


def _save(path: Path, picture: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((picture * 255).round().astype(np.uint8)).save(path)


# Defects: (picture, where one may lie, chance) -> the changed picture, and the place that is changed


def _middle(allowed: Mask, rng: Generator, margin: int = 14) -> tuple[int, int]:
    inside = allowed.copy()
    inside[:margin], inside[-margin:], inside[:, :margin], inside[:, -margin:] = False, False, False, False
    return tuple(rng.choice(np.argwhere(inside)))


def _blob(centre: tuple[int, int], radius: float, rng: Generator) -> Mask:
    """A roundish place with an uneven edge."""
    y, x = _grid()
    angle = np.arctan2(y - centre[0], x - centre[1])
    edge = 1 + sum(rng.uniform(0, 0.2 / k) * np.sin(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5))
    return np.hypot(y - centre[0], x - centre[1]) < radius * edge


def _curve(centre: tuple[int, int], length: float, bend: float, width: float, rng: Generator) -> Mask:
    """A bent line."""
    steps = np.linspace(-0.5, 0.5, 200)
    heading = rng.uniform(0, np.pi) + bend * steps
    path = np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0) * length / 200
    points = np.rint(path - path[100] + centre).astype(int)
    drawn = np.zeros((SIZE, SIZE), bool)
    points = points[((points >= 0) & (points < SIZE)).all(axis=1)]
    drawn[points[:, 0], points[:, 1]] = True
    return ndimage.distance_transform_edt(~drawn) < width


def _scratch(picture: Array, allowed: Mask, rng: Generator) -> tuple[Array, Mask]:
    place = _curve(_middle(allowed, rng), rng.uniform(22, 40), rng.uniform(-0.5, 0.5), 1.5, rng) & allowed
    return picture + rng.uniform(0.25, 0.35), place


def _stain(picture: Array, allowed: Mask, rng: Generator) -> tuple[Array, Mask]:
    place = _blob(_middle(allowed, rng), rng.uniform(7, 11), rng) & allowed
    return picture * np.array((0.75, 0.6, 0.45)) * rng.uniform(0.85, 1.0), place


def _hole(picture: Array, allowed: Mask, rng: Generator) -> tuple[Array, Mask]:
    place = _blob(_middle(allowed, rng), rng.uniform(4, 7), rng) & allowed
    return np.full_like(picture, 0.06), place


def _fibre(picture: Array, allowed: Mask, rng: Generator) -> tuple[Array, Mask]:
    place = _curve(_middle(allowed, rng), rng.uniform(35, 55), rng.uniform(2, 4) * rng.choice([-1, 1]), 1.2, rng)
    colour = np.array(((0.75, 0.15, 0.15), (0.15, 0.25, 0.7), (0.9, 0.85, 0.3))[rng.integers(3)])
    return np.broadcast_to(colour, picture.shape).copy(), place


def _smear(picture: Array, allowed: Mask, rng: Generator) -> tuple[Array, Mask]:
    """The same colours, without their fine structure, and a little brighter as a polished place is."""
    place = _blob(_middle(allowed, rng), rng.uniform(9, 13), rng) & allowed
    return ndimage.gaussian_filter(picture, (4, 4, 0)) * rng.uniform(1.15, 1.25), place


def _shift(picture: Array, allowed: Mask, rng: Generator) -> tuple[Array, Mask]:
    """A piece that has slipped, its structure no longer fits."""
    place = _blob(_middle(allowed, rng), rng.uniform(10, 14), rng)
    turned = np.rot90(picture, axes=(0, 1))
    slipped = np.roll(turned, tuple(rng.integers(5, 12, 2)), axis=(0, 1))
    return slipped, place & allowed


DEFECTS: dict[Kind, Callable[[Array, Mask, Generator], tuple[Array, Mask]]] = {
    Kind.SCRATCH: _scratch,
    Kind.STAIN: _stain,
    Kind.HOLE: _hole,
    Kind.FIBRE: _fibre,
    Kind.SMEAR: _smear,
    Kind.SHIFT: _shift,
}
