"""Text files as spreadsheets, loggers and databases write them, as rows of one known form.

Line ends, blank lines, quotes and what separates the columns are settled here, once, for every text file.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.table.encoding import decoded, read_bytes
from data.table.format import AUTO
from data.table.sheet import column_names
from runtime.errors import InputError

DELIMITERS = ("\t", ";", "|", ",")  # where two divide a file alike, the comma is that of a decimal number
NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "whitespace": " ", "space": " "}
SAMPLE = 100  # lines by which a file is judged
csv.field_size_limit(2**31 - 1)  # thousands of labelled intervals may stand in one cell; memory for it is there already
SEPARATOR = re.compile(r'\s*"?sep=([^\n])"?[ \t;,]*\n', re.IGNORECASE)  # first line, as spreadsheets write it


@dataclass(frozen=True, eq=False)
class Lines:
    """The rows of a text file, blank lines left out."""

    where: str  # the file, for messages
    body: bytes  # UTF-8; every row ends in a line feed
    delimiter: str
    numbers: NDArray[np.int64]  # (rows,) line of the file in which each begins, from 1
    found: tuple[str, ...]  # what was found out about the file, in words

    def head(self, count: int) -> list[list[str]]:
        """The cells of the first rows."""
        return list(islice(self._cells(io.BytesIO(self.body)), count))

    def without(self, count: int) -> "Lines":
        """The rows below the first ones."""
        stream = io.BytesIO(self.body)
        list(islice(self._cells(stream), count))
        return replace(self, body=self.body[stream.tell() :], numbers=self.numbers[count:])

    def _cells(self, stream: io.BytesIO) -> Iterator[list[str]]:
        return csv.reader((line.decode() for line in stream), delimiter=self.delimiter, skipinitialspace=True)


def read_lines(path: Path, delimiter: str = AUTO, encoding: str | None = AUTO, growing: bool = False) -> Lines:
    """The rows of a text file. `encoding` as for `decoded`.

    Where a file may be `growing`, a last row that is not complete yet is left out. Raises InputError that names the
    line for bytes that are no text, rows of different lengths and quotes that are never closed.
    """
    return lines_of(read_bytes(path), str(path), delimiter, encoding, growing)


def read_rows(path: Path) -> list[list[str]]:
    """The cells of all rows of a label file, the names of the columns, which differ, first. Raises InputError."""
    lines = read_lines(path, encoding=None)
    header, *rows = lines.head(len(lines.numbers))
    return [column_names(header, str(path)), *rows]


def lines_of(data: bytes, where: str, delimiter: str, encoding: str | None, growing: bool) -> Lines:
    """The rows in the bytes of a text file, which messages call `where`; the rest as for `read_lines`."""
    text, encoding, cut = decoded(data, encoding, where)
    found = [] if encoding == "utf-8" else [f"encoding {encoding}"]
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    skipped = 0
    if match := SEPARATOR.match(text):
        text, skipped = text[match.end() :], match[0].count("\n")
        delimiter = match[1] if delimiter == AUTO else delimiter
    if delimiter == AUTO:
        delimiter = _find_delimiter(text)
        found += [f"columns separated by {_spoken(delimiter)}"] if delimiter != "," else []
    delimiter = _known(delimiter, where)
    if delimiter == " ":  # runs of blanks count as one
        text = "\n".join(re.sub(r"[ \t]+", "\t", line.strip(" \t")) for line in text.split("\n"))
        delimiter = "\t"
    if text and not text.endswith("\n"):
        text += "\n"
    try:
        body = text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: is no {encoding} text ({error.reason}). Save it as UTF-8.") from error
    numbers, counts, body, open_quote = (_quoted_rows if b'"' in body else _plain_rows)(body, delimiter, where)
    if len(counts) and (counts == 1).all() and b'"' not in body and (blank := int(np.ptp(numbers)) + 1 - len(numbers)):
        found.append(f"{blank} blank lines between its rows are left out")  # of one column they might be rows
    lines = Lines(where, body, delimiter, numbers + skipped, tuple(found))
    return _even(lines, counts, growing, cut or open_quote)


def _known(delimiter: str, where: str) -> str:
    delimiter = NAMES.get(delimiter, delimiter)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in "\"'\n\r\0.+-\\":
        raise InputError(f"{where}: columns cannot be separated by {delimiter!r}. Set --delimiter to , ; | or tab.")
    return delimiter


def _spoken(delimiter: str) -> str:
    return {"\t": "tabs", " ": "blanks"}.get(delimiter, f"'{delimiter}'")


def _find_delimiter(text: str) -> str:
    """What divides most lines of a sample into as many cells as the first, more than one.

    Where the first line is divided by none, it may be a title: then what divides most lines alike, for the error.
    """
    sample = list(islice((line for line in io.StringIO(text, newline="\n") if line.strip()), SAMPLE))

    def cells(delimiter: str) -> list[int]:
        if delimiter == " ":
            return [len(line.split()) for line in sample]
        try:
            return [len(row) for row in csv.reader(sample, delimiter=delimiter, skipinitialspace=True)]
        except csv.Error:
            return [1]

    def like(width: int, counts: list[int]) -> float:
        return counts.count(width) / len(sample) if width > 1 else 0.0

    counts = {delimiter: cells(delimiter) for delimiter in (*DELIMITERS, " ")} if sample else {",": [1]}
    alike = {delimiter: like(found[0], found) for delimiter, found in counts.items()}
    best = max(alike, key=alike.__getitem__)
    if alike[best] > (0.9 if best == " " else 0.5):
        return best
    usual = {d: like(Counter(counts[d]).most_common(1)[0][0], counts[d]) for d in counts if d != " "}
    best = max(usual, key=usual.__getitem__)
    return best if usual[best] > 0.5 else ","


Rows = tuple[NDArray[np.int64], NDArray[np.int64], bytes, bool]


def _plain_rows(body: bytes, delimiter: str, where: str) -> Rows:
    """Of each row the line it begins in and its number of cells; the body without blank lines; no quote is open."""
    separator, blank = delimiter.encode(), b" \n" if delimiter == "\t" else b" \t\n"
    cells = [line.count(separator) + 1 if line.strip(blank) else 0 for line in io.BytesIO(body)]
    counts = np.array(cells, dtype=np.int64)  # 0: a blank line
    if not counts.all():
        body = b"".join(line for line, kept in zip(io.BytesIO(body), cells, strict=True) if kept)
    return np.flatnonzero(counts) + 1, counts[counts > 0], body, False


def _quoted_rows(body: bytes, delimiter: str, where: str) -> Rows:
    """`_plain_rows` where cells may be quoted, with delimiters and line ends in them; the last quote may be open."""
    physical = body.splitlines(keepends=True)
    reader = csv.reader((line.decode() for line in physical), delimiter=delimiter, skipinitialspace=True)
    starts, counts, kept, before = [], [], [], 0
    try:
        for row in reader:
            if len(row) > 1 or (row and (row[0].strip(" \t") or b'"' in physical[before])):
                starts.append(before + 1)
                counts.append(len(row))
                kept += physical[before : reader.line_num]
            before = reader.line_num
    except csv.Error as error:
        raise InputError(f"{where}, line {before + 1}: {error}. Is a quote opened there and never closed?") from error
    last = b"".join(physical[starts[-1] - 1 :]) if starts else b""
    open_quote = last.count(b'"') % 2 == 1
    if open_quote and last.rstrip(b"\n").count(b"\n"):
        raise InputError(f"{where}, line {starts[-1]}: a quote is opened there and never closed. Close or remove it.")
    return np.array(starts, dtype=np.int64), np.array(counts, dtype=np.int64), b"".join(kept), open_quote


def _even(lines: Lines, counts: NDArray[np.int64], growing: bool, cut: bool) -> Lines:
    """The lines, all with as many cells as the first. Raises InputError that names one with more or fewer."""
    if len(counts) == 0:
        raise InputError(f"{lines.where}: is empty. Leave it out.")
    odd = np.flatnonzero(counts != counts[0])
    last = len(counts) - 1
    if growing and last and (cut or counts[-1] < counts[0]) and len(odd) <= 1 and set(odd) <= {last}:
        body = lines.body[: lines.body.rfind(b"\n", 0, -1) + 1]
        found = (*lines.found, f"the last line ({lines.numbers[-1]}) is not complete and is left out")
        return replace(lines, body=body, numbers=lines.numbers[:-1], found=found)
    if cut and not growing:
        raise InputError(
            f"{lines.where}, line {lines.numbers[-1]}: is not complete: a quote is never closed, or a character is cut "
            "off. Correct it."
        )
    if len(odd):
        usual = Counter(counts.tolist()).most_common(1)[0][0]
        remedy = "Correct or remove the first line" if usual != counts[0] else "Correct it"
        raise InputError(
            f"{lines.where}, line {lines.numbers[odd[0]]}: has {counts[odd[0]]} cells separated by "
            f"{_spoken(lines.delimiter)}, line {lines.numbers[0]} has {counts[0]}. {remedy}, or set --delimiter."
        )
    return lines
