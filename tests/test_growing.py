"""The rows of a table that grows are given once each, in any blocks, as they would be in the whole."""

import numpy as np
import pandas as pd
import pytest
from test_follow import sensors, text_of

from data.source import ALL
from data.table.format import TableFormat
from data.table.growing import GrowingTable
from runtime.errors import InputError

FOUND = TableFormat(*["auto"] * 7, missing=(), columns=ALL, label_file="", train_until="0.5")


def rows_in(table: GrowingTable, text: str, sizes: list[int]) -> pd.DataFrame:
    """The rows of a text that comes in blocks of so many lines."""
    lines, found, start, turn = text.encode().splitlines(keepends=True), [], 0, 0
    while start < len(lines):
        rows = table.rows(b"".join(lines[start : start + sizes[turn % len(sizes)]]))
        found += [] if rows is None else [rows]
        start, turn = start + sizes[turn % len(sizes)], turn + 1
    return pd.concat(found)


def written(frame: pd.DataFrame, date_format: str = "%d/%m/%Y %H:%M", **form) -> str:
    return frame.to_csv(date_format=date_format, lineterminator="\n", **form)


@pytest.mark.parametrize("sizes", [[1], [2], [3, 1, 50], [4000]])
def test_every_row_is_given_once(sizes: list[int]) -> None:
    frame = sensors(3, 300)
    found = rows_in(GrowingTable(FOUND, "new.csv"), text_of(frame).decode(), sizes)
    pd.testing.assert_frame_equal(found, frame, check_freq=False, check_names=False, check_index_type=False)


def test_what_the_first_block_tells_of_dates_holds_for_all() -> None:
    frame = sensors(3, 5 * 1440)  # 10 to 15 February
    frame.index += pd.Timedelta(3, "D")
    later = frame.set_axis(pd.date_range("2026-03-01", periods=len(frame), freq="min"))  # 1/3 to 5/3
    table = GrowingTable(FOUND, "new.csv")
    text = written(frame)
    first = table.rows(text.encode())
    state = table.state()
    assert first.index.equals(frame.index) and state["time_format"] == "day-first"
    again = GrowingTable(FOUND, "new.csv")
    again.restore(state)
    found = rows_in(again, written(later, header=False), [1, 2, 400])
    assert list(found.index) == list(later.index)


def test_numbers_of_seconds_stay_seconds() -> None:
    seconds = np.arange(100, dtype=np.int64) + 1_770_000_000
    text = "time,x\n" + "".join(f"{second},1.5\n" for second in seconds)
    found = rows_in(GrowingTable(FOUND, "new.csv"), text, [5, 1])
    assert list(found.index.astype("datetime64[s, UTC]").asi8) == list(seconds)


def test_a_column_that_counts_the_rows_is_none_of_values_in_any_block() -> None:
    frame = sensors(3, 50).reset_index()
    text = frame.to_csv(lineterminator="\n")  # with the numbers of the rows in front
    assert text.startswith(",when,current,heat\n0,")
    found = rows_in(GrowingTable(FOUND, "new.csv"), text, [10, 1, 3])
    assert list(found.columns) == ["current", "heat"] and len(found) == 50


def test_a_column_of_text_is_none_of_values_in_any_block() -> None:
    frame = sensors(3, 50).assign(state=["on"] * 20 + [""] * 10 + ["7"] * 20)
    found = rows_in(GrowingTable(FOUND, "new.csv"), text_of(frame).decode(), [10, 1, 3])
    assert list(found.columns) == ["current", "heat"] and len(found) == 50
    known = GrowingTable(FOUND, "new.csv", ("current", "heat"))  # it is text, which the first block does not show yet
    empty_first = pd.concat([frame[20:30], frame[:20]]).set_axis(frame.index[:30])
    found = rows_in(known, text_of(empty_first).decode(), [8, 1, 3])
    assert len(found) == 30 and found["state"].isna().all()


def test_decimal_commas_stay_commas() -> None:
    frame = sensors(3, 60)
    frame.iloc[20:] = frame.iloc[20:].round()
    text = frame.to_csv(sep=";", decimal=",", lineterminator="\r\n", float_format="%g")
    found = rows_in(GrowingTable(FOUND, "new.csv"), text, [15, 1, 2])
    np.testing.assert_allclose(found.to_numpy(), frame.to_numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1.0,2.0\n3.0,4.0\n5.0,6.0\n", "no header"),
        ("time,x\nUTC,degC\n2026-01-01 00:00,1\n2026-01-01 00:01,2\n", "units"),
        (
            "time,sensor,value\n" + "".join(f"2026-01-01 00:{m:02d},{s},1\n" for m in range(9) for s in "ab"),
            "long form",
        ),
    ],
)
def test_tables_of_other_forms_are_an_error(text: str, why: str) -> None:
    with pytest.raises(InputError, match="new.csv: to be followed a table needs one header line"):
        GrowingTable(FOUND, "new.csv").rows(text.encode())


def test_a_header_that_comes_again_is_no_row() -> None:
    table = GrowingTable(FOUND, "the standard input")
    assert len(table.rows(b"a,b\n1,2\n3,4\n5,6\n")) == 3
    assert table.rows(b"a,b\n7,8\n").to_numpy().tolist() == [[7, 8]], "a logger was started again"
