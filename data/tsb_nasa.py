"""The NASA series of the TSB-AD benchmark (Liu and Paparrizos, NeurIPS 2024), built from the published SMAP and MSL.

Every series is the test file of a channel: its first steps are for training, all of it is scored and judged. Those of
TSB-AD-M (SMAP-M-1, MSL-M-1, ..) have all columns, those of TSB-AD-U (SMAP-U-1, ..) column 0 alone. Which channel a
series is was found out by length, first anomaly and number of anomalous steps, which the benchmark's file names and
tables tell; the numbers of training steps stand in these names too. Not like for like:

- MSL-U-5 is P-10 by its labels, but its values differ from those published with the channel, which are taken here;
- MSL-U-1 and MSL-U-6 have both the length and the labels of T-12, and are both made of it;
- SMAP-M-6, SMAP-M-21, MSL-M-3, MSL-M-10, SMAP-U-5, SMAP-U-13, MSL-U-3 and MSL-U-7 are absent: no channel is known
  to be theirs.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.labels import Interval, LabelRow
from data.telemanom import TelemanomSource
from runtime.errors import InputError


@dataclass(frozen=True)
class Origin:
    """What a series is made of: the test file of a channel from step `cut` on, the first `train_steps` for training.

    `labelled_from`: earlier intervals, by the steps of the file, are not labelled.
    """

    channel: str
    train_steps: int
    cut: int = 0
    labelled_from: int = 0


# group: numbers of its series, channels, and steps for training
_SERIES = {
    "SMAP-M": """
        1 P-2 2052, 2 E-8 2133, 3 E-11 2128, 4 E-13 2160, 5 B-1 2011, 7 E-7 2077, 8 D-6 1971, 9 E-5 2073, 10 G-2 1840,
        11 G-1 2117, 12 D-5 1907, 13 A-5 1173, 14 E-10 2126, 15 E-6 2075, 16 G-7 1757, 17 S-1 1832, 18 E-9 2075,
        19 G-4 1908, 20 A-3 2051, 22 E-1 2129, 23 A-6 1113, 24 F-3 2094, 25 T-3 1998, 26 R-1 1811, 27 A-1 2160
    """,
    "MSL-M": """
        1 S-2 500, 2 P-11 883, 4 F-4 855, 5 F-7 1150, 6 F-5 980, 7 D-14 656, 8 P-15 714, 9 T-4 554, 11 M-7 539,
        12 T-5 554, 13 P-14 1525, 14 M-5 575, 15 T-9 500, 16 M-6 512
    """,
    "SMAP-U": """
        1 R-1 1811, 2 E-9 2075, 3 P-2 2052, 4 D-8 1968, 6 G-6 2160, 7 E-7 2077, 8 G-7 2007, 9 D-11 1857, 10 A-3 2051,
        11 S-1 1832, 12 G-4 1908, 14 A-2 1978, 15 A-5 1173, 16 G-1 2117, 17 E-8 2133, 18 F-3 2094, 19 T-3 1998
    """,
    "MSL-U": "1 T-12 530, 2 C-1 500, 4 F-5 980, 5 P-10 1525, 6 T-12 530, 8 T-13 590, 9 P-11 883",
}
_SPECIAL = {
    "SMAP-M-4": Origin("E-13", 2160, labelled_from=6449),  # of three intervals the last
    "SMAP-M-16": Origin("G-7", 1757, cut=1000),
}


def _origins() -> dict[str, Origin]:
    found = {}
    for group, series in _SERIES.items():
        for number, channel, train_steps in (one.split() for one in series.split(",")):
            found[f"{group}-{number}"] = Origin(channel, int(train_steps))
    return found | _SPECIAL


ORIGINS = _origins()  # by the name of the series


def group_of(series: str) -> str:
    """The spacecraft and the half of the benchmark that a series is of: SMAP-M, MSL-M, SMAP-U or MSL-U."""
    return series.rpartition("-")[0]


class TsbNasaSource:
    """All series of ORIGINS, a data source (data/source.py), from a folder of SMAP and MSL as published.

    Raises InputError where the folder or its label file is not as published.
    """

    name = "TSB-NASA"

    def __init__(self, folder: Path) -> None:
        self._spacecraft = {name: TelemanomSource(folder, name) for name in ("SMAP", "MSL")}
        self.origin = self._spacecraft["SMAP"].origin
        self.channels = list(ORIGINS)
        self.untrained: list[str] = []

    def _of(self, series: str) -> tuple[TelemanomSource, Origin]:
        """The source that has the channel of a series, and what it is made of."""
        return self._spacecraft[series.partition("-")[0]], ORIGINS[series]

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        """The series (T, D), or its first steps (train). Raises InputError where the channel's file is missing, bad or
        too short.
        """
        source, made_of = self._of(channel)
        length = self.num_steps(channel, split)  # tells where the file is too short
        found = source.series(made_of.channel, "test")[made_of.cut : made_of.cut + length]
        return found[:, :1] if _univariate(channel) else found

    def num_steps(self, channel: str, split: str) -> int:
        """The length T, without reading the values. Raises InputError where the file is too short."""
        source, made_of = self._of(channel)
        length = source.num_steps(made_of.channel, "test") - made_of.cut
        if length <= made_of.train_steps:
            raise InputError(
                f"{source.place(made_of.channel, 'test')}: has {length + made_of.cut} steps, but series {channel} of "
                f"TSB-AD trains on {made_of.train_steps} from step {made_of.cut} on. Take the file as published."
            )
        return made_of.train_steps if split == "train" else length

    def columns(self, channel: str) -> list[str]:
        """The telemetry value, and in TSB-AD-M the commands."""
        source, made_of = self._of(channel)
        return source.columns(made_of.channel)[: 1 if _univariate(channel) else None]

    def measured(self, channel: str) -> list[str]:
        """The telemetry value alone: all other columns are commands."""
        return self.columns(channel)[:1]

    def times(self, channel: str, split: str) -> None:
        """Published without times: steps are counted."""

    def rows(self, channel: str, split: str) -> NDArray[np.integer] | None:
        """The rows of the channel's file, where its first ones are cut off."""
        cut = ORIGINS[channel].cut
        return np.arange(cut, cut + self.num_steps(channel, split)) if cut else None

    def step(self, channel: str) -> None:
        """Steps are counted."""

    def label_rows(self, channel: str) -> list[LabelRow]:
        """The later of the channel's label rows, in steps of the series. Raises InputError where there is none."""
        source, made_of = self._of(channel)
        if made_of.channel not in source.channels:
            raise InputError(
                f"{source.origin}: has no row of channel {made_of.channel}, which series {channel} is made of. Take "
                "the label file as published, or choose others with --class-names."
            )
        row = source.label_rows(made_of.channel)[-1]
        kept: list[Interval] = [
            (start - made_of.cut, end - made_of.cut)
            for start, end in row.intervals
            if start >= made_of.labelled_from and end >= made_of.cut
        ]
        length = None if row.num_values is None else row.num_values - made_of.cut
        return [LabelRow(channel, tuple(kept), length)]

    def unlabelled(self) -> list[str]:
        """None: every series of the benchmark is labelled."""
        return []

    def place(self, channel: str, split: str) -> str:
        """The path of the channel's test file, which both splits are parts of."""
        source, made_of = self._of(channel)
        return source.place(made_of.channel, "test")


def _univariate(series: str) -> bool:
    return group_of(series).endswith("-U")
