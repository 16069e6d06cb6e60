"""Scores and alarms as tables: what the csv files, the Python API and a stream give alike."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.causes import Causes, in_words
from evaluation.details import Detail
from evaluation.incidents import incidents_of
from evaluation.thresholds import Learnt
from metrics.events import Alarm
from runtime.files import atomic_file

STEP_COLUMNS = ("channel", "step", "time", "score", "alarm", "highest_column")
ALARM_COLUMNS = (
    "channel", "start", "end", "peak_score", "start_time", "end_time", "threshold", "columns", "peak", "peak_time",
    "kind", "row", "nearest_start", "nearest_end", "incident",
)  # fmt: skip
TIMES, SCORES = ("time", "start_time", "end_time", "peak_time"), ("score", "peak_score", "threshold")


@dataclass(frozen=True, eq=False)
class Scored:
    """One channel as scored: `times` (T,) or None, `scores` (T,), NaN where nothing was measured, and its `alarms`.

    `learnt` is what its threshold came from, `going` (T,) says which steps keep an alarm going. `rows` (T,) are the
    data rows that the steps are, -1 for those that fill a gap; None: every step is one. `details` are of the alarms.
    """

    channel: str
    times: pd.DatetimeIndex | None
    scores: NDArray[np.floating]
    learnt: Learnt
    alarms: list[Alarm]
    going: NDArray[np.bool_]
    causes: Causes
    rows: NDArray[np.integer] | None = None
    details: list[Detail] = field(default_factory=list)


def step_frame(scored: Scored, first: int = 0) -> pd.DataFrame:
    """One row per data row, in the columns STEP_COLUMNS: its step, counted from `first`, score, and whether it alarms.

    Time is missing where steps are only counted, the score where nothing was measured. `highest_column` is the one that
    has most of the score.
    """
    number = len(scored.scores)
    frame = pd.DataFrame(
        {
            "channel": scored.channel,
            "step": np.arange(first, first + number),
            "time": pd.NaT if scored.times is None else scored.times,
            "score": scored.scores,
            "alarm": scored.going.astype(np.int8),
            "highest_column": np.where(np.isfinite(scored.scores), scored.causes.highest(number), ""),
        },
        columns=list(STEP_COLUMNS),
    )
    return frame if scored.rows is None else frame[scored.rows >= 0].reset_index(drop=True)


def alarm_frame(scored: Iterable[Scored]) -> pd.DataFrame:
    """One row per alarm, in the columns ALARM_COLUMNS: steps and times, both ends inclusive.

    `threshold` is the score that had to be exceeded at the start, `peak` the step of the highest score and `row` the
    row of scores that has most of it; `nearest_start` and `nearest_end` are steps of the training series. Alarms with
    one number in `incident` are of one time.
    """
    channels = list(scored)
    incidents = incidents_of([channel.alarms for channel in channels], [channel.times for channel in channels])
    rows = []
    for channel, numbers in zip(channels, incidents, strict=True):
        for place, (alarm, incident) in enumerate(zip(channel.alarms, numbers, strict=True)):
            steps = (alarm.start, alarm.end, alarm.at)
            start, end, peak = (None if channel.times is None else channel.times[step] for step in steps)
            detail = channel.details[place] if channel.details else Detail()
            columns = in_words(channel.causes.shares(alarm))
            first = [channel.channel, alarm.start, alarm.end, alarm.peak, start, end, alarm.limit, columns]
            nearest = detail.nearest or (None, None)
            rows.append([*first, alarm.at, peak, detail.kind, detail.row, *nearest, incident])
    frame = pd.DataFrame(rows, columns=list(ALARM_COLUMNS))
    return frame.astype({"nearest_start": "Int64", "nearest_end": "Int64"})


def write_frames(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write tables with the same columns one after the other, as one csv. It is there whole or not at all."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        for number, frame in enumerate(frames):
            file.write(csv_text(frame, header=number == 0))


def csv_text(frame: pd.DataFrame, header: bool) -> str:
    """A table as csv: times as ISO 8601 with their zone, scores with six digits, texts safe in a spreadsheet."""
    shown = frame.copy()
    for name in shown.columns:
        if name in TIMES:
            shown[name] = [iso(time) for time in shown[name]]
        elif name in SCORES:
            shown[name] = ["" if value is None or np.isnan(value) else f"{value:.6g}" for value in shown[name]]
        elif name in ("channel", "columns", "row", "highest_column"):
            shown[name] = shown[name].map(safe_cell)
    return shown.to_csv(index=False, header=header, lineterminator="\n")


def iso(time: pd.Timestamp | str | None) -> str:
    """A time in ISO 8601, with its zone where it has one; empty for none. What is a text already stays as it is."""
    if isinstance(time, str):
        return time
    return "" if time is None or time is pd.NaT else time.isoformat()


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
