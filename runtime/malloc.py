"""What the C library does with memory that is given back."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of malloc.h


def keep_freed_memory() -> None:
    """Keep large freed blocks for the next ones of their size; without effect where the C library is not glibc.

    glibc returns them to the system, which hands them out page by page and zeroed: on a CPU that is over a third
    of the time of the extractor, whose maps are of 100 MB and more.
    """
    set_malloc({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1})


def set_malloc(options: dict[int, int]) -> None:
    """Set options of glibc's malloc, see mallopt(3)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    for option, value in options.items() if mallopt is not None else ():
        mallopt(option, value)
