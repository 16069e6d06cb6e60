"""How far a phase has come: a bar on a terminal, lines elsewhere."""

import sys
import time
from typing import Any

from tqdm import tqdm

from runtime import launch

FIRST = 2.0  # seconds after which a phase says for the first time how far it is, where there is no terminal


def progress_bar(total: int, initial: int = 0, **options: Any) -> tqdm:
    """A bar on a terminal; elsewhere lines of it, though not of a short phase, and `disable` is true.

    Of the processes that torchrun started one has it.
    """
    if launch.rank():
        return tqdm(total=total, initial=initial, disable=True)
    if not sys.stderr.isatty():
        return _Lines(total, initial, **options)
    return tqdm(total=total, initial=initial, dynamic_ncols=True, **options)


class _Lines(tqdm):
    """Lines on stderr such as "Score test: 12 of 54 channels, 00:07, 00:24 left", for pipes and log files.

    The first after `FIRST` seconds, the next after twice as many, and so on, then one at the end.
    """

    def __init__(self, total: int, initial: int, desc: str = "", unit: str = "it", **options: Any) -> None:
        super().__init__(total=total, initial=initial, disable=True)
        self._name, self._unit, self._began = desc, unit, initial
        self._started, self._next, self._goes_on = time.monotonic(), FIRST, False

    def update(self, n: float | None = 1) -> None:
        """So many units more are done."""
        self.n += n
        seconds = time.monotonic() - self._started
        if seconds >= self._next and self.n < self.total:
            self._next, self._goes_on = 2 * seconds, True
            left = seconds / max(self.n - self._began, 1) * (self.total - self.n)
            known = f", {self.format_interval(left)} left" if self.n > self._began else ""
            self._line(f"{self.format_interval(seconds)}{known}")

    def close(self) -> None:
        """The phase is over; says so if it was said before that it goes on."""
        if self._goes_on:
            self._line(self.format_interval(time.monotonic() - self._started))
            self._goes_on = False

    def _line(self, text: str) -> None:
        print(f"{self._name}: {self.n} of {self.total} {self._unit}s, {text}", file=sys.stderr, flush=True)
