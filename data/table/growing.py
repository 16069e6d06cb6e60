"""A table that is still written to: its rows as they come, all read like the first of them."""

import io
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from data.source import ALL
from data.table.columns import roles_of
from data.table.files import text_sheet
from data.table.format import AUTO, TableFormat
from data.table.reading import read_recording
from data.table.text import lines_of
from runtime.errors import InputError


@dataclass
class GrowingTable:
    """The rows of a csv in blocks of whole lines, each read with the header and the two latest rows before it.

    What the first block tells of the order of day and month, or of the unit of times, and of which columns are values,
    holds for all; where it is known which `columns` are wanted, these are read from the second block on. `where` names
    the file in messages.
    """

    table_format: TableFormat
    where: str
    columns: tuple[str, ...] = ()
    _header: bytes = b""
    _last: bytes = b""  # with two rows of different times a block of one that comes again, or late, is read like others
    _begun: bool = False

    def rows(self, block: bytes) -> pd.DataFrame | None:
        """The values of more whole lines, by the names of the columns, with their times as index where there are any.

        None while there are not two rows to tell what the columns are. Raises InputError as for a file, and for what
        cannot be followed: a table without a header, with a row of units, or in long form.
        """
        if not self._header:
            self._header, _, block = block.partition(b"\n")
            self._header += b"\n"
        given = self._last.count(b"\n") if self._begun else 0
        # a logger that is started again prints its header again
        header = self._header.strip()
        lines = [line for line in io.BytesIO(self._last + block) if line.strip() not in (b"", header)]
        if len(lines) < 2:
            self._last = b"".join(lines)
            return None
        text = lines_of(
            self._header + b"".join(lines),
            self.where,
            self.table_format.delimiter,
            self.table_format.encoding,
            growing=False,
        )
        sheet = text_sheet(text, self.table_format)
        roles = roles_of(sheet, self.table_format)
        if not sheet.named or len(sheet.frame) != len(lines) or roles.series is not None:
            raise InputError(
                f"{self.where}: to be followed a table needs one header line, a line for every row and a column for "
                "every series: no row of units, no long form."
            )
        if self.table_format.time_format == AUTO and roles.stamps is not None:
            self.table_format = replace(self.table_format, time_format=roles.stamps.settled)
        recording = read_recording(sheet, self.table_format).recording
        if self.table_format.columns == ALL:
            self.table_format = replace(self.table_format, columns=self.columns or tuple(recording.columns))
        if sheet.decimal == ",":
            self.table_format = replace(self.table_format, decimal=",")
        frame = pd.DataFrame(recording.values, columns=recording.columns, index=recording.times)
        self._last, self._begun = b"".join(lines[row] for row in recording.rows[-2:]), True
        return frame[recording.rows >= given]

    def state(self) -> dict[str, Any]:
        """Where it stands, as JSON holds it."""
        texts = {"header": self._header.decode("latin-1"), "last": self._last.decode("latin-1")}
        found = {name: getattr(self.table_format, name) for name in ("time_format", "columns", "decimal")}
        return {**texts, **found, "begun": self._begun}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._header, self._last = state["header"].encode("latin-1"), state["last"].encode("latin-1")
        found = {"time_format": state["time_format"], "columns": tuple(state["columns"]), "decimal": state["decimal"]}
        self.table_format = replace(self.table_format, **found)
        self._begun = state["begun"]
