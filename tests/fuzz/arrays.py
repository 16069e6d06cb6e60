"""Arrays: .npy and .npz files, read as channels of telemetry and as tables."""

import ast
import io
import pickle
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.source import as_series
from data.table.files import read_sheet
from data.table.format import TableFormat
from data.telemanom import TelemanomSource
from runtime.arrays import npz_names, read_npz

from .harness import Case
from .mutations import VALUES, damaged, displaced

KINDS = ["f8", "f8", "f4", "f2", "g", "i1", "u1", ">i2", "u8", "?", ">f8", "c8", "U5", "S4", "M8[s]", "m8[D]", "V8"]
FORMAT = TableFormat(*["auto"] * 7, missing=(), columns=("all",), label_file="", train_until="0.5")
SHAPES = [(40, 3), (40, 3), (40,), (1, 3), (1, 1), (0, 3), (0,), (), (3, 0), (4, 5, 2)]
DESCRIPTIONS = ["<f8", "|O", "<f99", "|V1000000000", "f8, O", [("a", "<f8"), ("b", "|O")], ("<f8", (9, 9)), None, 7]
CLAIMED: list[Any] = [
    (10**12, 3),
    (10**30, 3),
    (-1, 3),
    (2**62, 2**62),
    (True, 3),
    (3.0, 3),
    "(3, 3)",
    None,
    (3,) * 200,
]


class Arrays:
    """Arrays of every type and shape, headers that claim anything, and damaged files."""

    def __init__(self, place: Path) -> None:
        pass

    def case(self, rng: random.Random, folder: Path) -> Case:
        if rng.random() < 0.3:
            return _archive(rng, folder)
        what, data = _made(rng)
        for split in ("train", "test"):
            (folder / split).mkdir()
            (folder / split / "A.npy").write_bytes(data)
        (folder / "labeled_anomalies.csv").write_text('chan_id,spacecraft,anomaly_sequences\nA,SMAP,"[]"\n')
        path = folder / "train" / "A.npy"
        moved = displaced(rng, path)
        found = None if moved else _by_hand(data)
        if rng.random() < 0.3:
            return Case(f"{what}, as a table", lambda: _sheet(path), lambda got: _same(got, found), ("A.npy",))

        def read() -> NDArray:
            source = TelemanomSource(folder, "SMAP")
            series = source.series("A", "train")
            assert source.num_steps("A", "train") == len(series)
            return series

        return Case(what, read, lambda got: _same(got, found), ("A.npy",))


def _made(rng: random.Random) -> tuple[str, bytes]:
    kind, shape = rng.choice(KINDS), rng.choice(SHAPES)
    values = np.random.default_rng(rng.randrange(2**32)).normal(scale=50, size=shape)
    if rng.random() < 0.2 and values.size:
        values.flat[rng.randrange(values.size)] = rng.choice([np.nan, np.inf, -np.inf, 1e308, 1e-320])
    with np.errstate(all="ignore"):
        array = np.asarray(values.astype("f8").astype(kind) if kind[0] not in "USV" else np.zeros(shape, kind))
    if rng.random() < 0.2:
        array = np.asfortranarray(array)
    file = io.BytesIO()
    choice = rng.random()
    if choice < 0.04:
        objects = np.array([None, "x", {}] * 3, dtype=object)
        np.save(file, objects, allow_pickle=True)
        return "objects", file.getvalue()
    if choice < 0.08:
        return "a pickle", pickle.dumps(rng.choice(VALUES[:20]))
    if choice < 0.25:
        return "a header that claims", _header(rng)
    np.lib.format.write_array(file, array, version=rng.choice([None, (1, 0), (2, 0), (3, 0)]))
    data = file.getvalue()
    if choice < 0.65:
        return f"damaged {kind} {shape}", damaged(rng, data)
    return f"{kind} {shape}", data


def _header(rng: random.Random) -> bytes:
    content = {"descr": "<f8", "fortran_order": False, "shape": (3, 3)}
    content[rng.choice(list(content))] = rng.choice([*CLAIMED, *DESCRIPTIONS])
    text = rng.choice(
        [repr(content)] * 6 + ["(" * 9000, "{'descr': " + "[" * 3000, "9" * 6000, "{", "\\N{x", "''" * 9000]
    )
    encoded = text.encode("utf-8") + b" \n"
    start = struct.pack("<H", len(encoded)) if rng.random() < 0.7 else struct.pack("<I", len(encoded))
    version = b"\x01\x00" if len(start) == 2 else rng.choice([b"\x02\x00", b"\x03\x00", b"\x09\x00"])
    return b"\x93NUMPY" + version + start + encoded + rng.randbytes(rng.choice([0, 72, 80]))


def _by_hand(data: bytes) -> NDArray | None:
    """The array of a .npy file by nothing but its specification; None where it is none of plain real numbers."""
    try:
        if data[:6] != b"\x93NUMPY" or data[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
            return None
        wide = data[6] > 1
        (length,) = struct.unpack("<I" if wide else "<H", data[8 : 12 if wide else 10])
        begin = 12 if wide else 10
        header = ast.literal_eval(data[begin : begin + length].decode("utf-8" if data[6] == 3 else "latin-1").strip())
        dtype, shape = np.dtype(header["descr"]), header["shape"]
        values = np.frombuffer(data, dtype, int(np.prod(shape, dtype=object)), begin + length)
        return values.reshape(shape, order="F" if header["fortran_order"] else "C")
    except Exception:
        return None


def _same(found: NDArray, array: NDArray | None) -> None:
    """What was read is the array, (T, D) of float64, and nothing else is read at all."""
    assert array is not None, "no array, and yet it was read"
    assert array.dtype.kind in "fiub" and array.ndim in (1, 2) and array.size, "no series, and yet it was read"
    with np.errstate(over="ignore"):
        expected = array.astype(np.float64).reshape(len(array), -1)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


def _sheet(path: Path) -> NDArray:
    return as_series(read_sheet(path, FORMAT).frame.to_numpy(), str(path))


def _archive(rng: random.Random, folder: Path) -> Case:
    file, arrays = io.BytesIO(), {"a": np.arange(60.0).reshape(20, 3), "b": np.ones(9, "u1")}
    (np.savez_compressed if rng.random() < 0.5 else np.savez)(file, **arrays)
    data, choice = file.getvalue(), rng.random()
    if choice < 0.2:
        data = _odd_members(rng)
    elif choice < 0.8:
        data = damaged(rng, data)
    path = folder / "A.npz"
    path.write_bytes(data)
    displaced(rng, path)

    def check(found: dict[str, NDArray]) -> None:
        for name, array in found.items():  # each has a checksum: it is as it was, if under another name
            assert choice < 0.2 or any(array.tobytes() == known.tobytes() for known in arrays.values()), name

    return Case("an archive", lambda: {n: read_npz(path, n) for n in npz_names(path)}, check, ("A.npz",))


def _odd_members(rng: random.Random) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(rng.choice([0, 1, 2])):
            name = rng.choice(["a.npy", "a", "../b.npy", "/c.npy", "a.npy.npy", "", "\x1b.npy", "L" * 300])
            bomb = b"\0" * rng.choice([10, 10**6, 3 * 10**8]) if rng.random() < 0.1 else b""
            archive.writestr(name or str(number), rng.choice([_header(rng), b"x", _made(rng)[1]]) + bomb)
    return file.getvalue()
