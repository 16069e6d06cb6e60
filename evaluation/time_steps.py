"""From what a test run left to one score per time step: MSFlow's maps, or the rows of scores of every channel."""

import numpy as np
from numpy.typing import NDArray

from data.source import SeriesSource
from drawing.stretch import Stretch
from runs.rows import chosen_rows, time_step_scores
from runs.scores import ScoreFiles
from runtime.errors import InputError
from settings.config import Config
from settings.effects import score_name

Series = list[NDArray[np.float64]]


def scores_of_steps(
    test: ScoreFiles, train: ScoreFiles | None, source: SeriesSource, config: Config
) -> tuple[Series, Series | None]:
    """Scores (T,) of the steps of every channel of a test run, and of its training steps where they were scored.

    Raises InputError where the run left no such scores, or where they are of another length or not finite.
    """
    name = score_name(config)
    if name not in test.maps:
        raise InputError(f"{test.folder}: holds {', '.join(test.maps)}, but timestep_map asks for {name}. Test anew.")
    rows = chosen_rows(test.rows, config.levels) if name == "nll" else []
    found: dict[str, Series] = {"test": [], "train": []}
    for number, channel in enumerate(test.channels):
        maps = {"test": test.maps[name][number], "train": None if train is None else train.maps[name][number]}
        if name == "nll":
            maps = {split: None if scores is None else scores[rows] for split, scores in maps.items()}
        for split, scores in maps.items():
            if scores is None:
                continue
            num_steps = source.num_steps(channel, split)
            if name == "nll":
                steps = time_step_scores(scores, maps["train"], config.calibration, config.smooth)
            else:
                steps = Stretch(*scores.shape).to_series(scores, num_steps)
            if len(steps) != num_steps:
                raise InputError(f"{test.folder}: scores of {channel} are of other data. Run --mode test again.")
            if not np.isfinite(steps).all():
                raise InputError(
                    f"{test.folder}: channel {channel} has scores that are not finite. Train and test anew."
                )
            found[split].append(steps)
    return found["test"], None if train is None else found["train"]
