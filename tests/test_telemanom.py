"""Reading telemetry folders: nestings, labels, and every way in which a file can be bad."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import plain, published_folder, write_telemanom

from data.source import Labels
from data.telemanom import TelemanomSource
from datasets import DATASETS, SMAPDataset
from evaluation import BASELINES
from runtime.errors import InputError
from settings.load import load_config


@pytest.mark.parametrize("nested", ["", "data", "data/data"])
def test_the_published_nestings(tmp_path: Path, nested: str) -> None:
    folder = write_telemanom(tmp_path / "made", {"P-1": (50, 80)})
    root = tmp_path / "root"
    (root / nested).mkdir(parents=True)
    (folder / "labeled_anomalies.csv").rename(root / "labeled_anomalies.csv")
    for split in ("train", "test"):
        (folder / split).rename(root / nested / split)
    source = TelemanomSource(root, "SMAP")
    assert source.channels == ["P-1"]
    assert source.series("P-1", "test").shape == (80, 4)
    assert source.place("P-1", "test") == str(root / nested / "test" / "P-1.npy")


def test_kaggles_folder_is_found_without_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_telemanom(tmp_path / "1" / "data" / "data", {"P-1": (50, 80)})
    (tmp_path / "1" / "data" / "data" / "labeled_anomalies.csv").rename(tmp_path / "1" / "labeled_anomalies.csv")
    monkeypatch.chdir(tmp_path)

    assert DATASETS["smap"].task(load_config()).source.series("P-1", "train").shape == (50, 4)


def labelled(tmp_path: Path, rows: str, steps: int = 20) -> TelemanomSource:
    folder = write_telemanom(tmp_path / "labelled", {"P-1": (10, steps), "P-2": (10, steps)})
    (folder / "labeled_anomalies.csv").write_text("chan_id,spacecraft,anomaly_sequences,class,num_values\n" + rows)
    return TelemanomSource(folder, "SMAP")


def test_labels_are_inclusive_and_the_later_row_wins(tmp_path: Path) -> None:
    source = labelled(
        tmp_path,
        'P-2,SMAP,"[[1, 2]]",[point],20\nP-1,SMAP,"[[15, 19], [3, 4]]",[point],20\n'
        'M-1,MSL,"[[0, 1]]",[point],20\nP-2,SMAP,"[[5, 5]]",[point],20\n',
    )
    assert source.channels == ["P-2", "P-1"]
    assert np.flatnonzero(Labels(source).steps("P-2")).tolist() == [5]
    assert np.flatnonzero(Labels(source).steps("P-1")).tolist() == [3, 4, 15, 16, 17, 18, 19]


def test_intervals_out_of_range_or_reversed_are_clipped_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    source = labelled(tmp_path, 'P-1,SMAP,"[[-3, 1], [18, 40], [9, 7], [5, 5]]",[point],20\n')
    assert np.flatnonzero(Labels(source).steps("P-1")).tolist() == [0, 1, 5, 18, 19]
    Labels(source).steps("P-1")
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 1  # said once, though asked twice
    assert "channel P-1: 3 interval(s) reversed or outside its 20 steps" in warnings[0]
    assert str(source.label_path) in warnings[0]


@pytest.mark.parametrize(
    "text", ["[[1, 2, 3]]", "[[1 2]]", "5", "[[1.5, 2]]", '[["a", "b"]]', "[[true, 2]]", "{}x", ""]
)
def test_malformed_intervals_name_line_and_channel(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="line 2, channel P-1: anomaly_sequences is .* expected a list like"):
        labelled(tmp_path, 'P-1,SMAP,"{}",[point],20\n'.format(text.replace('"', '""')))


def test_a_channel_without_any_interval_is_normal(tmp_path: Path) -> None:
    source = labelled(tmp_path, "P-1,SMAP,[],[],20\n")
    assert Labels(source).steps("P-1").sum() == 0
    assert not Labels(source).has_anomaly("P-1")


def bytes_of(save, *arguments) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arguments)
    return buffer.getvalue()


SERIES = bytes_of(np.save, np.zeros((50, 4)))
BAD_FILES = {
    "truncated": (SERIES[:-100], "cannot be read as an array in a .npy file: damaged, or of another kind"),
    "cut in its header": (SERIES[:20], "cannot be read as an array in a .npy file: damaged, or of another kind"),
    "without a byte": (b"", "cannot be read as an array in a .npy file: damaged, or of another kind"),
    "pickled": (pickle.dumps([1, 2]), "cannot be read as an array in a .npy file: damaged, or of another kind"),
    "of objects": (bytes_of(np.save, np.array([[{}]], dtype=object)), "holds Python objects, which are never loaded"),
    "archive": (bytes_of(np.savez, np.zeros((5, 4))), "is an archive"),
    "empty": (bytes_of(np.save, np.zeros((0, 4))), r"is empty, of shape \(0, 4\)"),
    "three-dimensional": (bytes_of(np.save, np.zeros((5, 4, 2))), r"of shape \(5, 4, 2\), expected numbers of shape"),
    "transposed": (bytes_of(np.save, np.zeros((1, 50))), r"has shape \(1, 50\): one step of 50 columns.*transposed"),
    "text": (bytes_of(np.save, np.full((5, 4), "x")), r"is <U1 of shape \(5, 4\), expected numbers"),
}


@pytest.mark.parametrize("name", list(BAD_FILES))
def test_bad_channel_files(telemetry: Path, name: str) -> None:
    content, message = BAD_FILES[name]
    path = telemetry / "train" / "P-1.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        TelemanomSource(telemetry, "SMAP").series("P-1", "train")
    assert str(error.value).startswith(f"{path}: ")
    with pytest.raises(InputError, match=message):
        TelemanomSource(telemetry, "SMAP").columns("P-1")


def test_an_array_of_one_column_needs_no_second_axis(telemetry: Path) -> None:
    np.save(telemetry / "train" / "P-1.npy", np.arange(5))
    source = TelemanomSource(telemetry, "SMAP")
    np.testing.assert_array_equal(source.series("P-1", "train"), np.arange(5.0)[:, None])
    assert source.num_steps("P-1", "train") == 5 and source.columns("P-1") == ["telemetry value"]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_values_that_are_no_readings_name_channel_column_and_first_step_where_they_are_used(
    telemetry: Path, value: float
) -> None:
    path = telemetry / "test" / "S-1.npy"
    series = np.load(path)
    series[17, 1] = series[30, 1] = value
    np.save(path, series)
    found = TelemanomSource(telemetry, "SMAP").series("S-1", "test")
    assert plain((0, 2, 2))(found).shape == (len(series), 3)  # nobody looks at column 1
    with pytest.raises(InputError, match=f"channel S-1, column 1 has {value} at step 17 .and 1 more steps"):
        plain((0, 1, 1))(found, "channel S-1")


def test_nothing_measured_stays_nan(telemetry: Path) -> None:
    path = telemetry / "test" / "S-1.npy"
    series = np.load(path)
    series[17:40, 0] = np.nan
    np.save(path, series)
    np.testing.assert_array_equal(TelemanomSource(telemetry, "SMAP").series("S-1", "test"), series)


@pytest.mark.parametrize("name", ["/tmp/elsewhere", "../outside", "a/../../b", "C:\\\\x", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"line 2, channel .*: chan_id is a path that leads out of the folder"):
        labelled(tmp_path, f"{name},SMAP,[],[],20\n")


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "f2", "f4", "g", "?"])
def test_values_of_every_real_type_are_what_they_say(telemetry: Path, kind: str) -> None:
    values = np.array([[0, 1], [1, 0], [1, 1]] * 20) if kind == "?" else np.array([[5, 9], [3, 6], [100, 7]] * 20)
    np.save(telemetry / "test" / "P-1.npy", values.astype(kind))
    found = TelemanomSource(telemetry, "SMAP").series("P-1", "test")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, values)
    below = BASELINES["out of train range"](found, found - 10)[1]
    assert (below > 0).all(), "no unsigned value wraps round"


def test_values_beyond_float32_are_refused(telemetry: Path) -> None:
    np.save(telemetry / "train" / "P-1.npy", np.full((50, 4), 1e200))
    series = TelemanomSource(telemetry, "SMAP").series("P-1", "train")
    with pytest.raises(InputError, match=r"channel P-1, column 2 has 1e\+200 at step 0 .*no reading"):
        plain((2, 2, 2))(series, "channel P-1")


def test_a_channel_missing_in_one_split(telemetry: Path) -> None:
    (telemetry / "test" / "E-1.npy").unlink()
    with pytest.raises(InputError, match="E-1.npy: missing. .*as E-1 has a label row"):
        TelemanomSource(telemetry, "SMAP").series("E-1", "test")


def test_folders_that_are_none(telemetry: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: does not exist\. Accepted: .*data/data.*data\.download smap"):
        TelemanomSource(tmp_path / "nowhere", "SMAP")
    with pytest.raises(InputError, match=r"is not a folder of SMAP / MSL telemetry\. Accepted"):
        TelemanomSource(tmp_path, "SMAP")
    with pytest.raises(InputError, match="has no row of spacecraft MSL"):
        TelemanomSource(telemetry, "MSL")
    (telemetry / "labeled_anomalies.csv").write_text("channel,from,to\n")
    with pytest.raises(InputError, match="has no column anomaly_sequences, chan_id, spacecraft"):
        TelemanomSource(telemetry, "SMAP")


def test_fewer_columns_than_asked_for(telemetry: Path) -> None:
    with pytest.raises(InputError, match="channel P-1 has 4 columns, smap_used_dims asks for column 7"):
        plain((0, 1, 7))(TelemanomSource(telemetry, "SMAP").series("P-1", "train"), "channel P-1")


def test_unknown_channels_are_named_with_a_guess(telemetry: Path) -> None:
    def chosen(*names: str) -> list[str]:
        return DATASETS["smap"].task(load_config(base={"data_path": str(telemetry), "class_names": names})).channels

    assert chosen("E-1", "P-1") == ["P-1", "E-1"]
    with pytest.raises(InputError, match=r"unknown channel of .* 'P-11'\. Did you mean 'P-1'\? Known: P-1, S-1, E-1"):
        chosen("P-11")


def test_pictures_of_channels(telemetry: Path) -> None:
    source = TelemanomSource(telemetry, "SMAP")
    mean, std = (0.1, 0.2, 0.3), (1.0, 2.0, 0.5)
    pictures = SMAPDataset(Labels(source), ["P-1", "S-1"], "test", (32, 64), plain((0, 2, 2)), mean, std)
    picture, label, mask = pictures[1]
    assert picture.shape == (3, 32, 64) and picture.dtype == np.float32
    assert label == 1 and mask.shape == (32, 64) and not mask.any()
    assert (picture == picture[:, :1]).all()
    drawn = source.series("S-1", "test")[:, [0, 2, 2]]
    steps = (np.arange(64) + 0.5) * len(drawn) / 64 - 0.5
    by_hand = [np.interp(steps, np.arange(len(drawn)), column) for column in ((drawn - mean) / std).T]
    np.testing.assert_allclose(picture[:, 7], by_hand, atol=1e-5)


def test_auto_normalisation_is_that_of_the_training_steps(telemetry: Path) -> None:
    for path in (telemetry / "train").iterdir():
        series = np.load(path)
        series[:, 2] = 0.75  # never varies
        np.save(path, series)

    settings = load_config(
        base={"data_path": str(telemetry), "class_names": ("P-1", "S-1"), "smap_used_dims": (0, 2, 1)}
    )
    mean, std = DATASETS["smap"].task(settings).normalisation(settings)
    steps = np.concatenate([np.load(telemetry / "train" / f"{name}.npy") for name in ("P-1", "S-1")])
    np.testing.assert_allclose(mean, steps[:, [0, 2, 1]].mean(axis=0))
    np.testing.assert_allclose(std, [steps[:, 0].std(), 1.0, steps[:, 1].std()])


def test_names_of_selections(telemetry: Path) -> None:
    for names, classes in ((("all",), ["SMAP"]), (("S-1", "P-1"), ["P-1_S-1"])):
        settings = load_config(base={"data_path": str(telemetry), "class_names": names})
        assert [task.class_name for task in DATASETS["smap"].tasks(settings)] == classes


@pytest.mark.parametrize(
    ("spacecraft", "num_channels", "num_steps", "num_anomalous"),
    [("SMAP", 54, 435826, 55817), ("MSL", 27, 73729, 7766)],
)
def test_counts_of_the_real_data(
    tmp_path_factory: pytest.TempPathFactory, spacecraft: str, num_channels: int, num_steps: int, num_anomalous: int
) -> None:
    source = TelemanomSource(published_folder(tmp_path_factory), spacecraft)
    labels = [Labels(source).steps(channel) for channel in source.channels]
    assert len(labels) == num_channels
    assert sum(map(len, labels)) == num_steps
    assert sum(int(channel.sum()) for channel in labels) == num_anomalous
