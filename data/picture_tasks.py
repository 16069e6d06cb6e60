"""Classes of pictures as tasks: which data sets of pictures there are, and what a class of one reads.

A data set of pictures has a `kind` and gives a task for every chosen class; datasets.py registers them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from data.picture_check import tell
from data.picture_files import OWN, PictureReader, find_white
from data.picture_folders import own_classes
from data.pictures import Colours, PictureDataset, PictureFile
from runtime.errors import InputError, note, unknown_name

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


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

    def reading(self, files: list[PictureFile]) -> PictureTask:
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
