"""Data sets: from a name in default.py to the channels or pictures that are learnt from and scored.

DATASETS is the registry. A data set says what `kind` it is of, series or pictures, and gives the tasks that the
settings choose from it: for series one task with all chosen channels, or one for every series where each is to be
learnt by itself, for pictures one for every class. To add one of series, write a source (data/source.py) and give it a
name here; to add one of pictures, write a function that lists files and masks (data/picture_folders.py).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from data.labels import LabelRules
from data.picture_check import tell
from data.picture_files import OWN, PictureReader, find_white
from data.picture_folders import own_classes, read_mvtec, read_visa
from data.pictures import UNKNOWN, Colours, PictureDataset, PictureFile, Sample
from data.sample import write_sample
from data.sample_pictures import write_sample_pictures
from data.source import ALL, MEASURED, ChosenColumns, Labels, SeriesSource
from data.table.format import TableFormat
from data.table.source import TableSource
from data.telemanom import TelemanomSource
from data.tsb_nasa import TsbNasaSource, group_of
from drawing.colours import TOGETHER, Drawing, normalisation
from drawing.stretch import Stretch
from runtime.errors import InputError, note, unknown_name
from runtime.registry import Registry

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Pictures(Protocol):
    """The pictures of a split in one order: samples (picture (3, H, W) float32, label, mask (H, W) uint8).

    `channels` names what each is of, a series or a class; `rows_alike`: all rows of a picture are alike.
    """

    rows_alike: bool
    filenames: list[str]
    labels: list[int]
    channels: list[str]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def content_sha256(self) -> str:
        """SHA-256 of all that decides the samples."""


class SeriesPictures:
    """Channels of telemetry, each drawn as one picture by the layout `stretch`, normalised by `mean` and `std`.

    The label of a test channel is 1 where any of its steps is labelled, and UNKNOWN where nobody labelled it; a mask is
    zero everywhere, as the labels are per time step. Raises InputError for a channel that is damaged or has fewer
    columns than asked for.
    """

    rows_alike = True

    def __init__(
        self,
        labels: Labels,
        channels: list[str],
        split: str,
        size: tuple[int, int],
        drawing: Drawing,
        mean: Colours,
        std: Colours,
    ) -> None:
        source, layout = labels.source, Stretch(*size)
        self.filenames = [source.place(channel, split) for channel in channels]
        self.labels = [picture_label(labels, channel, split) for channel in channels]
        self.channels = channels
        self._pictures = []
        for channel, place in zip(channels, self.filenames, strict=True):
            series = (drawing(source.series(channel, split), f"{place}: channel {channel}") - mean) / std
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


SMAPDataset = SeriesPictures  # the name that people know it by


def picture_label(labels: Labels, channel: str, split: str) -> int:
    """The label of a channel as one sample: 1 anomalous, 0 normal, UNKNOWN. Training series are normal."""
    found = labels.has_anomaly(channel) if split == "test" else False
    return UNKNOWN if found is None else int(found)


@dataclass(frozen=True, eq=False)
class SeriesTask:
    """The chosen `channels` of a source, one class with one detector, and their labels.

    `group`: of what is learnt each by itself, those in whose mean it counts.
    """

    kind: ClassVar[str] = "series"
    has_masks: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ("test", "train")  # scored; thresholds are learnt from the latter
    class_name: str
    source: SeriesSource
    channels: list[str]
    labels: Labels
    group: str = ""

    @property
    def trained(self) -> list[str]:
        """The channels that have a training series."""
        return [channel for channel in self.channels if channel not in self.source.untrained]

    def columns(self, channel: str) -> list[str]:
        """The names of a channel's columns."""
        return self.source.columns(channel)

    def step(self, channel: str) -> pd.Timedelta | None:
        """The usual time between two steps of a channel's training series, where they have times."""
        return self.source.step(channel)

    def normalisation(self, config: Any) -> tuple[Colours, Colours]:
        """Mean and standard deviation per colour over all training steps."""
        drawing, source = Drawing.of(config), self.source
        return normalisation([drawing(source.series(c, "train"), f"channel {c}") for c in self.trained])

    def white(self, config: Any) -> None:
        """What is drawn has no depth."""

    def pictures(
        self, config: Any, split: str, mean: Colours, std: Colours, white: float | None = None
    ) -> SeriesPictures:
        """Every channel of a split, train or test, as a stretched picture."""
        return SeriesPictures(self.labels, self.channels, split, config.input_size, Drawing.of(config), mean, std)


@dataclass(frozen=True, eq=False)
class PictureTask:
    """The pictures of one class. `read` lists the files of a split: "train" holds normal pictures only.

    `published`: the name by which data/download.py gets them; such a class has test pictures, and a mask for each that
    is anomalous. Of a user's own either may be missing.
    """

    kind: ClassVar[str] = "pictures"
    has_masks: ClassVar[bool] = True
    group: ClassVar[str] = ""
    class_name: str
    folder: Path
    read: Callable[[Path, str, str], Sequence[PictureFile]]
    published: str = ""
    may_lack_test: bool = False

    @property
    def channels(self) -> list[str]:
        """One channel: the class."""
        return [self.class_name]

    trained = channels

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """What is scored: the test, where there is one."""
        if self.may_lack_test and not self.read(self.folder, self.class_name, "test"):
            return ()
        return ("test",)

    @property
    def remedy(self) -> str:
        """What to do about a file that is missing or damaged."""
        return f"Fetch the data again: python -m data.download {self.published}." if self.published else OWN

    def columns(self, channel: str) -> list[str]:
        """Pictures have none."""
        return []

    def step(self, channel: str) -> None:
        """Pictures have none."""

    def normalisation(self, config: Any) -> tuple[Colours, Colours]:
        """ImageNet's mean and standard deviation: what the extractor was trained on."""
        return IMAGENET_MEAN, IMAGENET_STD

    def reading(self, files: list[PictureFile]) -> "PictureTask":
        """The same class with these files in place of every split's: new ones, to be read as those that were learnt."""
        return replace(self, read=lambda folder, class_name, split: files)

    def white(self, config: Any) -> float | None:
        """The white of deep pictures: as set, or by those in training, which is said; None where none is deep."""
        if config.picture_depth != "auto":
            return config.picture_depth
        files = self.read(self.folder, self.class_name, "train")
        white, told = find_white([file.path for file in files], PictureReader(remedy=self.remedy), self.class_name)
        if told:
            note(told)
        return white

    def pictures(
        self, config: Any, split: str, mean: Colours, std: Colours, white: float | None = None
    ) -> PictureDataset:
        """The pictures of a split, train or test; what is left out of them is said.

        Raises InputError where there are none, or one that cannot be opened.
        """
        files = self.read(self.folder, self.class_name, split)
        if not files:
            name = {"train": "good pictures to train with"}.get(split, f"{split} pictures")
            raise InputError(f"{self.folder / self.class_name}: has no {name}. {self._missing}")
        made = PictureDataset(files, config.input_size, mean, std, white, self.class_name, self.remedy)
        tell(files, f"{self.class_name} {split}", made.reader, bool(self.published))
        return made

    @property
    def _missing(self) -> str:
        return self.remedy if self.published else "See data/README.md for what is looked for."


class SeriesData:
    """A data set of series: `source` opens a folder, by default the first of `folders` that is there.

    `make` writes that folder where there is none. `one_unit`: all channels were published in one unit, and their levels
    tell more as they are.
    """

    kind = "series"

    def __init__(
        self,
        source: Callable[[Path], SeriesSource],
        folders: tuple[str, ...] = (),
        make: Callable[[Path], None] | None = None,
        one_unit: bool = False,
    ) -> None:
        self.source, self.folders, self.make, self.one_unit = source, folders, make, one_unit

    def task(self, config: Any, root: Path = Path()) -> SeriesTask:
        """The chosen channels. Default folders lie under `root`. Raises InputError for an unknown channel."""
        folders = (config.data_path,) if config.data_path else self.folders
        if not folders:
            raise InputError(f"dataset = {config.dataset}: has no folder of its own. Set --data-path.")
        places = [root / folder for folder in folders]
        folder = next((place for place in places if place.exists()), places[0])
        if self.make and not folder.exists():
            self.make(folder)
        return series_task(self.opened(folder, config), config)

    def opened(self, folder: Path, config: Any) -> SeriesSource:
        """The source in a folder, with those of its columns that are to be drawn by themselves, where any are."""
        source = self.source(folder)
        return source if config.columns == TOGETHER else ChosenColumns(source, config.columns)

    def tasks(self, config: Any, root: Path = Path()) -> list[SeriesTask]:
        """One task: all chosen channels."""
        return [self.task(config, root)]


class SeparateData(SeriesData):
    """A data set of series that are learnt and judged each by itself; `group` says in whose mean a series counts."""

    def __init__(self, *args: Any, group: Callable[[str], str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.group = group

    def tasks(self, config: Any, root: Path = Path()) -> list[SeriesTask]:
        """One task for every chosen series."""
        whole = self.task(config, root)
        return [replace(whole, class_name=name, channels=[name], group=self.group(name)) for name in whole.channels]


class TableData(SeriesData):
    """Tables of a user's own, which the settings help to read."""

    def opened(self, path: Path, config: Any, steps: Mapping[str, pd.Timedelta] | None = None) -> SeriesSource:
        """The tables of a file or folder; with the `steps` of what was learnt before, all of them are to be scored."""
        return TableSource(path, table_format(config), steps)


def table_format(config: Any) -> TableFormat:
    """What the settings say about tables."""
    chosen = {"columns": ALL if config.columns in (TOGETHER, MEASURED) else config.columns}
    return TableFormat(**{field.name: getattr(config, field.name) for field in fields(TableFormat)} | chosen)


def series_task(source: SeriesSource, config: Any) -> SeriesTask:
    """The chosen channels of a source. Raises InputError for an unknown channel."""
    channels = _selected(source, config.class_names)
    rules = LabelRules(config.duplicate_rows, config.interval_ends, config.merge_gap, config.widen)
    return SeriesTask(_class_name(source, channels), source, channels, Labels(source, rules))


def _selected(source: SeriesSource, names: tuple[str, ...]) -> list[str]:
    """The channels named, in the order of the source; `all` names all."""
    if names == ("all",):
        return source.channels
    for name in names:
        if name not in source.channels:
            raise unknown_name(f"channel of {source.origin}", name, source.channels)
    return [channel for channel in source.channels if channel in names]


def _class_name(source: SeriesSource, channels: list[str]) -> str:
    """The source's name for all of its channels, else the channels' own."""
    if channels == source.channels:
        return source.name
    if len(channels) <= 4:
        return "_".join(channels)
    digest = hashlib.sha256(" ".join(channels).encode()).hexdigest()[:8]
    return f"{len(channels)}_channels_{digest}"


class PictureData:
    """A data set of pictures, a detector for every class; `read` lists the files of a folder, class and split.

    `published`: data/download.py knows where to get it. `make` writes its folder in data/ where there is none.
    """

    kind = "pictures"

    def __init__(
        self,
        name: str,
        read: Callable[[Path, str, str], Sequence[PictureFile]],
        published: bool = False,
        make: Callable[[Path], None] | None = None,
    ) -> None:
        self.name, self.read, self.published, self.make = name, read, published, make

    def tasks(self, config: Any) -> list[PictureTask]:
        """One task for each chosen class; `all`: every class that has training pictures.

        Raises InputError where the folder or a class is missing.
        """
        folder = Path(config.data_path or f"data/{self.name}")
        if self.make and not folder.exists():
            self.make(folder)
        if not folder.is_dir():
            get = f"Get the data: python -m data.download {self.name}, or by hand as data/README.md says; then set"
            raise InputError(
                f"{folder}: does not exist. {get if self.published else 'Set'} --data-path. Accepted: one folder per "
                "class, as published."
            )
        places = [place.name for place in sorted(folder.iterdir()) if place.is_dir()]
        known = [name for name in places if self.read(folder, name, "train")]
        if not known:
            raise InputError(
                f"{folder}: holds no class with training pictures of {self.name}. See data/README.md; for pictures of "
                "your own set --dataset folder."
            )
        published = self.name if self.published else ""
        return [PictureTask(name, folder, self.read, published) for name in chosen_classes(config, folder, known)]


class OwnPictures:
    """Pictures of a user's own: a class, several, good pictures alone, or a csv (see data/picture_folders.py)."""

    kind = "pictures"

    def tasks(self, config: Any) -> list[PictureTask]:
        """One task for each chosen class. Raises InputError where there is none, or not the one that is named."""
        if not config.data_path:
            raise InputError(f"dataset = {config.dataset}: has no folder of its own. Set --data-path to your pictures.")
        found = own_classes(Path(config.data_path))
        names = chosen_classes(config, Path(config.data_path), list(found))
        return [PictureTask(name, *found[name], may_lack_test=True) for name in names]


def chosen_classes(config: Any, folder: Path, known: list[str]) -> list[str]:
    """The classes of a folder that the settings name. Raises InputError for one that it does not have."""
    for name in config.class_names:
        if name not in (*known, "all"):
            raise unknown_name(f"class of {folder}", name, known)
    return known if "all" in config.class_names else list(config.class_names)


# one of your own in a file of its own is a line in the braces: "mine": "data.mine:MINE"
DATASETS: Registry[SeriesData | PictureData | OwnPictures] = Registry("dataset", {})
TELEMANOM = (
    ("smap", "SMAP", ("data/smap", "1"), None),
    ("msl", "MSL", ("data/smap", "data/msl", "1"), None),
    ("sample", "SAMPLE", ("data/sample",), write_sample),
)
for name, spacecraft, folders, make in TELEMANOM:
    DATASETS.register(name, SeriesData(partial(TelemanomSource, spacecraft=spacecraft), folders, make, one_unit=True))
DATASETS.register(
    "tsb-nasa", SeparateData(TsbNasaSource, ("data/smap", "data/msl", "1"), one_unit=True, group=group_of)
)
DATASETS.register("table", TableData(TableSource))
DATASETS.register("mvtec", PictureData("mvtec", read_mvtec, published=True))
DATASETS.register("visa", PictureData("visa", read_visa, published=True))
DATASETS.register("sample_pictures", PictureData("sample_pictures", read_mvtec, make=write_sample_pictures))
DATASETS.register("folder", OwnPictures())
