"""Picture files that PIL cannot write, byte by byte: colours of 16 bits, and files that claim what they do not hold."""

import struct
import zlib
from pathlib import Path

import numpy as np

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by the number of planes


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(path: Path, width: int, height: int, planes: int, depth: int, rows: bytes) -> Path:
    """A PNG whose pixels are `rows`, each with the byte of its filter in front, whatever its size is said to be."""
    head = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[planes], 0, 0, 0)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def deep_png(path: Path, values: np.ndarray) -> Path:
    """Values (H, W, planes) as a PNG of 16 bits, every second row stored as differences from the one above."""
    stored = values.astype(">u2")
    lines = [row.tobytes() for row in stored]
    rows = bytearray()
    for number, line in enumerate(lines):
        if number % 2:
            above = np.frombuffer(lines[number - 1], np.uint8)
            rows += b"\2" + (np.frombuffer(line, np.uint8) - above).tobytes()
        else:
            rows += b"\0" + line
    return png(path, stored.shape[1], stored.shape[0], stored.shape[2], 16, bytes(rows))


def deep_tiff(path: Path, values: np.ndarray, order: str = "<", compressed: bool = False) -> Path:
    """Values (H, W, 3) as a TIFF of 16 bits, in the byte order `order`, deflated or not."""
    height, width, planes = values.shape
    pixels = values.astype(f"{order}u2").tobytes()
    pixels = zlib.compress(pixels) if compressed else pixels
    entries = {
        256: (3, 1, width), 257: (3, 1, height), 258: (3, 3, None), 259: (3, 1, 8 if compressed else 1),
        262: (3, 1, 2), 273: (4, 1, None), 277: (3, 1, planes), 278: (3, 1, height), 279: (4, 1, len(pixels)),
    }  # fmt: skip
    after = 8 + 2 + 12 * len(entries) + 4
    entries[258], entries[273] = (3, 3, after), (4, 1, after + 6)
    body = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8) + struct.pack(f"{order}H", len(entries))
    for tag, (kind, count, value) in entries.items():
        short = kind == 3 and count == 1
        body += struct.pack(f"{order}HHI", tag, kind, count)
        body += struct.pack(f"{order}HH", value, 0) if short else struct.pack(f"{order}I", value)
    path.write_bytes(body + b"\0" * 4 + struct.pack(f"{order}HHH", 16, 16, 16) + pixels)
    return path
