"""Data sets: from files to normalised pictures, labels and masks.

DATASETS is the registry. An entry opens files and hands out, per class and split, a sequence of samples
(picture (3, H, W) float32, label 0/1, mask (H, W) uint8) with the `filenames` and `labels` of all of them.
To add a data set, write a class with the four methods of SeriesData or PictureData and give it a name here.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.labels import LabelRules
from data.pictures import Colours, PictureDataset, PictureFile, Sample, read_mvtec, read_visa
from data.sample import write_sample
from data.telemanom import TelemanomSource
from drawing.colours import Drawing
from drawing.layouts import Stretch
from runtime.errors import InputError, unknown_name

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CONSTANT_STD = 1e-6  # a column that varies less than this is taken as constant and not scaled


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


DATASETS: dict[str, SeriesData | PictureData] = {
    "smap": SeriesData("SMAP", ("data/smap", "1")),
    "msl": SeriesData("MSL", ("data/smap", "data/msl", "1")),
    "sample": SeriesData("SAMPLE", ("data/sample",), make=write_sample),
    "mvtec": PictureData("mvtec", read_mvtec),
    "visa": PictureData("visa", read_visa),
}
