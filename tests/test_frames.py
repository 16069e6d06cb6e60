"""DataFrames and arrays in memory give the same series as files do."""

import numpy as np
import pandas as pd
import pytest

from data.frames import FrameSource
from runtime.errors import InputError

INDEX = pd.date_range("2020-01-01", periods=6, freq="min", tz="Europe/Berlin")
FRAME = pd.DataFrame({"x": [1, 2, 3, 4, 5, 6], "y": [0.5] * 6, "state": ["on"] * 6}, INDEX)


def test_a_frame_with_an_index_of_times(capsys: pytest.CaptureFixture) -> None:
    source = FrameSource(FRAME.drop(index=INDEX[2:4]), "plant", train=True)
    assert source.channels == ["plant"] and source.untrained == source.unlabelled() == []
    assert source.columns("plant") == ["x", "y"] and source.step("plant") == pd.Timedelta(1, "min")
    np.testing.assert_array_equal(source.series("plant", "train")[:, 0], [1, 2, np.nan, np.nan, 5, 6])
    assert list(source.times("plant", "train")) == list(INDEX) and source.num_steps("plant", "test") == 0
    assert capsys.readouterr().err == "warning: plant: columns left out: 'state' (text).\n"
    assert source.place("plant", "train") == "plant"


@pytest.mark.parametrize("written", [False, True])
def test_a_column_of_times(written: bool) -> None:
    frame = FRAME.reset_index(names="when").drop(columns="state")
    frame["when"] = frame["when"].astype(str) if written else frame["when"]
    source = FrameSource(frame, "plant", train=True)
    assert source.columns("plant") == ["x", "y"] and (source.times("plant", "train") == INDEX).all()


def test_labels_of_either_part() -> None:
    frame = FRAME[["x"]].assign(anomaly=[0, 1, 1, 0, 0, 0])
    assert FrameSource(frame, "p", train=False).label_rows("p")[0].intervals == ((1, 2),)
    assert np.isnan(FrameSource(frame, "p", train=True).series("p", "train")[1:3]).all()
    assert FrameSource(FRAME[["x"]], "p", train=False).label_rows("p") is None


def test_arrays_and_several_channels() -> None:
    ramp = np.array([3.0, 1, 2, np.nan, 5])
    source = FrameSource(
        {"a": ramp, 7: np.stack([ramp, -ramp], 1), "f": FRAME[["x"]], "s": FRAME["y"]}, "fleet", train=False
    )
    assert source.channels == source.untrained == ["a", "7", "f", "s"]
    assert source.columns("7") == ["column 0", "column 1"] and source.columns("s") == ["y"]
    np.testing.assert_array_equal(source.series("a", "test"), ramp[:, None])
    assert source.times("a", "test") is None and source.step("a") is None and source.num_steps("7", "train") == 0
    assert source.place("a", "test") == "fleet: a"
    with pytest.raises(InputError, match="unknown channel of fleet 'b'"):
        source.series("b", "test")


def test_gaps_are_measured_by_known_steps_and_empty_columns_stay() -> None:
    frame = FRAME[["x"]].assign(y=np.nan).iloc[::2]
    source = FrameSource(frame, "plant", train=False, steps={"plant": pd.Timedelta(1, "min")})
    assert source.num_steps("plant", "test") == 5 and source.columns("plant") == ["x", "y"]
    assert FrameSource(frame, "plant", train=False).num_steps("plant", "test") == 3


def test_what_is_given_stays_as_it_was() -> None:
    array = np.array([[1.0, 2], [3, 4], [5, 6]])
    FrameSource(array, "a", train=True).series("a", "train")[:] = 0
    frame = FRAME.copy()
    FrameSource(frame, "a", train=True)
    assert array.tolist() == [[1, 2], [3, 4], [5, 6]] and frame.equals(FRAME)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 2, 3], "plant is a list, expected a DataFrame, an array"),
        (None, "plant is a NoneType"),
        ({"a": "text"}, "plant: channel a is a str"),
        ({}, "plant: holds no channel"),
        (np.zeros((1, 9)), "one step of 9 columns"),
        (np.array([{}, 1, 2]), "Python objects"),
        (np.zeros(3, complex), "complex128"),
        (FRAME[["state"]], "no column holds numbers"),
        (FRAME.iloc[:1], "has 1 rows"),
        (FRAME.iloc[:0], "has 0 rows"),
        (pd.concat([FRAME, FRAME], axis=1), "both named 'x'"),
        (pd.DataFrame({"x": [[1], {}, (2,)]}), "no column holds numbers"),
        (pd.DataFrame(), "has 0 rows"),
    ],
)
def test_what_is_no_series(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FrameSource(data, "plant", train=True)
