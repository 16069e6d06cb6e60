"""Tables of one's own as a source of series (data/source.py): csv, parquet and numpy files, one or a folder of them."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from data.recording import known_step
from data.table.files import read_sheet, stem_of
from data.table.folder import Entry, channels_of, label_file_of
from data.table.format import TableFormat
from data.table.labels import LabelFile
from data.table.parts import Cut, Facts, Parts, PartsSource, all_of, cut_at, parts_of
from data.table.reading import Reading, read_recording
from data.table.split import training_rows
from runtime.errors import note, unknown_name, warn
from runtime.files import readable

CACHE = 2**28  # bytes of series that are kept


class TableSource(PartsSource):
    """The channels of a file or a folder, a data source (data/source.py).

    `steps` are the steps of channels that are known from training. Where they are given, every file is a test part as
    a whole, its gaps are measured by them, and no column is left out for being empty. What is found out about files
    is printed, of the first all of it, of the others what differs. Raises InputError for what cannot be read.
    """

    def __init__(self, path: Path, table_format: TableFormat, steps: Mapping[str, pd.Timedelta] | None = None) -> None:
        self._format, self._steps = table_format, steps
        self.origin = str(path)
        self._entries = channels_of(path, whole=steps is not None)
        self.channels = list(self._entries)
        self.untrained = [name for name, entry in self._entries.items() if entry.untrained]
        self.name = stem_of(path) if path.is_file() else readable(path.resolve().name)
        label_path = Path(table_format.label_file) if table_format.label_file else label_file_of(path)
        self._labels = None
        if label_path is not None:
            labels = LabelFile(label_path, self.channels, table_format.time_format, table_format.encoding)
            if any(row for rows in labels.rows.values() for row in rows):
                self._labels = labels
            else:
                note(f"{label_path}: names no interval, so nothing is taken for labelled.")
        self._kept: OrderedDict[str, Parts] = OrderedDict()
        self._facts: dict[str, Facts] = {}
        self._told: set[str] = set()
        self._load(self.channels[0])

    def place(self, channel: str, split: str) -> str:
        """The file, with the array and the part where it holds several."""
        entry = self._entries[channel]
        path = entry.train if split == "train" and entry.train is not None else entry.test
        inside = [entry.key] * bool(entry.key) + [split] * (entry.train is None and not entry.untrained)
        return f"{path} [{' '.join(inside)}]" if inside else str(path)

    def _known(self, channel: str) -> Facts:
        if channel not in self._facts:
            self._load(channel)
        return self._facts[channel]

    def _load(self, channel: str) -> Parts:
        """The channel's parts, from the file where they are not kept."""
        if channel not in self._entries:
            raise unknown_name(f"channel of {self.origin}", channel, self.channels)
        if channel not in self._kept:
            parts = self._read(channel, self._entries[channel])
            self._facts[channel] = parts.facts
            self._kept[channel] = parts
            while len(self._kept) > 1 and sum(kept.size for kept in self._kept.values()) > CACHE:
                self._kept.popitem(last=False)
        self._kept.move_to_end(channel)
        return self._kept[channel]

    def _read(self, channel: str, entry: Entry) -> Parts:
        test = self._reading(entry.test, entry.key)
        trained = test if entry.train is None else self._reading(entry.train, entry.key)
        if entry.train is not None:
            cut = Cut(channel, test.where, trained.recording, test.recording)
        elif entry.untrained:
            cut = all_of(test.recording, "test", channel, test.where)
        else:
            chosen = self._format
            rows = training_rows(test.recording, chosen.train_until, chosen.time_format, test.where)
            cut = cut_at(test.recording, rows, channel, test.where)
        written = None if self._labels is None else self._labels.rows.get(channel, [])
        parts = parts_of(cut, known_step(self._steps, channel), written, keep_empty=entry.untrained)
        self._tell(trained, parts)
        return parts

    def _reading(self, path: Path, key: str) -> Reading:
        reading = read_recording(read_sheet(path, self._format, key), self._format)
        if self._labels is None or reading.recording.labels is None:
            return reading
        return replace(reading, found=[*reading.found, f"but test labels as in {self._labels.path}"])

    def _tell(self, reading: Reading, parts: Parts) -> None:
        """Print what was found out about a file, without what was told of another already."""
        columns = parts.series["test"].columns
        found = [*reading.found, f"{len(columns)} column{'s' * (len(columns) > 1)} of values"]
        if parts.step is not None:
            found.append(f"a step is {_duration(parts.step)}")
        if new := [text for text in found if text not in self._told]:
            note("\n  ".join([f"{reading.where}:", *new]))
        left_out = reading.left_out | dict.fromkeys(parts.empty, "no value in the training part")
        reasons = ", ".join(f"{name!r} ({reason})" for name, reason in left_out.items())
        if reasons and reasons not in self._told:
            warn(f"{reading.where}: columns left out: {reasons}.")
        self._told |= {*found, reasons}


def _duration(step: pd.Timedelta) -> str:
    """2 days 03:00:00, or without zeros in front: 5 min, 1.5 s."""
    for unit, size in (("d", "D"), ("h", "h"), ("min", "min"), ("s", "s"), ("ms", "ms"), ("us", "us")):
        if (number := step / pd.Timedelta(1, size)) >= 1:
            return f"{number:.4g} {unit}"
    return str(step)
