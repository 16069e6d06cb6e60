"""What the training scores of a run say about new scores: calibration, thresholds, and what columns usually have."""

from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.alarms import learn_threshold, learns
from evaluation.causes import Causes, usual_of
from evaluation.frames import Scored
from runs.rows import chosen_rows, time_step_scores
from runs.scores import open_scores
from runtime.errors import InputError
from settings.config import Config


class LearntScores:
    """The scores of the training split of a run in `folder`; `known` names the columns of its channels.

    A channel that was not in training is judged by the scores of all that were. Raises InputError where the folder
    holds no scores to learn from.
    """

    def __init__(self, folder: Path, config: Config, known: dict[str, list[str]]) -> None:
        self.config, self.known = config, known
        self._files = open_scores(folder)
        if "nll" not in self._files.maps:
            raise InputError(f"{folder}: holds no scores of time steps. Run main.py --mode test again.")
        self.chosen = chosen_rows(self._files.rows, config.levels)
        # the files are small beside the series, and a stream asks for them with every row
        self._rows = cache(self._read_rows)
        self.threshold = cache(self._threshold)
        self._usual = cache(partial(usual_of, self._files))

    def _read_rows(self, channel: str) -> NDArray[np.floating]:
        """The training scores (rows, T) of a channel that count, or of all channels end to end."""
        maps, channels = self._files.maps["nll"], self._files.channels
        numbers = [channels.index(channel)] if channel in channels else range(len(channels))
        return np.concatenate([maps[number][self.chosen] for number in numbers], axis=1)

    def steps(self, channel: str, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """One score per time step (T,) from the scores (rows, T) of a channel."""
        config = self.config
        return time_step_scores(
            rows[self.chosen], self._rows(channel), config.calibration, config.smooth, config.trailing
        )

    def _threshold(self, channel: str) -> float | None:
        if not learns(self.config.threshold):
            return learn_threshold(self.config.threshold, None)
        config, rows = self.config, self._rows(channel)
        known = time_step_scores(rows, rows, config.calibration, config.smooth, config.trailing)
        return learn_threshold(config.threshold, known[np.isfinite(known)])

    def scored(
        self,
        channel: str,
        rows: NDArray[np.floating],
        of_columns: NDArray[np.floating] | None,
        times: pd.DatetimeIndex | None,
        data_rows: NDArray[np.integer] | None,
    ) -> Scored:
        """A channel with its scores (rows, T), as judged by what was learnt."""
        names = self.known.get(channel) or next(iter(self.known.values()))
        causes = Causes(names, of_columns, self._usual(channel))
        return Scored(channel, times, self.steps(channel, rows), self.threshold(channel), causes, data_rows)
