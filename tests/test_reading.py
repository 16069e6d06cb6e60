"""One boundary around whatever reads a file: every kind of it ends in the one clear error, of a length that is read."""

import gzip
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from table_files import FOUND
from torch import nn

from data.picture_files import PictureReader
from data.picture_folders import read_visa
from data.picture_lists import read_list
from data.table.labels import LabelFile
from data.table.source import TableSource
from data.telemanom import TelemanomSource
from models.checkpoints import read_checkpoint
from models.weights import load_file
from runs.scores import open_scores, read_array
from runtime import reading as boundary
from runtime.errors import InputError, warn
from runtime.reading import quoted, reading
from settings.load import load_config, read_record, recorded_config

HEADER = "chan_id,spacecraft,anomaly_sequences\n"


def npy(header: str, content: bytes = b"0" * 80) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


def telemetry(folder: Path, labels: str | bytes = HEADER + 'A,SMAP,"[[1, 2]]"\n') -> Path:
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True, exist_ok=True)
        np.save(folder / split / "A.npy", np.ones((60, 2)))
    (folder / "labeled_anomalies.csv").write_bytes(labels if isinstance(labels, bytes) else labels.encode())
    return folder


@pytest.mark.parametrize("error", [MemoryError, RecursionError, zipfile.BadZipFile, UnicodeError, SyntaxError, OSError])
def test_whatever_a_reader_raises_is_one_error(error: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with (
        pytest.raises(InputError, match=r"file: cannot be read as a thing: damaged.*Do it again\."),
        reading(path, "a thing", "Do it again."),
    ):
        raise error("x\n" * 10_000)
    with pytest.raises(InputError, match="as it was"), reading(path, "a thing", "Do it again."):
        raise InputError("as it was")
    with pytest.raises(KeyboardInterrupt), reading(path, "a thing", "Do it again."):
        raise KeyboardInterrupt


READERS: dict[str, Callable[[Path], object]] = {
    "train/A.npy": lambda place: TelemanomSource(place.parents[1], "SMAP").series("A", "train"),
    "labels.csv": lambda place: LabelFile(place, ["A"], "auto", "auto"),
    "list.csv": lambda place: read_list(place, "train"),
    "split_csv/1cls.csv": lambda place: read_visa(place.parents[1], "x", "train"),
    "a.png": PictureReader().colours,
    "last.pt": read_checkpoint,
    "w.pth": lambda place: load_file(nn.Conv2d(1, 1, 1), place),
    "w.safetensors": lambda place: load_file(nn.Conv2d(1, 1, 1), place),
    "config.json": recorded_config,
    "labels.npy": read_array,
    "recipe.py": load_config,
}


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop", "nothing"])
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_refused_before_it_is_opened(name: str, kind: str, tmp_path: Path) -> None:
    path = telemetry(tmp_path) / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    make = {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "device": lambda: path.symlink_to("/dev/zero")}
    make |= {"loop": lambda: path.symlink_to(path.name), "nothing": lambda: None}
    make[kind]()
    if name == "split_csv/1cls.csv":
        assert read_visa(tmp_path, "x", "train") == [], "then it is a folder in the layout of MVTec AD"
        return
    with pytest.raises(InputError, match=path.name):
        READERS[name](path)


NPY = {
    "zip": b"PK\3\4junk",
    "nested header": npy("(" * 9000),
    "cut header": npy('{"shape": (3, 3\n     '),
    "24 TB": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }\n"),
    "more than there are numbers": npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**30}, 3), }}\n"),
    "negative": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-3, 3), }\n"),
}


@pytest.mark.parametrize("name", NPY)
def test_headers_of_arrays_may_claim_anything(name: str, tmp_path: Path) -> None:
    folder = telemetry(tmp_path)
    for path in (folder / "train" / "A.npy", folder / "own.npy"):
        path.write_bytes(NPY[name])
    for read in (
        lambda: TelemanomSource(folder, "SMAP").series("A", "train"),
        lambda: TelemanomSource(folder, "SMAP").columns("A"),
        lambda: TableSource(folder / "own.npy", FOUND),
        lambda: read_array(folder / "own.npy"),
    ):
        with pytest.raises(InputError, match=r"\.npy: (is|cannot be read as) an? "):
            read()


def test_a_text_of_what_is_no_character_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "names.npy", np.array([0x110000], np.uint32).view("U1"))
    with pytest.raises(InputError, match=r"names\.npy: .*its text holds what is no character"):
        read_array(tmp_path / "names.npy")


def test_bombs_stay_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "ROOM", 2**20)
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(10**6))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"1,2\n" * 10**6))
    torch.save({"epoch": 1, "x": torch.zeros(10**6)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(tmp_path / "c.pt", "w", 8) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    for name in ("a.npz", "b.csv.gz"):
        with pytest.raises(InputError, match=rf"{name}.* unpack to .* as no data do"):
            TableSource(tmp_path / name, FOUND)
    with pytest.raises(InputError, match=r"c\.pt: .*compressed, as torch never does"):
        read_checkpoint(tmp_path / "c.pt")
    varied = np.random.default_rng(0).random((2000, 2))
    np.savez_compressed(tmp_path / "d.npz", d=np.repeat(varied, 100, axis=0))  # ten times smaller, as data may be
    assert len(TableSource(tmp_path / "d.npz", FOUND).series("d", "test")) == 100_000


def test_an_array_in_an_archive_cannot_claim_more_than_is_there(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", NPY["24 TB"])
    with pytest.raises(InputError, match=r"a\.npz: .*claims the shape \(1000000000000, 3\)"):
        TableSource(tmp_path / "a.npz", FOUND)


# Label files


@pytest.mark.parametrize("cell", ["{}", '""', '"ab"', "[[]]", "[{}]", "[[1,2,3]]", '["ab"]', "[" * 50_000, "3", "null"])
def test_only_a_list_of_pairs_is_one(cell: str, tmp_path: Path) -> None:
    quoted_cell = cell.replace('"', '""')
    (tmp_path / "own.csv").write_text(f'chan_id,anomaly_sequences\nA,"{quoted_cell}"\n')
    for read in (
        lambda: TelemanomSource(telemetry(tmp_path / "t", f'{HEADER}A,SMAP,"{quoted_cell}"\n'), "SMAP"),
        lambda: LabelFile(tmp_path / "own.csv", ["A"], "auto", "auto"),
    ):
        with pytest.raises(InputError, match="line 2.*anomaly_sequences is .* expected a list like") as error:
            read()
        assert len(str(error.value)) < 500


def test_thousands_of_intervals_in_one_cell_are_read(tmp_path: Path) -> None:
    pairs = [[6 * n, 6 * n + 1] for n in range(20_000)]
    source = TelemanomSource(telemetry(tmp_path, f'{HEADER}A,SMAP,"{pairs}"\n'), "SMAP")
    assert [list(pair) for pair in source.label_rows("A")[0].intervals] == pairs


def test_two_columns_of_one_name_are_refused_in_every_table(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("channel,start,end,Start\nA,1,2,3\n")
    (tmp_path / "list.csv").write_text("image,label,Image\na.png,good,b.png\n")
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv" / "1cls.csv").write_text("object,split,label,image,mask,mask\nx,test,normal,a,,\n")
    for read in (
        lambda: TelemanomSource(telemetry(tmp_path / "t", HEADER.strip() + ",chan_id\nA,SMAP,[],B\n"), "SMAP"),
        lambda: LabelFile(tmp_path / "own.csv", ["A"], "auto", "auto"),
        lambda: read_list(tmp_path / "list.csv", "train"),
        lambda: read_visa(tmp_path, "x", "test"),
    ):
        with pytest.raises(InputError, match="are both named"):
            read()


def test_names_of_pictures_may_be_of_any_length(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"image,label\n{'x' * 5000},good\n")
    with pytest.raises(InputError, match=r"list\.csv, line 2: there is no file 'xxx"):
        read_list(tmp_path / "list.csv", "train")


@pytest.mark.parametrize(
    ("row", "message"),
    [("x,test", "line 3: has 2 cells"), ("x,test,anomaly,\xe9.png,", "is not UTF-8"), ('x,test,"', "never closed")],
)
def test_what_is_wrong_in_the_table_of_visa_is_told(row: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    text = f"object,split,label,image,mask\nx,test,normal,a.png,\n{row}\n"
    (tmp_path / "split_csv" / "1cls.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=rf"1cls\.csv.*{message}"):
        read_visa(tmp_path, "x", "test")


def test_an_anomaly_without_a_mask_is_none_the_less_one(tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    rows = ["x,test,anomaly,a.png,", "x,test,normal,b.png,", "x,train,anomaly,c.png,", "x,train,normal,d.png,"]
    (tmp_path / "split_csv" / "1cls.csv").write_text("object,split,label,image,mask\n" + "\n".join(rows))
    test, train = (read_visa(tmp_path, "x", split) for split in ("test", "train"))
    assert [(file.anomalous, file.masked) for file in test] == [(True, False), (False, True)]
    assert [file.path.name for file in train] == ["d.png"]
    assert [[path.name for path in paths] for paths in train.left_out.values()] == [["c.png"]]


# Scores, settings, weights


def test_score_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    def write(**changed: np.ndarray) -> Path:
        arrays = {"filenames": np.array(["A.npy"]), "labels": np.array([1], "u1"), "anomaly_score": np.ones(1, "f4")}
        (tmp_path / "maps").mkdir(exist_ok=True)
        for name, array in {**arrays, "maps/A": np.ones((3, 60), "f4"), **changed}.items():
            np.save(tmp_path / f"{name}.npy", array)
        return tmp_path

    assert open_scores(write()).channels == ["A"]
    for name, array in {
        "filenames": np.array([7]),
        "labels": np.array([[1]]),
        "anomaly_score": np.array(["x"]),
        "maps/A": np.ones(60),
    }.items():
        with pytest.raises(InputError, match=rf"{name}\.npy: is .* as no score file is"):
            open_scores(write(**{name: array}))


@pytest.mark.parametrize(
    "facts", ['"channels": 3', '"channels": [1]', '"files": []', '"rows": "x"', '"data": {"A": 1}']
)
def test_facts_of_other_kinds_are_refused(facts: str, tmp_path: Path) -> None:
    np.save(tmp_path / "filenames.npy", np.array(["A.npy"]))
    np.save(tmp_path / "labels.npy", np.array([1], "u1"))
    np.save(tmp_path / "anomaly_score.npy", np.ones(1, "f4"))
    (tmp_path / "config.json").write_text(f'{{"settings": {{}}, {facts}}}')
    with pytest.raises(InputError, match=r"config\.json: is not the config\.json of a run: its \w+ is"):
        open_scores(tmp_path)


def test_deeply_nested_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"settings": ' + "[" * 100_000)
    with pytest.raises(InputError, match=r"config\.json: cannot be read as the config\.json of a run"):
        read_record(tmp_path / "config.json")


ODD = {
    "larger than the file": lambda: torch.zeros(1).expand(10**12),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "without memory": lambda: torch.empty(3, device="meta"),
    "no number": lambda: torch.full((3,), np.nan),
}


@pytest.mark.filterwarnings("ignore:.*[Ss]parse")
@pytest.mark.parametrize("name", ODD)
def test_tensors_that_are_not_what_they_claim_are_refused(name: str, tmp_path: Path) -> None:
    for path, content in (("last.pt", {"epoch": 1, "x": ODD[name]()}), ("w.pth", {"weight": ODD[name]()})):
        torch.save(content, tmp_path / path)
        with pytest.raises(InputError, match=path.replace(".", r"\.")):
            (read_checkpoint if path == "last.pt" else lambda p: load_file(nn.Conv2d(1, 1, 1), p))(tmp_path / path)


@pytest.mark.parametrize("content", [[1, 2], {"weight": 3}, {"state_dict": None}, torch.ones(2)], ids=str)
def test_files_of_other_things_are_no_weights(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth: is no file of weights"):
        load_file(nn.Conv2d(1, 1, 1), tmp_path / "w.pth")


def test_weights_of_another_type_are_refused(tmp_path: Path) -> None:
    tensors = {name: tensor.to(torch.int32) for name, tensor in nn.Conv2d(1, 1, 1).state_dict().items()}
    torch.save(tensors, tmp_path / "w.pth")
    with pytest.raises(InputError, match="is of torch.int32, this extractor expects torch.float32"):
        load_file(nn.Conv2d(1, 1, 1), tmp_path / "w.pth")


# Messages


def test_messages_are_short_and_steer_no_terminal(capsys: pytest.CaptureFixture) -> None:
    told = str(InputError(f"file: {'x' * 10**6}\x1b[31m\x9b. Do it again."))
    assert len(told) < 2100 and told.startswith("file: xxx") and told.endswith(r"\x1b[31m\x9b. Do it again.")
    assert len(quoted("x" * 10**6)) < 200 and quoted("a\n") == r"'a\n'"
    assert quoted(10**5000) == "<int without a text>"
    warn("channel \x1b[2J\rA")
    assert capsys.readouterr().err == "warning: channel \\x1b[2J\\x0dA\n"


def test_a_name_of_thousands_of_letters_is_no_name(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(f"{'[' * 30_000},b\n1,2\n3,4\n")
    with pytest.raises(InputError, match=r"own\.csv: the name of column 1 has 30000 letters"):
        TableSource(tmp_path / "own.csv", FOUND)


def test_a_wide_table_is_told_of_in_a_short_error(tmp_path: Path) -> None:
    names = ",".join(f"sensor {number}" for number in range(5000))
    (tmp_path / "own.csv").write_text(f"{names}\n{'1,' * 4999}2\n" * 2)
    with pytest.raises(InputError, match="unknown column") as error:
        TableSource(tmp_path / "own.csv", replace(FOUND, columns=("senser 1",)))
    assert len(str(error.value)) < 2100 and "Did you mean" in str(error.value)
