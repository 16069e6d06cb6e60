"""What a user can say about a table that would be found out otherwise."""

from dataclasses import dataclass

AUTO, NONE = "auto", "none"
NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "--", "#n/a"})  # words for "not measured"


@dataclass(frozen=True)
class TableFormat:
    """How to read a table. "auto": find out; for a column also "none": there is none."""

    delimiter: str  # one character, or tab, or whitespace
    encoding: str
    decimal: str  # . or ,
    time_column: str
    time_format: str  # auto, day-first, month-first, s, ms, us, ns, or as for strptime
    label_column: str
    series_column: str
    missing: tuple[str, ...]  # more words for "not measured"
    columns: tuple[str, ...]  # ("all",), or names in the order wanted
    label_file: str  # empty: none
    train_until: str  # a share of the rows, a number of rows, or a time

    @property
    def nothing(self) -> frozenset[str]:
        """All words for "not measured", in lower case."""
        return NOTHING | {word.strip().lower() for word in self.missing}
