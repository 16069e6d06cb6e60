"""Pictures on disk, and the layouts of folders in which data sets of pictures are published."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runtime.errors import InputError

VISA_COLUMNS = {"object", "split", "image", "mask"}

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
DEEP = 65535  # the white of a picture with 16 bits

Sample = tuple[NDArray[np.float32], int, NDArray[np.uint8]]

Colours = tuple[float, ...]


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk; an anomalous one has the file of its mask."""

    path: Path
    mask: Path | None = None


class PictureDataset:
    """Pictures of one class, resized to `size`, normalised by `mean` and `std`; masks are 1 where they are not 0."""

    rows_alike = False

    def __init__(
        self, files: list[PictureFile], size: tuple[int, int], mean: Colours, std: Colours, class_name: str = ""
    ) -> None:
        self.filenames = [str(file.path) for file in files]
        self.labels = [int(file.mask is not None) for file in files]
        self.channels = [class_name] * len(files)
        self._files = files
        self._height, self._width = size
        self._mean, self._std = np.float32(mean)[:, None, None], np.float32(std)[:, None, None]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        colours = _read_colours(self._files[index].path, (self._width, self._height)).transpose(2, 0, 1) / 255
        return (colours - self._mean) / self._std, self.labels[index], self.mask(index)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """The mask (H, W) of a picture: 1 where it is anomalous."""
        path = self._files[index].mask
        if path is None:
            return np.zeros((self._height, self._width), dtype=np.uint8)
        drawn = np.asarray(_read_picture(path).convert("L")) > 0
        resized = Image.fromarray(drawn).resize((self._width, self._height), Image.Resampling.NEAREST)
        return np.asarray(resized, dtype=np.uint8)

    def content_sha256(self) -> str:
        """SHA-256 of all files and of the normalisation."""
        digest = hashlib.sha256(self._mean.tobytes() + self._std.tobytes())
        for file in self._files:
            digest.update(_read_bytes(file.path))
        return digest.hexdigest()


def _read_colours(path: Path, size: tuple[int, int]) -> NDArray[np.float32]:
    """A picture (height, width, 3) of `size`, width and height, in 0..255 whatever its depth is."""
    picture = _read_picture(path)
    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        values = np.asarray(picture, dtype=np.float32)
        deepest = 1.0 if picture.mode == "F" else DEEP
        low, high = float(values.min()), float(values.max())
        if not 0 <= low <= high <= deepest:
            raise InputError(
                f"{path}: has pixels from {low:.4g} to {high:.4g}, expected 0 to {deepest:g} in a picture of mode "
                f"{picture.mode}. Save it with 8 or 16 bits."
            )
        grey = Image.fromarray(values * np.float32(255 / deepest)).resize(size, Image.Resampling.LANCZOS)
        # what overshoots at an edge is cut off, as 8 bits do it
        return np.repeat(np.asarray(grey).clip(0, 255)[:, :, None], 3, axis=2)
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS), dtype=np.float32)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: is not a readable picture ({error}). Fetch the data again.") from error


def _read_picture(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError) as error:  # a broken chunk of a PNG is a SyntaxError to PIL
        raise InputError(f"{path}: is not a readable picture ({error}). Fetch the data again.") from error
    return picture


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)


def read_mvtec(folder: Path, class_name: str, split: str) -> list[PictureFile]:
    """MVTec AD (Bergmann et al., CVPR 2019): <class>/{train,test}/<defect>/*, ground_truth/<defect>/*_mask.png."""
    files = []
    for defects in sorted((folder / class_name / split).glob("*")):
        masks = folder / class_name / "ground_truth" / defects.name
        for path in _pictures_in(defects):
            files.append(PictureFile(path, None if defects.name == "good" else masks / f"{path.stem}_mask.png"))
    return files


def read_visa(folder: Path, class_name: str, split: str) -> list[PictureFile]:
    """VisA (Zou et al., ECCV 2022): split_csv/1cls.csv with object, split, label, image, mask.

    A copy prepared in the layout of MVTec AD is read as such; its masks are named like their pictures.
    """
    table = folder / "split_csv" / "1cls.csv"
    if not table.is_file():
        files = read_mvtec(folder, class_name, split)
        return [PictureFile(f.path, f.mask and f.mask.with_name(f"{f.path.stem}.png")) for f in files]
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = VISA_COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{table}: has no column {', '.join(sorted(missing))}. Fetch the file again.")
        rows = [row for row in reader if row["object"] == class_name and row["split"] == split]
    return [PictureFile(folder / row["image"], folder / row["mask"] if row["mask"] else None) for row in rows]
