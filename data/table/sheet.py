"""A table as a file holds it, before anyone says what its columns are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runtime.errors import InputError

MOST_COLUMNS = 20_000
LONGEST_NAME = 1000


@dataclass(frozen=True, eq=False)
class Sheet:
    """The cells of one table by the names of its columns, which differ."""

    where: str  # the file, for messages
    frame: pd.DataFrame  # numbers, true/false, text or times; what pandas takes for missing is empty
    lines: NDArray[np.int64] | None = None  # (rows,) line of the file in which a row begins; None: it has no lines
    decimal: str = "."
    named: bool = True  # whether the file names its columns
    found: tuple[str, ...] = ()  # what was found out about the file, in words

    def spot(self, row: int) -> str:
        """Where a row of the frame is, for messages."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"


def column_names(names: Iterable[Any], where: str) -> list[str]:
    """Names without the blanks around them; the nameless are called by their position, from 0.

    Raises InputError where two are the same, one is too long, or there are too many for a table.
    """
    stripped = [" ".join(str(name).split()) for name in names]
    if len(stripped) > MOST_COLUMNS:
        raise InputError(
            f"{where}: has {len(stripped)} columns, more than {MOST_COLUMNS}. A table has one row per time: if this "
            "one has one column per time, transpose it."
        )
    long = next((position for position, name in enumerate(stripped) if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise InputError(
            f"{where}: the name of column {long + 1} has {len(stripped[long])} letters, more than {LONGEST_NAME}. Is "
            "the first line one of names? Rename it."
        )
    filled = [name or f"column {position}" for position, name in enumerate(stripped)]
    first: dict[str, int] = {}
    for position, name in enumerate(filled):
        if name in first:
            raise InputError(
                f"{where}: the columns {first[name] + 1} and {position + 1} are both named {name!r}. Rename one."
            )
        first[name] = position
    return filled
