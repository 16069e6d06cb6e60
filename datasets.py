"""Data sets: from a name in default.py to the channels or pictures that are learnt from and scored.

DATASETS is the registry. A data set says what `kind` it is of, series or pictures, and gives the tasks that the
settings choose from it: for series one task with all chosen channels, or one for every series where each is to be
learnt by itself, for pictures one for every class. To add one of series, write a source (data/source.py) and give it a
name here; to add one of pictures, write a function that lists files and masks (data/picture_folders.py).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from data.labels import LabelRules
from data.picture_folders import read_mvtec, read_visa
from data.picture_tasks import OwnPictures, PictureData, PictureTask
from data.pictures import UNKNOWN, Colours, Sample
from data.sample_pictures import write_sample_pictures
from data.source import ALL, MEASURED, ChosenColumns, Labels, SeriesSource
from data.table.format import TableFormat
from data.table.source import TableSource
from data.telemanom import TelemanomSource
from data.tsb_nasa import TsbNasaSource, group_of
from drawing.colours import TOGETHER, Drawing, normalisation
from drawing.stretch import Stretch
from runtime.errors import InputError, unknown_name
from runtime.registry import Registry


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


Task = SeriesTask | PictureTask  # what a run is of

# one of your own in a file of its own is a line in the braces: "mine": "data.mine:MINE"
DATASETS: Registry[SeriesData | PictureData | OwnPictures] = Registry("dataset", {})


def _write_sample(folder: Path) -> None:
    from data.sample import write_sample  # filters take a second to import: only for those who need it

    write_sample(folder)


TELEMANOM = (
    ("smap", "SMAP", ("data/smap", "1"), None),
    ("msl", "MSL", ("data/smap", "data/msl", "1"), None),
    ("sample", "SAMPLE", ("data/sample",), _write_sample),
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
