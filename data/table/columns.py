"""What the columns of a table are: times, labels, the names of series, values, or none of these."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.table import times as reading
from data.table.cells import is_numbers, is_text, is_times, labels, numbers, texts
from data.table.format import AUTO, NONE, TableFormat
from data.table.sheet import Sheet
from data.table.times import Stamps
from runtime.errors import InputError, unknown_name

WHOLE_TIMES = (
    "timestamp", "time stamp", "datetime", "date time", "zeitstempel", "datum zeit", "datum uhrzeit", "fecha hora",
    "horodatage", "unix time", "unix timestamp",
)  # fmt: skip
DATES = ("date", "datum", "fecha", "day", "tag")
CLOCKS = ("time", "zeit", "uhrzeit", "hora", "heure")
TIMES = (*WHOLE_TIMES, "time", "ts", "epoch", "date", "zeit", "uhrzeit", "datum", "fecha", "time utc", "utc time")
LABELS = (
    "anomaly", "anomalies", "is anomaly", "isanomaly", "anomaly label", "label", "labels", "attack", "attack label",
    "attack lable", "normal attack", "outlier", "is outlier", "fault", "target",
)  # fmt: skip
SERIES = (
    "series", "series id", "metric", "name", "sensor", "sensor id", "sensor name", "tag", "tag name", "tagname",
    "channel", "variable", "parameter", "signal", "id", "item id",
)  # fmt: skip
COUNTERS = ("index", "idx", "row", "row number", "no", "nr", "#")
SAMPLE = 100  # filled cells by which a column is judged


@dataclass(frozen=True, eq=False)
class Roles:
    """The columns of a sheet by what they are for."""

    stamps: Stamps | None
    label: str | None
    series: str | None
    values: list[str]  # numbers, or what may prove to be text
    found: list[str]  # all of it in words


def plain(name: str) -> str:
    """A name as the lists above have it: lower case, no units in brackets, blanks for signs."""
    without_units = re.sub(r"[(\[{].*?[)\]}]", " ", name.lower())
    return " ".join(re.sub(r"[_/.\-]+", " ", without_units).split())


def roles_of(sheet: Sheet, table_format: TableFormat) -> Roles:
    """Finds out, or takes from the format, what the columns are for. Raises InputError where that fails."""
    time_columns, stamps = _find_times(sheet, table_format)
    found = [] if stamps is None else [f"times in {_listed(time_columns)} ({stamps.words})"]
    label = _find_label(sheet, table_format)
    if label is not None:
        found.append(f"labels in {label!r}")
    rest = [name for name in sheet.frame if name not in (*time_columns, label)]
    aside = {name: reason for name in rest if (reason := _not_measured(sheet, name, table_format, stamps, label))}
    found += [f"{name!r} left out ({reason})" for name, reason in aside.items() if name not in table_format.columns]
    rest = [name for name in rest if name not in aside or name in table_format.columns]
    series = _find_series(sheet, table_format, rest, stamps)
    if series is not None:
        found.append(f"long form, series named in {series!r}")
        rest.remove(series)
    return Roles(stamps, label, series, rest, found)


def _listed(names: list[str]) -> str:
    return " and ".join(map(repr, names))


def _setting(sheet: Sheet, name: str, flag: str) -> str:
    if name not in sheet.frame:
        raise unknown_name(f"column of {sheet.where} in {flag}", name, list(sheet.frame))
    return name


def _find_times(sheet: Sheet, table_format: TableFormat) -> tuple[list[str], Stamps | None]:
    if table_format.time_column == NONE:
        return [], None
    if table_format.time_column != AUTO:
        name = _setting(sheet, table_format.time_column, "--time-column")
        return [name], _stamps(sheet, name, sheet.frame[name], table_format)
    by_name = sorted(
        (name for name in sheet.frame if plain(name) in TIMES), key=lambda name: plain(name) not in WHOLE_TIMES
    )
    whole = any(plain(name) in WHOLE_TIMES for name in by_name)
    if not whole and (pair := _date_and_clock(sheet, table_format.nothing)):
        date, clock = (texts(sheet.frame[name], table_format.nothing) for name in pair)
        return pair, _stamps(sheet, _listed(pair), date + " " + clock, table_format)
    for name in by_name:
        if _looks_like_times(sheet, name, table_format):
            return [name], _stamps(sheet, name, sheet.frame[name], table_format)
    for name in sheet.frame:
        column = sheet.frame[name]
        if is_times(column) or (is_text(column) and _all(column, table_format.nothing, reading.is_stamp)):
            return [name], _stamps(sheet, name, column, table_format)
    if not sheet.named and sheet.frame.shape[1] > 1:
        column = sheet.frame.iloc[:, 0]
        if is_numbers(column) and column.is_monotonic_increasing and reading.epoch_unit(column.to_numpy(np.float64)):
            return [column.name], _stamps(sheet, column.name, column, table_format)
    return [], None


def _stamps(sheet: Sheet, name: str, column: pd.Series, table_format: TableFormat) -> Stamps:
    where = f"{sheet.where}: time column {name}"
    if is_times(column):
        times = pd.DatetimeIndex(column).rename(None)
        return Stamps(times if times.unit in ("us", "ns") else times.as_unit("us"), None, "dates")
    if not is_numbers(column) and is_text(column):
        values, odd = numbers(column, sheet, table_format.nothing)
        if odd.any() or "%" in table_format.time_format:
            return reading.from_texts(texts(column, table_format.nothing), table_format.time_format, sheet.spot, where)
        column = pd.Series(values)
    if not is_numbers(column):
        raise InputError(f"{where} is {column.dtype}, expected times. Name another one with --time-column, or none.")
    return reading.from_numbers(column, table_format.time_format, where)


def _filled(column: pd.Series, nothing: frozenset[str]) -> list[str]:
    """The first filled cells as texts."""
    return texts(column.dropna().iloc[: 2 * SAMPLE], nothing).dropna().tolist()[:SAMPLE]


def _all(column: pd.Series, nothing: frozenset[str], fits: Callable[[str], bool]) -> bool:
    sample = _filled(column, nothing)
    if not sample or not all(map(fits, sample)):
        return False
    return all(map(fits, texts(column, nothing).dropna()))


def _date_and_clock(sheet: Sheet, nothing: frozenset[str]) -> list[str]:
    """Two columns that hold the date and the time of the day, where there are such."""

    def first(known: tuple[str, ...], fits: Callable[[str], bool]) -> str | None:
        names = (name for name in sheet.frame if plain(name) in known and is_text(sheet.frame[name]))
        return next((name for name in names if _all(sheet.frame[name], nothing, fits)), None)

    date = first(DATES, lambda text: reading.is_stamp(text) and ":" not in text)
    clock = first(CLOCKS, reading.is_time_of_day)
    return [date, clock] if date and clock else []


def _looks_like_times(sheet: Sheet, name: str, table_format: TableFormat) -> bool:
    column = sheet.frame[name]
    if is_times(column):
        return True
    if is_numbers(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        values = values[np.isfinite(values)]
        if reading.epoch_unit(values) or table_format.time_format in reading.UNITS or "%" in table_format.time_format:
            return len(values) > 0
        # Steps and seconds from a start grow; a duration goes up and down, an hour of the day comes again.
        changes = np.sign(np.diff(values))
        changes = changes[changes != 0]
        backwards = (changes < 0).mean() if len(changes) else 0.5
        return backwards in (0, 1) or (abs(backwards - 0.5) >= 0.25 and len(np.unique(values)) > len(values) / 2)
    sample = _filled(column, table_format.nothing) if is_text(column) else []
    if "%" in table_format.time_format:
        return len(sample) > 0
    return sum(map(reading.is_stamp, sample)) > len(sample) / 2


def _find_label(sheet: Sheet, table_format: TableFormat) -> str | None:
    if table_format.label_column == NONE:
        return None
    if table_format.label_column != AUTO:
        return _setting(sheet, table_format.label_column, "--label-column")
    for name in sheet.frame:
        if plain(name) in LABELS and (plain(name) != "target" or _holds_labels(sheet, name, table_format.nothing)):
            return name
    return None


def _holds_labels(sheet: Sheet, name: str, nothing: frozenset[str]) -> bool:
    try:
        return bool((labels(sheet, name, nothing) >= 0).any())
    except InputError:
        return False


def _not_measured(
    sheet: Sheet, name: str, table_format: TableFormat, stamps: Stamps | None, label: str | None
) -> str | None:
    """Why a column is none of values although it may hold numbers; None where it may be one."""
    column, short = sheet.frame[name], plain(name)
    if stamps is not None and short in TIMES and _looks_like_times(sheet, name, table_format):
        return "more times"
    if label is not None and short in ("changepoint", "change point"):
        return "where labels change"
    if label is not None and short in LABELS and _holds_labels(sheet, name, table_format.nothing):
        return "more labels"
    nameless = re.fullmatch(r"(unnamed: |column )\d+", short) and (sheet.named or name == sheet.frame.columns[0])
    if (nameless or short in COUNTERS) and sheet.frame.shape[1] > 1 and is_numbers(column) and len(column) > 1:
        values = column.to_numpy(np.float64, na_value=np.nan)
        if values[0] in (0, 1) and np.array_equal(values, values[0] + np.arange(len(values))):
            return "it counts the rows"
    return None


def _find_series(sheet: Sheet, table_format: TableFormat, rest: list[str], stamps: Stamps | None) -> str | None:
    if table_format.series_column == NONE:
        return None
    if table_format.series_column != AUTO:
        name = _setting(sheet, table_format.series_column, "--series-column")
        if stamps is None or name not in rest:
            raise InputError(
                f"{sheet.where}: --series-column {name!r} needs a column of times beside it. Set --time-column."
            )
        return name
    if stamps is None or len(rest) < 2:
        return None

    for name in rest:
        others = [other for other in rest if other != name]
        known = plain(name) in SERIES and (is_text(sheet.frame[name]) or _is_whole(sheet.frame[name]))
        guessed = len(others) == 1 and not _is_measured(sheet, name, table_format) and _come_again(stamps)
        if (known or guessed) and len(others) == 1 and _is_measured(sheet, others[0], table_format):
            written = texts(sheet.frame[name], table_format.nothing)
            if written.nunique() <= len(written) / 2:
                return name
    return None


def _is_measured(sheet: Sheet, name: str, table_format: TableFormat) -> bool:
    """Whether a column holds numbers, by its first cells."""
    column = sheet.frame[name]
    if not is_text(column):
        return is_numbers(column)
    return not numbers(column.head(SAMPLE), sheet, table_format.nothing)[1].all()


def _is_whole(column: pd.Series) -> bool:
    return bool(is_numbers(column) and column.notna().all() and (column % 1 == 0).all())


def _come_again(stamps: Stamps) -> bool:
    """Whether most times are there for several rows."""
    key = pd.Series(stamps.times if stamps.order is None else stamps.order)
    return key.nunique() <= len(key) * 0.6
