"""The processors that there are for this process, and NumPy's and torch's work on all of them: a piece on each."""

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from threadpoolctl import threadpool_limits

from runtime.progress import progress_bar

BEAT = 1.0  # seconds
Item = TypeVar("Item")
Found = TypeVar("Found")

CGROUPS = Path("/sys/fs/cgroup")  # where Linux says how much of the processors a container may have


def processors() -> int:
    """How many processors this process may use: those it is bound to, and no more than its container's quota.

    More threads than that would wait for each other, and in a container be halted as soon as the quota is used up.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *map(math.ceil, _quotas())]))


def _quotas() -> list[float]:
    """The quotas of this process's container in processors, of either version of cgroups, where there are any."""
    found = []
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = [word for name in names for word in (CGROUPS / name).read_text().split()]
            quota, period = map(float, words)  # fails for "max"
        except (OSError, ValueError):
            continue
        if quota > 0 and period > 0:
            found.append(quota / period)
    return found


def mapped(
    work: Callable[[Item], Found], items: Sequence[Item], desc: str, unit: str, at_once: int | None = None
) -> list[Found]:
    """What the work finds of every item, in their order; `desc` and `unit` are the words of a progress bar.

    It is `begun` by `at_once` threads, and waited for.
    """
    with begun(work, items, at_once) as futures:
        return collected(futures, desc, unit)


@contextlib.contextmanager
def begun(
    work: Callable[[Item], Found], items: Sequence[Item], at_once: int | None = None
) -> Iterator[list[Future[Found]]]:
    """The work on every item, which goes on beside what is done inside; what has not begun by its end is left out.

    While an array is worked on, other threads run: `at_once` of them, by default one for every processor. Products of
    small matrices on several threads would wait for each other: beside other programs, ten times as long as on one.
    """
    at_once = min(at_once or processors(), len(items))
    with (
        threadpool_limits(1, user_api="blas"),
        _torch_on_one_thread() if at_once > 1 else contextlib.nullcontext(),
        ThreadPoolExecutor(max(at_once, 1)) as pool,
    ):
        try:
            yield [pool.submit(work, item) for item in items]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def collected(futures: Sequence[Future[Found]], desc: str, unit: str) -> list[Found]:
    """What work that was begun has found, in order, when it is done; `desc` and `unit` as of `mapped`."""
    found = []
    with progress_bar(len(futures), desc=desc, unit=unit) as bar:
        for future in futures:
            while not wait([future], timeout=BEAT).done:
                bar.update(0)  # a long piece of work is no silence
            found.append(future.result())
            bar.update()
    return found


@contextlib.contextmanager
def _torch_on_one_thread() -> Iterator[None]:
    """No threads of torch's own, neither here nor in threads that begin now."""
    torch = sys.modules.get("torch")  # who judges scores has not loaded it
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
