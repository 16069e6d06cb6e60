"""What is seen of a score map: the heat of every place, as a picture of its own, over the picture, or with 16 bits."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

# dark, violet, red, orange, pale: brighter with every stop, so that it reads without colour too
STOPS = np.array([(6, 6, 18), (66, 12, 100), (148, 38, 103), (221, 81, 58), (252, 165, 10), (252, 250, 170)])
FAINT, FULL = 0.35, 0.75  # heat from which on an overlay begins to show, and to show as much as it does
COVER = 0.6  # of the picture below, where the heat is full
RED = np.array((255, 40, 30))  # of the cover and of the frame: pale colours would be lost on a bright part


def heat_of(score_map: NDArray[np.floating], size: tuple[int, int], threshold: float | None) -> NDArray[np.float32]:
    """A map (H, W) in the size of the picture, width and height, from 0 to 1: m / (m + threshold).

    It is a half where the map is the threshold, and never full, so that much above it differs still from very much. A
    map without a threshold is compared with half of its peak.
    """
    usual = threshold if threshold and threshold > 0 else float(score_map.max()) / 2
    values = resized(score_map, size).clip(0, None)
    return values / (values + max(usual, 1e-12))


def resized(score_map: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """A map (H, W) in the size of the picture, width and height."""
    return np.asarray(Image.fromarray(score_map.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))


def heat_picture(heat: NDArray[np.float32]) -> Image.Image:
    """Heat (H, W) in colours."""
    places = np.linspace(0, 1, len(STOPS))
    colours = np.stack([np.interp(heat, places, STOPS[:, plane]) for plane in range(3)], axis=-1)
    return Image.fromarray(colours.astype(np.uint8))


def overlay(
    picture: NDArray[np.uint8], heat: NDArray[np.float32], box: tuple[int, int, int, int] | None = None
) -> Image.Image:
    """Heat (H, W) over its picture (H, W, 3), which shows where there is little; `box` x0, y0, x1, y1 is framed."""
    cover = COVER * ((heat - FAINT) / (FULL - FAINT)).clip(0, 1)[..., None]
    drawn = Image.fromarray((picture * (1 - cover) + RED * cover).round().astype(np.uint8))
    if box is not None:
        wide = max(1, round(max(drawn.size) / 250))
        x0, y0, x1, y1 = box
        edges = (
            max(x0 - wide, 0),
            max(y0 - wide, 0),
            min(x1 + wide, drawn.width) - 1,
            min(y1 + wide, drawn.height) - 1,
        )
        ImageDraw.Draw(drawn).rectangle(edges, outline=tuple(RED.tolist()), width=wide)
    return drawn


def deep_picture(score_map: NDArray[np.floating], size: tuple[int, int]) -> Image.Image:
    """A map (H, W) in grey of 16 bits, in the size of the picture: 65535 is its peak."""
    values = resized(score_map, size) * (65535 / max(float(score_map.max()), 1e-12))
    return Image.fromarray(values.clip(0, 65535).round().astype(np.uint16))
