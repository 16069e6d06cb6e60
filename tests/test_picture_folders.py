"""Folders and lists of pictures of a user's own: which file is what, and what is said of the rest."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.picture_check import tell
from data.picture_files import PictureReader
from data.picture_folders import own_classes, read_mvtec
from data.picture_lists import read_list
from data.pictures import Listing, PictureFile
from datasets import DATASETS
from runtime.errors import InputError, note, warn
from settings.load import load_config

READER = PictureReader()


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    note.cache_clear()
    warn.cache_clear()


def draw(folder: Path, *names: str, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> Path:
    """Pictures of width and height `size`."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, 1).save(folder / name)
    return folder


def read(path: Path, split: str) -> Listing:
    """The only class of a path."""
    ((name, (folder, reader)),) = own_classes(path).items()
    return reader(folder, name, split)


def shown(files: Listing, folder: Path) -> dict[str, object]:
    """Picture -> its mask, else whether it is anomalous."""
    return {
        file.path.relative_to(folder).as_posix(): file.mask.relative_to(folder).as_posix()
        if file.mask
        else file.anomalous
        for file in files
    }


# Folders


@pytest.mark.parametrize("good", ["good", "Good", "GOOD", "ok", "OK"])
def test_a_class_with_masks_of_any_name_and_format(good: str, tmp_path: Path) -> None:
    place = draw(tmp_path / "plate", f"train/{good}/a.png", f"train/{good}/monday/b.TIF", f"test/{good}/c.JPEG")
    draw(place, "test/not good/d.png", "test/not good/e.PNG", "test/not good/deep/f.tiff", "test/not good/g.webp")
    draw(place, "ground_truth/not good/d_mask.bmp", "ground_truth/not good/e.png")
    draw(place, "ground_truth/not good/deep/f_mask.tiff", f"ground_truth/{good}/c.png")
    assert shown(read(place, "train"), place) == {f"train/{good}/a.png": False, f"train/{good}/monday/b.TIF": False}
    assert shown(read(place, "test"), place) == {
        f"test/{good}/c.JPEG": False,
        "test/not good/d.png": "ground_truth/not good/d_mask.bmp",
        "test/not good/e.PNG": "ground_truth/not good/e.png",
        "test/not good/deep/f.tiff": "ground_truth/not good/deep/f_mask.tiff",
        "test/not good/g.webp": True,
    }
    assert read(place, "test").strays == []


def test_other_spellings_of_a_class(tmp_path: Path) -> None:
    place = draw(tmp_path / "plate", "Train/a.png", "Train/cam/b.png", "TEST/odd.png", "TEST/Scratch/d.png")
    draw(place, "Masks/scratch/d.png")
    assert shown(read(place, "train"), place) == {"Train/a.png": False, "Train/cam/b.png": False}
    assert shown(read(place, "test"), place) == {"TEST/odd.png": None, "TEST/Scratch/d.png": "Masks/scratch/d.png"}
    beside = draw(tmp_path / "screw", "OK/a.png", "dent/b.png", "dent/c.png", "ground_truth/dent/c_mask.png")
    assert shown(read(beside, "train"), beside) == {"OK/a.png": False}
    assert shown(read(beside, "test"), beside) == {"dent/b.png": True, "dent/c.png": "ground_truth/dent/c_mask.png"}


def test_several_masks_of_a_picture_as_mvtec_loco_has_them(tmp_path: Path) -> None:
    place = draw(tmp_path / "box", "train/good/a.png", "test/odd/000.png", "test/odd/001.png")
    draw(place, "ground_truth/odd/000/000.png", "ground_truth/odd/000/001.png")
    found = read(place, "test")
    assert shown(found, place) == {"test/odd/000.png": "ground_truth/odd/000", "test/odd/001.png": True}
    assert found.strays == []


def test_mvtec_ad_2_has_its_masks_in_its_public_test(tmp_path: Path) -> None:
    place = draw(tmp_path / "can", "train/good/000_regular.png", "validation/good/001_regular.png")
    draw(place, "test_public/good/000_regular.png", "test_public/bad/000_regular.png", "test_private/000_regular.png")
    draw(place, "test_public/ground_truth/bad/000_regular_mask.png")
    assert shown(read(place, "train"), place) == {"train/good/000_regular.png": False}
    found = read(place, "test")
    assert shown(found, place) == {
        "test_public/bad/000_regular.png": "test_public/ground_truth/bad/000_regular_mask.png",
        "test_public/good/000_regular.png": False,
    }
    assert found.strays == []


def test_btad_has_masks_of_another_format(tmp_path: Path) -> None:
    place = draw(tmp_path / "03", "train/ok/0000.bmp", "test/ok/0000.bmp", "test/ko/0000.bmp", "test/ko/0001.bmp")
    draw(place, "ground_truth/ko/0000.png", "ground_truth/ko/0001.bmp")
    assert shown(read(place, "train"), place) == {"train/ok/0000.bmp": False}
    assert shown(read(place, "test"), place) == {
        "test/ko/0000.bmp": "ground_truth/ko/0000.png",
        "test/ko/0001.bmp": "ground_truth/ko/0001.bmp",
        "test/ok/0000.bmp": False,
    }


def test_several_classes_and_good_pictures_alone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data = draw(tmp_path / "data", "bolt/train/good/a.png", "nut/good/b.png", "notes/c.png")
    assert list(own_classes(data)) == ["bolt", "nut"]
    assert "skipped folders with pictures, but without train/good: notes." in capsys.readouterr().out
    alone = draw(tmp_path / "alone", "a.png", "tuesday/b.JPG", "wednesday/c.tif")
    assert shown(read(alone, "train"), alone) == {"a.png": False, "tuesday/b.JPG": False, "wednesday/c.tif": False}
    assert read(alone, "test") == []
    assert (
        "all of its 3 pictures, in 2 folders (tuesday, wednesday), are taken for good ones" in capsys.readouterr().out
    )


@pytest.mark.parametrize("name", ["bad", "NG", "defects", "test", "ground_truth"])
def test_defects_are_not_learnt_as_good(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has a folder {name}, but none that says what is good"):
        own_classes(draw(tmp_path, "a.png", f"{name}/b.png"))


def test_what_is_in_train_but_not_good_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    place = draw(tmp_path / "plate", "train/good/a.png", "train/scratch/b.png", "train/c.png")
    found = read(place, "train")
    assert shown(found, place) == {"train/good/a.png": False}
    tell(found, "plate train", READER, all_masked=False)
    assert "plate train: 2 picture(s) left out, because they are not in the folder of good" in capsys.readouterr().err
    place = draw(tmp_path / "nut", "train/a.png", "train/bad/b.png")
    assert shown(read(place, "train"), place) == {"train/a.png": False}


def test_a_class_of_mvtec_is_no_folder_of_classes(tmp_path: Path) -> None:
    place = draw(tmp_path / "plate", "train/good/a.png", "test/good/b.png", "test/dent/c.png")
    assert read_mvtec(place, "train", "train") == read_mvtec(place, "test", "train") == []
    with pytest.raises(InputError, match=r"no class .*--dataset folder"):
        DATASETS["mvtec"].tasks(load_config(base={"dataset": "mvtec", "data_path": str(place)}))


def test_links_are_followed_and_a_ring_of_them_ends(tmp_path: Path) -> None:
    draw(tmp_path / "camera", "b.png")
    place = draw(tmp_path / "plate", "train/good/a.png")
    (place / "train" / "good" / "camera").symlink_to(tmp_path / "camera")
    (tmp_path / "camera" / "back").symlink_to(place / "train" / "good")
    (place / "train" / "good" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = read(place, "train")
    assert [file.path.name for file in found] == ["a.png", "b.png"]
    assert [path.name for path in found.skipped] == ["gone.png"]


# What is said


def test_what_is_skipped_is_counted_and_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    place = draw(tmp_path / "plate", "train/good/a.png", "train/good/.thumbnails/a.png")
    for name in ("._a.png", ".DS_Store", "Thumbs.db", "notes.txt", "more.TXT", "a.jp2", "README"):
        (place / "train" / "good" / name).write_bytes(b"?")
    os.mkfifo(place / "train" / "good" / "pipe.png")
    tell(read(place, "train"), "plate train", READER, all_masked=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("plate train: skipped what is no picture: ")
    for told in (
        "2 hidden (.DS_Store, ._a.png)",
        "1 hidden folder(s) (.thumbnails)",
        "2 .txt (more.TXT, notes.txt)",
        "1 .db (Thumbs.db)",
        "1 .jp2 (a.jp2)",
        "1 without an ending (README)",
        "1 that are no files, or links to nothing (pipe.png)",
    ):
        assert told in line


def test_masks_are_missed_where_others_are_there(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    place = draw(tmp_path / "plate", "train/good/a.png", "test/dent/b.png", "test/dent/c.png")
    tell(read(place, "test"), "plate test", READER, all_masked=False)
    assert capsys.readouterr() == ("", "")
    draw(place, "ground_truth/dent/c.png", "ground_truth/dent/d_mask.png", "ground_truth/dent/e.png")
    tell(read(place, "test"), "plate test", READER, all_masked=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert "plate test: 1 of 2 anomalous pictures have no mask" in err and "b.png" in err and "Fetch" not in err
    assert "plate test: 2 mask(s) named like no picture: d_mask.png, e.png." in err


def test_what_is_not_shown_as_it_is_in_the_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    place = draw(tmp_path / "plate", "train/good/a.png", "test/dent/b.png", "test/dent/c.png", "test/dent/d.jpg")
    draw(place, "ground_truth/dent/c.png", size=(4, 4))
    draw(place, "test/good/alpha.png", mode="RGBA")
    frame = Image.new("RGB", (8, 6))
    frame.save(place / "test/good/moving.gif", save_all=True, append_images=[Image.new("RGB", (8, 6), 255)])
    exif = Image.Exif()
    exif[0x0112] = 6
    frame.save(place / "test/dent/d.jpg", exif=exif)
    draw(place, "ground_truth/dent/d.png")
    tell(read(place, "test"), "plate test", READER, all_masked=False)
    out, err = capsys.readouterr()
    assert "1 of 5 pictures (first alpha.png) have alpha: what is transparent is laid on black" in out
    assert "1 of 5 pictures (first moving.gif) have several frames: the first is taken" in out
    assert "the masks of 1 of 5 pictures (first c.png) have another size" in out
    assert "the masks of 1 of 5 pictures (first d.jpg) have the size of these before they are turned" in err


def test_deep_pictures_after_a_training_without_any(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    place = draw(tmp_path / "plate", "train/good/a.png", "test/good/b.png")
    draw(place, "test/good/c.png", mode="I;16")
    tell(read(place, "test"), "plate test", READER, all_masked=False)
    assert "1 of 2 pictures (first c.png) have more than 8 bits, as none in training has" in capsys.readouterr().err
    tell(read(place, "test"), "plate test", PictureReader(4095), all_masked=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "does not exist"),
        (("notes.txt",), "holds no pictures. It holds 1 other files, such as notes.txt"),
        (("a.png",), "is one picture"),
    ],
    ids=["nothing", "no picture", "one picture"],
)
def test_a_path_without_pictures_says_what_is_accepted(names: tuple, told: str, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    if "a.png" in names:
        place = draw(place, "a.png") / "a.png"
    elif names:
        place.mkdir()
        (place / names[0]).write_text("none")
    with pytest.raises(InputError) as error:
        own_classes(place)
    assert told in str(error.value) and "train/good" in str(error.value) and "Fetch" not in str(error.value)


# Lists


def test_a_list_of_pictures(tmp_path: Path) -> None:
    draw(tmp_path, *(f"img/{name}.png" for name in "abcdefgh"), "masks/d.bmp")
    table = tmp_path / "parts.csv"
    table.write_text(
        "\ufeffSplit;Image;Label;Mask\n"
        "train;img/a.png;good;\ntrain;img/b.png;0;\ntraining;img\\c.png;;\n"
        "test;img/d.png;scratch;masks/d.bmp\ntest;img/e.png;1;\ntest;img/f.png;OK;masks/d.bmp\n"
        "test;img/g.png;;\ntrain;img/h.png;dent;\n",
        encoding="utf-8",
    )
    assert list(own_classes(table)) == ["parts"]
    assert shown(read_list(table, "train"), tmp_path) == dict.fromkeys(["img/a.png", "img/b.png", "img/c.png"], False)
    assert [path.name for path in read_list(table, "train").left_out["they are labelled anomalous"]] == ["h.png"]
    expected = {"img/d.png": "masks/d.bmp", "img/e.png": True, "img/f.png": False, "img/g.png": None}
    assert shown(read_list(table, "test"), tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "train", "test"),
    [
        ("image\na.png\nb.png\n", {"a.png": False, "b.png": False}, {}),
        ("image,label\na.png,0\nb.png,bad\n", {"a.png": False}, {"b.png": True}),
        ("image,label\na.png,0\nb.png,\n", {"a.png": False}, {"b.png": None}),
        ("path,mask\na.png,\nb.png,m.png\n", {"a.png": False}, {"b.png": "m.png"}),
        ("file,split\na.png,train\nb.png,test\n", {"a.png": False}, {"b.png": None}),
    ],
    ids=["images", "labels", "an empty label", "masks", "splits"],
)
def test_columns_that_a_list_leaves_out(text: str, train: dict, test: dict, tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png", "m.png")
    (tmp_path / "t.csv").write_text(text)
    assert shown(read_list(tmp_path / "t.csv", "train"), tmp_path) == train
    assert shown(read_list(tmp_path / "t.csv", "test"), tmp_path) == test


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("picture_no,label\na.png,0\n", "t.csv: has no column image, but picture_no, label"),
        ("image,label\nb.png,0\n", "t.csv, line 2: there is no file 'b.png'"),
        ("image,split\na.png,train\n\na.png,tst\n", "t.csv, line 4: unknown split 'tst'. Did you mean 'test'?"),
        ("image\n", "t.csv: lists no pictures"),
        ("", "t.csv"),
    ],
    ids=["no image", "no file", "no split", "no rows", "empty"],
)
def test_a_list_that_cannot_be_understood_names_the_line(text: str, told: str, tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError) as error:
        read_list(tmp_path / "t.csv", "train")
    assert told in str(error.value) and "Fetch" not in str(error.value)


def test_what_a_file_tells_of_itself(tmp_path: Path) -> None:
    files = [PictureFile(tmp_path), PictureFile(tmp_path, tmp_path), PictureFile(tmp_path, None, True)]
    files.append(PictureFile(tmp_path, None, anomalous=None))
    assert [file.label for file in files] == [0, 1, 1, -1]
    assert [file.masked for file in files] == [True, True, False, False]
    assert np.array([file.anomalous for file in files], dtype=object).tolist() == [False, True, True, None]
