"""What a detector is: something that learns from normal data and scores others, of series or of pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data.pictures import Colours
from datasets import Pictures
from detectors.columns import ChannelScores
from detectors.loop import Course
from runtime.arrays import ArrayFile

PictureMetrics = dict[str, float | None]
Maps = Mapping[str, NDArray[np.float32] | ArrayFile]


class Trained(Protocol):
    """What every detector keeps in a checkpoint and tells of itself.

    `channels`: what it was trained on, in order. `weights`: in words, which learnt features it starts from.
    """

    channels: list[str]
    weights: str

    def facts(self) -> dict[str, Any]:
        """What config.json says of it besides."""

    def state(self) -> dict[str, Any]:
        """Its content of a checkpoint: state dicts and plain values by name."""

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of the checkpoint `path`. Raises InputError where it does not fit."""


class Detector(Trained, Protocol):
    """A detector of series. `rows` names the rows of its scores, "level 2" for one of that pyramid level.

    `reach`: how many steps on either side the score of a step depends on, None where it is the whole series; the steps
    of a part that begins at a multiple of `grid` are scored as in the whole. `at_once`: how many channels may be scored
    at the same time, on a thread each.
    """

    rows: list[str]
    reach: int | None
    grid: int
    at_once: int

    def fit(self, train: Mapping[str, NDArray[np.float64]], course: Course) -> None:
        """Learn from the training series (T, D) of every channel, NaN where nothing was measured.

        An array is read when it is asked for. What learns by gradient does so by `course.train`, whatever else by
        itself.
        """

    def scores(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """Scores of a series (T, D), NaN where nothing was measured, higher = more anomalous.

        Raises InputError for a channel that it cannot score.
        """

    def held_out(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """Scores of a training series of a channel as if it were new: thresholds are learnt from them.

        NaN where the detector has no way to tell, as where it was trained on the very steps.
        """


class PictureDetector(Trained, Protocol):
    """A detector of pictures by MSFlow's maps, or of channels that are drawn as one picture each."""

    def normalisation(self) -> tuple[Colours, Colours, float | None]:
        """Mean and deviation per colour by which pictures are to be normalised, and the white of deep ones."""

    def opened(self, pictures: Pictures, split: str) -> Any:
        """The pictures of a split as `fit` and `score` want them; what is costly is done here."""

    def fit(self, train: Any, course: Course, evaluate: Callable[[], PictureMetrics] | None) -> None:
        """Learn from opened training pictures; `evaluate`, where there is anything to, after every meta epoch."""

    def score(self, opened: Any, numbers: list[int], maps: Maps) -> dict[int, float]:
        """Fill `maps`, of add, mul and energy (N, H, W), for the pictures `numbers`; returns their scores by number."""

    def held_out(self, train: Any) -> dict[int, float]:
        """Scores of opened training pictures, by number, as if they were new: the threshold is learnt from them.

        Empty where the detector has no way to tell.
        """
