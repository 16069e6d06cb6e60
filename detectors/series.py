"""Series as a detector learns and scores them: one file of scores (rows, T) per channel."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.source import SeriesSource
from datasets import SeriesTask, picture_label
from detectors.base import Detector, PictureMetrics
from detectors.loop import Course
from drawing.ranges import Ranges
from drawing.scaling import SHARED
from runs.folder import column_file, level_map_file
from runs.rows import channel_score, chosen_rows
from runs.scores import write_samples
from runtime import distributed
from runtime.errors import InputError, warn
from runtime.files import atomic_file
from runtime.threads import mapped
from settings.config import Config
from settings.effects import scaling_name


class SplitArrays(Mapping):
    """The series (T, D) of a split by channel, each read when it is asked for."""

    def __init__(self, source: SeriesSource, channels: list[str], split: str) -> None:
        self._source, self._channels, self._split = source, channels, split

    def __getitem__(self, channel: str) -> NDArray[np.float64]:
        return self._source.series(channel, self._split)

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)


class SeriesWay:
    """How the channels of a task are learnt and scored."""

    def __init__(self, config: Config, task: SeriesTask, detector: Detector, known: dict[str, list[str]]) -> None:
        self.config, self.task, self.detector, self.known = config, task, detector, known
        self.splits = task.splits

    def fit(self, course: Course) -> None:
        """Learn from the training series. The test series are read too: what is wrong in them is found now."""
        for channel in self.task.channels:
            columns = self.known.get(channel)
            if columns is None:  # there is nothing of it to learn from
                continue
            found, place = self.task.source.series(channel, "test").shape[1], self.task.source.place(channel, "test")
            told = f"{place}: channel {channel} has {found} columns, but {len(columns)} in training"
            if found < len(columns):
                raise InputError(f"{told}. Give both the same columns.")
            if found > len(columns):
                warn(f"{told}: nothing is learnt of the others.")
        self.detector.fit(SplitArrays(self.task.source, self.task.trained, "train"), course)

    def write(self, split: str, folder: Path) -> tuple[dict[str, Any], PictureMetrics]:
        """Write the scores of every channel; of several processes each has a share of them. No picture metrics."""
        task, names = self.task, self.task.channels if split == "test" else self.task.trained
        rows = chosen_rows(self.detector.rows, self.config.levels)
        score = self.detector.scores if split == "test" else self.detector.held_out
        reading = Lock()  # sources keep what they have read, and need not know of threads

        def written(name: str) -> float:
            with reading:
                series = task.source.series(name, split)
            found = score(name, series)
            _save(level_map_file(folder, name), found.rows)
            if found.of_columns is not None:
                _save(column_file(folder, name), found.of_columns)
            return channel_score(found.rows[rows], self.config.top_k, self.config.smooth)

        numbers = distributed.share_of(list(range(len(names))))
        mine = mapped(written, [names[n] for n in numbers], f"Score {split}", "channel", self.detector.at_once)
        scores = distributed.gathered(dict(zip(numbers, mine, strict=True)))
        if not distributed.is_writer():
            return {}, {}
        labels = [picture_label(task.labels, name, split) for name in names]
        places = [task.source.place(name, split) for name in names]
        told = {**write_samples(folder, places, names, labels, scores), "rows": self.detector.rows}
        if split == "train":
            told["training"] = self._ranges(names)
        return told, {}

    def _ranges(self, channels: list[str]) -> dict[str, Any]:
        """What the training series of every channel hold, or of all together where they share their units."""
        groups = {SHARED: channels} if self.config.shared_density else {name: [name] for name in channels}
        scaling = scaling_name(self.config)
        series = SplitArrays(self.task.source, channels, "train")
        return {group: Ranges.of([series[name] for name in names], scaling).plain() for group, names in groups.items()}


def _save(path: Path, array: NDArray) -> None:
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
