"""Times of tables in the forms that people write, and where training ends."""

from pathlib import Path

import pandas as pd
import pytest
from table_files import lines, stamps, table, whole

from runtime.errors import InputError

TIMES = {
    "twelve hours": (
        ["13/03/2020 11:30 AM", "13/03/2020 12:30 PM", "13/03/2020 1:30 PM", "13/03/2020 2:30 PM"],
        "11:30",
    ),
    "month first": (["3/13/2020 11:30", "3/13/2020 12:30", "3/13/2020 13:30", "3/13/2020 14:30"], "11:30"),
    "two digits of a year": (["13.03.20 11:30", "13.03.20 12:30", "13.03.20 13:30", "13.03.20 14:30"], "11:30"),
    "months by name": ([f"13-Mar-2020 {hour}:30" for hour in (11, 12, 13, 14)], "11:30"),
    "year first": ([f"2020/3/13 {hour}:30" for hour in (11, 12, 13, 14)], "11:30"),
    "ISO 8601": ([f"2020-03-13T{hour}:30:00.000" for hour in (11, 12, 13, 14)], "11:30"),
    "milliseconds": ([str(1584099000000 + k * 3600000) for k in range(4)], "11:30Z"),
    "microseconds": ([str(1584099000000000 + k * 3600000000) for k in range(4)], "11:30Z"),
    "nanoseconds": ([str(1584099000000000000 + k * 3600000000000) for k in range(4)], "11:30Z"),
    "seconds with decimals": ([str(1584099000.0 + k * 3600) for k in range(4)], "11:30Z"),
    "digits": ([f"20200313{hour}3000" for hour in (11, 12, 13, 14)], "11:30"),
    "UTC": ([f"2020-03-13T{hour}:30:00Z" for hour in (11, 12, 13, 14)], "11:30Z"),
    "one offset": ([f"2020-03-13 {hour}:30:00+01:00" for hour in (11, 12, 13, 14)], "11:30+01:00"),
    "two offsets": (
        ["2020-03-13 11:30:00+00:00", *(f"2020-03-13 {hour}:30:00+01:00" for hour in (13, 14, 15))],
        "11:30Z",
    ),
}


@pytest.mark.parametrize("name", list(TIMES))
def test_stamps_of_every_form(tmp_path: Path, name: str) -> None:
    written, first = TIMES[name]
    source = table(tmp_path, lines("Time;x", *(f"{text};{k}" for k, text in enumerate(written))))
    expected = pd.date_range(pd.Timestamp(f"2020-03-13 {first}"), periods=4, freq="h")
    assert stamps(source) == list(expected)
    assert source.times("plant", "train").tz == expected.tz or str(expected.tz) == str(
        source.times("plant", "train").tz
    )


def test_two_columns_of_date_and_time_are_one(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = table(tmp_path, lines("Datum;Zeit;T °C", *(f"13.03.2020;10:{k:02d};{k},5" for k in range(4))))
    assert stamps(source) == list(pd.date_range("2020-03-13 10:00", periods=4, freq="min"))
    assert source.columns("plant") == ["T °C"] and whole(source)[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert "  decimal commas\n  times in 'Datum' and 'Zeit'" in capsys.readouterr().out


def test_the_whole_column_tells_day_from_month(tmp_path: Path) -> None:
    daily = table(tmp_path, lines("date,x", *(f"{day:02d}/02/2020,{day}" for day in range(1, 8))))
    assert stamps(daily)[-1] == pd.Timestamp("2020-02-07")
    monthly = table(tmp_path, lines("date,x", *(f"01/{day:02d}/2020,{day}" for day in range(1, 8))))
    assert stamps(monthly)[-1] == pd.Timestamp("2020-01-07")
    across = ["11/03/2020 23:00", "12/03/2020 00:00", "13/03/2020 01:00", "13/03/2020 02:00"]
    assert stamps(table(tmp_path, lines("date,x", *(f"{text},1" for text in across))))[0].day == 11


def test_day_or_month_that_no_row_tells(tmp_path: Path) -> None:
    text = lines("date,x", *(f"03/04/2020 10:0{k},{k}" for k in range(4)))
    with pytest.raises(
        InputError, match=r"'03/04/2020 10:00' may be day/month or .*--time-format day-first or month-first"
    ):
        table(tmp_path, text)
    assert stamps(table(tmp_path, text, time_format="day-first"))[0] == pd.Timestamp("2020-04-03 10:00")
    assert stamps(table(tmp_path, text, time_format="month-first"))[0] == pd.Timestamp("2020-03-04 10:00")
    assert stamps(table(tmp_path, text, time_format="%d/%m/%Y %H:%M"))[0] == pd.Timestamp("2020-04-03 10:00")


@pytest.mark.parametrize(
    "changed", ["2020-03-13 10:03", "03/13/2020 10:03", "13.03.2020 10:03", "13/03/2020 1:03 PM", "late"]
)
def test_a_form_of_time_that_changes_names_line_and_value(tmp_path: Path, changed: str) -> None:
    rows = [*(f"13/03/2020 10:0{k},{k}" for k in range(3)), f"{changed},3", "13/03/2020 10:04,4", "13/03/2020 10:05,5"]
    with pytest.raises(
        InputError, match=f"plant.csv: time column time, line 5: '{changed}' is no time like '13/03/2020 10:00'"
    ):
        table(tmp_path, lines("time,x", *rows))


def test_numbers_that_are_no_dates_order_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = table(tmp_path, lines("time (s),x", "0.0,5", "0.1,6", "0.3,8", "0.2,7", "0.5,9"))
    assert whole(source)[:, 0].tolist() == [5, 6, 7, 8, 9]
    assert source.times("plant", "test") is None and source.step("plant") is None
    told = capsys.readouterr()
    assert "'time (s)' (numbers that order the rows; no dates)" in told.out and "1 lay before the row above" in told.err


@pytest.mark.parametrize("hours", [[0, 1, 2, 3] * 3, [5, 1, 7, 2, 8, 3, 9, 0]])
def test_numbers_named_time_that_do_not_grow_are_values(tmp_path: Path, hours: list[int]) -> None:
    source = table(tmp_path, lines("time,x", *(f"{hour},{k}" for k, hour in enumerate(hours))))
    assert source.columns("plant") == ["time", "x"] and whole(source)[:, 0].tolist() == hours


@pytest.mark.parametrize(
    ("train_until", "rows"),
    [("0.5", 5), ("0.25", 2), ("3", 3), ("2020-01-05", 4), ("5.1.2020 12:00", None), ("13/01/2020", None)],
)
def test_where_training_ends(tmp_path: Path, train_until: str, rows: int | None) -> None:
    text = lines("date,x", *(f"2020-01-{day:02d},{day}" for day in range(1, 11)))
    if rows is None:
        with pytest.raises(InputError, match="--train-until"):
            table(tmp_path, text, train_until=train_until)
    else:
        source = table(tmp_path, text, train_until=train_until)
        assert source.series("plant", "train")[:, 0].tolist() == list(range(1, rows + 1))
        assert source.series("plant", "test")[:, 0].tolist() == list(range(rows + 1, 11))


@pytest.mark.parametrize(
    "train_until", ["0", "1", "10", "11", "1.5", "-0.5", "nan", "soon", "2019-01-01", "2021-01-01", ""]
)
def test_training_that_ends_nowhere(tmp_path: Path, train_until: str) -> None:
    with pytest.raises(InputError, match="--train-until"):
        table(tmp_path, lines("date,x", *(f"2020-01-{day:02d},{day}" for day in range(1, 11))), train_until=train_until)


def test_a_time_to_end_training_is_in_the_zone_of_the_table(tmp_path: Path) -> None:
    text = lines("time,x", *(f"2020-01-01T{hour:02d}:00:00+02:00,{hour}" for hour in range(10)))
    assert table(tmp_path, text, train_until="2020-01-01 04:00").num_steps("plant", "train") == 4
    assert table(tmp_path, text, train_until="2020-01-01T04:00:00Z").num_steps("plant", "train") == 6
