"""Text as people, spreadsheets and loggers write it: label files of both kinds, and tables."""

import csv
import gzip
import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.labels import AS_PUBLISHED, LabelRow
from data.table.format import TableFormat
from data.table.labels import LabelFile
from data.table.source import TableSource
from data.telemanom import TelemanomSource

from .harness import Case
from .mutations import TOKENS, damaged, displaced, garbled, written

AUTO = TableFormat(*["auto"] * 7, missing=(), columns=("all",), label_file="", train_until="0.5")
HEADER = ["chan_id", "spacecraft", "anomaly_sequences", "class", "num_values"]
CHOICES: dict[str, list[Any]] = {
    "delimiter": ["auto", ",", "tab", "x", "", '"', "ä", "\0"],
    "encoding": ["auto", "cp1252", "utf-16", "utf-7", "hex", "idna", "", "a\0", "punycode", "zlib", "undefined"],
    "decimal": ["auto", ",", ".", "x"],
    "time_column": ["auto", "none", "time", "a"],
    "time_format": ["auto", "day-first", "month-first", "s", "ns", "%Y", "%", "%z", "%d/%m/%Y", "x", "%" * 50],
    "label_column": ["auto", "none", "label", "a"],
    "series_column": ["auto", "none", "a", "b"],
    "missing": [(), ("x",), ("1", "inf"), ("",), ("1e999",)],
    "columns": [("all",), ("a",), ("a", "b"), ("",), ("time",)],
    "train_until": ["0.5", "2", "0.9", "2020-01-02", "13/01/2020", "9999-12-31", "1e9", "x", "nan", "9" * 5000, "-1"],
}


class LabelFiles:
    """Label files as published and with one interval a row, whole and garbled."""

    def __init__(self, place: Path) -> None:
        pass

    def case(self, rng: random.Random, folder: Path) -> Case:
        return (_published if rng.random() < 0.6 else _own)(rng, folder)


def _published(rng: random.Random, folder: Path) -> Case:
    names = rng.sample(["A-1", "B 2", "Kühler", "$x$", "=1", "x" * 250, "a.b"], rng.randrange(1, 4))
    rows = {name: [sorted(rng.sample(range(90), 2)) for _ in range(rng.randrange(4))] for name in names}
    file = io.StringIO()
    writer = csv.writer(file, delimiter=rng.choice(",,,;\t"), lineterminator="\n")
    header = HEADER[: rng.choice([3, 5, 5])]
    if twice := rng.random() < 0.06:
        header = [*header, rng.choice(header)]
    writer.writerow(header)
    for name, pairs in rows.items():
        writer.writerow([name, "SMAP", json.dumps(pairs), "[x]", 90, 5][: len(header)])
    text = file.getvalue()
    broken = rng.random() < 0.6
    data = written(rng, garbled(rng, text)) if broken else text.encode(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))
    for split in ("train", "test"):
        (folder / split).mkdir()
    path = folder / "labeled_anomalies.csv"
    path.write_bytes(data)
    broken |= displaced(rng, path)

    def check(found: dict[str, list[LabelRow]]) -> None:
        assert not twice or broken, "two columns of one name were read"
        for name, of_channel in found.items():
            assert name and "\0" not in name and ".." not in name.split("/")
            for row in of_channel:
                assert all(type(step) is int for pair in row.intervals for step in pair)
            assert all(0 <= start < 90 and end < 90 for start, end in AS_PUBLISHED.intervals(of_channel, 90))
        if not broken:
            assert {n: [list(map(list, row.intervals)) for row in of] for n, of in found.items()} == {
                name: [pairs] for name, pairs in rows.items()
            }

    def read() -> dict[str, list[LabelRow]]:
        source = TelemanomSource(folder, "SMAP")
        return {channel: source.label_rows(channel) for channel in source.channels}

    return Case(f"published {data[:90]!r}", read, check, ("labeled_anomalies.csv", str(folder)))


def _own(rng: random.Random, folder: Path) -> Case:
    channels = ["pump", "fan 2"]
    pairs = [(rng.choice(channels), *sorted(rng.sample(range(99), 2))) for _ in range(rng.randrange(1, 6))]
    listed = rng.random() < 0.4
    rows = [f'{name}{{0}}"{[[a, b]]}"' if listed else f"{name}{{0}}{a}{{0}}{b}" for name, a, b in pairs]
    head = "chan_id{0}anomaly_sequences" if listed else rng.choice(["channel{0}start{0}end", "file{0}from{0}to"])
    text = "\n".join([head, *rows]).format(rng.choice([",", ";", "\t"] if not listed else [";", "\t"])) + "\n"
    broken = rng.random() < 0.6
    data = written(rng, garbled(rng, text)) if broken else text.encode()
    path = folder / "labels.csv"
    path.write_bytes(data)
    broken |= displaced(rng, path)
    time_format = rng.choice(["auto", "auto", "s", "day-first", "%Y", "%d.%m.%Y"])

    def check(found: LabelFile) -> None:
        for name, of_channel in found.rows.items():
            assert name in (*channels, None)  # None: of strangers
            assert all(interval.start <= interval.end for row in of_channel for interval in row)
        if not broken and time_format != "s":
            got = [(n, i.start, i.end) for n, of in found.rows.items() for row in of for i in row]
            assert sorted(got) == sorted(pairs)

    def read() -> LabelFile:
        return LabelFile(path, channels, time_format, rng.choice(["auto", "auto", "cp1252", "utf-16"]))

    return Case(f"own {data[:90]!r}", read, check, ("labels.csv", "--"))


class Tables:
    """csv, gzip and parquet of a user's own with settings of every kind, whole and garbled."""

    def __init__(self, place: Path) -> None:
        frame = pd.DataFrame({"time": pd.date_range("2026", periods=30, freq="h"), "a": np.arange(30) ** 0.5, "b": "x"})
        self._parquet = io.BytesIO()
        frame.to_parquet(self._parquet)
        self._bombs = [gzip.compress(text * (10**8 // len(text))) for text in (b"1,2\n", b"\0", b"9")]

    def case(self, rng: random.Random, folder: Path) -> Case:
        choice = rng.random()
        if choice < 0.25:
            return _whole(rng, folder)
        settings = {name: rng.choice(known) for name, known in CHOICES.items() if rng.random() < 0.2}
        name = "own.csv"
        if choice < 0.33:
            name, data = "own.parquet", damaged(rng, self._parquet.getvalue())
        elif choice < 0.4:
            packed = gzip.compress(_text(rng).encode("utf-8", "replace") * rng.choice([1, 1, 1, 100]))
            name, data = "own.csv.gz", damaged(rng, packed)
        elif choice < 0.42:
            name, data = "own.txt.gz", rng.choice(self._bombs)
        else:
            data = written(rng, garbled(rng, _text(rng)))
        path = folder / name
        path.write_bytes(data)
        displaced(rng, path)
        read = lambda: _through(TableSource(path, replace(AUTO, **settings)))  # noqa: E731
        return Case(f"{name} {settings} {data[:90]!r}", read, _plausible, (name, str(folder), "--"))


def _text(rng: random.Random) -> str:
    mark = rng.choice([",", ";", "\t", "|", " "])
    header = rng.choice(["time,a,b", "a,label", "date,time,a", "time,series,value", "a,b,c,d", "", "a,a", "0,1,2"])
    cells = {
        "time": lambda n: rng.choice([f"2020-01-{n + 1:02} 10:00", f"{n + 1}/1/2020", f"{1.6e9 + n:.0f}", f"{n}"]),
        "date": lambda n: f"2020-01-{n + 1:02}",
        "label": lambda n: str(n % 2),
        "series": lambda n: "ab"[n % 2],
    }
    names = header.split(",")
    steady = random.Random(rng.random())
    rows = [[cells.get(name, lambda n: f"{rng.gauss(0, 9):.3f}")(row) for name in names] for row in range(20)]
    if steady.random() < 0.3:
        rows[steady.randrange(20)][0] = steady.choice(TOKENS)
    return "\n".join(mark.join(row) for row in [names, *rows]) + "\n"


def _through(source: TableSource) -> TableSource:
    """Everything that a run asks a source for."""
    for channel in source.channels:
        for split in ("train", "test"):
            source.series(channel, split), source.times(channel, split), source.rows(channel, split)
        source.label_rows(channel), source.columns(channel), source.step(channel)
    return source


def _plausible(source: TableSource) -> None:
    for channel in source.channels:
        for split in ("train", "test"):
            series, times = source.series(channel, split), source.times(channel, split)
            assert series.dtype == np.float64
            assert series.shape == (source.num_steps(channel, split), len(source.columns(channel)))
            assert times is None or (len(times) == len(series) and times.is_monotonic_increasing)
        for row in source.label_rows(channel) or ():
            assert all(0 <= start <= end < source.num_steps(channel, "test") for start, end in row.intervals)


def _whole(rng: random.Random, folder: Path) -> Case:
    """A table of numbers, of which all are known."""
    steps, width = rng.randrange(4, 40), rng.randrange(1, 5)
    values = np.random.default_rng(rng.randrange(2**32)).normal(scale=10.0 ** rng.randrange(-3, 6), size=(steps, width))
    values[np.random.default_rng(1).random(values.shape) < 0.05] = np.nan
    values[:2] = (0.25,)
    decimal = rng.choice([".", ".", ","])
    mark = rng.choice(";\t|" if decimal == "," else ";\t|,")
    quote = rng.choice(['"', ""])
    nothing = rng.choice(["nan", "-", "NULL", "n/a", *([""] if quote or width > 1 else [])])  # a blank line is no row
    names = rng.sample(["flow", "Druck [bar]", "温度", "x.y", "$v$", "p|q" if quote else "pq"], width)
    rows = [[nothing if np.isnan(v) else repr(float(v)).replace(".", decimal) for v in row] for row in values]
    lines = [mark.join(f"{quote}{cell}{quote}" for cell in row) for row in [names, *rows]]
    text = rng.choice(["", "sep=" + mark + "\n"]) + "\n".join(lines) + rng.choice(["\n", "\n\n", ""])
    data = text.replace("\n", rng.choice(["\n", "\r\n"])).encode(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))
    path = folder / "own.csv"
    path.write_bytes(data)
    roles = {"time_column": "none", "label_column": "none", "series_column": "none", "train_until": "2"}

    def check(source: TableSource) -> None:
        _plausible(source)
        found = np.concatenate([source.series("own", split) for split in ("train", "test")])
        assert source.columns("own") == names
        np.testing.assert_allclose(found, values, rtol=1e-13, atol=0)

    read = lambda: _through(TableSource(path, replace(AUTO, **roles)))  # noqa: E731
    return Case(f"whole {data[:90]!r}", read, check, ("own.csv",))
