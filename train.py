"""Training one class: pyramids -> flows -> loss, with a checkpoint after every meta epoch. Called by main.py."""

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from data.pictures import PictureDataset
from detectors.msflow.features import Features
from detectors.msflow.pyramids import Batch, TrainingPyramids, share_of_batch
from detectors.run import LAST, Run, changed_settings, facts, load_progress, normalisation
from detectors.scoring import evaluate_pictures
from detectors.tracking import Tracker
from metrics.pictures import format_metrics
from models.checkpoints import Progress, read_progress, save_checkpoint
from models.flows import MSFlow, negative_log_likelihood
from runs.folder import CONFIG_FILE
from runtime import distributed
from runtime.errors import InputError, warn
from runtime.progress import progress_bar
from settings.effects import DRAWN_BY, TRAINED_BY, course_settings
from settings.load import Config, save_config


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


class PictureBatches:
    """The features of the training pictures as batches."""

    def __init__(self, features: Features, batch_size: int) -> None:
        self.features, self.batch_size = features, batch_size
        self.num_batches = math.ceil(len(features) / batch_size)

    def batches(self, seed: int) -> Iterator[Batch]:
        """One pass in the random order of `seed`."""
        order = torch.randperm(len(self.features), generator=torch.Generator().manual_seed(seed))
        for numbers in order.split(self.batch_size):
            mine, weight = share_of_batch(len(numbers))
            yield Batch(self.features.levels(numbers[mine].tolist()), weight=weight)


class Loss(nn.Module):
    """The loss of a batch, in one module: what DistributedDataParallel wants to wrap."""

    def __init__(self, flow: MSFlow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, batch: Batch) -> Tensor:
        """The weighted mean negative log-likelihood of this process's share, a scalar."""
        return batch.weight * negative_log_likelihood(*self.flow.transform(batch.levels, batch.channels, batch.offsets))


def train(run: Run) -> None:
    """Fit the flows; a checkpoint after every meta epoch, a line in log.jsonl after every sub-epoch.

    Raises InputError where the loss stops being finite; the last checkpoint stays.
    """
    config, last = run.config, run.folder / LAST
    optimizer = None if run.flow is None else torch.optim.Adam(run.flow.parameters(), lr=config.lr, fused=True)
    mean, std = normalisation(run)
    channels = [] if run.series is None else run.series.channels
    progress = Progress(0, 0, run.extractor_sha256, mean, std, channels=channels, settings=course_settings(config))
    if config.resume and last.exists():
        changed = _changed(read_progress(last), config, channels)
        if changed:
            raise InputError(f"{last}: --resume with other settings: {changed}. Set them back, or train anew.")
        progress = load_progress(last, run, optimizer)
        print(f"Continues after meta epoch {progress.epoch} of {last}.")
    elif last.exists():
        with contextlib.suppress(InputError):  # a damaged one is no loss
            changed = _changed(read_progress(last), config, channels)
            if changed:
                warn(f"{run.folder}: this training replaces one with other settings: {changed}.")
    # the test split is opened too, so that a bad file in it is found now and not after hours of training
    pictures, test_pictures = (
        run.data.dataset(config, run.class_name, split, progress.img_mean, progress.img_std)
        for split in ("train", "test")
    )
    if distributed.is_writer():
        save_config(run.folder / CONFIG_FILE, config, facts(run, progress))
    batches: PictureBatches | TrainingPyramids
    if run.series is None:
        batches = PictureBatches(Features(run, pictures, "train"), config.batch_size)
    else:
        batches = run.series.training_pyramids(progress.img_mean, progress.img_std)
        run.series.fit_memories(batches)
    if run.flow is not None:
        evaluated = None if run.data.is_series else (Features(run, test_pictures, "test"), test_pictures)
        _train_flow(run, batches, optimizer, progress, evaluated)
    else:
        print(f"The {config.head} head is fitted: it needs no epochs.")
        _save(run, progress, None)


def _changed(before: Progress, config: Config, channels: list[str]) -> str:
    """What another training in the same folder did otherwise, in words."""
    others = "" if before.channels == channels else "; other channels"
    return f"{changed_settings(before, config, (*DRAWN_BY, *TRAINED_BY))}{others}".lstrip("; ")


def _save(run: Run, progress: Progress, optimizer: torch.optim.Optimizer | None) -> None:
    memories = {} if run.series is None else run.series.memories
    if distributed.is_writer():
        save_checkpoint(run.folder / LAST, run.flow, progress, optimizer, memories)
    distributed.wait()


def _train_flow(
    run: Run,
    batches: PictureBatches | TrainingPyramids,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    evaluated: tuple[Features, PictureDataset] | None,
) -> None:
    """All meta epochs that are left; pictures are evaluated after each."""
    config, loss_of = run.config, distributed.parallel(Loss(run.flow))
    tracker = Tracker(run.folder, config, progress.epoch) if distributed.is_writer() else None
    total = config.meta_epochs * config.sub_epochs * batches.num_batches
    with progress_bar(total, progress.step, desc=f"Train {run.class_name}", unit="step") as bar:
        started = (time.monotonic(), progress.step)
        for epoch in range(progress.epoch, config.meta_epochs):
            for sub_epoch in range(config.sub_epochs):
                record = _sub_epoch(run, loss_of, batches, optimizer, progress, epoch, sub_epoch, bar)
                if tracker is not None:
                    tracker.log(epoch * config.sub_epochs + sub_epoch + 1, **record)
                if bar.disable:
                    left = (time.monotonic() - started[0]) / (progress.step - started[1]) * (total - progress.step)
                    print(_line(config, record) + f"  left {tqdm.format_interval(left)}", flush=True)
            progress.epoch = epoch + 1
            if evaluated is not None and tracker is not None:
                metrics = evaluate_pictures(run, *evaluated)
                tracker.log(progress.epoch * config.sub_epochs, epoch=progress.epoch, **metrics)
                tqdm.write(f"meta epoch {progress.epoch}/{config.meta_epochs}  {format_metrics(metrics)}")
                _keep_best(run, progress, metrics)
            _save(run, progress, optimizer)
    if tracker is not None:
        tracker.close()


def _line(config: Config, record: dict[str, Any]) -> str:
    return (
        f"meta epoch {record['epoch']}/{config.meta_epochs}, sub-epoch {record['sub_epoch']}/{config.sub_epochs}  "
        f"loss {record['loss']:.2f}  lr {record['lr']:.2e}  {record['seconds']:.1f} s"
    )


def _sub_epoch(
    run: Run,
    loss_of: nn.Module,
    batches: PictureBatches | TrainingPyramids,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    epoch: int,
    sub_epoch: int,
    bar: tqdm,
) -> dict[str, Any]:
    """One pass over the training data; returns its record for the log."""
    config, start, losses = run.config, time.monotonic(), []
    # the order depends on seed and sub-epoch alone, so a continued run needs no generator's state
    seed = config.seed * 1_000_003 + epoch * config.sub_epochs + sub_epoch
    run.flow.train()
    for number, batch in enumerate(batches.batches(seed), start=1):
        rate = learning_rate(config, progress.step, batches.num_batches)
        for group in optimizer.param_groups:
            group["lr"] = rate
        share = loss_of(batch)
        optimizer.zero_grad()
        share.backward()
        loss = distributed.mean_of_all(share.detach())
        norm = torch.nn.utils.clip_grad_norm_(run.flow.parameters(), config.grad_clip)
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            raise InputError(
                f"the loss is {loss.item()} (norm of the gradient {norm.item()}) at meta epoch {epoch + 1}, sub-epoch "
                f"{sub_epoch + 1}, batch {number}. The last good checkpoint is kept: "
                f"{run.folder / LAST if progress.epoch else 'none yet'}. Lower --lr, or look at the data."
            )
        optimizer.step()
        progress.step += 1
        losses.append(loss.item())
        bar.update()
        bar.set_postfix(epoch=f"{epoch + 1}.{sub_epoch + 1}", loss=f"{losses[-1]:.1f}", lr=f"{rate:.1e}", refresh=False)
    return {
        "epoch": epoch + 1,
        "sub_epoch": sub_epoch + 1,
        "loss": float(np.mean(losses)),
        "lr": rate,
        "seconds": round(time.monotonic() - start, 3),
    }


def _keep_best(run: Run, progress: Progress, metrics: dict[str, float | None]) -> None:
    for name, value in metrics.items():
        if value is not None and value > progress.best.get(name, -math.inf):
            progress.best[name] = value
            save_checkpoint(run.folder / f"best_{name}.pt", run.flow, progress)
