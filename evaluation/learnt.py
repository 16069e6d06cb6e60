"""What the training scores of a run say about new scores: calibration, thresholds, and what columns usually have."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.alarms import Policy, raise_alarms
from evaluation.causes import Causes, usual_of
from evaluation.details import RowScores, detail_of, usual_rows
from evaluation.frames import Scored
from evaluation.thresholds import Learnt, learn
from runs.rows import chosen_rows, learn_calibration, time_step_scores
from runs.scores import open_scores
from runtime.errors import InputError
from settings.config import Config


class LearntScores:
    """The scores of the training split of a run in `folder`; `known` names the columns of its channels.

    A channel that was not in training is judged by the scores of all that were. Raises InputError where the folder
    holds no scores to learn from.
    """

    def __init__(self, folder: Path, config: Config, known: dict[str, list[str]]) -> None:
        self.config, self.known, self.policy = config, known, Policy.of(config)
        self._files = open_scores(folder)
        if "nll" not in self._files.maps:
            raise InputError(f"{folder}: holds no scores of time steps. Run main.py --mode test again.")
        self.chosen = chosen_rows(self._files.rows, config.levels)
        # the files are small beside the series, and a stream asks for them with every row
        self._rows = cache(self._read_rows)
        self.learnt = cache(self._learnt)
        self._usual = cache(partial(usual_of, self._files))
        self._usual_rows = cache(lambda channel: usual_rows(self._rows(channel)))

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

    def calibration(self, channel: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centre and spread (rows, 1) of the rows of a channel that count."""
        return learn_calibration(self._rows(channel), self.config.calibration)

    def _learnt(self, channel: str) -> Learnt:
        config, rows = self.config, self._rows(channel)
        known = time_step_scores(rows, rows, config.calibration, config.smooth, config.trailing)
        return learn(config.threshold, config.risk, known)

    def scored(
        self,
        channel: str,
        rows: NDArray[np.floating],
        of_columns: NDArray[np.floating] | None,
        times: pd.DatetimeIndex | None,
        data_rows: NDArray[np.integer] | None,
        watched: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
    ) -> Scored:
        """A channel with its scores (rows, T), as judged by what was learnt.

        `watched` says of the scores (T,) which keep an alarm going where they are a part of a series that goes on; the
        alarms are then its own.
        """
        names = self.known.get(channel) or next(iter(self.known.values()))
        causes, scores = Causes(names, of_columns, self._usual(channel, len(names))), self.steps(channel, rows)
        raised = raise_alarms(scores, self.learnt(channel), self.policy) if watched is None else ([], watched(scores))
        of_rows = RowScores([self._files.rows[n] for n in self.chosen], rows[self.chosen], self._usual_rows(channel))
        details = [detail_of(alarm, of_rows) for alarm in raised[0]]
        return Scored(channel, times, scores, self.learnt(channel), *raised, causes, data_rows, details)
