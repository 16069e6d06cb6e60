"""Files and folders that are there whole or not at all: written under a temporary name, then renamed."""

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import InputError

LONGEST = 160  # bytes of a name from data: endings and temporary names must still fit into 255


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` when the block ends well.

    Raises InputError where the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    make_folder(path.parent)
    try:
        yield temporary
        temporary.replace(path)
    except PermissionError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}). Choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it replaces the folder `path` when the block ends well.

    Raises InputError where the parent folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    replaced = temporary.with_name(f"{temporary.name}.old")
    make_folder(temporary)
    try:
        yield temporary
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
    finally:
        if replaced.exists() and not path.exists():  # the second rename failed
            replaced.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


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
    if len(safe.encode()) > LONGEST:
        checksum = hashlib.sha256(name.encode()).hexdigest()[:12]
        safe = f"{safe.encode()[: LONGEST - 13].decode(errors='ignore')}~{checksum}"
    return safe
