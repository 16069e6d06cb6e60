"""A csv that grows, or the standard input, scored row by row: `--mode score --follow`.

What was scored is appended to scores.csv and alarms.csv, and where it stands is kept in state.npz beside them, written
after them. A run that was killed goes on from there: what was appended after the last state is cut off and made again,
so that no row is lost and none stands there twice.
"""

import os
import sys
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import pandas as pd

from data.table.growing import GrowingTable
from datasets import table_format
from detectors.loop import LAST
from evaluation.causes import in_words
from evaluation.details import kind_of
from evaluation.frames import ALARM_COLUMNS, STEP_COLUMNS, csv_text, iso
from metrics.events import Alarm
from runs.fingerprints import CHECKPOINT, of_file
from runtime.errors import InputError
from runtime.files import atomic_file, file_name, writing
from runtime.locks import owned
from serving.fitted import Fitted
from serving.stream import Stream

POLL = 0.5  # seconds between looks at a file that did not grow
BLOCK = 1 << 22  # bytes that are read at once
STDIN = "-"


def follow(fitted: Fitted, data_path: str, forever: bool = True) -> Path:
    """Score a file as it grows, until interrupted, or the standard input until it ends; returns the folder of results.

    Without `forever` a file is scored to its end as it is, and the rest at the next call. Raises InputError for what
    is no csv of the columns that were learnt.
    """
    if not data_path:
        raise InputError("--follow: which file? Set --data-path to a csv, or to - for the standard input.")
    path = Path(data_path)
    if data_path != STDIN and not path.is_file():
        raise InputError(f"{path}: does not exist, or is no file. --follow needs a csv that is written to.")
    name = "stdin" if data_path == STDIN else path.stem
    folder = fitted.folder / "followed" / file_name(name)
    with owned(folder):
        return _followed(fitted, data_path, name, folder, forever)


def _followed(fitted: Fitted, data_path: str, name: str, folder: Path, forever: bool) -> Path:
    path = Path(data_path)
    following = Following(fitted, folder, "the standard input" if data_path == STDIN else str(path))
    print(
        f"Follows {name} from row {following.stream.rows}. A score comes {following.stream.latency} steps after its "
        f"row, as it depends on so many.\nScores: {folder / 'scores.csv'}  Alarms: {folder / 'alarms.csv'}",
        flush=True,
    )
    if data_path == STDIN:
        for block in _whole_lines(sys.stdin.buffer):
            following.take(block)
        following.finish()
    else:
        _follow_file(path, following, forever)
    return folder


def _whole_lines(source: BufferedReader) -> Iterator[bytes]:
    """Whole lines of a pipe, as many as have arrived; the last may lack its end."""
    rest = b""
    while block := source.read1(BLOCK):
        whole, _, rest = (rest + block).rpartition(b"\n")
        if whole:
            yield whole + b"\n"
    if rest:
        yield rest + b"\n"


def _follow_file(path: Path, following: "Following", forever: bool) -> None:
    while True:
        with path.open("rb") as file:
            if path.stat().st_size < following.offset:
                raise InputError(
                    f"{path}: is shorter than what was read of it: it was replaced. Remove {following.folder} to begin "
                    "anew."
                )
            file.seek(following.offset)
            block = file.read(BLOCK)
        whole = block.rfind(b"\n") + 1
        if whole:
            following.take(block[:whole])
        elif len(block) == BLOCK:
            raise InputError(f"{path}: has a line of more than {BLOCK} bytes. Check the file.")
        elif not forever:
            return
        else:
            time.sleep(POLL)


class Following:
    """A stream with the files it is written to, in one state."""

    def __init__(self, fitted: Fitted, folder: Path, where: str) -> None:
        self.folder = folder
        self.stream: Stream = fitted.stream()
        self.offset = 0  # bytes of the input that were taken
        self._table = GrowingTable(table_format(fitted.config), where, tuple(self.stream.columns))
        self._lasting: dict[str, Any] | None = None  # what is known of the alarm that lasts
        self._files = {"scores": folder / "scores.csv", "alarms": folder / "alarms.csv"}
        self._state = folder / "state.npz"
        self._checkpoint = of_file(fitted.folder / LAST)
        if self._state.exists():
            self._restore()
        else:
            for name, columns in (("scores", STEP_COLUMNS), ("alarms", ALARM_COLUMNS)):
                with atomic_file(self._files[name]) as temporary:
                    temporary.write_text(",".join(columns) + "\n", encoding="utf-8")

    def _restore(self) -> None:
        more = self.stream.restore(self._state)
        if more.get(CHECKPOINT, self._checkpoint) != self._checkpoint:
            raise InputError(
                f"{self._state}: was begun with another training of this run. Remove {self.folder} to begin anew."
            )
        self.offset, self._lasting = more["offset"], more["alarm"]
        self._table.restore(more["table"])
        for name, path in self._files.items():
            if not path.exists() or path.stat().st_size < more["sizes"][name]:
                raise InputError(
                    f"{path}: is shorter than when {self._state} was written. Remove the folder to begin anew."
                )
            with path.open("r+b") as file:
                file.truncate(more["sizes"][name])

    def take(self, block: bytes) -> None:
        """Score whole lines, write what is told, then where the stream stands."""
        rows = self._table.rows(block)
        told = pd.DataFrame(columns=list(STEP_COLUMNS)) if rows is None else self.stream.push(rows)
        self._write(told, self._ended(told, last=False))
        self.offset += len(block)
        self._save()

    def finish(self) -> None:
        """Tell the rest: the input has ended."""
        told = self.stream.finish()
        self._write(told, self._ended(told, last=True))
        self._save()

    def _ended(self, told: pd.DataFrame, last: bool) -> list[list[Any]]:
        """The alarms that have ended by these steps; prints where one begins and ends."""
        lines = [self._line(alarm, self._known_of(alarm, told)) for alarm in self.stream.ended(last)]
        lasting = self.stream.alarm
        self._lasting = None if lasting is None else self._known_of(lasting, told)
        return lines

    def _known_of(self, alarm: Alarm, told: pd.DataFrame) -> dict[str, Any]:
        """Times and columns of an alarm by these steps and those before; prints where it begins."""
        known = self._lasting
        if known is None or known["step"] != alarm.start:
            known = {"step": alarm.start, "start": "", "end": "", "peak": "", "columns": {}}
        for row in told[told["step"].between(alarm.start, alarm.end)].itertuples():
            time_of = iso(None if pd.isna(row.time) else row.time)
            places = {"start": alarm.start, "end": alarm.end, "peak": alarm.at}
            known |= {name: time_of for name, step in places.items() if step == row.step}
            if row.alarm:
                if not known["columns"]:  # it is long enough to be one
                    first = known["start"] or f"step {alarm.start}"
                    print(f"ALARM {row.channel} from {first}: {row.highest_column}", flush=True)
                known["columns"][row.highest_column] = known["columns"].get(row.highest_column, 0) + 1
        return known

    def _line(self, alarm: Alarm, known: dict[str, Any]) -> list[Any]:
        """An alarm that has ended, as a row of alarms.csv."""
        moved = "; the level has moved, and is usual from now on" if alarm.moved else ""
        print(f"  until {known['end'] or alarm.end}, peak {alarm.peak:.4g}{moved}", flush=True)
        counts = sorted(known["columns"].items(), key=lambda pair: -pair[1])
        total = max(sum(known["columns"].values()), 1)
        values = {
            "channel": self.stream.channel, "start": alarm.start, "end": alarm.end, "peak_score": alarm.peak,
            "start_time": known["start"], "end_time": known["end"], "threshold": alarm.limit,
            "columns": in_words([(name, count / total) for name, count in counts if name]),
            "peak": alarm.at, "peak_time": known["peak"], "kind": kind_of("", alarm), "row": "",
        }  # fmt: skip
        return [values.get(name) for name in ALARM_COLUMNS]

    def _write(self, told: pd.DataFrame, alarms: list[list[Any]]) -> None:
        ended = pd.DataFrame(alarms, columns=list(ALARM_COLUMNS))
        for name, frame in (("scores", told), ("alarms", ended)):
            if len(frame):
                path = self._files[name]
                with writing(path), path.open("r+", encoding="utf-8", newline="") as file:  # never one without a header
                    file.seek(0, os.SEEK_END)
                    file.write(csv_text(frame, header=False))
                    file.flush()
                    os.fsync(file.fileno())  # the state that follows says that it is there

    def _save(self) -> None:
        with writing(self._state):
            sizes = {name: path.stat().st_size for name, path in self._files.items()}
        more = {"offset": self.offset, "alarm": self._lasting, "sizes": sizes, "table": self._table.state()}
        more[CHECKPOINT] = self._checkpoint
        self.stream.save(self._state, more)
