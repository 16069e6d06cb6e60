"""Files of every kind that holds a table, as sheets."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.recording import MAX_CELLS
from data.source import shape_of
from data.table.format import AUTO, TableFormat
from data.table.sheet import Sheet, column_names
from data.table.text import SAMPLE, Lines, read_lines
from data.table.times import is_stamp
from runtime.arrays import OBJECTS, read_npy, read_npz
from runtime.errors import InputError
from runtime.files import readable
from runtime.reading import reading, understood

TEXT_KINDS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
KINDS = (*TEXT_KINDS, ".parquet", ".npz", ".npy")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
SPREAD = 16  # places in a text file at which decimal signs are looked for


def kind_of(path: Path) -> str | None:
    """Which of KINDS a file is by its name, None: another."""
    return next((kind for kind in KINDS if path.name.lower().endswith(kind)), None)


def stem_of(path: Path) -> str:
    """The name of a file without its kind."""
    return readable(path.name[: -len(kind_of(path) or "")] or path.name)


def read_sheet(path: Path, table_format: TableFormat, key: str = "") -> Sheet:
    """The table in a file; `key` names one array of an .npz. Raises InputError where it is damaged or none."""
    kind = kind_of(path)
    if kind == ".parquet":
        return _parquet_sheet(path)
    if kind == ".npy":
        return array_sheet(read_npy(path), str(path))
    if kind == ".npz":
        return array_sheet(read_npz(path, key), f"{path}: array {key}")
    return text_sheet(read_lines(path, table_format.delimiter, table_format.encoding, growing=True), table_format)


def array_sheet(array: Any, where: str) -> Sheet:
    """An array (T,), (T, D), with named fields, or of text, as a sheet. Raises InputError for any other."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"{where}: is no single array. Save one with numpy.save(path, array), or several as .npz.")
    if array.dtype.kind == "O":
        raise InputError(f"{where}: {OBJECTS}")
    if array.dtype.names and array.ndim == 1:
        fields = {name: array[name] for name in array.dtype.names}
        if all(field.ndim == 1 and field.dtype.kind in "fiubMSU" for field in fields.values()):
            columns = [_readable(field, where) for field in fields.values()]
            return Sheet(where, _frame(columns, column_names(fields, where)))
    if array.dtype.kind in "US" and array.ndim == 2 and array.size:
        return Sheet(
            where, _frame(list(_readable(array, where).T), column_names([""] * array.shape[1], where)), named=False
        )
    steps, width = shape_of(array, where)
    values = pd.DataFrame(array.reshape(steps, width).astype(np.float64))
    return Sheet(where, values.set_axis(column_names([""] * width, where), axis=1), named=False)


def _readable(array: NDArray, where: str) -> NDArray:
    """Bytes as text, and text as Python has it; numbers and times as they are."""
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: holds bytes that are no UTF-8 text. Save numbers instead.") from error
    return array.astype(object) if array.dtype.kind == "U" else array


def _frame(columns: list[NDArray], names: list[str]) -> pd.DataFrame:
    return pd.concat([pd.Series(column) for column in columns], axis=1).set_axis(names, axis=1)


def _parquet_sheet(path: Path) -> Sheet:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"{path}: parquet files need the extra parquet: uv sync --extra parquet") from error
    with reading(path, "a parquet file", "Save it anew."):
        inside = pyarrow.parquet.ParquetFile(path).metadata
        if inside.num_rows * inside.num_columns > MAX_CELLS:
            raise InputError(f"{path}: has {inside.num_rows} rows of {inside.num_columns} columns. Split it.")
        frame = pd.read_parquet(path, engine="pyarrow")
    return frame_sheet(frame, str(path))


def frame_sheet(frame: pd.DataFrame, where: str) -> Sheet:
    """A DataFrame as a sheet: an index of times or with a name is a column like the others."""
    if isinstance(frame.index, pd.DatetimeIndex | pd.MultiIndex) or frame.index.name is not None:
        name = frame.index.name if frame.index.name is not None else "time"
        frame = frame.reset_index(names=None if isinstance(frame.index, pd.MultiIndex) else name, allow_duplicates=True)
    frame = frame.astype({name: object for name in frame.select_dtypes("category").columns})
    numbered = list(frame.columns) == list(range(frame.shape[1]))
    names = column_names([""] * frame.shape[1] if numbered else frame.columns, where)
    return Sheet(where, frame.set_axis(names, axis=1).reset_index(drop=True), named=not numbered)


def text_sheet(lines: Lines, table_format: TableFormat) -> Sheet:
    """The rows of a text file as a sheet, whose header, row of units and decimal sign are found."""
    head = lines.head(SAMPLE)
    found = list(lines.found)
    named = not _is_data(head[0], table_format.nothing)
    names = column_names(head[0] if named else [""] * len(head[0]), lines.where)
    units = named and len(head) > 2 and _is_units(head[1], head[2:], table_format.nothing)
    if not named:
        found.append(f"no header, columns named '{names[0]}' and so on")
    if units:
        found.append(f"line {lines.numbers[1]} is one of units and is skipped")
    body = lines.without(named + units)
    decimal = table_format.decimal
    if decimal == AUTO:
        decimal = _find_decimal(body)
        found += ["decimal commas"] if decimal == "," else []
    if decimal not in (".", ","):
        raise InputError(f"{lines.where}: --decimal is {decimal!r}, expected . or , or auto.")
    frame = _parsed(body, len(names), decimal, [*table_format.nothing, *table_format.missing]).set_axis(names, axis=1)
    return Sheet(lines.where, frame, body.numbers, decimal, named, tuple(found))


def _parsed(body: Lines, width: int, decimal: str, nothing: list[str]) -> pd.DataFrame:
    if not body.body:
        return pd.DataFrame({number: pd.Series(dtype=np.float64) for number in range(width)})
    spellings = sorted({form for word in nothing for form in (word, word.upper(), word.capitalize())} | {"NaN"})
    with understood(body.where, "a table", "Check its quotes."):
        frame = pd.read_csv(
            io.BytesIO(body.body),
            sep=body.delimiter,
            header=None,
            names=range(width),
            index_col=False,
            decimal=decimal,
            na_values=spellings,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
            low_memory=False,
        )
    if len(frame) != len(body.numbers):
        raise InputError(
            f"{body.where}: has {len(body.numbers)} rows, of which {len(frame)} can be read. Check its quotes."
        )
    return frame


def _is_data(cells: list[str], nothing: frozenset[str]) -> bool:
    """Whether a first row is one of numbers and times. Columns of an unnamed array have the header 0, 1, 2 .."""
    filled = [cell.strip() for cell in cells if cell.strip().lower() not in nothing]
    counted = [str(number) for number in range(len(filled))]
    if filled == counted and (len(filled) > 1 or not cells[0].strip()):
        return False
    return bool(filled) and all(NUMBER.fullmatch(cell) or is_stamp(cell) for cell in filled)


def _is_units(cells: list[str], below: list[list[str]], nothing: frozenset[str]) -> bool:
    """Whether a second row is text only, over columns that hold numbers."""
    filled = {k: text for k, cell in enumerate(cells) if (text := cell.strip()).lower() not in nothing}
    if not filled or any(NUMBER.fullmatch(text) or is_stamp(text) for text in filled.values()):
        return False

    def numeric(column: int) -> bool:
        texts = [row[column].strip() for row in below if len(row) > column]
        texts = [text for text in texts if text.lower() not in nothing]
        return len(texts) > 0 and all(NUMBER.fullmatch(text) for text in texts)

    return any(numeric(column) for column in filled)


def _find_decimal(lines: Lines) -> str:
    """A comma where numbers have one and none has a point, at several places of the file.

    Between commas or tabs 1,234 is a thousand and more: with nothing but such numbers the comma is no decimal sign.
    """
    size = len(lines.body)
    commas: list[str] = []
    for start in sorted({size * part // SPREAD for part in range(SPREAD)}):
        begin = lines.body.rfind(b"\n", 0, start) + 1
        end = lines.body.find(b"\n", min(begin + 8192, size - 1)) + 1
        rows = replace(lines, body=lines.body[begin:end]).head(50)
        for cell in (cell.strip() for row in rows for cell in row):
            if "." in cell and NUMBER.fullmatch(cell):
                return "."
            if DECIMAL_COMMA.fullmatch(cell):
                commas.append(cell)
    sure = [cell for cell in commas if lines.delimiter == ";" or not THOUSANDS.fullmatch(cell)]
    return "," if sure else "."
