"""Label files of tables: steps and times, one row or many, and where they say what cannot be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from table_files import FOUND

from data.source import Labels
from data.table.source import TableSource
from runtime.errors import InputError

MINUTES = [*range(10), 12, 13, 17, 18, 19, 20]  # 16 rows, 8 of them for training


def plant(folder: Path, labels: str | bytes, name: str = "plant", times: bool = True, **chosen) -> TableSource:
    folder.mkdir(exist_ok=True)
    stamps = [f"2020-01-01 10:{minute:02d}," if times else "" for minute in MINUTES]
    rows = [f"{stamp}{minute % 5}" for stamp, minute in zip(stamps, MINUTES, strict=True)]
    (folder / f"{name}.csv").write_text("\n".join(["time,x" if times else "x", *rows]) + "\n")
    path = folder.parent / "marks.csv"
    path.write_bytes(labels.encode() if isinstance(labels, str) else labels)
    return TableSource(folder / f"{name}.csv", replace(FOUND, **{"label_file": str(path), **chosen}))


def anomalous(source: TableSource, channel: str = "plant") -> list[int]:
    return np.flatnonzero(Labels(source).steps(channel)).tolist()


FORMS = {
    "published": 'chan_id,anomaly_sequences\nplant,"[[0, 0], [2, 4]]"\n',
    "published, with more": 'chan_id,spacecraft,anomaly_sequences,class\nplant,X,"[[0, 0], [2, 4]]",[point]\n',
    "start and end": "channel;start;end\nplant;2;4\nplant;0;0\n",
    "without a channel": "Begin,Stop\n0,0\n2,4\n",
    "by file": "file\tfrom\tto\nplant.csv\t2.0\t4.0\nother.csv\t1\t1\nplant.csv\t0\t0\n",
    "times": "start,end\n2020-01-01 10:08:00,2020-01-01 10:08:30\n2020-01-01 10:10,2020-01-01 10:17\n",
    "times, published": "channel;anomaly_sequences\n"
    'plant;[["2020-01-01 10:08", "2020-01-01 10:08"], ["2020-01-01 10:12", "2020-01-01 10:17"]]\n',
    "times of another form": "start,end\n01.13.2020 10:00 AM,01.13.2020 11:00 AM\n",
}


@pytest.mark.parametrize("name", [name for name in FORMS if "another" not in name])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_forms_of_label_files(tmp_path: Path, name: str, encoding: str) -> None:
    source = plant(tmp_path / "data", FORMS[name].encode(encoding))
    # The rows 8, 10, 11 and 12 are the test steps 0, 4, 5 and 9; empty ones lie between them.
    assert anomalous(source) == [0, 4, 5, 6, 7, 8, 9]
    assert np.isnan(source.series("plant", "test")[:, 0]).nonzero()[0].tolist() == [2, 3, 6, 7, 8]


@pytest.mark.parametrize(
    ("time_format", "text"),
    [("%Y-%m-%d %H:%M", "2020-01-01 10:12"), ("s", "2020-01-01T10:12"), ("month-first", "01/01/2020 10:12")],
)
def test_times_of_label_files_need_not_be_written_like_the_tables(tmp_path: Path, time_format: str, text: str) -> None:
    if time_format == "s":
        rows = [f"{1577872800 + 60 * minute},{minute}" for minute in MINUTES]
        (tmp_path / "marks.csv").write_text(f"start,end\n{text},{text}\n")
        (tmp_path / "plant.csv").write_text("\n".join(["time,x", *rows]))
        chosen = replace(FOUND, time_format="s", label_file=str(tmp_path / "marks.csv"))
        source = TableSource(tmp_path / "plant.csv", chosen)
    else:
        source = plant(tmp_path / "data", f"start,end\n{text},{text}\n", time_format=time_format)
    assert anomalous(source) == [4]


def test_rows_without_an_interval_are_normal_and_no_row_is_unlabelled(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name in ("a", "b", "plant"):
        plant(folder, "channel,start,end\nplant,,\n", name, label_file="")
    source = TableSource(folder, replace(FOUND, label_file=str(tmp_path / "marks.csv")))
    assert anomalous(source) == [] and source.label_rows("plant") != [] and source.label_rows("a") is None
    (folder / "labeled_anomalies.csv").write_text('chan_id,anomaly_sequences\na,[]\nb,\nb,"[[1, 1]]"\n')
    found = TableSource(folder, FOUND)
    assert found.channels == ["a", "b", "plant"], "the label file is no channel"
    assert anomalous(found, "a") == [] and anomalous(found, "b") == [1] and found.label_rows("plant") is None


def test_times_in_the_training_part_are_not_learnt_from(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    intervals = ["start,end", "2020-01-01 10:02,2020-01-01 10:03", "2020-01-01 10:07,2020-01-01 10:08"]
    source = plant(tmp_path / "data", "\n".join(intervals))
    assert np.isnan(source.series("plant", "train")[:, 0]).nonzero()[0].tolist() == [2, 3, 7]
    assert anomalous(source) == [0]
    assert "3 rows of the training part are labelled anomalous" in capsys.readouterr().out


def test_a_label_file_counts_above_a_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,label\n" + "1,0\n2,1\n" * 4)
    (tmp_path / "marks.csv").write_text("start,end\n2,3\n")
    source = TableSource(tmp_path / "a.csv", replace(FOUND, label_file=str(tmp_path / "marks.csv")))
    assert anomalous(source, "a") == [2, 3]
    assert np.isnan(source.series("a", "train")[:, 0]).tolist() == [False, True, False, True]


def test_rows_of_files_that_are_out_of_order_and_doubled(tmp_path: Path) -> None:
    rows = ["time,x", *(f"2020-01-{day:02d},{day}" for day in (1, 2, 3, 4, 5, 5, 6, 8, 7))]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "marks.csv").write_text("start,end\n2,3\n")
    source = TableSource(tmp_path / "a.csv", replace(FOUND, label_file=str(tmp_path / "marks.csv")))
    assert source.series("a", "test")[:, 0].tolist() == [5, 6, 7, 8]
    assert anomalous(source, "a") == [1, 3], "the rows of the 6th and the 8th"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("start,end\n0,1\n3,9\n", r"line 3: the interval from 3 to 9 is not in the 8 rows of the test part of plant"),
        ("start,end\n-1,1\n", "line 2: the interval from -1 to 1 is not in"),
        ("start,end\n4,2\n", "line 2: the interval from 4 ends before it begins, at 2"),
        ("start,end\n4,\n", "line 2: has only one end of an interval"),
        ("start,end\n0,1\nsoon,later\n", "line 3: 'soon' is no step like '0'"),
        ("start,end\n1.5,2.5\n", "line 2: '1.5' is no time"),
        ("start,end\n2021-01-01,2021-01-02\n", "line 2: no row of plant lies between 2021-01-01"),
        ("start,end\n2020-01-01T10:00Z,2020-01-01T10:10Z\n", "line 2: .* has an offset from UTC, the times of"),
        (FORMS["times of another form"], "no row of plant lies between 2020-01-13 10:00"),
        ("start,end\n03/04/2020 10:00,03/04/2020 10:05\n", "may be day/month or month/day"),
        ("channel,anomaly_sequences\nplant,[[1 2]]\n", r"line 2: anomaly_sequences is '\[\[1 2\]\]', expected"),
        ("channel,anomaly_sequences\nplant,5\n", "line 2: anomaly_sequences is '5', expected a list like"),
        ("channel,anomaly_sequences\nplant,[7]\n", "line 2: anomaly_sequences"),
        ("channel,start,end\nplan,1,2\n", "unknown channel in .*'plan'. Did you mean 'plant'"),
        ("a,b\n1,2\n", "has the columns a, b, expected channel, start and end, or chan_id and anomaly_sequences"),
        ("channel,start,end\nplant,1\n", "line 2: has 2 cells"),
        ("", "is empty"),
        (b"channel,start,end\nK\xfchler,1,2\n", r"is not UTF-8.*0xfc in line 2"),
    ],
)
def test_mistakes_in_label_files_name_the_line(tmp_path: Path, labels: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        plant(tmp_path / "data", labels)
    assert "marks.csv" in str(error.value) and "\n" not in str(error.value)


def test_times_need_times_and_channels_their_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: has times, the series has none"):
        plant(tmp_path / "data", FORMS["times"], times=False)
    assert anomalous(plant(tmp_path / "data", "start,end\n1,2\n", times=False)) == [1, 2]
    plant(tmp_path / "data", "start,end\n1,2\n", "other", label_file="")
    with pytest.raises(InputError, match="has no column channel, and there are 2 channels"):
        TableSource(tmp_path / "data", replace(FOUND, label_file=str(tmp_path / "marks.csv")))
    with pytest.raises(InputError, match="nowhere.csv: missing"):
        TableSource(tmp_path / "data", replace(FOUND, label_file=str(tmp_path / "nowhere.csv")))
