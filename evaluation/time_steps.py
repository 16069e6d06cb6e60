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

    NaN where nothing was measured. A channel without training steps of its own has those of all others. Raises
    InputError where the run left no such scores, or where they are of another length or not finite.
    """
    name = score_name(config)
    if name not in test.maps:
        raise InputError(f"{test.folder}: holds {', '.join(test.maps)}, but timestep_map asks for {name}. Test anew.")
    if name == "nll":
        return _from_rows(test, train, source, config)
    dims = list(config.smap_used_dims)
    of_train = None if train is None else _from_maps(train, name, "train", source, dims)
    return _from_maps(test, name, "test", source, dims), of_train


def _from_rows(
    test: ScoreFiles, train: ScoreFiles | None, source: SeriesSource, config: Config
) -> tuple[Series, Series | None]:
    chosen = chosen_rows(test.rows, config.levels)

    def steps(rows: NDArray, of_training: NDArray | None) -> NDArray[np.float64]:
        return time_step_scores(rows, of_training, config.calibration, config.smooth, config.trailing)

    own = {} if train is None else {c: train.maps["nll"][n][chosen] for n, c in enumerate(train.channels)}
    # put together once: hundreds of channels may be without training steps of their own
    lacking = own and not set(test.channels) <= set(own)
    of_all = np.concatenate(list(own.values()), axis=1) if lacking else None
    scored_of_all = None if of_all is None else steps(of_all, of_all)
    found: tuple[Series, Series] = ([], [])
    for number, channel in enumerate(test.channels):
        rows, known = test.maps["nll"][number][chosen], own.get(channel, of_all)
        found[0].append(_checked(steps(rows, known), test, channel, "test", source))
        if known is not None:
            scored = scored_of_all if known is of_all else steps(known, known)
            here = channel in own and channel not in source.untrained  # else its data are not those at hand
            found[1].append(_checked(scored, train, channel, "train", source, may_lack=True) if here else scored)
    return found[0], found[1] if train is not None else None


def _from_maps(files: ScoreFiles, name: str, split: str, source: SeriesSource, dims: list[int]) -> Series:
    found = []
    for number, channel in enumerate(files.channels):
        scores, num_steps = files.maps[name][number], source.num_steps(channel, split)
        steps = _checked(Stretch(*scores.shape).to_series(scores, num_steps), files, channel, split, source)
        found.append(np.where(np.isnan(source.series(channel, split)[:, dims]).any(axis=1), np.nan, steps))
    return found


def _checked(
    steps: NDArray[np.float64],
    files: ScoreFiles,
    channel: str,
    split: str,
    source: SeriesSource,
    may_lack: bool = False,
) -> NDArray[np.float64]:
    """The steps, where they fit. `may_lack`: those that a detector was trained on have no score."""
    if len(steps) != source.num_steps(channel, split):
        raise InputError(f"{files.folder}: scores of {channel} are of other data. Run --mode test again.")
    bad = np.isinf(steps) if may_lack else ~np.isfinite(steps)
    if bad.any() and (bad & ~np.isnan(source.series(channel, split)).any(axis=1)).any():
        raise InputError(f"{files.folder}: channel {channel} has scores that are not finite. Train and test anew.")
    return steps
