"""Time stamps: texts in the forms that people write, and numbers that count from 1970.

Where a text may mean two days (03/04/2020), the whole column decides: the order of day and month under which every row
is a date, else the one under which the stamps run forwards and evenly.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, timezone

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.table.format import AUTO
from runtime.errors import InputError

UNITS = {"s": 1e8, "ms": 1e11, "us": 1e14, "ns": 1e17}  # of numbers since 1970, and the least of 1973 or later
LONGEST = 50  # times that least: the year 2128
DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
CLOCK += r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
STAMP = re.compile(
    r"\s*(?:(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
    r"|(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<late>\d{4}|\d{2})"
    r"|(?P<named>\d{1,2})[-/. ](?P<word>[A-Za-z]{3})[A-Za-z]*[-/. ,]+(?P<last>\d{4}|\d{2}))"
    rf"(?:[T,\s]\s*{CLOCK}\s*(?P<offset>[Zz]|UTC|[+-]\d{{2}}:?\d{{2}}|[+-]\d{{2}})?)?\s*"
)
PLAIN_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?")
TIME_OF_DAY = re.compile(rf"\s*{CLOCK}\s*")
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # 20200309101433, by the number of digits


@dataclass(frozen=True, eq=False)
class Stamps:
    """When the rows of a table were; NaT or NaN in rows without a stamp."""

    times: pd.DatetimeIndex | None  # (rows,)
    order: NDArray[np.float64] | None  # (rows,) where there are no dates: what grows with time
    words: str  # how the column was read
    settled: str = AUTO  # the --time-format under which a part of the column is read like the whole


def is_stamp(text: str) -> bool:
    """Whether a text looks like a date, with or without a time."""
    return STAMP.fullmatch(text) is not None


def is_time_of_day(text: str) -> bool:
    """Whether a text looks like a time without a date."""
    return TIME_OF_DAY.fullmatch(text) is not None


def epoch_unit(numbers: NDArray) -> str | None:
    """The unit in which all numbers count from 1970 to a year from 1973 to 2128; None where they do not."""
    low, high = (np.min(numbers), np.max(numbers)) if len(numbers) else (0, 0)
    return next((unit for unit, least in UNITS.items() if low >= least and high <= LONGEST * least), None)


def from_numbers(numbers: pd.Series, time_format: str, where: str) -> Stamps:
    """Stamps of a column of numbers. What counts from no known day only orders the rows.

    Raises InputError for numbers that the format does not fit.
    """
    filled = numbers.dropna()
    if "%" in time_format:
        texts = numbers.map(lambda number: f"{number:.0f}", na_action="ignore")
        return from_texts(texts.astype(object), time_format, lambda row: f"row {row}", where)
    values = filled.to_numpy(np.int64 if pd.api.types.is_integer_dtype(filled.dtype) else np.float64)
    if time_format not in (*UNITS, AUTO, DAY_FIRST, MONTH_FIRST):
        raise unknown_format(time_format, where)
    unit = time_format if time_format in UNITS else epoch_unit(values)
    if time_format not in UNITS and (compact := _compact(values)) is not None:
        return Stamps(_spread(compact, numbers), None, "dates in digits")
    if unit is None:
        return Stamps(None, numbers.to_numpy(np.float64, na_value=np.nan), "numbers that order the rows; no dates")
    if len(values) and max(abs(float(values.min())), abs(float(values.max()))) > LONGEST * UNITS[unit]:
        raise InputError(f"{where}: {values.max()} is no number of {unit} since 1970. Set another --time-format.")
    if values.dtype.kind == "i":
        stamps = values.astype(f"datetime64[{unit}]").astype("datetime64[ns]" if unit == "ns" else "datetime64[us]")
    else:  # a float has no nanoseconds of today
        stamps = np.round(values / (UNITS[unit] / 1e14)).astype(np.int64).astype("datetime64[us]")
    times = _spread(pd.DatetimeIndex(stamps, tz="UTC"), numbers)
    return Stamps(times, None, f"{unit} since 1970, UTC", unit)


def _compact(values: NDArray) -> pd.DatetimeIndex | None:
    """Dates written as whole numbers of 8, 12 or 14 digits, where all are."""
    if not len(values) or values.dtype.kind != "i" or values.min() <= 0:
        return None
    form = COMPACT.get(len(str(values.min())))
    if form is None or len(str(values.min())) != len(str(values.max())):
        return None
    stamps = pd.DatetimeIndex(pd.to_datetime(pd.Series(values).astype(str), format=form, errors="coerce"))
    plausible = not stamps.isna().any() and stamps.year.min() >= 1900 and stamps.year.max() <= 2128
    return stamps.as_unit("us") if plausible else None


def _spread(stamps: pd.DatetimeIndex, column: pd.Series) -> pd.DatetimeIndex:
    """Stamps of the filled rows at their places, NaT in the others."""
    places = np.flatnonzero(column.notna())
    return stamps if len(places) == len(column) else stamps.take(_positions(places, len(column)), fill_value=pd.NaT)


def _positions(places: NDArray, length: int) -> NDArray[np.int64]:
    positions = np.full(length, -1, dtype=np.int64)
    positions[places] = np.arange(len(places))
    return positions


def unknown_format(time_format: str, where: str) -> InputError:
    """The error about a format of times that is none, or not one for this column."""
    return InputError(
        f"{where}: --time-format {time_format!r} does not fit. Choose auto, {DAY_FIRST}, {MONTH_FIRST}, s, ms, us, ns "
        "(numbers since 1970) or a pattern such as %d.%m.%Y %H:%M:%S."
    )


def from_texts(texts: pd.Series, time_format: str, spot: Callable[[int], str], where: str) -> Stamps:
    """Stamps of a column of texts (objects, None or NaN where empty). `spot` names a row of it.

    Raises InputError that names the first row that is not like the others, and where day and month cannot be told.
    """
    if "%" in time_format:
        return _from_pattern(texts, time_format, spot, where)
    if time_format not in (AUTO, DAY_FIRST, MONTH_FIRST):
        raise unknown_format(time_format, where)
    places = np.flatnonzero(texts.notna())
    filled = texts.iloc[places]
    if (quick := _plain_iso(filled)) is not None:
        return Stamps(_spread(quick, texts), None, "dates")
    parts = filled.str.extract(rf"^{STAMP.pattern}$").astype(object)

    def different(odd: NDArray[np.bool_]) -> None:
        if odd.any():
            row = int(np.argmax(odd))
            first = f" like {filled.iloc[0]!r}" if row else ""
            raise InputError(
                f"{where}, {spot(int(places[row]))}: {filled.iloc[row]!r} is no time{first}. Correct it, set "
                "--time-format, or name another --time-column."
            )

    kind = np.where(parts["year"].notna(), "year", np.where(parts["named"].notna(), "named", parts["mark"]))
    kind = np.where(pd.isna(kind), "", kind).astype(str)
    clock = parts["hour"].notna().to_numpy()
    half = parts["half"].notna().to_numpy()
    zoned = parts["offset"].notna().to_numpy()
    different((kind == "") | (kind != (kind[0] if len(kind) else "")))
    for mixed in (half, zoned):  # rows without a time of day may be midnight
        if clock.any():
            different(clock & (mixed != mixed[np.argmax(clock)]))
    if len(filled) and kind[0] not in ("year", "named"):
        days, order = _decided(parts, time_format, where, different, filled)
        words = f"{order.replace('-', ' ')} dates"
    else:
        days, words = _written_out(parts, named=len(filled) > 0 and kind[0] == "named"), "dates"
        order = AUTO
    stamps = days + _time_of_day(parts)
    different(np.isnat(stamps))
    times, zone = _zoned(stamps, parts["offset"])
    return Stamps(_spread(times, texts), None, words + zone, order)


def _plain_iso(texts: pd.Series) -> pd.DatetimeIndex | None:
    """The stamps where all are ISO 8601 without offsets, ten times as fast as any other form; else None."""
    if not len(texts) or not PLAIN_ISO.fullmatch(texts.iloc[0]):
        return None
    try:
        stamps = pd.to_datetime(texts, format="ISO8601", errors="coerce")
    except (ValueError, OverflowError):  # offsets that differ
        return None
    if not pd.api.types.is_datetime64_any_dtype(stamps.dtype) or stamps.dt.tz is not None or stamps.isna().any():
        return None
    stamps = pd.DatetimeIndex(stamps).rename(None)
    return stamps.as_unit("ns" if stamps.nanosecond.any() else "us")


def _from_pattern(texts: pd.Series, pattern: str, spot: Callable[[int], str], where: str) -> Stamps:
    try:
        stamps = pd.to_datetime(texts.str.strip(), format=pattern, errors="coerce", utc="%z" in pattern.lower())
    except (ValueError, OverflowError, re.error) as error:
        raise unknown_format(pattern, where) from error
    odd = (stamps.isna() & texts.notna()).to_numpy()
    if odd.any():
        row = int(np.argmax(odd))
        raise InputError(
            f"{where}, {spot(row)}: {texts.iloc[row]!r} does not fit --time-format {pattern!r}. Correct one of them."
        )
    return Stamps(pd.DatetimeIndex(stamps).rename(None).as_unit("us"), None, f"as {pattern}", pattern)


def _numbers(column: pd.Series, empty: int = 0) -> NDArray[np.int64]:
    return pd.to_numeric(column).fillna(empty).to_numpy(np.int64)


def _days(year: NDArray, month: NDArray, day: NDArray) -> NDArray[np.datetime64]:
    """The dates, NaT where there is no such day."""
    good = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1)
    months = (np.where(good, year, 1970) - 1970).astype("datetime64[Y]").astype("datetime64[M]")
    months = months + (np.where(good, month, 1) - 1).astype("timedelta64[M]")
    days = months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    good &= days.astype("datetime64[M]") == months
    return np.where(good, days, np.datetime64("NaT")).astype("datetime64[us]")


def _full_year(column: pd.Series) -> NDArray[np.int64]:
    year = _numbers(column)
    short = column.str.len().to_numpy() == 2
    return np.where(short, year + np.where(year < 70, 2000, 1900), year)


def _written_out(parts: pd.DataFrame, named: bool) -> NDArray[np.datetime64]:
    if not named:
        return _days(*(_numbers(parts[name]) for name in ("year", "month", "day")))
    months = parts["word"].str.lower().map({word: number for number, word in enumerate(MONTHS, start=1)})
    return _days(_full_year(parts["last"]), _numbers(months), _numbers(parts["named"]))


def _decided(
    parts: pd.DataFrame,
    time_format: str,
    where: str,
    different: Callable[[NDArray[np.bool_]], None],
    texts: pd.Series,
) -> tuple[NDArray[np.datetime64], str]:
    """The dates of d/m/y or m/d/y, and which of them it is."""
    one, two, year = _numbers(parts["one"]), _numbers(parts["two"]), _full_year(parts["late"])
    read = {DAY_FIRST: _days(year, two, one), MONTH_FIRST: _days(year, one, two)}
    if time_format in read:
        return read[time_format], time_format
    whole = [order for order, days in read.items() if not np.isnat(days).any()]
    if not whole:
        different(np.isnat(min(read.values(), key=lambda days: (np.isnat(days[0]), np.isnat(days).sum()))))
    if len(whole) == 1 or (read[DAY_FIRST] == read[MONTH_FIRST]).all():
        return read[whole[0]], whole[0]
    clock = _time_of_day(parts)

    def unevenness(order: str) -> tuple[int, float]:
        distances = np.diff((read[order] + clock).astype(np.int64))
        return int((distances < 0).sum()), float(np.std(distances)) if len(distances) else 0.0

    first, second = sorted(whole, key=unevenness)
    if unevenness(first) == unevenness(second):
        raise InputError(
            f"{where}: {texts.iloc[0]!r} may be day/month or month/day, and no row tells which. Set --time-format "
            f"{DAY_FIRST} or {MONTH_FIRST}."
        )
    return read[first], first


def _time_of_day(parts: pd.DataFrame) -> NDArray[np.timedelta64]:
    """The time since midnight, NaT for none such; in ns where a row has more than six decimals, else in us."""
    hour, minute, second = (_numbers(parts[name]) for name in ("hour", "minute", "second"))
    half = parts["half"].str.lower().str[0]
    afternoon, am_pm = (half == "p").to_numpy(bool), half.notna().to_numpy()
    good = (minute < 60) & (second < 60) & np.where(am_pm, (hour >= 1) & (hour <= 12), hour < 24)
    hour = np.where(am_pm, hour % 12 + 12 * afternoon, hour)
    nanoseconds = _numbers(parts["fraction"].str.pad(9, side="right", fillchar="0"))
    unit, per_second = ("ns", 10**9) if (nanoseconds % 1000).any() else ("us", 10**6)
    total = ((hour * 60 + minute) * 60 + second) * per_second + nanoseconds // (10**9 // per_second)
    return np.where(good, total, np.iinfo(np.int64).min).astype(f"timedelta64[{unit}]")


def _zoned(stamps: NDArray[np.datetime64], offsets: pd.Series) -> tuple[pd.DatetimeIndex, str]:
    """Times in the zone of their offsets, in UTC where these differ, and words about it."""
    times = pd.DatetimeIndex(stamps)
    if not offsets.notna().any():
        return times, ""
    digits = offsets.str.replace(r"^(?:[Zz]|UTC)$", "+0000", regex=True).str.replace(":", "").str.ljust(5, "0")
    minutes = _numbers(digits.str[1:3]) * 60 + _numbers(digits.str[3:5])
    minutes = np.where((digits.str[0] == "-").to_numpy(bool), -minutes, minutes)
    minutes = np.clip(minutes, 1 - 24 * 60, 24 * 60 - 1)
    times = (times - pd.TimedeltaIndex(minutes.astype("timedelta64[m]").astype("timedelta64[us]"))).tz_localize("UTC")
    different = np.unique(minutes[offsets.notna()])
    if len(different) > 1:
        return times, f" with {len(different)} offsets, converted to UTC"
    if different[0]:
        times = times.tz_convert(timezone(timedelta(minutes=int(different[0]))))
    return times, ""


def beside(time_format: str) -> str:
    """The format of times elsewhere than in the column that `time_format` was set for: the order of day and month."""
    return time_format if time_format in (DAY_FIRST, MONTH_FIRST) else AUTO


def one_stamp(text: str, time_format: str, zone: object, where: str) -> pd.Timestamp:
    """A time that stands by itself, in the `zone` of a table (None: no zone). Raises InputError where it is none."""
    stamp = from_texts(pd.Series([text], dtype=object), beside(time_format), lambda row: "value", where).times[0]
    if stamp.tzinfo is None:
        return stamp.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    if zone is None:
        raise InputError(f"{where}: {text!r} has an offset from UTC, the times of the table have none. Leave it out.")
    return stamp.tz_convert(zone)
