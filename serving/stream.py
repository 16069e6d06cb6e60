"""Rows scored as they arrive, as they would be in one series."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.recording import Recording, with_gaps
from data.source import UNNAMED
from detectors.base import Detector
from drawing.gaps import SHORT
from evaluation.alarms import HISTORY, limits
from evaluation.frames import step_frame
from evaluation.learnt import LearntScores
from evaluation.thresholds import root
from evaluation.watch import Watch
from metrics.events import Alarm
from runs.rows import COLUMN_CELL
from runtime.arrays import npz_names, read_npz
from runtime.errors import InputError, warn
from runtime.files import atomic_file
from runtime.reading import reading

KEPT = 4  # so many times what a score sees is kept of what came before, as it may be full of gaps


class Stream:
    """The rows of one channel, pushed as they arrive. A score is given as soon as nothing that comes can change it.

    That is `latency` steps after the row: so far ahead does a score look. Memory is bounded: rows are kept for as long
    as later scores depend on them. Rows that are not later than the last one are left out, and counted in `late`.
    Alarms are raised as with the setting `causal`: nobody knows what scores will come.
    """

    def __init__(self, detector: Detector, learnt: LearntScores, channel: str, step: pd.Timedelta | None) -> None:
        if detector.reach is None:
            raise InputError(
                "a stream needs scores that depend on a part of the series only: --layout line, and no --condition "
                "position or both."
            )
        self._detector, self._learnt, self.channel, self._step = detector, learnt, channel, step
        config = learnt.config
        self._reach = detector.reach
        self._smoothed = config.smooth
        ahead = 0 if config.trailing else config.smooth // 2
        self.latency = self._reach + ahead + COLUMN_CELL
        self.owner: Any = None  # what must live as long as the stream, for the files of `learnt`
        self.columns = learnt.known.get(channel) or next(iter(learnt.known.values()))
        self._policy = replace(learnt.policy, causal=True)
        self._watch = Watch(self._policy, learnt.learnt(channel))
        self._seen = np.zeros(0)  # the latest scores that were given
        self._kept: Recording | None = None
        self._begin = 0  # the step at which what is kept begins, a multiple of the detector's grid
        self._given = 0  # steps whose scores were given
        self.rows = 0  # data rows taken
        self.late = 0

    def push(self, rows: Any) -> pd.DataFrame:
        """Take more rows, a DataFrame or an array (N, D); returns what can be told by now, as `Fitted.score` does.

        Raises InputError for other columns than those that were learnt.
        """
        self._take(self._recording(rows))
        return self._told(self._final())

    def finish(self) -> pd.DataFrame:
        """The scores of all that was pushed and not yet told: nothing more will come."""
        return self._told(self._begin + (0 if self._kept is None else len(self._kept)))

    def _recording(self, rows: Any) -> Recording:
        """Rows as a recording with the columns that were learnt, in their order."""
        where, times = f"channel {self.channel}: the stream", None
        if isinstance(rows, pd.DataFrame):
            stamps = rows.select_dtypes(["datetime", "datetimetz"]).columns
            if isinstance(rows.index, pd.DatetimeIndex):
                times = rows.index
            elif len(stamps):
                times = pd.DatetimeIndex(rows[stamps[0]])
            missing = [name for name in self.columns if name not in rows.columns]
            new = [name for name in rows.columns if name not in (*self.columns, *stamps)]
            new = [name for name in new if self._learnt.config.columns in UNNAMED and rows[name].notna().any()]
            for names, what in ((missing, "lacks"), (new, "has, as was not so in training,")):
                if names:
                    raise InputError(f"{where} {what} the column {', '.join(map(str, names))}.")
            rows = rows[self.columns].to_numpy(dtype=np.float64, na_value=np.nan)
        values = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        if values.ndim != 2 or values.shape[1] != len(self.columns):
            raise InputError(
                f"{where} has rows of shape {values.shape[1:]}, expected {len(self.columns)} columns: "
                f"{', '.join(self.columns)}."
            )
        return Recording(values, self.columns, times, np.arange(len(values)), None)

    def _take(self, new: Recording) -> None:
        new = self._in_zone(new)
        if new.times is not None and len(new):
            latest = np.maximum.accumulate(new.times.asi8)  # NaT lies before all times
            later = np.append(True, latest[1:] > latest[:-1]) & (new.times.asi8 == latest) & new.times.notna()
            if self._kept is not None:
                later &= new.times > self._kept.times[-1]
            if not later.all():
                self.late += int((~later).sum())
                warn(f"channel {self.channel}: rows of the stream that are not later than the last one are left out.")
            new = new.take(later)
        if not len(new):
            return
        new = Recording(new.values, new.columns, new.times, np.arange(self.rows, self.rows + len(new)), None)
        self.rows += len(new)
        if self._step is not None and new.times is not None:
            if self._kept is None:
                new = with_gaps(new, self._step)
            else:
                new = with_gaps(_joined(self._kept.take(slice(-1, None)), new), self._step).take(slice(1, None))
        self._kept = new if self._kept is None else _joined(self._kept, new)

    def _in_zone(self, new: Recording) -> Recording:
        """New rows with their times in the zone of the first. InputError where only some have times, or a zone."""
        if self._kept is None:
            return new
        if (new.times is None) != (self._kept.times is None):
            raise InputError(f"channel {self.channel}: some rows of the stream have times and some have none.")
        if new.times is None or new.times.tz == self._kept.times.tz:
            return new
        if new.times.tz is None or self._kept.times.tz is None:
            raise InputError(f"channel {self.channel}: some times of the stream have a zone and some have none.")
        return replace(new, times=new.times.tz_convert(self._kept.times.tz))

    def _final(self) -> int:
        """The step before which scores are final."""
        if self._kept is None:
            return 0
        end = min((self._settled(np.flatnonzero(column)) for column in ~np.isnan(self._kept.values.T)), default=0)
        return self._begin + end - self.latency

    def _settled(self, places: NDArray[np.intp]) -> int:
        """The step of what is kept before which a column, measured at `places`, is drawn as it will stay.

        What is drawn further in a gap than a score sees does not matter.
        """
        total = len(self._kept)
        if not len(places):
            return total
        edges = np.append(-1, places)
        length = np.diff(edges) - 1  # of the gap in front of each place
        half = np.where(edges[:-1] < 0, length, np.where(length > SHORT, length // 2, 0))
        half = np.minimum(half, self._reach)  # steps that are drawn from what lies behind the gap, as far again
        end = np.min(places - half, where=places + half >= total, initial=total)
        open_gap = total - 1 - places[-1]
        # its first half is drawn from what lies before it, however long it becomes; a long one hides its end
        settled = (open_gap + 1) // 2 if open_gap > SHORT else 0
        if open_gap and settled < self._reach:
            end = min(end, total - open_gap + settled)
        return int(end)

    def _told(self, final: int) -> pd.DataFrame:
        """Scores of the steps up to `final`, after which what is no longer needed is forgotten."""
        if self._kept is None or final <= self._given:
            return pd.DataFrame(columns=["channel", "step", "time", "score", "alarm", "highest_column"])
        found = self._detector.scores(self.channel, self._kept.values)
        kept = found.rows, found.of_columns, self._kept.times, self._kept.rows
        scored = self._learnt.scored(self.channel, *kept, lambda scores: self._watched(scores, final))
        frame = step_frame(scored, self._begin)
        told = frame[(frame["step"] >= self._given) & (frame["step"] < final)].reset_index(drop=True)
        self._given = final
        before = max(final - KEPT * self._reach - self._smoothed, 0) // self._detector.grid * self._detector.grid
        if before > self._begin:
            self._kept = self._kept.take(slice(before - self._begin, None))
            self._begin = before
        return told

    @property
    def alarm(self) -> Alarm | None:
        """The alarm that lasts, as far as it is known."""
        return self._watch.lasting

    def ended(self, last: bool = False) -> list[Alarm]:
        """The alarms that have ended since the last call; the one that lasts too, where nothing more will come."""
        return self._watch.finish() if last else self._watch.ended()

    def _watched(self, scores: NDArray[np.float64], final: int) -> NDArray[np.bool_]:
        """Which of the kept steps (T,) keep an alarm going, of those that are told now."""
        going, first = np.zeros(len(scores), dtype=bool), self._given - self._begin
        places = np.flatnonzero(np.isfinite(scores[: final - self._begin]))
        places = places[places >= first]
        learnt = self._learnt.learnt(self.channel)
        if learnt.threshold is not None and len(places):
            new = scores[places]
            allowed = limits(new, np.full(len(new), learnt.threshold), learnt.usual, self._policy, self._seen)
            going[places] = self._watch.push(root(new), allowed, places + self._begin)
            self._seen = np.concatenate([self._seen, new])[-max(HISTORY, self._policy.drift) :]
        return going

    def save(self, path: Path, more: dict[str, Any] | None = None) -> None:
        """Write where the stream stands, and `more` that JSON can hold, to a .npz file: whole or not at all."""
        facts = {
            "channel": self.channel, "begin": self._begin, "given": self._given, "rows": self.rows, "late": self.late,
            "columns": self.columns, "watch": asdict(self._watch.state), "more": more or {},
        }  # fmt: skip
        arrays: dict[str, np.ndarray] = {"facts": np.array(json.dumps(facts)), "seen": self._seen}
        if self._kept is not None:
            arrays |= {"values": self._kept.values, "data_rows": self._kept.rows}
            if self._kept.times is not None:
                facts["zone"] = None if self._kept.times.tz is None else str(self._kept.times.tz)
                arrays |= {"times": self._kept.times.as_unit("ns").asi8, "facts": np.array(json.dumps(facts))}
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def restore(self, path: Path) -> dict[str, Any]:
        """Go on where a stream was saved; returns the `more` it was saved with.

        Raises InputError where the file is damaged, or of another channel or other columns.
        """
        again = "Remove it to begin anew."
        with reading(path, "a saved stream", again, missing="Begin anew without it."):
            kept = {name: read_npz(path, name, again) for name in npz_names(path, again)}
            facts = json.loads(str(kept["facts"]))
            if (facts["channel"], facts["columns"]) != (self.channel, self.columns):
                columns = ", ".join(map(str, facts["columns"]))
                raise InputError(f"{path}: is of channel {facts['channel']} with the columns {columns}.")
            watch = Watch(self._policy, self._learnt.learnt(self.channel), facts["watch"])
            found = _recording(kept, self.columns, facts.get("zone")) if "values" in kept else None
            self.rows, self.late, more = facts["rows"], facts["late"], facts["more"]
            self._begin, self._given = facts["begin"], facts["given"]
            self._seen, self._watch, self._kept = kept["seen"], watch, found
        return more


def _recording(kept: dict[str, NDArray[Any]], columns: list[str], zone: str | None) -> Recording:
    """The rows that a stream had kept."""
    times = None
    if "times" in kept:
        times = pd.to_datetime(kept["times"], unit="ns", utc=zone is not None)
        times = times if zone is None else times.tz_convert(zone)
    return Recording(kept["values"], columns, times, kept["data_rows"], None)


def _joined(first: Recording, second: Recording) -> Recording:
    """Two recordings of the same columns, one after the other."""
    times = None if first.times is None else first.times.append(second.times)
    values, rows = np.concatenate([first.values, second.values]), np.concatenate([first.rows, second.rows])
    return Recording(values, first.columns, times, rows, None)
