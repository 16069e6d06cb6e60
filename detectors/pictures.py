"""Pictures as a detector learns and scores them: maps of each, and picture metrics where there are masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.pictures import PictureDataset
from datasets import Pictures, Task
from detectors.base import PictureDetector, PictureMetrics
from detectors.loop import Course
from metrics.pictures import picture_metrics
from runs.folder import ENERGY, MAP_NAMES, map_file
from runs.scores import write_samples
from runtime import distributed
from runtime.arrays import ArrayFile
from settings.config import Config
from settings.effects import picture_score_name


class PictureWay:
    """How the pictures of a task are learnt and scored; channels of series are drawn as one picture each.

    Of pictures the split train has scores of those that were held out, without maps.
    """

    def __init__(self, config: Config, task: Task, detector: PictureDetector) -> None:
        self.config, self.task, self.detector = config, task, detector
        self.splits: tuple[str, ...] = task.splits
        self.map_names: tuple[str, ...] = MAP_NAMES
        self.map_type, self.located_by = np.float32, "add"
        if task.kind == "pictures":
            self.splits = tuple(dict.fromkeys((*task.splits, "train")))
            self.map_type = np.float16
            if picture_score_name(config) == ENERGY:
                self.map_names, self.located_by = (*MAP_NAMES, ENERGY), ENERGY

    def _pictures(self, split: str) -> Pictures:
        return self.task.pictures(self.config, split, *self.detector.normalisation())

    def fit(self, course: Course) -> None:
        """Learn from the training pictures; those of the test are evaluated after every meta epoch.

        They are opened first: a bad file among them is found now and not after hours of training.
        """
        train, test = self._pictures("train"), self._pictures("test") if "test" in self.splits else None
        opened = self.detector.opened(train, "train")
        if test is None or not self.task.has_masks:
            self.detector.fit(opened, course, None)
            return
        opened_test = self.detector.opened(test, "test")
        self.detector.fit(opened, course, lambda: self._evaluated(test, opened_test))

    def _evaluated(self, pictures: PictureDataset, opened: Any) -> PictureMetrics:
        """Picture metrics of the detector as it is."""
        score_maps = np.empty((len(pictures), *self.config.input_size), self.map_type)
        scores = self.detector.score(opened, list(range(len(pictures))), {self.located_by: score_maps})
        return self._metrics(pictures, scores, score_maps)

    def _metrics(
        self, pictures: PictureDataset, scores: dict[int, float], score_maps: NDArray[np.floating]
    ) -> PictureMetrics:
        in_order = np.array([scores[number] for number in range(len(scores))], dtype=np.float32)
        masks = np.stack([pictures.mask(number) for number in range(len(pictures))])
        return picture_metrics(pictures.labels, in_order, masks, score_maps, self.config.pro_eval, pictures.masked)

    def write(self, split: str, folder: Path) -> tuple[dict[str, Any], PictureMetrics]:
        """Write the maps of every picture; of several processes each has a share of them."""
        pictures = self._pictures(split)
        if split == "train" and self.task.kind == "pictures":
            return self._write_held_out(pictures, folder), {}
        shape = (len(pictures), *self.config.input_size)
        with distributed.writer_first():
            maps = {name: self._map_file(map_file(folder, name), shape) for name in self.map_names}
        numbers = distributed.share_of(list(range(len(pictures))))
        scores = distributed.gathered(self.detector.score(self.detector.opened(pictures, split), numbers, maps))
        if not distributed.is_writer():
            return {}, {}
        if not self.task.has_masks:
            return write_samples(folder, pictures.filenames, pictures.channels, pictures.labels, scores), {}
        told = write_samples(folder, pictures.filenames, None, pictures.labels, scores)
        score_maps = np.load(map_file(folder, self.located_by), mmap_mode="r", allow_pickle=False)
        return told, self._metrics(pictures, scores, score_maps)

    def _write_held_out(self, pictures: Pictures, folder: Path) -> dict[str, Any]:
        """Write the scores of the training pictures that can be held out; all processes have the same."""
        scores = self.detector.held_out(self.detector.opened(pictures, "train"))
        if not distributed.is_writer():
            return {}
        numbers = sorted(scores)
        in_order = dict(enumerate(scores[number] for number in numbers))
        return write_samples(folder, _at(pictures.filenames, numbers), None, _at(pictures.labels, numbers), in_order)

    def _map_file(self, path: Path, shape: tuple[int, ...]) -> ArrayFile:
        """The file of the score maps, made by the first who asks."""
        return ArrayFile(path) if path.exists() else ArrayFile.create(path, shape, self.map_type)


def _at(items: Sequence, numbers: list[int]) -> list:
    return [items[number] for number in numbers]
