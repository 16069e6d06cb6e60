"""Several processes under torchrun: one writes, each trains on its share of a batch and scores its share of channels.

Alone, without torchrun, every function does what one process needs: nothing.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from runtime import locks
from runtime.files import atomic_folder


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_writer() -> bool:
    """Whether this process writes files and prints."""
    return rank() == 0


@contextlib.contextmanager
def session(device: str) -> Iterator[None]:
    """Join the processes that torchrun started, gloo on CPUs and nccl on GPUs; only the writer prints."""
    if "RANK" not in os.environ:
        yield
        return
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        if is_writer():
            yield
        else:
            with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
                yield
        wait()
    finally:
        dist.destroy_process_group()


def wait() -> None:
    """Wait until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


@contextlib.contextmanager
def writer_first() -> Iterator[None]:
    """Let the writer finish the block before the others begin it, who then find what it made."""
    if not is_writer():
        wait()
    yield
    if is_writer():
        wait()


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """The same as locks.owned, for all processes together. Raises InputError in the writer where another run owns it."""
    with locks.owned(folder) if is_writer() else contextlib.nullcontext():
        wait()
        yield
        wait()


@contextlib.contextmanager
def folder_of_all(path: Path) -> Iterator[Path]:
    """The same as atomic_folder, for a folder into which all processes write."""
    with atomic_folder(path) if is_writer() else contextlib.nullcontext(None) as temporary:
        shared = [temporary]
        if dist.is_initialized():
            dist.broadcast_object_list(shared)
        yield shared[0]
        wait()
    wait()  # nobody reads what the writer has not renamed yet


def share_of(items: list) -> list:
    """Every world_size-th item: what this process works on."""
    return items[rank() :: world_size()]


def gathered(mine: dict) -> dict:
    """The dictionaries of all processes as one."""
    if not dist.is_initialized():
        return mine
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, mine)
    return {key: value for part in found for key, value in part.items()}


def mean_of_all(value: Tensor) -> Tensor:
    """The mean of a scalar over the processes."""
    if not dist.is_initialized():
        return value
    total = value.clone()
    dist.all_reduce(total)
    return total / world_size()


def parallel(module: nn.Module) -> nn.Module:
    """The module, its gradients averaged over the processes."""
    return DistributedDataParallel(module) if dist.is_initialized() else module
