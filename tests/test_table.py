"""Tables of every form as series: what is found out, what is told, and what is measured when."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_files import FOUND, lines, stamps, table, whole

from data.table.source import TableSource
from runtime.errors import InputError

ROWS = [f"2020-03-09 10:14:{second:02d};{second / 10};{second % 3}" for second in range(33, 45)]


def test_sensors_with_labels_and_change_points(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [f"{row};{float(k in (2, 8, 9))};{float(k == 8)}" for k, row in enumerate(ROWS)]
    source = table(tmp_path, lines("datetime;Current;Volume Flow RateRMS;anomaly;changepoint", *rows))
    assert source.name == "plant" and source.channels == ["plant"] and source.untrained == source.unlabelled() == []
    assert source.columns("plant") == ["Current", "Volume Flow RateRMS"]
    expected = np.array([[second / 10, second % 3] for second in range(33, 45)])
    expected[2] = np.nan  # labelled, in the training part
    np.testing.assert_allclose(whole(source), expected)
    assert stamps(source) == list(pd.date_range("2020-03-09 10:14:33", periods=12, freq="s"))
    assert [row.intervals for row in source.label_rows("plant")] == [((2, 3),)]
    assert source.step("plant") == pd.Timedelta(1, "s")
    assert source.place("plant", "train") == f"{tmp_path}/plant.csv [train]"
    told = capsys.readouterr()
    path = tmp_path / "plant.csv"
    assert told.out.splitlines() == [
        f"{path}: 1 rows of the training part are labelled anomalous and are not learnt from.",
        f"{path}:",
        "  columns separated by ';'",
        "  times in 'datetime' (dates)",
        "  labels in 'anomaly'",
        "  'changepoint' left out (where labels change)",
        "  2 columns of values",
        "  a step is 1 s",
    ]
    assert told.err == ""


def test_seconds_since_1970_at_irregular_times(tmp_path: Path) -> None:
    seconds = [1577837600, 1577837660, 1577837725, 1577837780, 1577838080, 1577838140]
    source = table(tmp_path, lines("timestamp,value", *(f"{x},{x % 7}" for x in seconds)), train_until="4")
    assert source.step("plant") == pd.Timedelta(60, "s") and str(source.times("plant", "test").tz) == "UTC"
    series = whole(source)[:, 0]
    assert series[[0, 1, 2, 3, 4]].tolist() == [x % 7 for x in seconds[:5]]
    assert len(series) == 6 and source.num_steps("plant", "train") == 4
    later = table(tmp_path, lines("timestamp,value", *(f"{x},{x % 7}" for x in seconds)), train_until="3")
    assert np.isnan(later.series("plant", "test")[:, 0]).tolist() == [False, True, True, True, True, False, False]


def test_columns_are_named_by_settings(tmp_path: Path) -> None:
    text = lines("when,b,a,bad", *(f"2020-01-0{k},{k},{10 * k},{int(k == 4)}" for k in range(1, 7)))
    source = table(tmp_path, text, time_column="when", label_column="bad", columns=("a", "b"))
    assert source.columns("plant") == ["a", "b"] and whole(source)[3].tolist() == [40, 4]
    assert source.label_rows("plant")[0].intervals == ((0, 0),)
    counted = table(tmp_path, text, time_column="none", label_column="none")
    assert counted.times("plant", "test") is None and counted.label_rows("plant") is None
    for chosen in ({"columns": ("aa",)}, {"time_column": "whem"}, {"label_column": "bda"}, {"series_column": "wehn"}):
        with pytest.raises(InputError, match="unknown column of .*plant.csv.* Did you mean"):
            table(tmp_path, text, **chosen)


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8-sig", ""),
        ("utf-16", "encoding utf-16-le"),
        ("utf-16-be", "encoding utf-16-be"),
        ("utf-32", "encoding utf-32"),
    ],
)
def test_encodings_that_mark_themselves(
    tmp_path: Path, encoding: str, told: str, capsys: pytest.CaptureFixture
) -> None:
    source = table(tmp_path, lines("Kühler 温度,b", *(f"{k},{k * k}" for k in range(60))), written_in=encoding)
    assert source.columns("plant") == ["Kühler 温度", "b"] and whole(source)[-1].tolist() == [59, 3481]
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["cp1252", "gbk"])
def test_other_encodings_are_named_by_a_setting(tmp_path: Path, encoding: str) -> None:
    name = {"cp1252": "Kühler", "gbk": "温度"}[encoding]
    text = lines(f"a,{name}", "1,2", "3,4", "5,6", "7,8").encode(encoding)
    with pytest.raises(
        InputError, match=r"is not UTF-8, nor marked as UTF-16 \(byte 0x.. in line 1\).*--encoding cp1252"
    ):
        table(tmp_path, text)
    assert table(tmp_path, text, encoding=encoding).columns("plant") == ["a", name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a,b\n1,2\n3,\0\n", "line 3: holds a NUL"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,b\n", "has 0 rows"),
        (b"a,b\n1,2\n", "has 1 rows"),
        (b"a,b\n1,2\n3\n4,5\n", r"line 3: has 1 cells separated by ',', line 1 has 2"),
        (b"a,b\n1,2\n\n3,4,5\n4,5\n", r"line 4: has 3 cells"),
        (b"Plant 7\na,b\n1,2\n4,5\n6,7\n", r"line 2: has 2 cells.*Correct or remove the first line"),
        (b'a,b\n1,"2\n3,4\n5,6\n', "line 2: a quote is opened there and never closed"),
        (b"a,a\n1,2\n3,4\n", "the columns 1 and 2 are both named 'a'"),
        (b"a,b\nx,y\nz,u\nv,w\n", "no column holds numbers"),
        (b"time,b\nx,1\n", "has 1 rows"),
    ],
)
def test_texts_that_are_no_table(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        table(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path}/plant.csv")


def test_wide_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 20001 columns, more than 20000.*transpose"):
        table(tmp_path, lines(*[",".join(f"c{k}" for k in range(20_001))] * 3))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "  "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    rows = [delimiter.join(cells) for cells in [("a", "b"), *((str(k), f"{k}.5") for k in range(4))]]
    source = table(tmp_path, end.join(["", *rows, ""]))
    assert source.columns("plant") == ["a", "b"] and whole(source)[3].tolist() == [3, 3.5]


def test_spreadsheets_say_what_separates(tmp_path: Path) -> None:
    text = lines("sep=;", '"x; y";"two\nlines"', *(f'"{k},5";{k}' for k in range(4)))
    source = table(tmp_path, text)
    assert source.columns("plant") == ["x; y", "two lines"] and whole(source)[2].tolist() == [2.5, 2]
    with pytest.raises(InputError, match="line 8: 'Bad' in column 'x; y'"):
        table(tmp_path, text + "Bad;4\n9,5;5\n")


def test_units_below_the_header_are_skipped(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [f"2020-01-01 10:{k:02d};{k};1" for k in range(4)]
    source = table(tmp_path, lines("time; T [K] ;I", ";°C;A", *rows))
    assert source.columns("plant") == ["T [K]", "I"] and whole(source)[:, 0].tolist() == [0, 1, 2, 3]
    assert "line 2 is one of units and is skipped" in capsys.readouterr().out


def test_names_that_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert table(tmp_path, lines("1.5,2", "3,4", "5,6", "7,8")).columns("plant") == ["column 0", "column 1"]
    assert "no header, columns named 'column 0' and so on" in capsys.readouterr().out
    unnamed = table(tmp_path, lines(",0,", *(f"{k},{k * k},{-k}" for k in range(4))))
    assert unnamed.columns("plant") == ["0", "column 2"], "the first column only counts the rows"


def test_words_for_nothing_and_columns_of_text(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["", "NA", "n/a", "NaN", "null", "None", "-", "--", "#N/A", "bad", "7"]
    rows = [f"{k},{word},on,{str(k > 3).upper()},,{'' if k < 6 else 1}" for k, word in enumerate(words)]
    source = table(tmp_path, lines("a,b,state,c,d,e", *rows, "11,8,off,TRUE,,1"), missing=("Bad",), train_until="0.5")
    assert source.columns("plant") == ["a", "c"], "b, d and e are empty in the training part"
    assert whole(source)[:, 1].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.endswith(
        "columns left out: 'state' (text), 'b' (no value in the training part), 'd' (no value in the training part), "
        "'e' (no value in the training part)."
    )
    with pytest.raises(InputError, match="'on' in column 'state' is no number"):
        table(tmp_path, lines("a,state", *(f"{k},on" for k in range(4))), columns=("a", "state"))


def test_cells_that_are_no_numbers_among_numbers(tmp_path: Path) -> None:
    text = lines("a,b", "1,1", "2,Bad", "3,3", "4,Bad", "5,5", "6,6")
    with pytest.raises(
        InputError, match=r"plant.csv, line 3: 'Bad' in column 'b' is no number \(1 more\).*--missing 'Bad'"
    ):
        table(tmp_path, text)
    assert table(tmp_path, text, columns=("a",)).columns("plant") == ["a"]
    assert np.isnan(table(tmp_path, text, missing=("Bad",)).series("plant", "train")[1, 1])
    for grouped in ("1,234.5", "1 234"):
        with pytest.raises(InputError, match=f"'{grouped}' in column 'b' .*digits are not grouped"):
            table(tmp_path, lines("a,b", *(f'{k},"{grouped}"' for k in range(4))))


def test_numbers_that_say_that_nothing_was_measured(tmp_path: Path) -> None:
    source = table(tmp_path, lines("a,b", "1,-999", "2,2", "3,3", "-999.0,4"), missing=("-999",))
    assert np.isnan(whole(source)).tolist() == [[False, True], [False, False], [False, False], [True, False]]


def test_decimal_commas(tmp_path: Path) -> None:
    for separated in (";", "\t"):
        rows = [f"{k},5{separated}{k}" for k in range(6)]
        assert whole(table(tmp_path, lines(f"a{separated}b", *rows)))[1].tolist() == [1.5, 1]
    assert whole(table(tmp_path, lines("a,b", *(f'"{k},5",{k}' for k in range(6)))))[1].tolist() == [1.5, 1]
    assert whole(table(tmp_path, lines("a;b", *(f"{k},125;1" for k in range(6)))))[1].tolist() == [1.125, 1]
    assert whole(table(tmp_path, lines("a,b", *(f'"{k},125",1' for k in range(1, 6))), decimal=","))[0, 0] == 1.125


@pytest.mark.parametrize("tail", ["5,", "5", '5,"6', '5,"6\n', "5,\u00fc".encode()[:-1].decode("latin-1")])
def test_a_last_line_that_is_still_being_written(tmp_path: Path, tail: str, capsys: pytest.CaptureFixture) -> None:
    text = lines("a,b,c", "1,2,3", "3,4,3", "4,5,3", "4,6,3") + tail
    source = table(tmp_path, text.encode("latin-1"))
    assert len(whole(source)) == 4
    assert "the last line (6) is not complete and is left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("normal", "anomalous"),
    [("0", "1"), ("0.0", "1.0"), ("False", "TRUE"), ("no", "Yes"), ("Normal", "A ttack"), ("Normal", "Fault")],
)
@pytest.mark.parametrize("name", ["Normal/Attack", "is_anomaly", "LABEL", "Attack Label"])
def test_labels_of_every_form(tmp_path: Path, name: str, normal: str, anomalous: str) -> None:
    rows = [f"{k},{anomalous if k in (1, 4, 5) else normal}" for k in range(8)]
    source = table(tmp_path, lines(f"x,{name}", *rows))
    assert source.columns("plant") == ["x"] and source.label_rows("plant")[0].intervals == ((0, 1),)
    assert np.isnan(whole(source)[:, 0]).tolist() == [False, True] + [False] * 6


def test_labels_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(InputError, match=r"line 3: '-1' in the label column 'label'. Write 0 for normal and 1"):
        table(tmp_path, lines("x,label", "1,1", "2,-1", "3,1", "4,1"))
    assert table(tmp_path, lines("x,label", *["1,"] * 4)).label_rows("plant") is None
    trained = table(tmp_path, lines("x,label", "1,0", "2,1", "3,0", *["1,"] * 4))
    assert trained.label_rows("plant") is None and np.isnan(trained.series("plant", "train")[1, 0])
    partly = table(tmp_path, lines("x,label", *["1,"] * 5, "2,1", "3,"))
    assert partly.label_rows("plant")[0].intervals == ((2, 2),)
    assert "3 rows without a label count as normal" in capsys.readouterr().out
    assert table(tmp_path, lines("x,target", "1,3.5", "2,4", "3,5", "4,6")).columns("plant") == ["x", "target"]


LONG = [
    (minute, name, 10 * minute + k)
    for minute in range(6)
    for k, name in enumerate(("in", "out"))
    if (minute, k) != (2, 1)
]


@pytest.mark.parametrize("header", ["time,metric,value", "time,what,v", "when,sensor,reading"])
def test_long_form_becomes_wide(tmp_path: Path, header: str, capsys: pytest.CaptureFixture) -> None:
    source = table(tmp_path, lines(header, *(f"2020-01-01 10:0{m},{name},{value}" for m, name, value in LONG)))
    assert source.columns("plant") == ["in", "out"]
    np.testing.assert_array_equal(whole(source), [[0, 1], [10, 11], [20, np.nan], [30, 31], [40, 41], [50, 51]])
    assert "long form, series named in" in capsys.readouterr().out


def test_long_form_with_numbers_labels_and_repetitions(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [f"{m},{ {'in': 7, 'out': 9}[name] },{value},{int(m == 4 and name == 'out')}" for m, name, value in LONG]
    source = table(
        tmp_path, lines("time,id,value,anomaly", *reversed(rows), rows[0].replace(",0,", ",99,")), columns=("9", "7")
    )
    assert source.columns("plant") == ["9", "7"] and whole(source)[-1].tolist() == [51, 50]
    assert whole(source)[0, 1] == 0, "of two rows of one series at one time the first counts"
    assert source.label_rows("plant")[0].intervals == ((1, 1),)
    assert "1 with a time and series of an earlier row were left out" in capsys.readouterr().err
    with pytest.raises(InputError, match="--series-column 'id' needs a column of times"):
        table(tmp_path, lines("id,x", "1,2", "1,3", "1,4"), series_column="id")


def test_gaps_are_steps_and_labels_know_it(tmp_path: Path) -> None:
    minutes = [0, 1, 2, 3, 4, 5, 9, 10, 12]
    rows = [f"2020-01-01 10:{minute:02d},{k},{int(k in (5, 6))}" for k, minute in enumerate(minutes)]
    source = table(tmp_path, lines("time,x,label", *rows), train_until="4")
    assert source.num_steps("plant", "test") == 9 and source.label_rows("plant")[0].intervals == ((1, 5),)
    values = source.series("plant", "test")[:, 0]
    np.testing.assert_array_equal(values, [4, 5, np.nan, np.nan, np.nan, 6, 7, np.nan, 8])


def test_known_steps_score_whole_files(tmp_path: Path) -> None:
    text = lines("time,x,y", *(f"2020-01-01 10:{minute:02d},{minute}," for minute in (0, 2, 4, 6)))
    (tmp_path / "plant.csv").write_text(text)
    source = TableSource(tmp_path / "plant.csv", FOUND, {"plant": pd.Timedelta(1, "min")})
    assert source.untrained == ["plant"] and source.num_steps("plant", "train") == 0
    assert source.series("plant", "train").shape == (0, 2) and source.columns("plant") == ["x", "y"]
    assert source.num_steps("plant", "test") == 7 and source.place("plant", "test") == str(tmp_path / "plant.csv")
    assert TableSource(tmp_path / "plant.csv", FOUND, {}).num_steps("plant", "test") == 4


def test_packed_files(tmp_path: Path) -> None:
    packed = gzip.compress(b"x\n1\n2\n3\n4\n")
    assert table(tmp_path, packed, "a.csv.gz").channels == ["a"]
    for broken in (packed[:-9], b"x\n1\n2\n", packed[:12] + b"\xff\xff" + packed[14:]):
        with pytest.raises(InputError, match="cannot be read"):
            table(tmp_path, broken, "a.csv.gz")


def test_unknown_channels_and_paths(tmp_path: Path) -> None:
    source = table(tmp_path, lines("x", *"1234"))
    with pytest.raises(InputError, match="unknown channel of .*'plan'. Did you mean 'plant'"):
        source.series("plan", "test")
    with pytest.raises(InputError, match="does not exist. Accepted: .csv"):
        TableSource(tmp_path / "nowhere.csv", FOUND)
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(InputError, match="cannot be read as a table. Accepted: .csv"):
        TableSource(tmp_path / "a.docx", FOUND)
