"""Cells of a column as numbers, as texts, and as labels."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import (
    is_bool_dtype,
    is_complex_dtype,
    is_datetime64_any_dtype,
    is_numeric_dtype,
    is_timedelta64_dtype,
)

from data.table.sheet import Sheet
from runtime.errors import InputError

NORMAL = {"0", "0.0", "0,0", "false", "no", "normal"}
ANOMALOUS = {"1", "1.0", "1,0", "true", "yes", "attack", "anomaly", "anomalous", "fault"}
UNLABELLED = -1


def is_times(column: pd.Series) -> bool:
    """Whether pandas holds the column as times."""
    return is_datetime64_any_dtype(column.dtype)


def is_numbers(column: pd.Series) -> bool:
    """Whether pandas holds the column as real numbers; true and false are none."""
    return is_numeric_dtype(column.dtype) and not is_complex_dtype(column.dtype) and not is_bool_dtype(column.dtype)


def is_text(column: pd.Series) -> bool:
    """Whether the cells are texts, or objects to be read as such."""
    kinds = (is_numeric_dtype, is_datetime64_any_dtype, is_timedelta64_dtype)
    return not any(kind(column.dtype) for kind in kinds) or is_complex_dtype(column.dtype)


def texts(column: pd.Series, nothing: frozenset[str]) -> pd.Series:
    """The cells as texts without blanks around them, NaN where they say that nothing was measured."""
    written = column.astype(object).map(str, na_action="ignore").astype(object)
    if not written.notna().any():
        return written
    written = written.str.strip()
    return written.mask(written.str.lower().isin(nothing))


def numbers(column: pd.Series, sheet: Sheet, nothing: frozenset[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values (rows,), NaN where nothing was measured, and where a cell is neither nothing nor a number.

    A column of true and false only is one of 1 and 0. A comma is read as the sheet says: 1.234,5 is no number anywhere.
    """
    if is_bool_dtype(column.dtype) or is_numbers(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        return values, np.zeros(len(values), dtype=bool)
    if not is_text(column):
        return np.full(len(column), np.nan), column.notna().to_numpy()
    written = texts(column, nothing)
    filled = written.notna().to_numpy()
    if not filled.any():
        return np.full(len(column), np.nan), ~filled
    truths = written.str.lower().map({"true": 1.0, "false": 0.0})
    if truths.notna().to_numpy()[filled].all():
        return truths.to_numpy(np.float64), np.zeros(len(column), dtype=bool)
    if sheet.decimal == ",":
        written = written.str.replace(".", "?", regex=False).str.replace(",", ".", regex=False)
    values = pd.to_numeric(written, errors="coerce").to_numpy(np.float64)
    return values, filled & np.isnan(values)


def labels(sheet: Sheet, name: str, nothing: frozenset[str]) -> NDArray[np.int8]:
    """A column of labels (rows,): 0 normal, 1 anomalous, -1 where a cell is empty.

    Raises InputError that names the first cell that is no such label.
    """
    written = texts(sheet.frame[name], nothing)
    codes = {**dict.fromkeys(NORMAL, 0), **dict.fromkeys(ANOMALOUS, 1)}
    found = written.map(lambda text: codes.get("".join(text.lower().split()), np.nan), na_action="ignore")
    odd = (written.notna() & found.isna()).to_numpy()
    if odd.any():
        row = int(np.argmax(odd))
        raise InputError(
            f"{sheet.where}, {sheet.spot(row)}: {written.iloc[row]!r} in the label column {name!r}. Write 0 for normal "
            "and 1 for anomalous there, or set --label-column to another column or none."
        )
    return found.astype(np.float64).fillna(UNLABELLED).to_numpy(np.int8)
