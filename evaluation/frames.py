"""Scores and alarms as tables: what the csv files, the Python API and a stream give alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.alarms import alarms_of
from evaluation.causes import Causes, in_words
from metrics.events import Alarm
from runtime.files import atomic_file

STEP_COLUMNS = ("channel", "step", "time", "score", "alarm", "highest_column")
ALARM_COLUMNS = ("channel", "start", "end", "peak_score", "start_time", "end_time", "threshold", "columns")


@dataclass(frozen=True, eq=False)
class Scored:
    """One channel as scored: `times` (T,) or None, `scores` (T,), NaN where nothing was measured, and its threshold.

    `rows` (T,) are the data rows that the steps are, -1 for those that fill a gap; None: every step is one.
    """

    channel: str
    times: pd.DatetimeIndex | None
    scores: NDArray[np.floating]
    threshold: float | None
    causes: Causes
    rows: NDArray[np.integer] | None = None

    @property
    def alarms(self) -> list[Alarm]:
        """Its alarms."""
        return alarms_of(self.scores, self.threshold)

    @property
    def alarmed(self) -> NDArray[np.bool_]:
        """Whether each step is under alarm, (T,)."""
        return np.zeros(len(self.scores), dtype=bool) if self.threshold is None else self.scores > self.threshold


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
            "alarm": scored.alarmed.astype(np.int8),
            "highest_column": np.where(np.isfinite(scored.scores), scored.causes.highest(number), ""),
        },
        columns=list(STEP_COLUMNS),
    )
    return frame if scored.rows is None else frame[scored.rows >= 0].reset_index(drop=True)


def alarm_frame(scored: Iterable[Scored]) -> pd.DataFrame:
    """One row per alarm, in the columns ALARM_COLUMNS: steps and times, both ends inclusive."""
    rows = []
    for channel in scored:
        for alarm in channel.alarms:
            ends = (alarm.start, alarm.end)
            times = [None if channel.times is None else channel.times[step] for step in ends]
            columns = in_words(channel.causes.shares(alarm))
            rows.append([channel.channel, *ends, alarm.peak, *times, channel.threshold, columns])
    return pd.DataFrame(rows, columns=list(ALARM_COLUMNS))


def write_frames(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write tables with the same columns one after the other, as one csv. It is there whole or not at all."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        for number, frame in enumerate(frames):
            file.write(csv_text(frame, header=number == 0))


def csv_text(frame: pd.DataFrame, header: bool) -> str:
    """A table as csv: times as ISO 8601 with their zone, scores with six digits, texts safe in a spreadsheet."""
    shown = frame.copy()
    for name in shown.columns:
        if name in ("time", "start_time", "end_time"):
            shown[name] = [iso(time) for time in shown[name]]
        elif name in ("score", "peak_score", "threshold"):
            shown[name] = ["" if value is None or np.isnan(value) else f"{value:.6g}" for value in shown[name]]
        elif name in ("channel", "columns", "highest_column"):
            shown[name] = shown[name].map(_safe)
    return shown.to_csv(index=False, header=header, lineterminator="\n")


def iso(time: pd.Timestamp | str | None) -> str:
    """A time in ISO 8601, with its zone where it has one; empty for none. What is a text already stays as it is."""
    if isinstance(time, str):
        return time
    return "" if time is None or time is pd.NaT else time.isoformat()


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
