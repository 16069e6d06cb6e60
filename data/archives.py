"""Archives from elsewhere, unpacked without trust: into their folder, as files, and not without end."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from pathlib import Path, PureWindowsPath
from typing import IO

from runtime.errors import InputError
from runtime.reading import said

PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}  # by their first bytes
MOST_FILES = 200_000  # in an archive
MOST_AT_ONCE = 2**26  # bytes
SAFER = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 and later check once more


class BadArchive(InputError):
    """The archive cannot be unpacked or does not hold the data set: a downloaded copy is of no more use."""


def unpack(archive: Path, folder: Path, most: int) -> None:
    """Unpack a tar or zip archive of `most` so many bytes.

    Raises BadArchive where it is damaged, larger, holds links, or would write outside `folder`.
    """
    try:
        # judged by content: the end of an address is often no file name
        (_unpack_zip if _first_bytes(archive).startswith(b"PK") else _unpack_tar)(archive, folder, most)
    except InputError:
        raise
    except Exception as error:  # encrypted, of unknown methods, cut off: tarfile and zipfile raise a dozen types
        if isinstance(error, OSError) and error.errno is not None:  # gzip and bz2 report damaged data without a number
            raise InputError(f"{folder.parent}: cannot unpack {archive} here ({error.strerror}).") from error
        raise BadArchive(f"damaged, or no tar or zip archive ({said(error)})") from error


def _unpack_tar(archive: Path, folder: Path, most: int) -> None:
    start = _first_bytes(archive)
    opener = next((opener for magic, opener in PACKED.items() if start.startswith(magic)), open)
    files = total = 0
    with opener(archive, "rb") as unpacked, tarfile.open(fileobj=_InPieces(unpacked), mode="r:") as tar:
        for member in tar:
            if not (member.isfile() or member.isdir()):
                raise BadArchive(f"unsafe archive, {member.name!r} is a link or a device")
            files, total = files + 1, total + member.size  # what a sparse file unpacks to, which may be anything
            _check_bounds(files, total, most)
            _check_place(member.name)
            tar.extract(member, folder, set_attrs=False, **SAFER)


def _unpack_zip(archive: Path, folder: Path, most: int) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        _check_bounds(len(members), sum(member.file_size for member in members), most)
        for member in members:
            _check_place(member.filename)
        packed.extractall(folder)


def _check_place(name: str) -> None:
    path = PureWindowsPath(name)  # takes / and \ for separators
    if ".." in path.parts or path.anchor:
        raise BadArchive(f"unsafe archive, it wants to write to {name!r}")


def _check_bounds(files: int, total: int, most: int) -> None:
    if files > MOST_FILES or total > most:
        raise BadArchive(
            f"unsafe archive, it unpacks to {files} files of {total / 1e9:.3g} GB or more, and the data set has no "
            f"more than {MOST_FILES} of {most / 1e9:.3g} GB"
        )


def _first_bytes(archive: Path) -> bytes:
    with archive.open("rb") as file:
        return file.read(8)


class _InPieces:
    """A file of which tarfile reads no more at once than memory is sure to hold: a header may claim any size."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.seek, self.close = file.tell, file.seek, file.close

    def read(self, size: int) -> bytes:
        if size > MOST_AT_ONCE:
            raise BadArchive(f"unsafe archive, a header in it claims {size} bytes")
        return self._file.read(size)
