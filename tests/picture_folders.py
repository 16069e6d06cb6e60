"""Folders of small made pictures as MVTec AD and VisA are published."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 64
CLASSES = {"screw": (48, 80, "L"), "tile": (SIZE, SIZE, "RGB")}  # height, width, mode of the pictures
NUM_TRAIN, NUM_GOOD, NUM_BAD = 5, 3, 3


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A normal picture: grey stripes and noise, (H, W)."""
    stripes = 90 + 30 * np.sin(np.arange(width) / 3 + rng.uniform(0, 6))
    return np.clip(stripes + rng.normal(0, 8, (height, width)), 0, 160)


def defect(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a bright square, and where the square is."""
    picture, mask = texture(rng, height, width), np.zeros((height, width), dtype=bool)
    top, left = rng.integers(0, height - 16), rng.integers(0, width - 16)
    mask[top : top + 16, left : left + 16] = True
    return np.where(mask, 250, picture), mask


def save(path: Path, picture: np.ndarray, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).convert(mode).save(path)
    return path


def draw_mvtec_class(
    folder: Path,
    shape: tuple[int, int] = (SIZE, SIZE),
    mode: str = "RGB",
    num_bad: int = NUM_BAD,
    mask_name: str = "{}_mask.png",
    mask_value: int = 255,
) -> None:
    """One class in the layout of MVTec AD."""
    rng = np.random.default_rng(len(folder.name))
    for number in range(NUM_TRAIN):
        save(folder / "train" / "good" / f"{number:03}.png", texture(rng, *shape), mode)
    for number in range(NUM_GOOD):
        save(folder / "test" / "good" / f"{number:03}.png", texture(rng, *shape), mode)
    for number in range(num_bad):
        picture, mask = defect(rng, *shape)
        save(folder / "test" / "defect" / f"{number:03}.png", picture, mode)
        save(folder / "ground_truth" / "defect" / mask_name.format(f"{number:03}"), mask * mask_value, "L")


def draw_mvtec(folder: Path) -> Path:
    for name, (height, width, mode) in CLASSES.items():
        draw_mvtec_class(folder / name, (height, width), mode)
    (folder / "license.txt").write_text("none")
    (folder / "empty").mkdir()
    (folder / "tile" / "test" / "good" / "Thumbs.db").write_bytes(b"no picture")
    (folder / "tile" / "test" / ".DS_Store").write_bytes(b"no folder")
    return folder


def draw_visa(folder: Path, mask_value: int = 255) -> Path:
    """Two classes as VisA is published: pictures by object, splits in a table."""
    rng, rows = np.random.default_rng(5), []
    for name in ("candle", "pcb1"):
        images, masks = Path(name, "Data", "Images"), Path(name, "Data", "Masks", "Anomaly")
        for number in range(NUM_TRAIN + NUM_GOOD):
            path = images / "Normal" / f"{number:04}.JPG"
            save(folder / path, texture(rng, 60, 90))
            rows.append([name, "train" if number < NUM_TRAIN else "test", "normal", path.as_posix(), ""])
        for number in range(NUM_BAD):
            picture, mask = defect(rng, 60, 90)
            path, mask_path = images / "Anomaly" / f"{number:03}.JPG", masks / f"{number:03}.png"
            save(folder / path, picture)
            save(folder / mask_path, mask * mask_value, "L")
            rows.append([name, "test", "anomaly", path.as_posix(), mask_path.as_posix()])
    (folder / "split_csv").mkdir()
    with (folder / "split_csv" / "1cls.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["object", "split", "label", "image", "mask"], *rows])
    return folder
