"""What Python's garbage collector looks through."""

import contextlib
import gc
import sys
from collections.abc import Iterator

MANY = 20_000  # objects more than at the last look


@contextlib.contextmanager
def loading(package: str) -> Iterator[None]:
    """Import a package of very many objects: they stay to the end, so the collector need not look through them.

    It would while they are made, in every full collection, and when the process ends: of torch half a second each time.
    What comes after is looked through seldom: arrays have no cycles, and every look takes their threads' time. Without
    effect where the package has been loaded.
    """
    if package in sys.modules:
        yield
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(MANY, *gc.get_threshold()[1:])
        if was_enabled:
            gc.enable()
