"""Which columns a score comes from."""

import numpy as np
from numpy.typing import NDArray

from metrics.events import Alarm
from runs.rows import COLUMN_CELL
from runs.scores import ScoreFiles

FEWEST = 0.1  # share of a column below which it is not named


class Causes:
    """What the columns of a channel, by `names`, have in its scores: `found` and, in training, `usual` (D, T / cell).

    What a column usually has is no cause: its median in training is taken off. `found` and `usual` are None of a
    channel that is looked at as one.
    """

    def __init__(
        self, names: list[str], found: NDArray[np.floating] | None, usual: NDArray[np.floating] | None
    ) -> None:
        self.names = names
        self._excess: NDArray[np.floating] | None = None
        if found is not None:
            known = found if usual is None else usual
            with np.errstate(invalid="ignore"):
                typical = np.array([np.median(x[np.isfinite(x)]) if np.isfinite(x).any() else 0.0 for x in known])
            self._above = np.nan_to_num(found - typical[:, None], nan=-np.inf, neginf=-np.inf)
            self._excess = self._above.clip(min=0)

    def shares(self, alarm: Alarm) -> list[tuple[str, float]]:
        """The columns that an alarm comes from with their shares, the highest first."""
        if self._excess is None:
            return [(self.names[0], 1.0)] if len(self.names) == 1 else []
        cells = self._excess[:, alarm.start // COLUMN_CELL : alarm.end // COLUMN_CELL + 1].sum(axis=1)
        shares = cells / max(cells.sum(), np.finfo(np.float32).tiny)
        return [(self.names[n], float(shares[n])) for n in np.argsort(-shares, kind="stable") if shares[n] >= FEWEST]

    def highest(self, num_steps: int) -> list[str]:
        """The column that has the most beyond its usual in every step's score, (num_steps,)."""
        if self._excess is None:
            return [self.names[0] if len(self.names) == 1 else ""] * num_steps
        cells = np.repeat(self._above.argmax(axis=0), COLUMN_CELL)[:num_steps]
        return [self.names[number] for number in cells.tolist()]


def in_words(shares: list[tuple[str, float]]) -> str:
    """Such as "current 72 %, voltage 15 %"."""
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares[:3])


def usual_of(train: ScoreFiles, channel: str, number: int) -> NDArray[np.floating] | None:
    """What the `number` of columns of a channel have in its training scores; of one that was not in training, in those
    of all.
    """
    if channel in train.channels:
        return train.of_columns(channel, number)
    found = [columns for name in train.channels if (columns := train.of_columns(name)) is not None]
    return np.concatenate(found, axis=1) if {len(columns) for columns in found} == {number} else None
