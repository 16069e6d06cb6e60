"""Time stamps as a reader meets them: in the zone of the table, as texts, durations and places on an axis."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

UNITS = ("D", "m", "s", "ms", "us")  # how fine times may have to be written
JUMP = 10  # times the usual interval: no line is drawn across so long an interval
UNIT_SECONDS = {"d": 86_400, "h": 3600, "min": 60, "s": 1}


def wall_clock(times: "pd.DatetimeIndex") -> NDArray[np.datetime64]:
    """What clocks in the zone of the times showed, in microseconds, (T,)."""
    return times.tz_localize(None).to_numpy().astype("datetime64[us]")


def instants(times: "pd.DatetimeIndex") -> NDArray[np.datetime64]:
    """The times as UTC, in microseconds, (T,); times without a zone as they are."""
    return (times if times.tz is None else times.tz_convert(None)).to_numpy().astype("datetime64[us]")


def offsets(times: "pd.DatetimeIndex") -> NDArray[np.int64]:
    """By how many minutes clocks of the zone were ahead of UTC, (T,)."""
    return (wall_clock(times) - instants(times)).astype("timedelta64[m]").astype(np.int64)


def offset_text(minutes: int) -> str:
    """120 -> +02:00."""
    hours, rest = divmod(abs(int(minutes)), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def zone_name(times: "pd.DatetimeIndex") -> str:
    """Europe/Berlin, UTC or UTC+01:00; empty where the times have no zone."""
    if times.tz is None:
        return ""
    # zoneinfo names a zone by its key, pytz by its zone; other zones are a fixed distance from UTC
    name = getattr(times.tz, "key", None) or getattr(times.tz, "zone", None)
    minutes = int(offsets(times[:1])[0])
    return name or (f"UTC{offset_text(minutes)}" if minutes else "UTC")


def axis_title(times: "pd.DatetimeIndex | None") -> str:
    """The title of a time axis: what it counts, and in which zone."""
    if times is None:
        return "time step"
    zone = zone_name(times)
    return f"time ({zone})" if zone else "time"


def time_texts(times: "pd.DatetimeIndex", steps: list[int]) -> list[str]:
    """The times of some steps, no finer than the times of the series need, as in 2024-03-05 14:20.

    Fractions of seconds are shown only where steps usually follow within a second. Where the zone changes its offset
    within the series, the offset follows.
    """
    wall = wall_clock(times)
    texts = np.datetime_as_string(wall[steps], unit=finest_unit(times), casting="unsafe").tolist()
    texts = [text.replace("T", " ") for text in texts]
    ahead = offsets(times)
    if (ahead == ahead[0]).all():
        return texts
    return [f"{text} {offset_text(minutes)}" for text, minutes in zip(texts, ahead[steps], strict=True)]


def finest_unit(times: "pd.DatetimeIndex") -> str:
    """The unit of UNITS in which the times are written whole; seconds where steps usually take longer than one."""
    wall = wall_clock(times)
    units = UNITS if usual_interval(wall.astype(np.int64)) < 1e6 else UNITS[: UNITS.index("s") + 1]
    return next(unit for unit in units if unit == units[-1] or (wall == wall.astype(f"datetime64[{unit}]")).all())


def duration_text(seconds: float) -> str:
    """A duration in its two largest units, as in 1 h 20 min; below a minute in seconds."""
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.3g} ms"
    rest, parts = round(seconds), []
    for unit, size in UNIT_SECONDS.items():
        count, rest = divmod(rest, size)
        parts.append((count, unit))
    first = next(number for number, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def usual_interval(positions: NDArray) -> float:
    """The median distance between successive positions (T,); 1 where there is none."""
    apart = np.diff(positions)
    return (float(np.median(apart)) if len(apart) else 0.0) or 1.0


def reach(positions: NDArray) -> tuple[NDArray, NDArray]:
    """From where to where each position (T,) reaches: halfway to its neighbours, but no further than usual, (T,) each.

    So a step before a long interval in which nothing was recorded does not reach into it.
    """
    half = usual_interval(positions) / 2
    middles = (positions[1:] + positions[:-1]) / 2
    left = np.maximum(np.insert(middles, 0, positions[0] - half), positions - half)
    right = np.minimum(np.append(middles, positions[-1] + half), positions + half)
    return left, right


def jumps(times: "pd.DatetimeIndex | None") -> NDArray[np.intp]:
    """Steps after which no line may go on, as a long interval without any record follows."""
    if times is None:
        return np.zeros(0, dtype=np.intp)
    at = instants(times).astype(np.int64)
    return np.flatnonzero(np.diff(at) > JUMP * usual_interval(at))
