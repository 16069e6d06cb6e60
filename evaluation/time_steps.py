"""From what a test run left to one score per time step: MSFlow's maps, or the raw -log p of every level."""

import numpy as np
from numpy.typing import NDArray

from data.telemanom import TelemanomSource
from drawing.layouts import Stretch
from drawing.steps import moving_moments
from runs.scores import Scores
from runtime.errors import InputError
from settings.effects import score_name
from settings.load import Config

NUM_LEVELS = 3
TAIL = 0.99  # quantile of the training scores that calibration `quantile` takes for 1


def timestep_scores(
    scores: Scores, train: Scores, source: TelemanomSource, config: Config
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Scores (T,) of the steps of every channel of a test run, and of its training steps.

    Raises InputError where the run left no such scores, or where they are of another length or not finite.
    """
    name = score_name(config)
    if name not in scores.maps:
        raise InputError(
            f"{scores.folder}: holds {', '.join(scores.maps)}, but timestep_map asks for {name}. Test anew."
        )
    pairs = []
    for number, channel in enumerate(scores.channels):
        steps = [source.num_steps(channel, split) for split in ("test", "train")]
        maps = [of_split.maps[name][number] for of_split in (scores, train)]
        if name == "nll":
            found = combined(*maps, config.levels, config.calibration, config.smooth)
        else:
            found = [Stretch(*m.shape).to_series(m, length) for m, length in zip(maps, steps, strict=True)]
        if [len(series) for series in found] != steps:
            raise InputError(f"{scores.folder}: scores of {channel} are of other data. Run --mode test again.")
        if not all(np.isfinite(series).all() for series in found):
            raise InputError(f"{scores.folder}: channel {channel} has scores that are not finite. Train and test anew.")
        pairs.append(found)
    return [test for test, _ in pairs], [train for _, train in pairs]


def combined(
    test: NDArray[np.floating], train: NDArray[np.floating], levels: tuple[int, ...], calibration: str, smooth: int
) -> list[NDArray[np.float64]]:
    """Raw -log p of a channel's test and training steps, (rows, T) each -> time-step scores (T,) of either.

    Rows stand by time scale and level; those of `levels` (from 1) are calibrated on the training steps, added up and
    averaged over `smooth` steps around each.
    """
    rows = [row for row in range(len(test)) if row % NUM_LEVELS + 1 in levels]
    chosen = [array[rows].astype(np.float64) for array in (test, train)]
    centre, spread = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    if calibration != "none":
        centre = np.median(chosen[1], axis=1, keepdims=True)
    if calibration == "quantile":
        tail = np.quantile(chosen[1], TAIL, axis=1, keepdims=True) - centre
        # a channel whose training scores are all alike has no tail to measure by
        spread = np.where(tail > 0, tail, np.maximum(np.abs(centre), np.finfo(np.float32).tiny))
    return [moving_moments(((array - centre) / spread).sum(axis=0), smooth).mean for array in chosen]
