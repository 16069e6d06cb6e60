"""Features of pictures, made once: the frozen extractor gives the same pyramid in every epoch.

The pooled pyramids of a split lie in one file per level under the run's folder, read picture by picture, beside what
they were made from. Other pictures, weights or sizes, and a damaged file, make them anew. Of pictures whose rows are
all alike one row is extracted and kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datasets import Pictures
from detectors.msflow.pyramids import deviation, noisy, share_of_batch
from models.densities.base import Batch, Density
from models.extractors import Extractor
from models.flows import make_pool
from runs.folder import FEATURES
from runtime import distributed
from runtime.arrays import ArrayFile
from runtime.errors import InputError
from runtime.files import atomic_folder
from runtime.progress import progress_bar
from settings.config import Config

if TYPE_CHECKING:
    from detectors.msflow.model import Model

META_FILE = "meta.json"
FORMAT = 2  # counts up when what is kept changes


class Features:
    """The pooled pyramids of all pictures of a split: from the run's `folder`, or extracted anew by a model."""

    def __init__(self, model: Model, pictures: Pictures, split: str, folder: Path) -> None:
        self.model, self.pictures = model, pictures
        self._kept: list[ArrayFile] | None = None
        if model.config.feature_cache:
            place = folder / FEATURES / split
            made_from = _made_from(model, pictures)
            with distributed.writer_first():
                self._kept = _open(place, made_from)
                if self._kept is None:
                    self._make(place, made_from, split)
                    self._kept = _open(place, made_from)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def kept(self) -> bool:
        """Whether they lie in files."""
        return self._kept is not None

    def levels(self, numbers: list[int]) -> list[Tensor]:
        """The pooled pyramids of some pictures, level l (B, C_l, H_l, W_l)."""
        if self._kept is not None:
            chosen = [np.stack([level[number] for number in numbers]) for level in self._kept]
            kept = [torch.from_numpy(level).to(self.model.device) for level in chosen]
            return self._with_rows(kept) if self.pictures.rows_alike else kept
        images = torch.from_numpy(np.stack([self.pictures[number][0] for number in numbers]))
        return self._pooled(images, self.model.extractor, self.model.pool)

    def channel_numbers(self, numbers: list[int]) -> Tensor:
        """The numbers (B,) of the channels that some pictures are of."""
        found = [self.model.place(self.pictures.channels[number]) for number in numbers]
        return torch.tensor(found, device=self.model.device)

    def by_channel(self, numbers: Sequence[int] | None = None) -> list[Sequence[Tensor]]:
        """The pooled pyramids of all pictures of every channel, or of some, a level read when it is asked for."""
        chosen = range(len(self)) if numbers is None else numbers
        return [
            _ChannelLevels(self, [n for n in chosen if self.pictures.channels[n] == channel])
            for channel in self.model.channels
        ]

    def whole(self, numbers: list[int]) -> list[Tensor]:
        """The pooled pyramids of more pictures than one batch has."""
        size = self.model.config.batch_size
        batches = (self.levels(numbers[start : start + size]) for start in range(0, len(numbers), size))
        return [torch.cat(levels) for levels in zip(*batches, strict=True)]

    def _pooled(self, images: Tensor, extractor: Extractor, pool: nn.Module) -> list[Tensor]:
        return [pool(level) for level in extractor(images.to(self.model.device, non_blocking=True))]

    def _with_rows(self, rows: list[Tensor]) -> list[Tensor]:
        """What pooling both ways gives for a picture of the run's height, from rows pooled along the width."""
        pool, levels = self.model.pool, []
        for row, reduction in zip(rows, self.model.extractor.reductions, strict=True):
            height = -(-self.model.config.input_size[0] // reduction)
            # the average counts the zeros beyond the first and last row: the same share of every column
            share = pool(row.new_ones(1, 1, height, 8))[0, 0, :, 2] if isinstance(pool, nn.AvgPool2d) else None
            size = height if isinstance(pool, nn.Identity) else -(-height // 2)
            tall = row.expand(-1, -1, size, -1)
            levels.append(tall if share is None else tall * share[:, None])
        return levels

    def _make(self, folder: Path, made_from: dict[str, Any], split: str) -> None:
        """Extract all pictures into `folder`, whole or not at all."""
        total = len(self.pictures)
        with atomic_folder(folder) as temporary, progress_bar(total, desc=f"Features {split}", unit="picture") as bar:
            files: list[ArrayFile] = []
            start = 0
            for levels in self._extracted():
                if not files:
                    _check_space(folder, total * sum(x[0].nbytes for x in levels))
                    files = [_new_file(temporary, number, (total, *x.shape[1:])) for number, x in enumerate(levels)]
                for file, level in zip(files, levels, strict=True):
                    for number, features in enumerate(level.cpu().numpy(), start):
                        file[number] = features
                start += len(levels[0])
                bar.update(len(levels[0]))
            sums = [_checksum(path) for path in _level_files(temporary)]
            (temporary / META_FILE).write_text(json.dumps({**made_from, "sha256": sums}), encoding="utf-8")

    def _extracted(self) -> Iterator[list[Tensor]]:
        """Pooled pyramids batch by batch; of pictures with rows alike one row of each level, pooled along the width."""
        extractor, pool, rows = self.model.extractor, self.model.pool, slice(None)
        if self.pictures.rows_alike:
            extractor, pool, rows = extractor.as_line(), make_pool(self.model.config.pool_type, line=True), slice(1)
        for images, _, _ in _load(self.model.config, self.pictures):
            yield self._pooled(images[:, :, rows], extractor, pool)


class _ChannelLevels(Sequence):
    """The pyramid of all pictures of a channel: level l (N, C_l, H_l, W_l) is read when it is asked for."""

    def __init__(self, features: Features, numbers: list[int]) -> None:
        self._features, self._numbers = features, numbers
        self._extracted: list[Tensor] | None = None  # all levels, where no file keeps them

    def __len__(self) -> int:
        return len(self._features.model.extractor.num_features)

    def __getitem__(self, level: int) -> Tensor:
        if not 0 <= level < len(self):
            raise IndexError(level)
        if self._features.kept:
            return torch.cat([levels[level] for levels in self._batches()])
        if self._extracted is None:
            self._extracted = [torch.cat(levels) for levels in zip(*self._batches(), strict=True)]
        return self._extracted[level]

    def _batches(self) -> Iterator[list[Tensor]]:
        size = self._features.model.config.batch_size
        for start in range(0, len(self._numbers), size):
            yield self._features.levels(self._numbers[start : start + size])


class PictureBatches:
    """Features of training pictures, all or `numbers`, as batches, prepared for a density, with noise.

    The noise is that of TrainingPyramids.
    """

    def __init__(
        self,
        features: Features,
        density: Density,
        batch_size: int,
        noise: float,
        numbers: Sequence[int] | None = None,
    ) -> None:
        self.features, self.density, self.batch_size, self.noise = features, density, batch_size, noise
        self._numbers = torch.arange(len(features)) if numbers is None else torch.tensor(numbers)
        self.num_batches = math.ceil(len(self._numbers) / batch_size)
        self._deviation = self._deviations() if noise else []

    def _deviations(self) -> list[Tensor]:
        """Deviations of all features (C, 1, 1) by level; prepared ones are in units of them."""
        first, channels = self.features.levels([0]), self.features.by_channel(self._numbers.tolist())
        if self.density.prepared(first, self.features.channel_numbers([0])) is not first:
            return [torch.ones_like(level[0, :, :1, :1]) for level in first]
        return [deviation([levels[number] for levels in channels]) for number in range(len(first))]

    def batches(self, seed: int) -> Iterator[Batch]:
        """One pass in the random order of `seed`."""
        random = torch.Generator().manual_seed(seed)
        order = self._numbers[torch.randperm(len(self._numbers), generator=random)]
        for numbers in order.split(self.batch_size):
            mine, weight = share_of_batch(len(numbers))
            chosen = numbers[mine].tolist()
            channels = self.features.channel_numbers(chosen)
            levels = self.density.prepared(self.features.levels(chosen), channels)
            if self.noise:
                pairs = zip(levels, self._deviation, strict=True)
                levels = [noisy(x, spread, self.noise, mine, len(numbers), random) for x, spread in pairs]
            rows_alike = self.features.pictures.rows_alike and not self.noise
            yield Batch(levels, channels, weight=weight, rows_alike=rows_alike)


def _load(config: Config, pictures: Pictures) -> Iterator[list[Tensor]]:
    """Batches (pictures, labels, masks) of a data set, loaded as the settings say."""
    try:
        yield from DataLoader(pictures, config.batch_size, num_workers=config.num_workers)
    except InputError as error:  # one of a loading process comes with that process's traceback before it
        raise InputError(str(error).rsplit("InputError: ", 1)[-1].strip()) from error


def _made_from(model: Model, pictures: Pictures) -> dict[str, Any]:
    """Everything that decides the features: a difference in any makes others."""
    return {
        "format": FORMAT,
        "pictures": pictures.content_sha256(),
        "extractor": model.config.extractor,
        "extractor_sha256": model.extractor_sha256,
        "pool_type": model.config.pool_type,
        "input_size": list(model.config.input_size),
    }


def _check_space(folder: Path, needed: int) -> None:
    """Raises InputError where the features would fill the disk, which would otherwise be known only hours later."""
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise InputError(
            f"{folder}: the features need {needed / 1e9:.3g} GB, {free / 1e9:.3g} GB are free. Make room, choose "
            "another --work-dir, or set --no-feature-cache."
        )


def _level_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("level*.npy"))


def _new_file(folder: Path, level: int, shape: tuple[int, ...]) -> ArrayFile:
    return ArrayFile.create(folder / f"level{level + 1}.npy", shape)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(folder: Path, made_from: dict[str, Any]) -> list[ArrayFile] | None:
    """The kept features, or None where there are none, or others, or damaged ones."""
    with suppress(Exception):  # whatever a damaged one raises, it is made anew
        meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        files, sums = _level_files(folder), meta.pop("sha256")
        if meta == made_from and [_checksum(path) for path in files] == sums:
            return [ArrayFile(path) for path in files]
    return None
