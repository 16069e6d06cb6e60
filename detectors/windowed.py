"""Detectors that look at windows of steps, all columns together: what they have in common.

One network serves all channels, as OmniAnomaly's authors join the entities of SMAP to one series. Every column of a
channel runs from 0 to 1 in the channel's training; what comes later is scaled alike, so nothing of it is known before.
A window scores its last steps: with `stride` = 1, as published, the last one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detectors.columns import ChannelScores
from detectors.loop import Course, Objective
from drawing.gaps import filled
from drawing.scaling import SHARED
from drawing.steps import learnt_steps
from models.checkpoints import load_parts
from runs.rows import COLUMN_CELL, per_cell
from runtime import distributed
from runtime.errors import InputError
from settings.config import Config
from settings.effects import DRAWN_BY, changed_settings

VALUES_AT_ONCE = 1 << 20  # numbers of the windows that are scored in one pass


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows (B, window, D), scaled; of several processes each has a share of them, which counts with `weight`."""

    windows: Tensor
    weight: float = 1.0


class WindowNetwork(nn.Module):
    """A network that learns windows (B, window, D) of scaled values.

    `epoch`, counted from 1, is set by the course of the training. `clipped`: values beyond 0 and 1 are cut off.
    """

    clipped = False

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 1

    def objectives(self, config: Config) -> list[Objective]:
        """The losses of a batch, each with the optimizer of what lowers it, taken in turn."""
        raise NotImplementedError

    def errors(self, windows: Tensor, last: int) -> Tensor:
        """How odd the `last` steps of windows (B, window, D) are, by column: (B, last, D)."""
        raise NotImplementedError


class WindowBatches:
    """All windows of some series (T, D), in batches: those that begin every `stride` steps from the start of each.

    A series that is shorter than a window begins with its first step repeated.
    """

    def __init__(self, series: list[Tensor], window: int, stride: int, batch_size: int) -> None:
        padded = [_padded(values, max(window - len(values), 0), 0) for values in series]
        firsts = np.cumsum([0, *(len(values) for values in padded)])[:-1]
        starts = [
            torch.arange(0, len(values) - window + 1, stride) + first
            for values, first in zip(padded, firsts.tolist(), strict=True)
        ]
        self.windows = torch.cat(padded).unfold(0, window, 1).transpose(1, 2)
        self.starts, self.batch_size = torch.cat(starts), batch_size
        self.num_batches = -(-len(self.starts) // batch_size)

    def batches(self, seed: int) -> Iterator[WindowBatch]:
        """One pass in the random order of `seed`, by which everything else goes that is drawn in the pass."""
        order = torch.randperm(len(self.starts), generator=torch.Generator().manual_seed(seed))
        torch.manual_seed(seed + distributed.rank())
        for numbers in order.split(self.batch_size):
            mine = distributed.share_of(numbers.tolist())
            weight = len(mine) * distributed.world_size() / len(numbers)
            yield WindowBatch(self.windows[self.starts[mine or [0]]], weight)


@dataclass(frozen=True, eq=False)
class Units:
    """The least value of every column in training, and how far the greatest lies above it: (D,) each.

    A column that is constant there, or that was never measured, keeps its own unit.
    """

    low: NDArray[np.float64]
    width: NDArray[np.float64]

    @classmethod
    def of(cls, series: list[NDArray[np.float64]]) -> Units:
        """Those of series (T, D) together, NaN where nothing was measured."""
        joined = np.concatenate(series)
        known = np.isfinite(joined)
        low = np.where(known, joined, np.inf).min(axis=0)
        high = np.where(known, joined, -np.inf).max(axis=0)
        low, width = np.where(known.any(axis=0), low, 0.0), np.where(known.any(axis=0), high - low, 0.0)
        return cls(low, np.where(width > 0, width, 1.0))

    def __call__(self, series: NDArray[np.float64], clipped: bool) -> Tensor:
        """A series (T, D) in these units, its gaps filled."""
        values = (np.column_stack([filled(column) for column in series.T]) - self.low) / self.width
        return torch.from_numpy(np.clip(values, 0, 1) if clipped else values).float()


class WindowDetector:
    """A network of windows as a detector (detectors/base.py): the mean of its errors over the columns of every step.

    `known` names the columns of the channels that it is trained on, as many in each; `network` makes it for a number
    of columns. Raises InputError where channels have different numbers of columns.
    """

    def __init__(
        self,
        config: Config,
        known: Mapping[str, list[str]],
        device: torch.device,
        network: Callable[[int], WindowNetwork],
    ) -> None:
        self.config, self.channels, self.device, self.weights = config, list(known), device, "none"
        self.rows, self.grid, self.reach = ["error"], config.stride, config.window + config.stride
        self.at_once = 1  # what a network draws comes from torch's own random numbers, one channel after the other
        if config.stride > config.window:
            raise InputError(
                f"stride = {config.stride}: windows of {config.window} steps would leave steps out. Set --stride to "
                f"{config.window} at most."
            )
        counts = {len(columns): channel for channel, columns in known.items()}
        if len(counts) > 1:
            (few, one), *_, (many, other) = sorted(counts.items())
            raise InputError(
                f"detector = {config.detector} has one network for all channels, but {one} has {few} columns and "
                f"{other} {many}. Choose channels with --class-names, or the same columns of all with --columns."
            )
        torch.manual_seed(config.seed)
        self.network = network(next(iter(counts))).to(device)
        self._num_columns = next(iter(counts))
        self._units: dict[str, Units] = {}

    def fit(self, train: Mapping[str, NDArray[np.float64]], course: Course) -> None:
        """Learn the units of the columns, and train the network on all but the last part of every series."""
        series = {channel: train[channel] for channel in self.channels}
        groups = {SHARED: list(series.values())} if self.config.shared_density else {c: [s] for c, s in series.items()}
        self._units = {name: Units.of(members) for name, members in groups.items()}
        learnt = [
            self._values(channel, values)[: learnt_steps(len(values), self.config.held_out)].to(self.device)
            for channel, values in series.items()
        ]
        batches = WindowBatches(learnt, self.config.window, self.config.stride, self.config.batch_size)
        course.train(self.network, batches)

    def scores(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """The errors of every step, (1, T), NaN where nothing was measured. InputError for an unknown channel."""
        return self._scored(channel, series, 0)

    def held_out(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        """The errors of the last part of a training series, NaN before it."""
        if channel not in self.channels:  # all of it is new to what was learnt
            return self.scores(channel, series)
        learnt, whole = learnt_steps(len(series), self.config.held_out), math.lcm(self.grid, COLUMN_CELL)
        found = self._scored(channel, series, max(learnt - self.reach, 0) // whole * whole)
        found.rows[:, :learnt] = np.nan
        return found

    def _scored(self, channel: str, series: NDArray[np.float64], first: int) -> ChannelScores:
        """The scores of the steps of a series from `first` on, NaN before."""
        series = series[:, : self._num_columns]
        errors = np.full(series.shape, np.nan)
        errors[first:] = self._errors(self._values(channel, series)[first:])
        known = np.isfinite(series) & np.isfinite(errors)
        total, count = np.where(known, errors, 0.0).sum(axis=1), known.sum(axis=1)
        score = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        columns = np.where(known, errors, np.nan).T
        shares = np.stack([per_cell(column, COLUMN_CELL) for column in columns]) if len(columns) > 1 else None
        return ChannelScores(score[None].astype(np.float32), shares)

    def _values(self, channel: str, series: NDArray[np.float64]) -> Tensor:
        """A series (T, D) as the network wants it."""
        units = self._units.get(SHARED) or self._units.get(channel)
        if units is None:
            raise InputError(
                f"channel {channel} was not in training, and detector = {self.config.detector} knows the units of each "
                "channel by itself. Train with it; or, where all are recordings of the same thing, with "
                "--shared-density: others can then be scored too."
            )
        return units(series, self.network.clipped)

    @torch.inference_mode()
    def _errors(self, values: Tensor) -> NDArray[np.float64]:
        """The errors (T, D) of scaled values (T, D), every step by the window that it is one of the last of."""
        window, stride, num_steps = self.config.window, self.config.stride, len(values)
        blocks = -(-num_steps // stride)
        padded = _padded(values, max(window - stride, 0), blocks * stride - num_steps)
        windows = padded.unfold(0, window, stride).transpose(1, 2)
        self.network.eval()
        with torch.random.fork_rng(devices=[]):  # what a network draws is the same every time
            torch.manual_seed(self.config.seed)
            at_once = max(VALUES_AT_ONCE // windows[0].numel(), 1)
            found = [self.network.errors(part.to(self.device), stride).cpu() for part in windows.split(at_once)]
        return torch.cat(found).flatten(0, 1)[:num_steps].double().numpy()

    def facts(self) -> dict[str, Any]:
        """Nothing besides."""
        return {}

    def state(self) -> dict[str, Any]:
        """The network, and the units of the columns by channel."""
        units = {name: [found.low.tolist(), found.width.tolist()] for name, found in self._units.items()}
        return {"network": self.network.state_dict(), "units": units}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of a checkpoint. Raises InputError where it is of other settings or another network."""
        changed = changed_settings(content.get("settings", {}), self.config, DRAWN_BY)
        if changed:
            raise InputError(f"{path}: was made with other settings: {changed}. Set them back, or train anew.")
        load_parts(path, content, {"network": self.network})
        self._units = {name: Units(*map(np.array, found)) for name, found in content["units"].items()}


def _padded(values: Tensor, before: int, behind: int) -> Tensor:
    """A series (T, D) with its first and its last step repeated."""
    return torch.cat([values[:1].expand(before, -1), values, values[-1:].expand(behind, -1)])
