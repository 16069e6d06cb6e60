"""Lines of a benchmark's results as a csv: what stands in it is not run again."""

import csv
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from runtime.files import atomic_file

T = TypeVar("T")


def read_records(path: Path, kind: type[T]) -> list[T]:
    """The lines that a csv holds already, each an instance of the dataclass `kind`; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [kind(**{f.name: f.type(line[f.name]) for f in fields(kind)}) for line in csv.DictReader(file)]


def write_records(path: Path, records: list[Any]) -> None:
    """Write the csv anew, whole or not at all."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = [f.name for f in fields(records[0])]
        writer.writerow(names)
        writer.writerows([getattr(record, name) for name in names] for record in records)
