"""Damage: to bytes, to lines and cells of text, to the values of a JSON, and to the place of a file."""

import json
import os
import random
from pathlib import Path
from typing import Any

SPECIAL = [b"\0", b"\xff", b"\x80", b"\n", b'"', b"\0\0\0\0", b"\xff" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8, b"PK\3\4"]
SPECIAL += [(2**63 - 1).to_bytes(8, "little"), (2**40).to_bytes(8, "big"), b"9" * 30, b"\x1b[31m", b"\xef\xbb\xbf"]
ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "utf-7"]
TOKENS = [
    *("", " ", "nan", "inf", "-inf", "1e999", "-1", "0", "1", "2.5", "1e308", "0x10", "1_000", "１２", "1,5", "1.2,3"),
    *("9" * 40, "9" * 400, "1" * 5000, "true", "null", "None", "NaT", "2020-01-01", "13/13/2020", "25:61", "1/2/03"),
    *("{}", "[]", '""', "[[1]]", "[[1,2]]", "[[2,1]]", "[[1.5,2]]", "[[true,2]]", '[["a","b"]]', "[[1,2],{}]", '"ab"'),
    *("[" * 30_000, "[[1,2]," * 2000, "[[" + "9" * 5000 + ",1]]", '{"1":2}', "..", "../../up", "/nowhere/x", "C:\\x"),
    *('"', "'", '"a', "a\tb", "a\nb", "a\0b", "=1+1", "$\\frac{$", "\x1b[31m", "\u202e", "é", "\U0001d518", "L" * 300),
]  # fmt: skip
VALUES: list[Any] = [None, True, False, 0, -1, 1, 2.5, -0.0, 1e308, 10**30, 10**400, "", "x", "x" * 3000, [], {}, [[]]]
VALUES += [float("nan"), float("inf"), {"": ""}, [1, 2], ["a"], "../x", "/x", "\0", "\ud800", "é", [None], {"x": [1]}]


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Some bytes changed, lost, doubled, moved or put in."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at, length = rng.randrange(len(data) + 1), rng.choice([1, 2, 4, 8, 64, 1000])
        kind = rng.randrange(9)
        part = data[at : at + length]
        if kind <= 1 and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data = data[:at] + rng.choice(SPECIAL) + data[at:]
        elif kind == 4:
            special = rng.choice(SPECIAL)
            data = data[:at] + special + data[at + len(special) :]
        elif kind == 5:
            data = data[:at] + data[at + length :]
        elif kind == 6:
            data = data[:at] + part * rng.choice([2, 3, 50]) + data[at + length :]
        elif kind == 7:
            to = rng.randrange(len(data) + 1)
            data = data[:to] + part + data[to:]
        else:
            data = data + rng.randbytes(length)
    return rng.choice([data] * 30 + [b"", rng.randbytes(50), data[:1]])


def garbled(rng: random.Random, text: str) -> str:
    """Lines swapped, lost and doubled, cells and letters put in or taken away."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        lines = text.split("\n")
        a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(8)
        if kind == 0:
            lines[a], lines[b] = lines[b], lines[a]
        elif kind == 1:
            del lines[a]
        elif kind == 2:
            lines[a:a] = [lines[b]] * rng.choice([1, 2, 200])
        elif kind <= 5:
            mark = rng.choice([",", ",", ";", "\t", " "])
            cells = lines[a].split(mark)
            cells[rng.randrange(len(cells))] = rng.choice(TOKENS)
            lines[a] = mark.join(cells)
        elif kind == 6:
            at = rng.randrange(len(lines[a]) + 1)
            lines[a] = lines[a][:at] + rng.choice(TOKENS) + lines[a][at:]
        else:
            at = rng.randrange(len(lines[a]) + 1)
            lines[a] = lines[a][:at] + lines[a][at + rng.randrange(9) :]
        text = "\n".join(lines)
    return text


def written(rng: random.Random, text: str) -> bytes:
    """A text in some encoding, with some kind of line ends, and now and then with damaged bytes."""
    data = text.replace("\n", rng.choice(["\n", "\n", "\n", "\r\n", "\r"])).encode(rng.choice(ENCODINGS), "replace")
    return damaged(rng, data) if rng.random() < 0.15 else data


def other_json(rng: random.Random, value: Any) -> Any:
    """A value of a JSON with some of its parts replaced, lost, added or wrapped."""
    if isinstance(value, dict | list) and value and rng.random() < 0.8:
        value = value.copy()
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        kind = rng.randrange(6)
        if kind <= 3:
            value[key] = other_json(rng, value[key])
        elif kind == 4:
            del value[key]
        elif isinstance(value, dict):
            value[rng.choice(["x", "", "..", "settings", "files"])] = rng.choice(VALUES)
        else:
            value.append(rng.choice(VALUES))
        return value
    return rng.choice([*VALUES, [value], {"x": value}, str(value)])


def as_json(rng: random.Random, value: Any) -> bytes:
    """A JSON as somebody writes it, now and then nested too deeply, or garbled."""
    text = json.dumps(value, indent=rng.choice([None, 2]), ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.05:
        text = text.replace(":", ":" + "[" * 50_000, 1)
    if rng.random() < 0.2:
        text = garbled(rng, text)
    return text.encode("utf-8", "surrogatepass")


def displaced(rng: random.Random, path: Path, chance: float = 0.03) -> bool:
    """Now and then a folder, a pipe, a device, a loop of links or nothing in the place of a file."""
    if rng.random() >= chance:
        return False
    path.unlink(missing_ok=True)
    kind = rng.randrange(5)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        path.symlink_to(path.name)
    return True
