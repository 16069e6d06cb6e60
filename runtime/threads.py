"""NumPy's work on all processors: several pieces at once, each on one of them."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from threadpoolctl import threadpool_limits

from runtime.progress import progress_bar

BEAT = 1.0  # seconds
Item = TypeVar("Item")
Found = TypeVar("Found")


def mapped(work: Callable[[Item], Found], items: Sequence[Item], desc: str, unit: str) -> list[Found]:
    """What the work finds of every item, in their order; `desc` and `unit` are the words of a progress bar.

    While an array is worked on, other threads run. Products of small matrices on several threads would wait for each
    other: beside other programs, ten times as long as on one.
    """
    with (
        threadpool_limits(1, user_api="blas"),
        progress_bar(len(items), desc=desc, unit=unit) as bar,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        futures = [pool.submit(work, item) for item in items]
        try:
            found = []
            for future in futures:
                while not wait([future], timeout=BEAT).done:
                    bar.update(0)  # a long piece of work is no silence
                found.append(future.result())
                bar.update()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return found
