"""What the speed benchmark compares is the same work, and its table keeps what was measured elsewhere."""

import argparse
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_flags

import msflow
from benchmarks import accuracy, alarms, features, golden, short, side_by_side, speed
from benchmarks.inputs import write_pictures, write_telemetry
from benchmarks.own_process import evaluate_scores
from benchmarks.records import read_records, write_records
from benchmarks.variants import flow_of, open_variant
from detectors.scoring import test as score
from evaluation import BASELINES
from models.flows import negative_log_likelihood
from runtime.errors import InputError
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
    arrays = {"one": values, "same": values, "other": changed, "short": values[:2]}
    # rows of a training series that have no score
    arrays |= {f"{name} with gaps": np.vstack([np.full((1, 4), np.nan), array[1:]]) for name, array in arrays.items()}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    one, same, other, short = (tmp_path / f"{name}.npy" for name in ("one", "same", "other", "short"))
    assert golden.difference(one, same) == 0
    assert golden.TOLERANCE < golden.difference(one, other) < 1e-2
    assert golden.difference(one, short) == np.inf
    gaps, same_gaps, other_with_gaps = (tmp_path / f"{name} with gaps.npy" for name in ("one", "same", "other"))
    assert golden.difference(gaps, same_gaps) == 0
    assert golden.TOLERANCE < golden.difference(gaps, other_with_gaps) < 1e-2
    assert golden.difference(one, gaps) == golden.difference(gaps, one) == np.inf
    assert golden.compared("run", {"a": one}, {"a": same})
    assert not golden.compared("run", {"a": one}, {"a": other}) and not golden.compared("run", {"a": one}, {})


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_an_earlier_commit_is_run_in_a_tree_of_its_own_that_goes_away() -> None:
    with side_by_side.checked_out("HEAD") as tree:
        assert (tree / "main.py").exists() and tree != ROOT
        with pytest.raises(InputError, match="main.py ends with"):
            side_by_side.run_command(tree, tree / "nowhere", "configs/smap_line.py", tree / "nothing.safetensors")
    assert not tree.parent.exists()
    with pytest.raises(InputError, match="--against no-such-commit"), side_by_side.checked_out("no-such-commit"):
        pass


def test_the_commands_run_in_turn_and_medians_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(tree: Path, data: Path, recipe: str, weights: Path | None) -> side_by_side.Run:
        asked.append((tree == ROOT, recipe, weights is not None))
        seconds = (9.0, 2.0, 5.0, 30.0, 4.0, 6.0, 12.0, 3.0, 8.0)[len(asked) - 1]
        return side_by_side.Run(seconds, 2 * seconds, "0.884")

    monkeypatch.setattr(side_by_side, "run_command", run)
    table = side_by_side.compared("HEAD", {"made up": tmp_path}, tmp_path, 3).splitlines()
    own, imagenet = "configs/smap_line.py", "configs/imagenet.py"
    assert asked == [(False, own, True), (True, own, False), (True, imagenet, True)] * 3
    assert table[2] == "| made up, by the clock | 12.0 s | 3.0 s | 6.0 s | 4.00 | 2.00 |"
    assert table[3] == "| made up, of all processors | 24.0 s | 6.0 s | 12.0 s | 4.00 | 2.00 |"
    assert table[4] == "| made up, ROC AUC | 0.884 | 0.884 | 0.884 | | |"


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


def test_accuracy_has_a_row_of_a_recipe_beside_those_of_trivial_scores(tmp_path: Path) -> None:
    data = str(write_telemetry(tmp_path / "telemetry", 3))
    given = argparse.Namespace(data_path=data, weights="random", weights_name="none", work_dir=str(tmp_path / "runs"))
    rows = accuracy.trivial_rows("smap", data)
    assert [row.recipe for row in rows] == list(BASELINES)
    rows.append(accuracy.run_row(accuracy.Row("line"), "smap", 0, given))
    assert all(0 <= row.pooled_ap <= 1 and 0 <= row.second_half_auroc <= 1 for row in rows)
    write_records(tmp_path / "accuracy.csv", rows)
    assert read_records(tmp_path / "accuracy.csv", accuracy.Result) == rows
    assert f"| line | {rows[-1].pooled_auroc:.3f}".replace("0.", ".") in accuracy.as_markdown(rows, "here")


def test_alarms_tries_policies_on_made_up_fleets_and_the_training_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(alarms, "CHANNELS", 3)
    monkeypatch.setattr(alarms, "FLEETS", [(True, (500, 2100))] * 2 + [(False, (500, 300))] * 2)
    known = msflow.fit(np.random.default_rng(0).normal(size=500), weights="random", folder=tmp_path / "noise").folder
    capsys.readouterr()
    variants = ["recipe", "causal", "pot alone"]
    assert alarms.main(["--recipe", "telemetry", "--runs", str(known), "--only", *variants]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "variant" and head.split()[-1] == known.name
    for name, line in zip(variants, lines, strict=True):
        assert line.startswith(f"{name} ") and len(line.rstrip()) <= len(head)
        cells = [float(cell) for cell in line[17:].split()]
        assert len(cells) == 2 * 4 + 2 + 1 + 1 and min(cells) >= 0
        assert max(cells[:8]) <= 1  # precision, recall, F1 and the share of normal steps under alarm, twice
    share = {name: float(line[17:].split()[3]) for name, line in zip(variants, lines, strict=True)}
    assert share["pot alone"] > share["recipe"], "without a policy more steps are under alarm"


def test_alarms_knows_the_variants_that_it_names(capsys: pytest.CaptureFixture) -> None:
    asked = re.search(r'--only ("[^"]+") ("[^"]+")', alarms.__doc__)
    assert asked and {name.strip('"') for name in asked.groups()} <= set(alarms.VARIANTS)
    assert alarms.main(["--only", "risk 1e9"]) == 2 and "unknown variant 'risk 1e9'" in capsys.readouterr().err


def test_features_scores_sensors_known_for_a_short_time_each_by_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(features, "make_short", lambda seed, steps: short.make_short(seed, steps)[:2])
    monkeypatch.setattr(features, "ALONE", 2)
    fitted, fit = [], msflow.fit

    def noted(data: dict, **settings: object) -> msflow.Fitted:
        fitted.append((data, settings))
        return fit(data, **settings)

    monkeypatch.setattr(msflow, "fit", noted)
    assert features.main(["--short", "300", "--only", "one scale"]) == 0
    assert [(len(data), settings["scaling"]) for data, settings in fitted] == [(1, "auto")] * 4
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["variant", "short", "300", "alone", "300", "seconds"] and line.startswith("one scale ")
    assert all(len(series) == 300 for data, _ in fitted for series in data.values())


def test_short_training_is_the_same_for_one_seed_and_has_faults_in_every_channel() -> None:
    made, again = short.make_short(3, 300), short.make_short(3, 300)
    assert all((a == b).all() for one, other in zip(made, again, strict=True) for a, b in zip(one, other, strict=True))
    assert any((a[0] != b[0]).any() for a, b in zip(made, short.make_short(4, 300), strict=True))
    for known, new, odd in made:
        assert (len(known), len(new), len(odd)) == (300, short.NEW, short.NEW) and 0 < odd.mean() < 0.4
