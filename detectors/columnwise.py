"""Detectors that look at columns one by one and learn without a gradient: what they have in common.

Every column is scaled as `scaling` says, and its scores are combined with those of the others as `combine` says. What
is learnt of a column are arrays by name, from the pieces of its training: without a part, those before and behind it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detectors.columns import ChannelScores, Combination
from detectors.loop import Course
from drawing.gaps import filled
from drawing.scaling import SHARED, Scaling, learn_scaling
from drawing.steps import training_parts
from runtime.errors import InputError
from runtime.threads import processors
from settings.config import Config
from settings.effects import DRAWN_BY, changed_settings, scaling_name

Array = NDArray[np.float64]
Learnt = dict[str, Array]
MIN_SPREAD = 0.05  # of a scaled column, from about -1 to 1: what is constant in training would else explode


class ColumnDetector(ABC):
    """What learns and scores single columns, as a detector (detectors/base.py).

    `known` names the columns of the channels that it is trained on. A score depends on `reach` steps on either side;
    windows begin at every `grid`-th step, or at parts of that.
    """

    def __init__(self, config: Config, known: Mapping[str, list[str]], reach: int, grid: int = 1) -> None:
        self.config, self.channels, self.weights = config, list(known), "none"
        self.rows, self.reach, self.grid, self.at_once = ["distance"], reach, grid, processors()
        self._scalings: dict[str, Scaling] = {}
        self._learnt: dict[str, list[Learnt]] = {}

    @abstractmethod
    def learn(self, pieces: list[Array]) -> Learnt:
        """What is to be known of a column, from the pieces (T,) of its training, scaled and without gaps."""

    @abstractmethod
    def errors(self, learnt: Learnt, values: Array) -> Array:
        """How odd every step of a scaled column (T,) is, from 0 on: (T,)."""

    def fit(self, train: Mapping[str, NDArray[np.float64]], course: Course) -> None:
        """Learn every column of every channel; with `shared_density` as if all channels were one series."""
        series = {channel: train[channel] for channel in self.channels}
        groups = {SHARED: list(series.values())} if self.config.shared_density else {c: [s] for c, s in series.items()}
        for name, members in groups.items():
            scaling = learn_scaling(scaling_name(self.config), np.concatenate(members).T)
            self._scalings[name] = scaling
            pieces = [_columns(scaling, member) for member in members]
            self._learnt[name] = [self.learn(list(of_column)) for of_column in zip(*pieces, strict=True)]

    def scores(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """The scores of every step, (1, T), NaN where nothing was measured. InputError for an unknown channel."""
        name = self._name(channel)
        return self._combined(name, series, lambda column, values: self.errors(self._learnt[name][column], values))

    def held_out(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """Every part of a training series by what the other parts of the series alone would have taught."""
        if channel not in self.channels:
            return self.scores(channel, series)

        def errors(column: int, values: Array) -> Array:
            found = np.empty(len(values))
            for start, stop in training_parts(len(values)):
                pieces = [piece for piece in (values[:start], values[stop:]) if len(piece)]
                found[start:stop] = self.errors(self.learn(pieces or [values]), values)[start:stop]
            return found

        return self._combined(self._name(channel), series, errors)

    def _name(self, channel: str) -> str:
        """What holds of a channel: its own name, or that of all."""
        if SHARED in self._learnt:
            return SHARED
        if channel not in self._learnt:
            raise InputError(
                f"channel {channel} was not in training, and detector = {self.config.detector} knows each channel by "
                "itself. Train with it; or, where all are recordings of the same thing, with --shared-density: others "
                "can then be scored too."
            )
        return channel

    def _combined(self, name: str, series: NDArray[np.float64], errors: Any) -> ChannelScores:
        scaling = self._scalings[name]
        combined = Combination(self.config.combine, self.config.combine_highest)
        series = series[:, : len(scaling.centre)]
        for column, values in enumerate(_columns(scaling, series)):
            combined.add(errors(column, values)[None].astype(np.float32), np.isfinite(series[:, column]))
        return combined.scores()

    def facts(self) -> dict[str, Any]:
        """Nothing besides."""
        return {}

    def state(self) -> dict[str, Any]:
        """The units of the columns and what was learnt of each, by channel."""
        return {
            "scalings": {n: [found.centre.tolist(), found.spread.tolist()] for n, found in self._scalings.items()},
            "learnt": {
                name: [{key: torch.from_numpy(array) for key, array in column.items()} for column in columns]
                for name, columns in self._learnt.items()
            },
        }

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of a checkpoint. Raises InputError where it is of other settings or another detector."""
        changed = changed_settings(content.get("settings", {}), self.config, DRAWN_BY)
        if changed:
            raise InputError(f"{path}: was made with other settings: {changed}. Set them back, or train anew.")
        if "learnt" not in content:
            raise InputError(f"{path}: is no checkpoint of detector = {self.config.detector}. Train again.")
        self._scalings = {name: Scaling(*map(np.array, found)) for name, found in content["scalings"].items()}
        self._learnt = {
            name: [{key: tensor.numpy() for key, tensor in column.items()} for column in columns]
            for name, columns in content["learnt"].items()
        }


def _columns(scaling: Scaling, series: NDArray[np.float64]) -> list[Array]:
    """The columns of a series (T, D), scaled, their gaps filled."""
    return [filled(column) for column in scaling(series).T]
