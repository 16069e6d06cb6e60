"""Files and folders that are there whole or not at all: written under a temporary name, then renamed."""

import errno
import glob
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import InputError
from runtime.flock import HELD_WHILE_RENAMED, is_at, lock

OLD = ".old"
TEMPORARY = re.compile(r"(?P<new>\.(?P<name>.+)\.[0-9a-f]{8})(?P<old>\.old)?")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
SYNCED = 16  # files at once
LONGEST = 160  # bytes of a name from data: endings and temporary names must still fit into 255


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, an empty file; it takes the name `path` when the block ends well.

    Raises InputError where the folder cannot be written, is full or has vanished.
    """
    make_folder(path.parent)
    with writing(path), _temporary(path, _create_file) as temporary:
        try:
            yield temporary
            whole = any(TEMPORARY.fullmatch(part) for part in path.parent.parts)  # synced when that is renamed
            if not whole:
                _sync(temporary)
            temporary.replace(path)
            if not whole:
                _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it replaces the folder `path` when the block ends well.

    What killed processes have left of earlier ones is removed. Raises InputError as `atomic_file` does.
    """
    make_folder(path.parent)
    remove_leftovers(path.parent, f".{glob.escape(path.name)}.*")
    with writing(path), _temporary(path, Path.mkdir) as temporary:
        replaced = temporary.with_name(f"{temporary.name}{OLD}")
        try:
            yield temporary
            places = [Path(folder, name) for folder, _, names in os.walk(temporary) for name in (*names, ".")]
            with ThreadPoolExecutor(SYNCED) as pool:  # one after the other they would take ten times as long
                list(pool.map(_sync, places))
            if path.exists():
                path.rename(replaced)
            temporary.rename(path)
            _sync(path.parent)
        finally:
            if replaced.exists() and not path.exists():  # the second rename failed
                replaced.rename(path)
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line that a file or folder, which the block writes, cannot be written."""
    try:
        yield
    except OSError as error:
        if (told := _told(path, error)) is None:
            raise
        raise told from error


def remove_leftovers(folder: Path, pattern: str = "**/.*") -> None:
    """Remove the temporary files and folders of processes that were killed; those of living ones are locked and stay.

    A folder that such a process had renamed, to replace it, gets its name back.
    """
    for temporary in sorted(folder.glob(pattern)):  # one that replaces another comes before that
        match = TEMPORARY.fullmatch(temporary.name)
        if match is None or (match["old"] and temporary.with_name(match["new"]).exists()):
            continue
        descriptor = _claimed(temporary)
        if descriptor is None:
            continue
        path, replaced = temporary.with_name(match["name"]), temporary.with_name(f"{match['new']}{OLD}")
        with suppress(OSError):
            if replaced.is_dir() and not path.exists():
                replaced.rename(path)
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def _temporary(path: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """A new file or folder beside `path`, locked so that others see its maker live."""
    while True:
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        create(temporary)
        descriptor = _claimed(temporary) if HELD_WHILE_RENAMED else None
        if descriptor is not None or temporary.exists():  # else taken for a leftover before it was locked
            break
    try:
        yield temporary
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _create_file(path: Path) -> None:
    path.touch(exist_ok=False)


def _claimed(path: Path) -> int | None:
    """A descriptor that holds the lock of a file or folder; None where it is another's, or there are no locks."""
    kind = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, kind)
    except OSError:
        return None
    if lock(descriptor) and is_at(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def _sync(path: Path) -> None:
    """Have a file or folder written to the disk, so that a name never stands there before its content."""
    if os.name == "nt":  # opens no folder, and syncs no file that is open for reading
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # of file systems that cannot
            raise
    finally:
        os.close(descriptor)


def _told(path: Path, error: OSError) -> InputError | None:
    """The error as one of the user's, where it is about the place that is written to."""
    if isinstance(error, shutil.Error):  # of a folder that is copied: all that went wrong
        return InputError(f"{path}: cannot be copied to ({error.args[0][0][-1]}). Make room, or choose another folder.")
    if isinstance(error, PermissionError):
        return InputError(f"{path}: cannot be written ({error.strerror}). Choose another folder.")
    of_numpy = error.errno is None and "requested and" in str(error)  # it says only how much it could write
    if error.errno in FULL or of_numpy:
        return InputError(
            f"{path}: cannot be written ({error.strerror or error}). Make room, or choose another folder."
        )
    if isinstance(error, FileNotFoundError) and (not path.parent.is_dir() or error.filename == str(path)):
        gone = path.parent if error.filename != str(path) else path
        return InputError(f"{gone}: has vanished meanwhile. Run again, or choose another folder.")
    return None


def make_folder(path: Path) -> None:
    """Create a folder with its parents. Raises InputError where that fails or the folder is read-only."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot create this folder ({error.strerror}). Choose another one.") from error
    if not os.access(path, os.W_OK):
        raise InputError(f"{path}: no permission to write into this folder. Choose another one.")


def file_name(name: str) -> str:
    """A name from data as the name of a file: different names stay different, and none leads to another folder.

    Characters that file systems refuse become %XX; what is longer than LONGEST bytes ends in a checksum instead.
    """
    safe = re.sub(r'[%/\\:*?"<>|\x00-\x1f]', lambda match: f"%{ord(match[0]):02X}", name)
    if not safe.strip("."):
        safe = safe.replace(".", "%2E")
    if len(encoded := safe.encode(errors="surrogateescape")) > LONGEST:  # names may come from paths that are no UTF-8
        checksum = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:12]
        safe = f"{encoded[: LONGEST - 13].decode(errors='ignore')}~{checksum}"
    return safe


def readable(name: str) -> str:
    """The name of a file as a text that can be written: bytes that are no UTF-8 become \\xHH."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
