"""Pictures on disk as samples: which files a data set has, what is known of each, and how they reach the extractor."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.picture_files import OWN, PictureReader
from runtime.errors import InputError

UNKNOWN = -1  # the label of a sample that nobody has labelled
READING = b"2"  # counts up when a file is read otherwise than before

Sample = tuple[NDArray[np.float32], int, NDArray[np.uint8]]

Colours = tuple[float, ...]


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk: `anomalous`, good (False), or unlabelled (None). One with a mask is anomalous.

    An anomalous one without a mask counts in detection, and in nothing that asks where.
    """

    path: Path
    mask: Path | None = None
    anomalous: bool | None = False

    def __post_init__(self) -> None:
        if self.mask is not None:
            object.__setattr__(self, "anomalous", True)

    @property
    def label(self) -> int:
        """1 anomalous, 0 good, UNKNOWN."""
        return UNKNOWN if self.anomalous is None else int(self.anomalous)

    @property
    def masked(self) -> bool:
        """Whether it is known which of its places are anomalous: by a mask, or because none is."""
        return self.mask is not None or self.anomalous is False


class Listing(list[PictureFile]):
    """The pictures of a split, and what was found beside them.

    `skipped`: files that are no pictures; `left_out`: pictures that cannot be learnt from, by the reason; `strays`:
    masks that belong to no picture.
    """

    def __init__(
        self,
        files: Iterable[PictureFile] = (),
        skipped: Sequence[Path] = (),
        left_out: dict[str, list[Path]] | None = None,
        strays: Sequence[Path] = (),
    ) -> None:
        super().__init__(files)
        self.skipped, self.left_out, self.strays = list(skipped), left_out or {}, list(strays)


class PictureDataset:
    """Pictures of one class, resized to `size`, normalised by `mean` and `std`; masks are 1 where they mark something.

    `white` is that of deep pictures (see data/picture_files.py). `masked`: whose anomalous places are known.
    """

    rows_alike = False

    def __init__(
        self,
        files: Sequence[PictureFile],
        size: tuple[int, int],
        mean: Colours,
        std: Colours,
        white: float | None = None,
        class_name: str = "",
        remedy: str = OWN,
    ) -> None:
        self.filenames = [str(file.path) for file in files]
        self.labels = [file.label for file in files]
        self.masked = [file.masked for file in files]
        self.channels = [class_name] * len(files)
        self.reader = PictureReader(white, remedy)
        self._files = list(files)
        self._height, self._width = size
        self._mean, self._std = np.float32(mean)[:, None, None], np.float32(std)[:, None, None]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        read = self.reader.colours(self._files[index].path, (self._width, self._height))
        return (read.transpose(2, 0, 1) / 255 - self._mean) / self._std, self.labels[index], self.mask(index)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """The mask (H, W) of a picture: 1 where it is anomalous."""
        path = self._files[index].mask
        if path is None:
            return np.zeros((self._height, self._width), dtype=np.uint8)
        marked = Image.fromarray(self.reader.mask(path))
        return np.asarray(marked.resize((self._width, self._height), Image.Resampling.NEAREST), dtype=np.uint8)

    def content_sha256(self) -> str:
        """SHA-256 of all files, of how they are read and of the normalisation."""
        digest = hashlib.sha256(READING + repr(self.reader.white).encode() + self._mean.tobytes() + self._std.tobytes())
        for file in self._files:
            try:
                digest.update(file.path.read_bytes())
            except OSError as error:
                raise InputError(f"{file.path}: is not a readable picture ({error}). {self.reader.remedy}") from error
        return digest.hexdigest()
