"""Features made once: equal to those made anew, never stale, never damaged."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_flags, write_telemanom
from PIL import Image

from datasets import DATASETS
from detectors.msflow import features
from detectors.msflow.features import Features
from detectors.run import open_run
from runtime.errors import InputError
from settings.flags import make_parser
from settings.load import load_config


def opened(data: Path, *flags: str):
    given = vars(make_parser("").parse_args([*tiny_flags(data, data.parent / "runs"), *flags]))
    given.pop("config")
    config = load_config(flags=given)
    (task,) = DATASETS[config.dataset].tasks(config)
    return open_run(config, task)


def made(run, split: str = "train", folder: Path | None = None) -> Features:
    pictures = run.task.pictures(run.config, split, (0.0,) * 3, (1.0,) * 3)
    return Features(run.detector, pictures, split, folder or run.folder)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_telemanom(tmp_path / "telemetry", {"P-1": (120, 200), "S-1": (90, 260), "E-1": (150, 180)})


@pytest.fixture
def extractions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The splits whose features were extracted, in order."""
    seen, make = [], Features._make

    def spy(self, folder, made_from, split):
        seen.append(split)
        return make(self, folder, made_from, split)

    monkeypatch.setattr(Features, "_make", spy)
    return seen


@pytest.mark.parametrize("pool_type", ["avg", "max", "none"])
@pytest.mark.parametrize("size", [(32, 64), (96, 64), (130, 77)], ids=str)
def test_rows_kept_once_give_the_features_of_the_whole_picture(
    pool_type: str, size: tuple[int, int], data: Path
) -> None:
    flags = ["--pool-type", pool_type, "--input-size", *map(str, size)]
    kept = made(opened(data, *flags)).levels([2, 0])
    anew = made(opened(data, *flags, "--no-feature-cache")).levels([2, 0])
    for found, expected in zip(kept, anew, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_a_second_run_extracts_nothing(data: Path, extractions: list[str]) -> None:
    first = made(opened(data)).levels([0, 1, 2])
    again = made(opened(data)).levels([0, 1, 2])
    assert extractions == ["train"]
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    made(opened(data), "test")
    assert extractions == ["train", "test"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--seed", "1"],  # the weights of the extractor
        ["--extractor", "resnet34"],
        ["--pool-type", "max"],
        ["--input-size", "32", "96"],
        ["--smap-used-dims", "0", "1", "1"],
        ["--class-names", "P-1", "S-1"],
        ["--clip", "0.5"],
    ],
    ids=lambda flags: flags[0],
)
def test_other_settings_make_them_anew(flags: list[str], data: Path, extractions: list[str], monkeypatch) -> None:
    run, other = opened(data), opened(data, *flags)
    made(run)
    made(other, folder=run.folder)  # even if they met in one folder
    assert extractions == ["train"] * 2


def test_other_data_make_them_anew(data: Path, extractions: list[str]) -> None:
    made(opened(data))
    series = np.load(data / "train" / "S-1.npy")
    series[17, 0] += 1e-3
    np.save(data / "train" / "S-1.npy", series)
    made(opened(data))
    assert extractions == ["train"] * 2


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a flipped bit": lambda folder: flip(folder / "level2.npy"),
    "a truncated file": lambda folder: (folder / "level1.npy").write_bytes((folder / "level1.npy").read_bytes()[:900]),
    "a missing level": lambda folder: (folder / "level3.npy").unlink(),
    "no record": lambda folder: (folder / "meta.json").unlink(),
    "half a record": lambda folder: (folder / "meta.json").write_text((folder / "meta.json").read_text()[:40]),
    "a record of something else": lambda folder: (folder / "meta.json").write_text("[1, 2]"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_features_are_made_anew(damage, data: Path, extractions: list[str]) -> None:
    run = opened(data)
    expected = made(run).levels([0, 1, 2])
    damage(run.folder / "features" / "train")
    torch.testing.assert_close(made(run).levels([0, 1, 2]), expected, rtol=0, atol=0)
    made(run)
    assert extractions == ["train"] * 2


def test_an_interrupted_extraction_leaves_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = opened(data)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(features, "_checksum", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        made(run)
    assert list((run.folder / "features").iterdir()) == []


def test_pictures_are_kept_whole(tmp_path: Path, extractions: list[str]) -> None:
    rng = np.random.default_rng(0)
    for name in ("train/good/0", "train/good/1", "test/good/0"):
        path = tmp_path / "bolt" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(path)
    flags = [*tiny_flags(tmp_path, tmp_path / "runs"), "--dataset", "mvtec", "--data-path", str(tmp_path)]

    def of_bolt(*more: str) -> list[torch.Tensor]:
        given = vars(make_parser("").parse_args([*flags, *more]))
        given.pop("config")
        config = load_config(flags=given)
        (task,) = DATASETS["mvtec"].tasks(config)
        run = open_run(config, task)
        pictures = task.pictures(config, "train", *task.normalisation(config))
        return Features(run.detector, pictures, "train", run.folder).levels([1, 0])

    torch.testing.assert_close(of_bolt(), of_bolt("--no-feature-cache"), rtol=1e-5, atol=1e-5)
    of_bolt()
    assert extractions == ["train"]
    shutil.copy(tmp_path / "bolt/train/good/1.png", tmp_path / "bolt/train/good/0.png")
    of_bolt()
    assert extractions == ["train"] * 2


def test_a_disk_too_small_is_named_before_it_is_filled(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = opened(data)
    monkeypatch.setattr(features.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(InputError, match=r"the features need .* GB, .* are free.*--no-feature-cache"):
        made(run)
    assert list((run.folder / "features").iterdir()) == []
