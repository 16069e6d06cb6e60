"""Features of pictures, made once: the frozen extractor gives the same pyramid in every epoch.

The pooled pyramids of a split lie in one file per level under the run's folder, read picture by picture, beside what
they were made from. Other pictures, weights or sizes, and a damaged file, make them anew. Of pictures whose rows are
all alike one row is extracted and kept.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from data.pictures import PictureDataset
from datasets import SMAPDataset
from detectors.run import Run, load_pictures
from models.extractors import Extractor
from models.flows import make_pool
from runtime import distributed
from runtime.arrays import ArrayFile
from runtime.errors import InputError
from runtime.files import atomic_folder
from runtime.progress import progress_bar

META_FILE = "meta.json"
FORMAT = 2  # counts up when what is kept changes


class Features:
    """The pooled pyramids of all pictures of a split: from the run's folder, or extracted anew."""

    def __init__(self, run: Run, pictures: PictureDataset | SMAPDataset, split: str) -> None:
        self.run, self.pictures = run, pictures
        self._kept: list[ArrayFile] | None = None
        if run.config.feature_cache:
            folder = run.folder / "features" / split
            made_from = _made_from(run, pictures)
            with distributed.writer_first():
                self._kept = _open(folder, made_from)
                if self._kept is None:
                    self._make(folder, made_from, split)
                    self._kept = _open(folder, made_from)

    def __len__(self) -> int:
        return len(self.pictures)

    def levels(self, numbers: list[int]) -> list[Tensor]:
        """The pooled pyramids of some pictures, level l (B, C_l, H_l, W_l)."""
        if self._kept is not None:
            chosen = [np.stack([level[number] for number in numbers]) for level in self._kept]
            kept = [torch.from_numpy(level).to(self.run.device) for level in chosen]
            return self._with_rows(kept) if self.pictures.rows_alike else kept
        images = torch.from_numpy(np.stack([self.pictures[number][0] for number in numbers]))
        return self._pooled(images, self.run.extractor, self.run.flow.pool)

    def _pooled(self, images: Tensor, extractor: Extractor, pool: nn.Module) -> list[Tensor]:
        return [pool(level) for level in extractor(images.to(self.run.device, non_blocking=True))]

    def _with_rows(self, rows: list[Tensor]) -> list[Tensor]:
        """What pooling both ways gives for a picture of the run's height, from rows pooled along the width."""
        pool, levels = self.run.flow.pool, []
        for row, reduction in zip(rows, self.run.extractor.reductions, strict=True):
            height = -(-self.run.config.input_size[0] // reduction)
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
        extractor, pool, rows = self.run.extractor, self.run.flow.pool, slice(None)
        if self.pictures.rows_alike:
            extractor, pool, rows = extractor.as_line(), make_pool(self.run.config.pool_type, line=True), slice(1)
        for images, _, _ in load_pictures(self.run.config, self.pictures):
            yield self._pooled(images[:, :, rows], extractor, pool)


def _made_from(run: Run, pictures: PictureDataset | SMAPDataset) -> dict[str, Any]:
    """Everything that decides the features: a difference in any makes others."""
    return {
        "format": FORMAT,
        "pictures": pictures.content_sha256(),
        "extractor": run.config.extractor,
        "extractor_sha256": run.extractor_sha256,
        "pool_type": run.config.pool_type,
        "input_size": list(run.config.input_size),
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
    try:
        meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        files = _level_files(folder)
        if {**meta, "sha256": None} != {**made_from, "sha256": None} or [_checksum(f) for f in files] != meta["sha256"]:
            return None
        return [ArrayFile(path) for path in files]
    except (OSError, ValueError, KeyError, TypeError):
        return None
