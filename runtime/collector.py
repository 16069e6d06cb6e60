"""What Python's garbage collector looks through."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def loading(package: str) -> Iterator[None]:
    """Import a package of very many objects: they stay to the end, so the collector need not look through them.

    It would while they are made, in every full collection, and when the process ends: of torch half a second each time.
    Without effect where the package has been loaded.
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
        if was_enabled:
            gc.enable()
