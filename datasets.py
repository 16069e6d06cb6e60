"""Data sets: from files to normalised pictures, labels and masks.

DATASETS is the registry. An entry opens files and hands out, per class and split, a sequence of samples
(picture (3, H, W) float32, label 0/1, mask (H, W) uint8) with the `filenames` and `labels` of all of them.
To add a data set, write a class with the four methods of SeriesData or PictureData and give it a name here.
"""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colours import draw_colours
from data.sample import write_sample
from data.telemanom import TelemanomSource
from labels import LabelRules
from layouts import Stretch
from runtime.errors import InputError, unknown_name

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CONSTANT_STD = 1e-6  # a column that varies less than this is taken as constant and not scaled
VISA_COLUMNS = {"object", "split", "image", "mask"}
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}

Sample = tuple[NDArray[np.float32], int, NDArray[np.uint8]]
Colours = tuple[float, ...]


@dataclass(frozen=True)
class Drawing:
    """How columns become colours: see `colours.draw_colours`; the fields come from the settings of default.py."""

    dims: tuple[int, ...]
    colours: tuple[str, ...]
    window: int
    gains: tuple[float, ...]
    clip: float

    @classmethod
    def of(cls, config) -> "Drawing":
        """The drawing that the settings ask for."""
        return cls(config.smap_used_dims, config.colours, config.colour_window, config.colour_gains, config.clip)

    def __call__(self, source: TelemanomSource, channel: str, split: str) -> NDArray[np.float64]:
        """A channel's colours (T, 3), not normalised. Raises InputError where it has fewer columns than asked for."""
        series = source.series(channel, split)
        if max(self.dims) >= series.shape[1]:
            raise InputError(
                f"{source.path(channel, split)}: channel {channel} has {series.shape[1]} columns, smap_used_dims asks "
                f"for column {max(self.dims)}. Choose from 0 to {series.shape[1] - 1}; a column may stand twice."
            )
        return draw_colours(series, self.dims, self.colours, self.window, self.gains, self.clip)


class SMAPDataset:
    """Channels of telemetry in the published format, each drawn as one picture, normalised by `mean` and `std`.

    The label of a test channel is 1 where any of its steps is labelled; a mask is zero everywhere, as the labels are
    per time step. Raises InputError for a channel that is damaged or has fewer columns than asked for.
    """

    def __init__(
        self,
        source: TelemanomSource,
        channels: list[str],
        split: str,
        size: tuple[int, int],
        drawing: Drawing,
        mean: Colours,
        std: Colours,
    ) -> None:
        layout = Stretch(*size)
        self.rows_alike = True
        self.filenames = [str(source.path(channel, split)) for channel in channels]
        self.labels = [int(split == "test" and source.has_anomaly(channel)) for channel in channels]
        self._pictures = []
        for channel in channels:
            series = (drawing(source, channel, split) - mean) / std
            self._pictures.append(layout.to_image(series))

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        picture = self._pictures[index]
        return picture.copy(), self.labels[index], np.zeros(picture.shape[1:], dtype=np.uint8)

    def content_sha256(self) -> str:
        """SHA-256 of everything drawn, normalised."""
        digest = hashlib.sha256()
        for picture in self._pictures:
            digest.update(picture[:, 0].tobytes())
        return digest.hexdigest()


class SeriesData:
    """A registry entry for telemetry: the chosen channels are one class with one model."""

    is_series = True

    def __init__(self, spacecraft: str, folders: tuple[str, ...], make: Callable[[Path], None] | None = None) -> None:
        self.spacecraft = spacecraft
        self.folders = folders
        self.make = make

    def open(self, config, root: Path = Path()) -> TelemanomSource:
        """The channels and labels of the data set; default folders lie under `root`."""
        places = [root / folder for folder in ((config.data_path,) if config.data_path else self.folders)]
        folder = next((place for place in places if place.exists()), places[0])
        if self.make and not folder.exists():
            self.make(folder)
        rules = LabelRules(config.duplicate_rows, config.labels, config.merge_gap, config.widen)
        return TelemanomSource(folder, self.spacecraft, rules)

    def classes(self, config, root: Path = Path()) -> list[str]:
        """One name for the chosen channels: that of the spacecraft for all, else the channels' own."""
        channels = self.open(config, root).select(config.class_names)
        if config.class_names == ("all",):
            return [self.spacecraft]
        if len(channels) <= 4:
            return ["_".join(channels)]
        digest = hashlib.sha256(" ".join(channels).encode()).hexdigest()[:8]
        return [f"{len(channels)}_channels_{digest}"]

    def channels(self, config) -> list[str]:
        """The chosen channels, in the order of the label file."""
        return self.open(config).select(config.class_names)

    def normalisation(self, config, class_name: str) -> tuple[Colours, Colours]:
        """Mean and standard deviation per colour over all training steps of the chosen channels."""
        source, drawing = self.open(config), Drawing.of(config)
        steps = np.concatenate([drawing(source, channel, "train") for channel in self.channels(config)])
        std = steps.std(axis=0)
        return tuple(steps.mean(axis=0).tolist()), tuple(np.where(std < CONSTANT_STD, 1.0, std).tolist())

    def dataset(self, config, class_name: str, split: str, mean: Colours, std: Colours) -> SMAPDataset:
        """The pictures of a split, train or test."""
        return SMAPDataset(
            self.open(config), self.channels(config), split, config.input_size, Drawing.of(config), mean, std
        )


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk; an anomalous one has the file of its mask."""

    path: Path
    mask: Path | None = None


class PictureDataset:
    """Pictures of one class, resized to `size`, normalised by `mean` and `std`; masks are 1 where they are not 0."""

    def __init__(self, files: list[PictureFile], size: tuple[int, int], mean: Colours, std: Colours) -> None:
        self.rows_alike = False
        self.filenames = [str(file.path) for file in files]
        self.labels = [int(file.mask is not None) for file in files]
        self._files = files
        self._height, self._width = size
        self._mean, self._std = np.float32(mean)[:, None, None], np.float32(std)[:, None, None]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        file = self._files[index]
        picture = _read_picture(file.path).convert("RGB").resize((self._width, self._height), Image.Resampling.LANCZOS)
        colours = np.asarray(picture, dtype=np.float32).transpose(2, 0, 1) / 255
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


class PictureData:
    """A registry entry for pictures: every class has its own model.

    `read` returns the files of a class and split: "train" holds normal pictures only.
    """

    is_series = False

    def __init__(self, name: str, read: Callable[[Path, str, str], list[PictureFile]]) -> None:
        self.name = name
        self.read = read

    def open(self, config) -> Path:
        """The folder of the data set. Raises InputError where it is missing."""
        folder = Path(config.data_path or f"data/{self.name}")
        if not folder.is_dir():
            raise InputError(
                f"{folder}: does not exist. Get the data: python -m data.download {self.name}, or by hand as "
                "data/README.md says; then set --data-path. Accepted: one folder per class, as published."
            )
        return folder

    def classes(self, config) -> list[str]:
        """The chosen classes; `all`: every class that has training pictures."""
        folder = self.open(config)
        known = [
            place.name
            for place in sorted(folder.iterdir())
            if place.is_dir() and self.read(folder, place.name, "train")
        ]
        if not known:
            raise InputError(f"{folder}: holds no class with training pictures of {self.name}. See data/README.md.")
        for name in config.class_names:
            if name not in (*known, "all"):
                raise unknown_name(f"class of {folder}", name, known)
        return known if "all" in config.class_names else list(config.class_names)

    def normalisation(self, config, class_name: str) -> tuple[Colours, Colours]:
        """ImageNet's mean and standard deviation: what the extractor was trained on."""
        return IMAGENET_MEAN, IMAGENET_STD

    def dataset(self, config, class_name: str, split: str, mean: Colours, std: Colours) -> PictureDataset:
        """The pictures of a class in a split, train or test."""
        folder = self.open(config)
        files = self.read(folder, class_name, split)
        if not files:
            raise InputError(f"{folder / class_name}: has no {split} pictures. Fetch the data again.")
        for file in files:
            if file.mask is not None and not file.mask.is_file():
                raise InputError(f"{file.path}: its mask {file.mask} is missing. Fetch the data again.")
        return PictureDataset(files, config.input_size, mean, std)


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


DATASETS: dict[str, SeriesData | PictureData] = {
    "smap": SeriesData("SMAP", ("data/smap", "1")),
    "msl": SeriesData("MSL", ("data/smap", "data/msl", "1")),
    "sample": SeriesData("SAMPLE", ("data/sample",), make=write_sample),
    "mvtec": PictureData("mvtec", read_mvtec),
    "visa": PictureData("visa", read_visa),
}
