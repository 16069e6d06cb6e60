"""Files of every kind and folders of them, and bytes that are none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_files import FOUND

from data.table import source as table_source
from data.table.source import TableSource
from runtime.errors import InputError

RAMP = np.arange(8.0)[::-1] + 2


def saved(folder: Path, array: np.ndarray, **chosen) -> TableSource:
    np.save(folder / "own.npy", array, allow_pickle=True)
    return TableSource(folder / "own.npy", replace(FOUND, **chosen))


def written(path: Path, columns: str = "x", rows: int = 8, value: float = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = ",".join([str(value)] * len(columns.split(",")))
    path.write_text("\n".join([columns, *([cells] * rows)]) + "\n")
    return path


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "u4", "?"])
def test_arrays_of_numbers(tmp_path: Path, kind: str) -> None:
    for array in (RAMP.astype(kind), np.stack([RAMP, -RAMP, RAMP], 1).astype(kind)):
        source = saved(tmp_path, array)
        assert source.channels == ["own"] and source.columns("own") == [f"column {k}" for k in range(array.size // 8)]
        np.testing.assert_array_equal(source.series("own", "test"), array[4:].reshape(4, -1).astype(float))
        assert source.times("own", "test") is None


def test_arrays_with_times(tmp_path: Path) -> None:
    hours = 1584099000 + 3600 * RAMP[::-1] - 7200
    source = saved(tmp_path, np.stack([hours, RAMP], 1))
    assert source.times("own", "train")[0] == pd.Timestamp("2020-03-13 11:30Z") and source.columns("own") == [
        "column 1"
    ]
    fields = np.array(
        [(np.datetime64("2020-01-01") + k, k, "on") for k in range(8)], [("day", "M8[D]"), ("x", "f4"), ("state", "U2")]
    )
    source = saved(tmp_path, fields)
    assert source.times("own", "test")[0] == pd.Timestamp("2020-01-05") and source.columns("own") == ["x"]


def test_arrays_of_text_are_tables_without_a_header(tmp_path: Path) -> None:
    rows = np.array([[f"2024-01-01 00:{k:02d}:00", str(k / 2)] for k in range(8)])
    for array in (rows, rows.astype("S")):
        source = saved(tmp_path, array)
        assert source.series("own", "train")[:, 0].tolist() == [0, 0.5, 1, 1.5]
        assert source.times("own", "test")[0] == pd.Timestamp("2024-01-01 00:04")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RAMP[None], r"one step of 8 columns.*save the array transposed \(array.T\)"),
        (RAMP.reshape(2, 2, 2), r"shape \(2, 2, 2\), expected numbers of shape \(T, D\)"),
        (np.float64(3), "expected numbers"),
        (np.zeros((0, 3)), "is empty"),
        (np.zeros(1), "has 1 rows"),
        (RAMP.astype(complex), "complex128"),
        (
            RAMP.astype(object),
            r"Python objects, which are never loaded: save numbers with numpy.save\(path, array.astype",
        ),
        (RAMP.astype("M8[s]"), "datetime64"),
        (np.array([["a", "b"]] * 4), "no column holds numbers"),
        (np.array([b"\xff\xff"] * 4).reshape(2, 2), "no UTF-8 text"),
        (np.zeros(3, [("x", "f8", 2)]), "expected numbers"),
        (np.zeros((3, 20_001), "?"), "20001 columns.*transpose"),
    ],
)
def test_arrays_that_are_no_series(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        saved(tmp_path, array)
    assert str(error.value).startswith(f"{tmp_path}/own.npy") and "Fetch" not in str(error.value)


def test_every_array_of_an_archive_is_a_channel(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", b=RAMP, a=np.stack([RAMP, RAMP], 1), objects=RAMP.astype(object))
    source = TableSource(tmp_path / "own.npz", FOUND)
    assert source.channels == ["b", "a", "objects"] and source.columns("a") == ["column 0", "column 1"]
    assert source.place("a", "test") == f"{tmp_path}/own.npz [a test]"
    with pytest.raises(InputError, match="Python objects, which are never loaded"):
        source.series("objects", "test")
    written(tmp_path / "plant.csv")
    assert TableSource(tmp_path, FOUND).channels == ["own b", "own a", "own objects", "plant"]
    np.savez(tmp_path / "none.npz")
    with pytest.raises(InputError, match="holds no array"):
        TableSource(tmp_path / "none.npz", FOUND)


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    index = pd.date_range("2020-01-01", periods=8, freq="min", tz="Europe/Berlin", name="when")
    frame = pd.DataFrame(
        {"x": RAMP, "n": pd.array([1, None] * 4, dtype="Int64"), "c": pd.Categorical(["on"] * 8)}, index
    )
    frame["on"] = True
    frame["list"] = [[1, 2]] * 8
    frame.to_parquet(tmp_path / "own.parquet")
    source = TableSource(tmp_path / "own.parquet", FOUND)
    assert source.columns("own") == ["x", "n", "on"] and list(source.times("own", "train")) == list(index[:4])
    np.testing.assert_array_equal(source.series("own", "test"), [[5, 1, 1], [4, np.nan, 1], [3, 1, 1], [2, np.nan, 1]])
    (tmp_path / "own.parquet").write_bytes((tmp_path / "own.parquet").read_bytes()[:-50])
    with pytest.raises(InputError, match="own.parquet: cannot be read"):
        TableSource(tmp_path / "own.parquet", FOUND)


def test_parquet_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "own.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="need the extra parquet: uv sync --extra parquet"):
        TableSource(tmp_path / "own.parquet", FOUND)


def test_a_folder_of_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("b", "a"):
        written(tmp_path / f"{name}.csv", "x,y")
    written(tmp_path / "c.csv", "x,y,state").write_text("x;y\n" + "1;2\n" * 6)
    for name in (".hidden.csv", "._a.csv", "notes.docx", "picture.png"):
        (tmp_path / name).write_bytes(b"\xff")
    (tmp_path / "more").mkdir()
    source = TableSource(tmp_path, FOUND)
    assert source.name == tmp_path.name and source.channels == ["a", "b", "c"] and source.untrained == []
    for channel in source.channels:
        source.series(channel, "train")
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"{tmp_path / 'a.csv'}:",
        "  2 columns of values",
        f"{tmp_path / 'c.csv'}:",
        "  columns separated by ';'",
    ]
    assert told.err == f"warning: {tmp_path}: left out what is no table: notes.docx, picture.png.\n"


def test_one_name_for_two_files(tmp_path: Path) -> None:
    for name in ("a.csv", "a.txt"):
        written(tmp_path / name)
    with pytest.raises(InputError, match="a.txt and a.csv are both channel a"):
        TableSource(tmp_path, FOUND)


def test_a_folder_with_both_splits(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("train/a", "train/c", "train/z", "test/a", "test/b", "test/c"):
        written(tmp_path / f"{name}.csv", "x,y", value=len(name) + (name[:2] == "te"))
    written(tmp_path / "test" / "c.csv", "y,x,new", value=5)
    written(tmp_path / "beside.csv")
    source = TableSource(tmp_path, FOUND)
    assert source.channels == ["a", "b", "c"] and source.untrained == ["b"]
    assert source.num_steps("a", "train") == source.num_steps("a", "test") == 8
    assert source.series("b", "train").shape == (0, 2) and source.num_steps("b", "test") == 8
    assert source.columns("c") == ["x", "y"] and source.series("c", "test").shape == (8, 2)
    assert source.place("a", "train") == f"{tmp_path}/train/a.csv" and source.place("b", "test").endswith("test/b.csv")
    told = capsys.readouterr().err
    assert "left out channels without a file in test/: z (1)" in told and "train/ and test/: beside.csv" in told
    written(tmp_path / "test" / "a.csv", "x,z")
    with pytest.raises(InputError, match="test/a.csv: the test part has no column 'y', the training part has"):
        TableSource(tmp_path, FOUND)
    assert TableSource(tmp_path, FOUND, {}).untrained == ["a", "b", "c"]


def test_folders_without_series(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no table. Accepted"):
        TableSource(tmp_path, FOUND)
    written(tmp_path / "train" / "a.csv")
    written(tmp_path / "test" / "b.csv")
    with pytest.raises(InputError, match="no file has the same name in train/ and in test/"):
        TableSource(tmp_path, FOUND)


def test_little_is_kept_and_facts_are_never_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        written(tmp_path / f"{number}.csv", rows=4 + number)
    read = []
    monkeypatch.setattr(table_source, "CACHE", 200)
    original = table_source.read_sheet
    monkeypatch.setattr(table_source, "read_sheet", lambda path, *rest: read.append(path.stem) or original(path, *rest))
    source = TableSource(tmp_path, FOUND)
    assert read == ["0"], "the first file is read at once: errors come early"
    assert [source.num_steps(channel, "test") for channel in source.channels] == [2, 3, 3, 4, 4]
    assert len(read) == 5
    for channel in source.channels:
        assert source.columns(channel) == ["x"] and source.step(channel) is None and source.label_rows(channel) is None
    assert len(read) == 5
    source.series("4", "train"), source.series("4", "test")
    assert len(read) == 5
    source.series("0", "train")
    assert read[5:] == ["0"]


PIECES = [
    "time",
    "a",
    "b",
    "label",
    "1",
    "2.5",
    "-3",
    "1,5",
    "",
    "NA",
    "x",
    "ü",
    '"',
    '""',
    "'",
    "\\",
    "inf",
    "1e999",
    "é\n",
]
PIECES += [
    "2020-01-01",
    "2020-01-02 10:00",
    "01/02/2020",
    "13/01/2020 1:00 PM",
    "12:00",
    "1583748873",
    "20200309",
    "99999999999",
]
PIECES += [
    "2020-01-01T00:00:00+01:00",
    "9999-12-31",
    "0001-01-01",
    "31.12.1900",
    "9" * 30,
    "true",
    "False",
    "Normal",
    "=1+1",
    "٣",
]
cells = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), min_size=1, max_size=4)
tables = st.builds(
    lambda rows, delimiter, end: end.join(delimiter.join(row) for row in rows),
    st.lists(cells, max_size=8),
    st.sampled_from([",", ";", "\t", " ", "|"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
even = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.sampled_from(PIECES), min_size=width, max_size=width), min_size=3, max_size=9)
)
chosen = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": st.sampled_from([",", "tab", "x", "", '"', "ä"]),
        "encoding": st.sampled_from(["cp1252", "utf-16", "utf-7", "hex", "idna", "", "a\0"]),
        "decimal": st.sampled_from([",", ".", "x"]),
        "time_column": st.sampled_from(["none", "time", "a"]),
        "time_format": st.sampled_from(["day-first", "month-first", "s", "ns", "%Y", "%", "%z", "%d/%m/%Y", "x"]),
        "label_column": st.sampled_from(["none", "label", "a"]),
        "series_column": st.sampled_from(["none", "a", "b"]),
        "missing": st.lists(st.sampled_from(["x", "1", "inf", ""]), max_size=2).map(tuple),
        "columns": st.lists(st.sampled_from(["a", "b", "time"]), min_size=1, max_size=2).map(tuple),
        "train_until": st.sampled_from(
            ["2", "0.9", "2020-01-02", "13/01/2020", "9999-12-31", "0001-01-01", "1e9", "x"]
        ),
    },
)


def survives(path: Path, content: bytes, settings_chosen: dict) -> None:
    """Reads it whole, or says in one line of this file or these settings what is wrong."""
    path.write_bytes(content)
    try:
        source = TableSource(path, replace(FOUND, **settings_chosen))
        for channel in source.channels:
            for split in ("train", "test"):
                series = source.series(channel, split)
                assert series.shape == (source.num_steps(channel, split), len(source.columns(channel)))
                times = source.times(channel, split)
                assert times is None or (len(times) == len(series) and times.is_monotonic_increasing)
            for row in source.label_rows(channel) or ():
                assert all(0 <= start <= end < source.num_steps(channel, "test") for start, end in row.intervals)
    except InputError as error:
        assert path.name in str(error) or "--" in str(error)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(deadline=None, database=None, max_examples=150)
@given(st.binary(max_size=80), st.sampled_from(["a.csv", "a.tsv", "a.txt.gz", "a.npy", "a.npz"]))
def test_any_bytes(place: Path, content: bytes, name: str) -> None:
    survives(place / name, content, {})


@settings(deadline=None, database=None, max_examples=150)
@given(tables, st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-16-be", "latin-1"]), chosen)
def test_any_text(place: Path, text: str, encoding: str, settings_chosen: dict) -> None:
    survives(place / "b.csv", text.encode(encoding, "ignore"), settings_chosen)


@settings(deadline=None, database=None, max_examples=250)
@given(st.sampled_from(["time;a;b", "a;label", "time;a", "date;time;b;a", ""]), even, chosen)
def test_any_table(place: Path, header: str, rows: list[list[str]], settings_chosen: dict) -> None:
    widths = {len(header.split(";"))}
    rows = [row[: max(widths)] + ["1"] * (max(widths) - len(row)) for row in rows] if header else rows
    survives(place / "c.csv", "\n".join([header, *map(";".join, rows)]).encode(), settings_chosen)


@settings(deadline=None, database=None, max_examples=100)
@given(st.integers(0, 250), st.binary(min_size=1, max_size=4), st.booleans())
def test_any_damage_to_arrays(place: Path, at: int, damage: bytes, archive: bool) -> None:
    path = place / ("d.npz" if archive else "d.npy")
    np.savez(path, a=RAMP, b=RAMP) if archive else np.save(path, RAMP)
    content = path.read_bytes()
    survives(path, content[:at] + damage + content[at + len(damage) :], {})
