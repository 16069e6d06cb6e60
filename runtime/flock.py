"""The operating system's locks of open files: they end with the last process that has the file open."""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

HELD_WHILE_RENAMED = fcntl is not None  # Windows renames and removes no open file


def lock(descriptor: int, shared: bool = False) -> bool | None:
    """Whether the lock of an open file or folder is now ours, alone or `shared`; None where there are no such locks."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        elif shared:
            return None
        else:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def unlock(descriptor: int) -> None:
    """Give a lock back, also where a child process has the file open."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file still has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
