"""New data beside what a run has learnt: which channel is which, and the same columns in the same order."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.recording import known_step, typical_step
from data.source import UNNAMED, SeriesSource
from drawing.colours import TOGETHER
from runtime.errors import InputError, note, warn
from settings.config import Config

OTHER_STEP = 1.25  # ratio of steps from which on they are told to differ


class Matched:
    """A source of new data, its channels by the names and with the columns that were learnt.

    A single new channel is the single one that was learnt, whatever its file is called. Raises InputError for a channel
    without a density, and for columns that are missing or new.
    """

    def __init__(
        self,
        source: SeriesSource,
        known: Mapping[str, list[str]],
        config: Config,
        where: str,
        steps: Mapping[str, pd.Timedelta],
    ) -> None:
        self._source, self._known, self._config = source, known, config
        self.name, self.origin = source.name, source.origin
        self._names = {channel: channel for channel in source.channels}
        if len(source.channels) == len(known) == 1 and not config.shared_density:
            self._names = dict(zip(known, source.channels, strict=True))
            learnt, new = next(iter(self._names.items()))
            if learnt != new and source.origin != source.name:  # a file, not data in memory
                note(f"{source.origin}: is scored as channel {learnt}, the only one that was learnt.")
        self.channels = self.untrained = list(self._names)
        for channel in self.channels:
            if channel not in known and not config.shared_density:
                raise InputError(
                    f"{source.place(self._names[channel], 'test')}: channel {channel} was not learnt by {where}, which "
                    f"knows {_some(list(known))}. Train with it; or, where all are recordings of the same thing, train "
                    "with --shared-density: others can then be scored too."
                )
            self._check_columns(channel, where)
            self._check_step(channel, known_step(steps, channel))

    def _check_step(self, channel: str, learnt: pd.Timedelta | None) -> None:
        """Warn of rows that follow each other faster or slower than those in training."""
        times, rows = self.times(channel, "test"), self.rows(channel, "test")
        if learnt is None or times is None or rows is None or (rows >= 0).sum() < 2:
            return
        found = typical_step(times[rows >= 0])
        if not 1 / OTHER_STEP < found / learnt < OTHER_STEP:
            place = self.place(channel, "test")
            warn(
                f"{place}: rows are mostly {found} apart, but were {learnt} apart in training, and that is a step to "
                f"the detector: what it sees is not what it has learnt. Resample to {learnt}, or train anew."
            )

    def _by_place(self, channel: str) -> bool:
        """Whether the columns have no names, and are as many as were learnt: then they go by their place."""
        found = self._source.columns(self._names[channel])
        return found == [f"column {place}" for place in range(len(self.columns(channel)))]

    def _check_columns(self, channel: str, where: str) -> None:
        learnt, found = self.columns(channel), self._source.columns(self._names[channel])
        place = self._source.place(self._names[channel], "test")
        if self._by_place(channel):
            return
        if self._config.columns == TOGETHER:
            if len(found) < len(learnt):
                raise InputError(f"{place}: has {len(found)} columns, but {len(learnt)} were learnt by {where}.")
            return
        missing = [name for name in learnt if name not in found]
        new = [name for name in found if name not in learnt] if self._config.columns in UNNAMED else []
        if new:  # what is always empty was left out of the training too
            series = self._source.series(self._names[channel], "test")
            new = [name for name in new if not np.isnan(series[:, found.index(name)]).all()]
        for names, what in ((missing, "lacks"), (new, "has, as was not so in training,")):
            if names:
                raise InputError(
                    f"{place}: {what} the column {_some(names)}. {where} has learnt {_some(learnt)}: give the same, or "
                    "train anew, with --columns if some are to be left out."
                )

    def columns(self, channel: str) -> list[str]:
        """The columns that were learnt."""
        return self._known[channel] if channel in self._known else next(iter(self._known.values()))

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """The values (T, D) in the order of the columns that were learnt."""
        series, found = self._source.series(self._names[channel], split), self._source.columns(self._names[channel])
        if self._config.columns == TOGETHER or self._by_place(channel):
            return series
        return series[:, [found.index(name) for name in self.columns(channel)]]

    def num_steps(self, channel: str, split: str) -> int:
        """The length T."""
        return self._source.num_steps(self._names[channel], split)

    def times(self, channel: str, split: str) -> pd.DatetimeIndex | None:
        """When the steps were (T,)."""
        return self._source.times(self._names[channel], split)

    def rows(self, channel: str, split: str) -> NDArray[np.integer] | None:
        """The data rows (T,) that the steps are."""
        return self._source.rows(self._names[channel], split)

    def step(self, channel: str) -> pd.Timedelta | None:
        """The usual time between two steps."""
        return self._source.step(self._names[channel])

    def label_rows(self, channel: str) -> Any:
        """The label rows of the new data, where there are any."""
        return self._source.label_rows(self._names[channel])

    def unlabelled(self) -> list[str]:
        """The names of series that nobody has labelled."""
        return self._source.unlabelled()

    def place(self, channel: str, split: str) -> str:
        """Where the series comes from."""
        return self._source.place(self._names[channel], split)


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
