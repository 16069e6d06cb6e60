"""Results are bound to what made them: settings, data and bytes. What does not fit, or was damaged, is told."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import tiny_flags, unexpected, write_telemanom

import eval_smap_timestep
import export_smap_scores
import main
import msflow
from datasets import DATASETS
from models.checkpoints import fitting, read_checkpoint
from runs.fingerprints import changed, of_split
from runs.scores import open_scores
from runtime.errors import InputError
from settings.load import load_config, read_record, recorded_config

LENGTHS = {"P-1": (150, 120), "S-1": (140, 130)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, other data of equal length, and a run in work/."""
    place = tmp_path_factory.mktemp("bound")
    write_telemanom(place / "data", LENGTHS)
    write_telemanom(place / "others", LENGTHS, seed=1)
    assert main.main(flags(place)) == 0
    return place


def flags(place: Path, *more: str, data: str = "data") -> list[str]:
    tiny = tiny_flags(place / data, place / "work")
    start = tiny.index("--input-size")
    line = ["--layout", "line", "--bootstrap", "0", "--no-report", "--lr", "1e-3", "--device", "cpu"]
    return [*tiny[:start], *tiny[start + 3 :], *line, *more]


def folder(place: Path) -> Path:
    (last,) = (place / "work").rglob("last.pt")
    return last.parent


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return shutil.copytree(whole, tmp_path / "copy")


def error(command: Callable[[list[str]], int], argv: list[str], capsys: pytest.CaptureFixture) -> str:
    """The one error that a command ends with."""
    capsys.readouterr()
    assert command(argv) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


def test_scores_are_not_judged_against_other_data(run: Path, capsys: pytest.CaptureFixture) -> None:
    scores = ["--scores-dir", str(folder(run) / "scores"), "--data-path"]
    for command in (eval_smap_timestep.main, export_smap_scores.main):
        assert command([*scores, str(run / "data")]) == 0
        told = error(command, [*scores, str(run / "others")], capsys)
        assert "the scores are of other data: 2 of 2 channels" in told and "'P-1'" in told


def test_resume_on_other_data_is_refused(run: Path, capsys: pytest.CaptureFixture) -> None:
    more = ["--resume", "--meta-epochs", "3", "--mode", "train"]
    before = (folder(run) / "last.pt").read_bytes()
    assert "--resume with other data: 2 of 2 channels" in error(main.main, flags(run, *more, data="others"), capsys)
    assert (folder(run) / "last.pt").read_bytes() == before
    assert main.main(flags(run, *more)) == 0


def test_a_test_says_what_is_other_than_in_training(run: Path, capsys: pytest.CaptureFixture) -> None:
    scores, test = folder(run) / "scores", ("--mode", "test")
    maps = {path.name: path.read_bytes() for path in (scores / "maps").iterdir()}
    capsys.readouterr()
    assert main.main(flags(run, *test, "--lr", "5")) == 0
    told = capsys.readouterr()
    assert "which stay those of the run: lr was 0.001, now 5.0." in told.out and not unexpected(told.err)
    assert recorded_config(scores / "config.json").lr == 1e-3
    assert {path.name: path.read_bytes() for path in (scores / "maps").iterdir()} == maps
    assert main.main(flags(run, *test, data="others")) == 0
    (warned,) = unexpected(capsys.readouterr().err)
    assert "was trained on other data than there are here for training" in warned and warned.endswith("P-1, S-1.")
    for name, value in (("clamp_alpha", "0.5"), ("held_out", "0.4")):
        told = error(main.main, flags(run, *test, f"--{name}", value), capsys)
        assert f"was made with other settings: {name} was" in told


def test_thresholds_of_another_training_are_refused(run: Path, capsys: pytest.CaptureFixture) -> None:
    (run / "new").mkdir()
    for channel in LENGTHS:
        shutil.copy(run / "data" / "test" / f"{channel}.npy", run / "new")
    score = ["--mode", "score", "--run", str(folder(run)), "--data-path", str(run / "new")]
    assert main.main(score) == 0
    assert main.main(flags(run, "--mode", "train", "--seed", "1")) == 0, "and killed before it has scored anything"
    told = error(main.main, score, capsys)
    assert re.search(r"scores.train: the scores that thresholds .* are not of .*last\.pt.* --mode test", told)
    with pytest.raises(InputError, match="are not of"):
        msflow.load(folder(run))
    assert main.main(flags(run, "--mode", "test", "--seed", "1")) == 0
    assert main.main(score) == 0


def test_one_flipped_bit_of_a_checkpoint_is_found_or_changes_nothing(run: Path) -> None:
    path = folder(run) / "last.pt"
    content, expected, found = path.read_bytes(), read_checkpoint(path), 0
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << rng.integers(8)]) + content[place + 1 :])
        try:
            same(read_checkpoint(path), expected)
        except InputError as error:
            assert str(path) in str(error)
            found += 1
    assert found > 40
    tensor = max(expected["parallel_flows"][0].values(), key=torch.numel)
    place = content.index(tensor.numpy().tobytes()) + 3
    path.write_bytes(content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :])
    with pytest.raises(InputError, match=r"last\.pt: is damaged: the checksum of"):
        read_checkpoint(path)


def same(found: Any, expected: Any) -> None:
    """Fails where two contents of checkpoints differ."""
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        same(list(found.values()), list(expected.values()))
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            same(*pair)
    else:
        assert found == expected


def test_damaged_score_files_are_found(run: Path, capsys: pytest.CaptureFixture) -> None:
    scores = folder(run) / "scores"
    names = ["anomaly_score.npy", "labels.npy", "filenames.npy", "maps/P-1.npy", "train/maps/S-1.npy"]
    for name in names:
        path = scores / name
        content = path.read_bytes()
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        told = error(eval_smap_timestep.main, ["--scores-dir", str(scores)], capsys)
        assert re.search(rf"{re.escape(str(path))}: (is damaged|cannot be read as).*--mode test", told)
        path.write_bytes(content)
    assert eval_smap_timestep.main(["--scores-dir", str(scores)]) == 0


def test_a_changed_config_is_found_however_it_is_laid_out(run: Path) -> None:
    path = folder(run) / "scores" / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content))
    assert recorded_config(path).lr == 1e-3
    content["settings"]["smooth"] += 1
    path.write_text(json.dumps(content))
    for read in (read_record, recorded_config, lambda path: open_scores(path.parent)):
        with pytest.raises(InputError, match=r"config\.json: is damaged, or was changed .* remove its line checksum"):
            read(path)
    del content["checksum"]
    path.write_text(json.dumps(content))
    assert recorded_config(path).smooth == content["settings"]["smooth"]


def test_files_of_before_have_no_checksums_and_still_load(run: Path) -> None:
    last, scores = folder(run) / "last.pt", folder(run) / "scores"
    content = read_checkpoint(last)
    del content["data"]
    torch.save(content, last, _use_new_zipfile_serialization=False)  # as torch once did: no checksums at all
    for path in (folder(run) / "config.json", scores / "config.json", scores / "train" / "config.json"):
        record = json.loads(path.read_text())
        path.write_text(
            json.dumps({name: record[name] for name in record if name not in ("checksum", "files", "data")})
        )
    assert eval_smap_timestep.main(["--scores-dir", str(scores)]) == 0
    assert main.main(flags(run, "--mode", "test")) == 0
    assert main.main(flags(run, "--resume", "--meta-epochs", "3", "--mode", "train")) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"fusion_flow": [1]},
        {"fusion_flow": {"a": torch.zeros(1)}},
        {"parallel_flows": 1},
        {"parallel_flows": [{}]},
        {"settings": None},
        {"epoch": "1"},
        {"channels": 3},
        {"columns": ["P-1"]},
    ],
    ids=str,
)
def test_readable_checkpoints_of_other_content_are_one_error(
    change: dict[str, Any], run: Path, capsys: pytest.CaptureFixture
) -> None:
    path = folder(run) / "last.pt"
    torch.save(read_checkpoint(path) | change, path)
    assert str(path) in error(main.main, flags(run, "--mode", "test"), capsys)


def test_optimizers_of_other_content_are_one_error(run: Path, capsys: pytest.CaptureFixture) -> None:
    path = folder(run) / "last.pt"
    torch.save(read_checkpoint(path) | {"optimizer": {}}, path)
    assert str(path) in error(main.main, flags(run, "--resume", "--meta-epochs", "3"), capsys)


def test_weights_that_are_no_numbers_are_refused(run: Path) -> None:
    path = folder(run) / "last.pt"
    content = read_checkpoint(path)
    next(tensor for tensor in content["parallel_flows"][1].values() if tensor.is_floating_point()).fill_(np.nan)
    torch.save(content, path)
    with pytest.raises(InputError, match=r"last\.pt: parallel_flows\.1\.\S+ holds values that are no numbers"):
        read_checkpoint(path)


def test_fitting_leaves_errors_alone_that_say_what_is_wrong() -> None:
    with pytest.raises(InputError, match="as it was"), fitting(Path("any")):
        raise InputError("as it was")


def test_fingerprints_follow_values_and_shapes(tmp_path: Path) -> None:
    def found(name: str, split: str) -> dict[str, str]:
        config = load_config(keywords={"dataset": "smap", "data_path": str(tmp_path / name)})
        return of_split(DATASETS["smap"].task(config), split)

    write_telemanom(tmp_path / "one", LENGTHS)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    path = tmp_path / "two" / "train" / "S-1.npy"
    series = np.load(path)
    series[7, 0] += 1e-9
    np.save(path, series)
    assert changed(found("one", "train"), found("two", "train")) == ["S-1"]
    assert changed(found("one", "test"), found("two", "test")) == []
    assert changed({}, found("two", "train")) == [], "nothing is known of before"
