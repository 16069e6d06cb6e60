"""Several processes under torchrun: one writes, each trains on its share of a batch and scores its share of channels.

Alone, without torchrun, every function does what one process needs: nothing.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from runtime import launch, locks
from runtime.errors import InputError, warn
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
    """Join the processes that torchrun started, gloo on CPUs and nccl on GPUs; only the writer prints.

    Where one of them fails the others end too, without a word. Raises InputError where they cannot meet.
    """
    if missing := launch.missing():
        if "RANK" in os.environ:
            warn(f"RANK is set, but not {', '.join(missing)}: this process works alone. torchrun starts several.")
        yield
        return
    if wrong := launch.wrong():
        raise InputError(f"{wrong}. Start the processes with torchrun, or unset RANK.")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    try:
        if on_gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", launch.rank())))
        dist.init_process_group("nccl" if on_gpu else "gloo")
    except (RuntimeError, ValueError, OSError) as error:
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise InputError(
            f"the processes cannot meet at {place} ({_first_line(error)}). Start them with torchrun."
        ) from error
    try:
        with _ending_together():
            if is_writer():
                yield
            else:
                with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
                    yield
            wait()
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _ending_together() -> Iterator[None]:
    """Let the first process that fails say why; those that fail because it has left say nothing."""
    try:
        yield
    except InputError as error:
        if _failures(1) > 1:
            sys.exit(2)
        error.of_one = True
        raise
    except KeyboardInterrupt:  # how torchrun ends the others
        if _failures(0):
            sys.exit(2)
        raise
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        if _failures(1) > 1:
            sys.exit(2)
        told = InputError(
            f"another process has ended ({_first_line(error)}). What is finished is kept: --resume goes on."
        )
        told.of_one = True
        raise told from error


def _failures(more: int) -> int:
    """How many processes have failed, with `more` now; 1 where nobody can tell any longer."""
    try:
        return dist.distributed_c10d._get_default_store().add("failures", more)
    except RuntimeError:  # whoever kept count is gone
        return 1


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


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
    """The same as locks.owned, for all processes together: the writer raises InputError where another run owns it."""
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
