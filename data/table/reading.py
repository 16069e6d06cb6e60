"""From the sheet of a table to a recording: values in the order of time, long form made wide, labels beside them."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.recording import MAX_CELLS, Recording, ordered
from data.source import ALL
from data.table.cells import labels, numbers, texts
from data.table.columns import Roles, roles_of
from data.table.format import TableFormat
from data.table.sheet import MOST_COLUMNS, Sheet, column_names
from runtime.errors import InputError, unknown_name, warn

GROUPED = re.compile(r"[+-]?\d{1,3}([.,' ]\d{3})+([.,]\d*)?")  # 1,234.5: numbers, though not to be read safely


@dataclass(frozen=True, eq=False)
class Reading:
    """A table as a recording, before it is split and its gaps are filled."""

    where: str
    recording: Recording  # labels may be -1: an empty cell
    left_out: dict[str, str]  # column -> why it is none of values
    found: list[str]  # what was found out, in words


def read_recording(sheet: Sheet, table_format: TableFormat) -> Reading:
    """What the sheet measures. Raises InputError where that is nothing, or a cell of a used column is no number."""
    if len(sheet.frame) < 2:
        raise InputError(
            f"{sheet.where}: has {len(sheet.frame)} rows of data; two or more make a series. Leave it out."
        )
    roles = roles_of(sheet, table_format)
    marks = None if roles.label is None else labels(sheet, roles.label, table_format.nothing)
    if marks is not None and not (marks >= 0).any():
        marks = None
    times = None if roles.stamps is None else roles.stamps.times
    order = None if roles.stamps is None else roles.stamps.order
    rows = np.arange(len(sheet.frame))
    wanted = roles.values if roles.series is not None else _wanted(roles.values, table_format, sheet)
    values, columns, left_out = _values(sheet, wanted, table_format, chosen=wanted is not roles.values)
    recording = Recording(values, columns, times, rows, marks)
    if roles.series is not None:
        recording, order = _wide(recording, order, sheet, roles, table_format)
        recording = recording.select(_wanted(recording.columns, table_format, sheet))
    if not recording.columns:
        raise InputError(f"{sheet.where}: no column holds numbers. Check --delimiter, --decimal and --columns.")
    recording = ordered(recording, sheet.where, order)
    if len(recording) < 2:
        raise InputError(f"{sheet.where}: only {len(recording)} row has a time. Name another --time-column, or none.")
    return Reading(sheet.where, recording, left_out, [*sheet.found, *roles.found])


def _wanted(known: list[str], table_format: TableFormat, sheet: Sheet) -> list[str]:
    if table_format.columns == ALL:
        return known
    for name in table_format.columns:
        if name not in known:
            raise unknown_name(f"column of {sheet.where}", name, known)
    return list(dict.fromkeys(table_format.columns))


def _values(
    sheet: Sheet, names: list[str], table_format: TableFormat, chosen: bool
) -> tuple[NDArray[np.float64], list[str], dict[str, str]]:
    """Values (rows, columns), the names of the columns, and why others are left out. `chosen`: none may be."""
    values = np.empty((len(sheet.frame), len(names)))
    kept, left_out = [], {}
    for name in names:
        column, odd = numbers(sheet.frame[name], sheet, table_format.nothing)
        readable = int((~np.isnan(column)).sum())
        if odd.any():
            if readable >= odd.sum() or chosen or _grouped(sheet, name, odd):
                raise _unreadable(sheet, name, odd, table_format)
            left_out[name] = "text"
            continue
        values[:, len(kept)] = column
        kept.append(name)
    values = values[:, : len(kept)]
    for word in table_format.missing:
        if np.isfinite(number := pd.to_numeric(word, errors="coerce")):
            values[values == number] = np.nan
    return values, kept, left_out


def _grouped(sheet: Sheet, name: str, odd: NDArray[np.bool_]) -> bool:
    return GROUPED.fullmatch(str(sheet.frame[name].iloc[int(np.argmax(odd))]).strip()) is not None


def _unreadable(sheet: Sheet, name: str, odd: NDArray[np.bool_], table_format: TableFormat) -> InputError:
    row = int(np.argmax(odd))
    value = texts(sheet.frame[name].iloc[row : row + 1], table_format.nothing).iloc[0]
    return InputError(
        f"{sheet.where}, {sheet.spot(row)}: {value!r} in column {name!r} is no number ({int(odd.sum()) - 1} more). "
        f"If it says that nothing was measured: --missing {value!r}. If , is the decimal sign: --decimal ,. Else "
        "correct it (digits are not grouped, as in 1,234.5), or leave the column out by --columns."
    )


def _wide(
    recording: Recording, order: NDArray[np.float64] | None, sheet: Sheet, roles: Roles, table_format: TableFormat
) -> tuple[Recording, NDArray[np.float64] | None]:
    """Rows of one series each as rows of one time each: the union of the times, NaN where a series has no value.

    Of several rows of a series at one time the first counts, which is warned of. An anomaly in one is one in all.
    """
    series = texts(sheet.frame[roles.series], table_format.nothing)
    key = pd.Series(recording.times if order is None else order)
    kept = np.flatnonzero((series.notna() & key.notna()).to_numpy())
    numbers_of_series, names = pd.factorize(series.iloc[kept])
    steps, stamps = pd.factorize(key.iloc[kept], sort=True)
    width = len(names) * len(recording.columns)
    if width > MOST_COLUMNS or width * len(stamps) > MAX_CELLS or not len(stamps):
        raise InputError(
            f"{sheet.where}: {len(names)} series named in {roles.series!r} at {len(stamps)} times are too large. "
            "Choose another --series-column, or none."
        )
    cells = steps * len(names) + numbers_of_series
    _, first = np.unique(cells, return_index=True)
    told = {
        "without a time or a series": len(recording) - len(kept),
        "with a time and series of an earlier row": len(kept) - len(first),
    }
    if any(told.values()):
        parts = [f"{count} {what}" for what, count in told.items() if count]
        warn(f"{sheet.where}: of {len(recording)} rows {', '.join(parts)} were left out.")
    values = np.full((len(stamps), len(names), len(recording.columns)), np.nan)
    values[steps[first], numbers_of_series[first]] = recording.values[kept[first]]
    columns = [name if len(recording.columns) == 1 else f"{name} {of}" for name in names for of in recording.columns]
    rows = np.full(len(stamps), len(recording), dtype=np.int64)
    np.minimum.at(rows, steps, kept)
    marks = recording.labels
    if marks is not None:
        marks = np.full(len(stamps), -1, dtype=np.int8)
        np.maximum.at(marks, steps, recording.labels[kept])
    times = None if order is not None else pd.DatetimeIndex(stamps)
    columns = column_names(columns, sheet.where)
    wide = Recording(values.reshape(len(stamps), width), columns, times, rows, marks)
    return wide, None if order is None else np.asarray(stamps, dtype=np.float64)
