"""Bytes of a text file as text: unpacked, in the encoding that it is marked with or that it proves to be in."""

import codecs
import gzip
import io
from pathlib import Path

import numpy as np

from data.table.format import AUTO
from runtime.errors import InputError
from runtime.reading import check_unpacked, reading

PIECE = 2**22  # bytes that are unpacked at once
MARKS = (  # byte order marks, the longer first: the one of UTF-32 begins like the one of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_bytes(path: Path) -> bytes:
    """What is in a file, unpacked where its name ends in .gz.

    Raises InputError where it cannot be read, or unpacks to what no data are.
    """
    packed = path.suffix.lower() == ".gz"
    what = "packed text" if packed else "text"
    with reading(path, what, "Check the file.", missing="Check its name."):
        return _unpacked(path) if packed else path.read_bytes()


def _unpacked(path: Path) -> bytes:
    parts, size, packed = [], 0, path.stat().st_size
    with gzip.open(path) as file:
        while part := file.read(PIECE):
            parts.append(part)
            size += len(part)
            check_unpacked(size, packed, str(path))
    return b"".join(parts)


def decoded(data: bytes, encoding: str | None, where: str) -> tuple[str, str, bool]:
    """The text, the name of its encoding, and whether its last character is cut off (a file that is being written).

    A byte order mark counts above all. `encoding` None is found as "auto" is, and no flag can name it. Raises
    InputError for bytes in neither the `encoding` nor, where it is to be found, UTF-8 or UTF-16, and for NULs in text.
    """
    name, mark = next(((name, len(mark)) for mark, name in MARKS if data.startswith(mark)), (encoding, 0))
    if not mark and encoding in (AUTO, None):
        name = _by_nulls(data)
    try:
        io.TextIOWrapper(io.BytesIO(), name).close()  # refuses what is none of text: zlib would unpack without end
        decoder = codecs.getincrementaldecoder(name)()
        text = decoder.decode(data[mark:])
        cut = bool(decoder.getstate()[0])
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, mark + error.start) + 1
        tried = "UTF-8, nor marked as UTF-16" if encoding in (AUTO, None) else name
        remedy = "" if encoding is None else ", or name its encoding, such as --encoding cp1252"
        raise InputError(
            f"{where}: is not {tried} (byte 0x{data[mark + error.start]:02x} in line {line}). Save it as UTF-8 "
            f"(spreadsheets: CSV UTF-8){remedy}."
        ) from error
    except Exception as error:  # of codecs
        raise InputError(f"{where}: cannot be read as {name!r}. Choose another --encoding, such as cp1252.") from error
    if not isinstance(text, str):
        raise InputError(f"{where}: {name!r} is no encoding of text. Choose another --encoding, such as cp1252.")
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(
            f"{where}, line {line}: holds a NUL character, as no text file does: it is damaged, or of another kind. "
            "Save it as csv in UTF-8."
        )
    return text, name, cut


def _by_nulls(data: bytes) -> str:
    """UTF-16 without a mark has a NUL in every other byte of plain text."""
    sample = np.frombuffer(data[:4096], dtype=np.uint8)
    even, odd = ((sample[parity::2] == 0).mean() if len(sample) > 1 else 0.0 for parity in (0, 1))
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else "utf-8"
