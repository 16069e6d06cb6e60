"""The course of a training by gradient, the same for every detector: epochs, learning rate, checkpoints, log.

Kingma & Ba, "Adam", ICLR 2015; the schedule is MSFlow's.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from detectors.tracking import Tracker
from metrics.pictures import format_metrics
from models.checkpoints import Progress, fitting, load_optimizers, read_checkpoint, write_checkpoint
from runs import fingerprints
from runs.folder import CONFIG_FILE
from runtime import distributed
from runtime.errors import InputError, warn
from runtime.progress import progress_bar
from runtime.stopping import told_when_stopped
from settings.config import Config
from settings.effects import DRAWN_BY, TRAINED_BY, changed_settings, course_settings
from settings.load import save_config

LAST = "last.pt"
BEST = "best_"  # of checkpoints that the test pictures chose


class Batch(Protocol):
    """Training data of one step. Of several processes each has a share of them, which counts with this `weight`."""

    weight: float


class Batches(Protocol):
    """Training data: `num_batches` batches a pass."""

    num_batches: int

    def batches(self, seed: int) -> Iterator[Batch]:
        """One pass in the random order of `seed`."""


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss of a batch, a scalar, and the optimizer of the parameters that are to lower it."""

    loss: Callable[[Any], Tensor]
    optimizer: torch.optim.Optimizer


def objectives_of(module: nn.Module, config: Config) -> list[Objective]:
    """What a module is trained by: its own `objectives(config)`, taken in turn, or Adam on its `loss`."""
    if hasattr(module, "objectives"):
        return module.objectives(config)
    return [Objective(module.loss, torch.optim.Adam(module.parameters(), lr=config.lr, fused=True))]


class Loss(nn.Module):
    """The losses of a batch, in one module: what DistributedDataParallel wants to wrap."""

    def __init__(self, trained: nn.Module, losses: list[Callable[[Any], Tensor]]) -> None:
        super().__init__()
        self.trained, self.losses = trained, losses

    def forward(self, batch: Batch, number: int = 0) -> Tensor:
        """A weighted loss of this process's share, a scalar."""
        return batch.weight * self.losses[number](batch)


def learning_rate(config: Config, step: int, steps_per_sub_epoch: int) -> float:
    """Linear warm-up from `lr_warmup_from` * lr over `lr_warmup_epochs` meta epochs; decay at each milestone.

    `step` counts optimizer steps from 0.
    """
    decays = sum(step >= milestone * steps_per_sub_epoch for milestone in config.lr_decay_milestones)
    rate = config.lr * config.lr_decay_gamma**decays
    warmup_steps = config.lr_warmup_epochs * config.sub_epochs * steps_per_sub_epoch
    if step < warmup_steps:
        rate *= config.lr_warmup_from + (1 - config.lr_warmup_from) * step / warmup_steps
    return rate


class Course:
    """The training of the detector of one class in its folder, from the start or from its last checkpoint.

    `state` gives the detector's content of a checkpoint, `facts` what config.json says beside the settings.
    """

    def __init__(
        self,
        config: Config,
        class_name: str,
        folder: Path,
        state: Callable[[], dict[str, Any]],
        facts: Callable[[], dict[str, Any]],
    ) -> None:
        self.config, self.class_name, self.folder = config, class_name, folder
        self._state, self._facts = state, facts
        self.progress = Progress(settings=course_settings(config))
        self._stopped: dict[str, Any] | None = None  # the checkpoint that is continued
        self._described = self.trained = False

    def begin(self, load: Callable[[Path, dict[str, Any]], None], channels: list[str], data: Mapping[str, str]) -> None:
        """Continue from the last checkpoint where the settings say so, or warn where it will be replaced.

        `load` gives the detector its content; `data` are checksums of the training data by channel. Raises InputError
        where the checkpoint is of other settings, channels or data.
        """
        last = self.folder / LAST
        if self.config.resume and last.exists():
            content = read_checkpoint(last)
            changed = self._changed(content, channels)
            if changed:
                raise InputError(f"{last}: --resume with other settings: {changed}. Set them back, or train anew.")
            if others := fingerprints.changed(content.get("data", {}), data):
                raise InputError(
                    f"{last}: --resume with other data: {len(others)} of {len(data)} channels hold others than when "
                    f"the training began, first {others[0]!r}. Set --data-path back, or train anew."
                )
            with fitting(last):
                load(last, content)
            self.progress, self._stopped = Progress.of(content), content
        elif last.exists():
            with contextlib.suppress(InputError):  # a damaged one is no loss
                changed = self._changed(read_checkpoint(last), channels)
                if changed:
                    warn(f"{self.folder}: this training replaces one with other settings: {changed}.")

    def _changed(self, before: dict[str, Any], channels: list[str]) -> str:
        """What another training in the same folder did otherwise, in words."""
        known = before.get("channels") or channels
        others = "" if known == channels else "; other channels"
        changed = changed_settings(Progress.of(before).settings, self.config, (*DRAWN_BY, *TRAINED_BY))
        return f"{changed}{others}".lstrip("; ")

    def save(self, optimizers: Sequence[torch.optim.Optimizer] = ()) -> None:
        """Write last.pt, and config.json the first time."""
        if distributed.is_writer():
            self._describe()
            states = [optimizer.state_dict() for optimizer in optimizers]
            trained = {"optimizer": states[0] if len(states) == 1 else states} if states else {}
            write_checkpoint(self.folder / LAST, self.progress, self._state(), trained)
        distributed.wait()

    def _describe(self) -> None:
        if not self._described:
            save_config(self.folder / CONFIG_FILE, self.config, self._facts())
            self._described = True

    def train(
        self,
        module: nn.Module,
        batches: Batches,
        evaluate: Callable[[], dict[str, float | None]] | None = None,
    ) -> None:
        """All meta epochs that are left of a module (see `objectives_of`), a checkpoint and `evaluate` after each.

        A module that has an `epoch` is told which sub-epoch it is in, counted from 1. Raises InputError where a loss
        stops being finite; the last checkpoint stays.
        """
        config, progress, self.trained = self.config, self.progress, True
        objectives = objectives_of(module, config)
        optimizers = [objective.optimizer for objective in objectives]
        if self._stopped is not None:
            with fitting(self.folder / LAST):
                load_optimizers(self.folder / LAST, self._stopped, optimizers)
            print(f"Continues after meta epoch {progress.epoch} of {self.folder / LAST}.")
            self._stopped = None
        loss_of = distributed.parallel(Loss(module, [objective.loss for objective in objectives]))
        if distributed.is_writer():
            self._describe()
        tracker = Tracker(self.folder, config, progress.epoch) if distributed.is_writer() else None
        total = config.meta_epochs * config.sub_epochs * batches.num_batches
        with (
            told_when_stopped(self._left),
            progress_bar(total, progress.step, desc=f"Train {self.class_name}", unit="step") as bar,
        ):
            started = (time.monotonic(), progress.step)
            for epoch in range(progress.epoch, config.meta_epochs):
                for sub_epoch in range(config.sub_epochs):
                    module.train()
                    if hasattr(module, "epoch"):
                        module.epoch = epoch * config.sub_epochs + sub_epoch + 1
                    record = self._sub_epoch(loss_of, batches, optimizers, epoch, sub_epoch, bar)
                    if tracker is not None:
                        tracker.log(epoch * config.sub_epochs + sub_epoch + 1, **record)
                    if bar.disable:
                        left = (time.monotonic() - started[0]) / (progress.step - started[1]) * (total - progress.step)
                        print(_line(config, record) + f"  left {tqdm.format_interval(left)}", flush=True)
                progress.epoch = epoch + 1
                if evaluate is not None and tracker is not None:
                    metrics = evaluate()
                    tracker.log(progress.epoch * config.sub_epochs, epoch=progress.epoch, **metrics)
                    tqdm.write(f"meta epoch {progress.epoch}/{config.meta_epochs}  {format_metrics(metrics)}")
                    self._keep_best(metrics)
                self.save(optimizers)
        if tracker is not None:
            tracker.close()
        if progress.best and distributed.is_writer():
            names = ", ".join(f"{BEST}{name}.pt" for name in progress.best)
            print(f"{names}: chosen by the test pictures. What follows is of {LAST}, which they did not choose.")

    def _left(self) -> str:
        """What an interrupted training leaves, and how to go on."""
        epoch, last = self.progress.epoch, self.folder / LAST
        if not epoch:
            return "No meta epoch was finished, so nothing of this training is kept: the same command begins anew."
        return f"Kept after meta epoch {epoch} of {self.config.meta_epochs}: {last}. Add --resume to go on from there."

    def _sub_epoch(
        self,
        loss_of: nn.Module,
        batches: Batches,
        optimizers: list[torch.optim.Optimizer],
        epoch: int,
        sub_epoch: int,
        bar: tqdm,
    ) -> dict[str, Any]:
        """One pass over the training data; returns its record for the log."""
        config, progress, start, losses = self.config, self.progress, time.monotonic(), []
        # the order depends on seed and sub-epoch alone, so a continued run needs no generator's state
        seed = config.seed * 1_000_003 + epoch * config.sub_epochs + sub_epoch
        for number, batch in enumerate(batches.batches(seed), start=1):
            rate, told = learning_rate(config, progress.step, batches.num_batches), []
            for number_of_loss, optimizer in enumerate(optimizers):
                for group in optimizer.param_groups:
                    group["lr"] = rate
                share = loss_of(batch, number_of_loss)
                loss_of.zero_grad()
                share.backward()
                told.append(distributed.mean_of_all(share.detach()).item())
                lowered = [parameter for group in optimizer.param_groups for parameter in group["params"]]
                norm = torch.nn.utils.clip_grad_norm_(lowered, config.grad_clip).item()
                if not math.isfinite(told[-1]) or not math.isfinite(norm):
                    raise InputError(
                        f"the loss is {told[-1]} (norm of the gradient {norm}) at meta epoch {epoch + 1}, "
                        f"sub-epoch {sub_epoch + 1}, batch {number}. The last good checkpoint is kept: "
                        f"{self.folder / LAST if progress.epoch else 'none yet'}. Lower --lr, or look at the data."
                    )
                optimizer.step()
            progress.step += 1
            losses.append(sum(told))
            bar.update()
            shown = {"epoch": f"{epoch + 1}.{sub_epoch + 1}", "loss": f"{losses[-1]:.1f}", "lr": f"{rate:.1e}"}
            bar.set_postfix(shown, refresh=False)
        return {
            "epoch": epoch + 1,
            "sub_epoch": sub_epoch + 1,
            "loss": float(np.mean(losses)),
            "lr": rate,
            "seconds": round(time.monotonic() - start, 3),
        }

    def _keep_best(self, metrics: dict[str, float | None]) -> None:
        for name, value in metrics.items():
            if value is not None and value > self.progress.best.get(name, -math.inf):
                self.progress.best[name] = value
                write_checkpoint(self.folder / f"{BEST}{name}.pt", self.progress, self._state())


def _line(config: Config, record: dict[str, Any]) -> str:
    return (
        f"meta epoch {record['epoch']}/{config.meta_epochs}, sub-epoch {record['sub_epoch']}/{config.sub_epochs}  "
        f"loss {record['loss']:.2f}  lr {record['lr']:.2e}  {record['seconds']:.1f} s"
    )
