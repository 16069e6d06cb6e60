"""Locks that end with the process that holds them, however it ends, of folders: one writes, or several read."""

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from runtime.errors import InputError
from runtime.files import make_folder, remove_leftovers
from runtime.flock import is_at, lock, unlock

LOCK_FILE = ".lock"


@contextlib.contextmanager
def owned(folder: Path, name: str = "") -> Iterator[None]:
    """Own a folder of results, or what is called `name` in it, while the block runs: no other run writes there.

    Of a folder that is owned as a whole, what killed runs have left half-written is removed. Several processes of
    torchrun are one run, whose writer is to call this. Raises InputError where another run owns the folder.
    """
    path = folder / f".{name}{LOCK_FILE}" if name else folder / LOCK_FILE
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    descriptor = _taken(folder, path)
    try:
        if not name:
            remove_leftovers(folder)
        yield
    finally:
        with contextlib.suppress(OSError):  # whoever waits for it finds that it is gone, and makes another
            path.unlink()
        unlock(descriptor)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # a run that wrote nothing leaves nothing
            for place in made:
                place.rmdir()


@contextlib.contextmanager
def read(folder: Path) -> Iterator[None]:
    """Let no run write into a folder while the block reads what only several of its files say together.

    Raises InputError where one does. Of a folder that nobody here may write into nothing is locked.
    """
    path = folder / LOCK_FILE
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # read-only, or not there, which whoever reads it says
            yield
            return
        if lock(descriptor, shared=True) is False:
            told = f"{folder}: another run writes into this folder{_owner(descriptor)}. Wait until it has ended."
            os.close(descriptor)
            raise InputError(told)
        if is_at(descriptor, path):
            break
        os.close(descriptor)
    _sign(descriptor)
    try:
        yield
    finally:
        if lock(descriptor):  # the last one who reads
            with contextlib.suppress(OSError):
                path.unlink()
        unlock(descriptor)
        os.close(descriptor)


def _taken(folder: Path, path: Path) -> int:
    """An open descriptor of the lock file that holds its lock."""
    while True:
        make_folder(folder)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # removed just now by a run that wrote nothing into it
            continue
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}). Choose another folder.") from error
        if lock(descriptor) is False:
            does = "reads what is in" if lock(descriptor, shared=True) else "writes into"
            told = f"{folder}: another run {does} this folder{_owner(descriptor)}. Wait until it has ended, or choose "
            os.close(descriptor)
            raise InputError(f"{told}another folder: --work-dir.")
        if is_at(descriptor, path):
            break
        os.close(descriptor)  # the owner before us has removed it
    _sign(descriptor)
    return descriptor


def _sign(descriptor: int) -> None:
    """Write into a lock file whose lock it is."""
    command = " ".join(sys.argv)
    told = f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}: {command}"
    with contextlib.suppress(OSError):  # on a full disk nobody is named
        os.ftruncate(descriptor, 0)
        os.write(descriptor, told.encode(errors="surrogateescape"))


def _owner(descriptor: int) -> str:
    """What the owner of a lock file says of itself; empty where it cannot be read."""
    try:
        told = os.read(descriptor, 500).decode(errors="replace")
    except OSError:  # Windows locks the content too
        return ""
    return f" ({told})" if told else ""
