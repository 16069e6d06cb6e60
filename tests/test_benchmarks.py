"""What the speed benchmark compares is the same work, and its table keeps what was measured elsewhere."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_flags

from benchmarks import golden, speed
from benchmarks.inputs import write_pictures, write_telemetry
from benchmarks.own_process import evaluate_scores
from benchmarks.variants import flow_of, open_variant
from detectors.scoring import test as score
from models.flows import negative_log_likelihood
from train import train

ROOT = Path(speed.__file__).parents[1]


@pytest.mark.parametrize("path", [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")], ids=str)
def test_every_script_can_be_imported(path: Path) -> None:
    importlib.import_module(f"{path.parent.name}.{path.stem}")


def test_golden_runs_that_cannot_be_done_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for words, told in (
        (["record", "--only", "nonsense"], "unknown run 'nonsense'"),
        (["record", "--only", "smap_line"], "smap_line needs --smap"),
        (["compare", "--only", "gasf"], "no record of the run gasf"),
    ):
        assert golden.main([words[0], str(tmp_path), *words[1:]]) == 2
        assert told in capsys.readouterr().err


def test_golden_tells_files_that_differ_from_equal_ones(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    changed = values.copy()
    changed[1, 2] *= 1 + 1e-3
    for name, array in {"one": values, "same": values, "other": changed, "short": values[:2]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    one, same, other, short = (tmp_path / f"{name}.npy" for name in ("one", "same", "other", "short"))
    assert golden.difference(one, same) == 0
    assert golden.TOLERANCE < golden.difference(one, other) < 1e-2
    assert golden.difference(one, short) == np.inf
    assert golden.compared("run", {"a": one}, {"a": same})
    assert not golden.compared("run", {"a": one}, {"a": other}) and not golden.compared("run", {"a": one}, {})


@pytest.mark.parametrize("kind", ["telemetry", "pictures"])
def test_the_plain_way_computes_what_ours_does(kind: str, tmp_path: Path) -> None:
    """Training included: the same losses, names and scores."""
    if kind == "telemetry":
        flags = tiny_flags(write_telemetry(tmp_path / kind, 3), tmp_path / "runs")
    else:
        flags = [*tiny_flags(write_pictures(tmp_path / kind, 4, 64), tmp_path / "runs"), "--dataset", "mvtec"]
    found = []
    for plain in (True, False):
        run = open_variant((*flags, "--work-dir", str(tmp_path / f"plain {plain}")), plain)
        train(run)
        features = run.detector.opened(speed.training_pictures(run), "train")
        loss = negative_log_likelihood(*flow_of(run).transform(features.levels([0, 1])))
        folder, _ = score(run)
        found.append((loss, np.load(folder / "anomaly_score.npy"), list(flow_of(run).state_dict())))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=0)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3)
    assert found[0][2] == found[1][2]
    if kind == "telemetry":
        evaluate_scores(run)
        assert (folder / "metrics.json").exists()


def test_a_row_says_how_many_times_as_long_the_plain_way_takes() -> None:
    assert speed._row("a step", [6.0, 3.0, 2.4], "s") == "| a step | 6.00 s | 3.00 s | 2.40 s | 2.00 | 2.50 |"
    assert speed._row("kept", [0.0, 1.0, 2.0], "s", with_ratio=False) == "| kept |  | 1.00 s | 2.00 s |  |  |"


def test_a_section_replaces_the_one_of_its_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "TABLE", tmp_path / "speed.md")
    for title, text in (("one", "1"), ("two", "2"), ("one", "3")):
        speed.write_section(title, text)
    assert (tmp_path / "speed.md").read_text() == f"{speed.HEAD}\n## one\n\n3\n\n## two\n\n2\n"
