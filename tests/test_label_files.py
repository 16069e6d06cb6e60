"""The label file of published telemetry as spreadsheets save it again."""

from pathlib import Path

import numpy as np
import pytest

from data.telemanom import TelemanomSource
from runtime.errors import InputError

COMMA = 'chan_id,spacecraft,anomaly_sequences\n{},SMAP,"[[10, 20]]"\n'
SEMICOLON = "chan_id;spacecraft;anomaly_sequences\n{};SMAP;[[10, 20]]\n"


def opened(folder: Path, text: str, encoding: str, channel: str = "own") -> TelemanomSource:
    for split in ("train", "test"):
        (folder / split).mkdir()
        np.save(folder / split / f"{channel}.npy", np.zeros((50, 1)))
    (folder / "labeled_anomalies.csv").write_bytes(text.format(channel).encode(encoding))
    return TelemanomSource(folder, "SMAP")


@pytest.mark.parametrize(
    "text", [COMMA, SEMICOLON, SEMICOLON.replace(";", "\t"), COMMA.replace("\n", "\r\n"), "\n" + COMMA]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("channel", ["own", "Kühler 1 温度"])
def test_what_spreadsheets_write(tmp_path: Path, text: str, encoding: str, channel: str) -> None:
    source = opened(tmp_path, text, encoding, channel)
    assert source.channels == [channel] and source.series(channel, "test").shape == (50, 1)
    assert [row.intervals for row in source.label_rows(channel)] == [((10, 20),)]


@pytest.mark.parametrize(("encoding", "channel", "byte"), [("cp1252", "Kühler 1", "fc"), ("gbk", "温度", "ce")])
def test_other_encodings_are_one_clear_error(tmp_path: Path, encoding: str, channel: str, byte: str) -> None:
    with pytest.raises(
        InputError, match=rf"labeled_anomalies.csv: is not UTF-8.*0x{byte} in line 2\). Save it as UTF-8"
    ) as error:
        opened(tmp_path, COMMA, encoding, channel)
    assert "--encoding" not in str(error.value), "no setting of this data set"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("chan_id,spacecraft,anomaly_sequences\nown,SMAP\n", "line 2: has 2 cells"),
        ('chan_id,spacecraft,anomaly_sequences\n\nown,SMAP,"[[1]]"\n', "line 3, channel own: anomaly_sequences is"),
        ("channel,from,to\n", "has no column anomaly_sequences, chan_id, spacecraft. Name its columns so"),
        ('chan_id,spacecraft,anomaly_sequences\nown,SMAP,"[]\n\n', "never closed"),
    ],
)
def test_mistakes_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        opened(tmp_path, text, "utf-8")
    assert "Fetch" not in str(error.value)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    source = opened(tmp_path, COMMA, "utf-8")
    np.save(tmp_path / "test" / "own.npy", np.array([["2024-01-01", 0.5]] * 3, dtype=object), allow_pickle=True)
    with pytest.raises(
        InputError, match=r"holds Python objects, which are never loaded: save numbers with numpy.save\(path"
    ):
        source.series("own", "test")
