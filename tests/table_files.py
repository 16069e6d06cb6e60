"""Tables to read in tests, and what a source made of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from data.table.format import TableFormat
from data.table.source import TableSource

FOUND = TableFormat(*["auto"] * 7, missing=(), columns=("all",), label_file="", train_until="0.5")


def table(folder: Path, text: str | bytes, name: str = "plant.csv", written_in: str = "utf-8", **chosen) -> TableSource:
    path = folder / name
    path.write_bytes(text.encode(written_in) if isinstance(text, str) else text)
    return TableSource(path, replace(FOUND, **chosen))


def whole(source: TableSource, channel: str = "") -> np.ndarray:
    channel = channel or source.channels[0]
    return np.concatenate([source.series(channel, split) for split in ("train", "test")])


def stamps(source: TableSource) -> list[pd.Timestamp]:
    return [stamp for split in ("train", "test") for stamp in source.times(source.channels[0], split)]


def lines(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"
