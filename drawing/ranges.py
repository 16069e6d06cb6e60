"""What the columns of training series hold, as JSON keeps it: what new data are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawing.scaling import learn_scaling


@dataclass(frozen=True)
class Ranges:
    """Steps of training series, and of each column the lowest and highest value, centre and spread of its unit.

    Of a column that was never measured all four are None.
    """

    steps: int
    low: list[float | None]
    high: list[float | None]
    centre: list[float | None]
    spread: list[float | None]

    @classmethod
    def of(cls, series: Sequence[NDArray[np.floating]], scaling: str) -> Ranges:
        """Those of a series (T, D) whose columns are drawn in units of `scaling`, or of several that share them."""
        found = []
        for number in range(max(part.shape[1] for part in series)):
            column = np.concatenate([part[:, number] for part in series if number < part.shape[1]])
            known = column[np.isfinite(column)]
            if len(known):
                units = learn_scaling(scaling, [known])
                ends = float(known.min()), float(known.max())
                found.append((*ends, float(units.centre[0]), float(units.spread[0])))
            else:
                found.append((None,) * 4)
        return cls(sum(map(len, series)), *(list(values) for values in zip(*found, strict=True)))

    @classmethod
    def read(cls, plain: dict[str, Any]) -> Ranges:
        """What `plain` gave. Raises TypeError or ValueError for anything else."""
        found = cls(**plain)
        kept = [found.low, found.high, found.centre, found.spread]
        if not all(isinstance(values, list) and len(values) == len(found.low) for values in kept):
            raise ValueError("ranges of differently many columns")
        if not all(value is None or isinstance(value, int | float) for value in [found.steps, *sum(kept, [])]):
            raise ValueError("ranges that are no numbers")
        return found

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)
