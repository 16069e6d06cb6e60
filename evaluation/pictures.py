"""Pictures judged: the threshold from good pictures that were held out, verdicts, and where the highest region is."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from data.picture_files import PictureReader
from evaluation.thresholds import learn_of_pictures
from runs.folder import CONFIG_FILE, ENERGY
from runs.scores import SAMPLES, check_kind, check_whole, read_array, read_facts
from runtime.files import atomic_file
from settings.config import Config
from settings.effects import picture_score_name

GOOD, BAD = "good", "bad"
COLUMNS = ("file", "score", "threshold", "verdict", "x0", "y0", "x1", "y1", "peak")
HALF_WAY = 0.5  # from the middle of a map to its peak: what is above belongs to the highest region


@dataclass(frozen=True)
class PictureVerdict:
    """What is said of a picture: its score, the threshold or None, and its highest region.

    `box` are x0, y0, x1, y1 in pixels of the picture as it is, the last two exclusive; `peak` is the highest value of
    its map; `label` 1 anomalous, 0 good, -1 unknown.
    """

    file: str
    score: float
    threshold: float | None
    box: tuple[int, int, int, int]
    peak: float
    label: int = -1

    @property
    def bad(self) -> bool | None:
        """Whether the score is above the threshold; None where there is none."""
        return None if self.threshold is None else self.score > self.threshold

    @property
    def verdict(self) -> str:
        """In a word; empty where there is no threshold."""
        return {None: "", True: BAD, False: GOOD}[self.bad]

    def row(self) -> dict[str, Any]:
        """The values of COLUMNS."""
        values = (self.file, self.score, self.threshold, self.verdict, *self.box, self.peak)
        return dict(zip(COLUMNS, values, strict=True))


def picture_threshold(train_scores: Path, config: Config) -> float | None:
    """The score above which a picture is bad, from the folder with the scores of good ones that were held out.

    None where there are too few of them. Raises InputError where the folder holds no scores.
    """
    highest = np.inf if picture_score_name(config) == ENERGY else 1.0
    _check(train_scores)
    path = train_scores / "anomaly_score.npy"
    scores = np.asarray(read_array(path))
    check_kind(path, scores, SAMPLES["anomaly_score"], 1)
    return learn_of_pictures(config.threshold, config.risk, scores, highest)


def threshold_text(threshold: float | None) -> str:
    """The threshold in words, for a terminal."""
    if threshold is None:
        return "none: too few good pictures could be held out (--held-out), or set --threshold"
    return f"{threshold:.4g}"


def judged(
    file: str, score: float, threshold: float | None, score_map: NDArray[np.floating], size: tuple[int, int], label: int
) -> PictureVerdict:
    """The verdict on a picture of `size`, width and height, by its score and its map (H, W)."""
    score_map = finite(score_map)
    return PictureVerdict(file, score, threshold, highest_region(score_map, size), float(score_map.max()), label)


def finite(score_map: NDArray[np.floating]) -> NDArray[np.float32]:
    """A map in single numbers; what half ones could not hold is as high as they get."""
    return np.nan_to_num(score_map.astype(np.float32), posinf=float(np.finfo(np.float16).max))


def highest_region(score_map: NDArray[np.floating], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box x0, y0, x1, y1 of the region around the highest place of a map, in pixels of a picture of `size`.

    The region is what is connected with that place (8 neighbours) at least half way up from the median of the map.
    """
    middle, peak = float(np.median(score_map)), float(score_map.max())
    regions, _ = ndimage.label(score_map >= middle + HALF_WAY * (peak - middle), structure=np.ones((3, 3)))
    top = regions[np.unravel_index(np.argmax(score_map), score_map.shape)]
    rows, columns = np.nonzero(regions == top)
    (height, width), (to_x, to_y) = score_map.shape, size
    x0, x1 = int(columns.min() * to_x / width), int(np.ceil((columns.max() + 1) * to_x / width))
    y0, y1 = int(rows.min() * to_y / height), int(np.ceil((rows.max() + 1) * to_y / height))
    return x0, y0, x1, y1


def shown_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as viewers show it. Raises InputError where it cannot be read."""
    return PictureReader().shown_size(path)


def write_verdicts(path: Path, verdicts: Iterable[PictureVerdict], labelled: bool = False) -> None:
    """Write scores.csv, with a column `label` where there are labels."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*COLUMNS, *(["label"] if labelled else [])])
        writer.writeheader()
        for verdict in verdicts:
            writer.writerow(verdict.row() | ({"label": verdict.label} if labelled else {}))


def read_verdicts(folder: Path, config: Config, threshold: float | None) -> Iterator[PictureVerdict]:
    """The verdicts on the pictures of a folder of score files, in their order. InputError where one is damaged."""
    _check(folder)
    filenames, labels, scores = (
        read_array(folder / f"{name}.npy") for name in ("filenames", "labels", "anomaly_score")
    )
    maps = score_maps(folder, config)
    for file, label, score, score_map in zip(filenames.tolist(), labels.tolist(), scores.tolist(), maps, strict=True):
        yield judged(file, score, threshold, score_map, shown_size(Path(file)), label)


def _check(folder: Path) -> None:
    """Raises InputError where score files are not as they were written; arrays alone, without config.json, will do."""
    if (folder / CONFIG_FILE).is_file():
        check_whole(folder, read_facts(folder / CONFIG_FILE))


def score_maps(folder: Path, config: Config) -> Any:
    """The maps (N, H, W) whose highest places are the scores, an item read when it is asked for."""
    return read_array(folder / f"anomaly_score_map_{picture_score_name(config)}.npy")
