"""A table that is still written to: its rows as they come, all read like the first of them."""

import io
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from data.table.columns import roles_of
from data.table.files import text_sheet
from data.table.format import AUTO, TableFormat
from data.table.reading import read_recording
from data.table.text import lines_of
from runtime.errors import InputError


@dataclass
class GrowingTable:
    """The rows of a csv in blocks of whole lines, each read with the header and the row before it.

    What the first block tells of the order of day and month, or of the unit of times, holds for all. `where` names the
    file in messages.
    """

    table_format: TableFormat
    where: str
    _header: bytes = b""
    _last: bytes = b""
    _begun: bool = False

    def rows(self, block: bytes) -> pd.DataFrame | None:
        """The values of more whole lines, by the names of the columns, with their times as index where there are any.

        None while there are not two rows to tell what the columns are. Raises InputError as for a file, and for what
        cannot be followed: a table without a header, with a row of units, or in long form.
        """
        if not self._header:
            self._header, _, block = block.partition(b"\n")
            self._header += b"\n"
        lines = [line for line in io.BytesIO(self._last + block) if line.strip()]
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
        frame = pd.DataFrame(recording.values, columns=recording.columns, index=recording.times)
        new = recording.rows >= int(self._begun)  # the row before was given already
        self._last, self._begun = lines[-1], True
        return frame[new]

    def state(self) -> dict[str, Any]:
        """Where it stands, as JSON holds it."""
        texts = {"header": self._header.decode("latin-1"), "last": self._last.decode("latin-1")}
        return {**texts, "time_format": self.table_format.time_format, "begun": self._begun}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._header, self._last = state["header"].encode("latin-1"), state["last"].encode("latin-1")
        self.table_format = replace(self.table_format, time_format=state["time_format"])
        self._begun = state["begun"]
