"""The benchmark beside the peers: what it runs, that it goes on where it was, and the table it writes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import write_telemanom

import main
from benchmarks import peers
from benchmarks.peers_table import Row
from benchmarks.records import read_records
from detectors import DETECTORS
from metrics.bootstrap import mean_interval
from settings.load import published


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh process takes seconds to import torch."""
    monkeypatch.setattr(peers, "made_apart", peers.made)


def test_every_published_detector_is_in_it_with_a_recipe_of_its_own() -> None:
    named = {name.partition(",")[0] for name in peers.FLAGS}
    assert named | {"msflow"} == set(DETECTORS)
    assert all(published(name) for name in named)
    assert set(peers.RECIPES) >= {"smap", "msl", "tsb-nasa", "sample"}


def test_detectors_are_judged_on_the_same_steps_and_nothing_is_run_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    data = write_telemanom(tmp_path / "telemetry", {"P-1": (400, 300), "S-1": (350, 280), "E-1": (380, 310)})
    flags = ["--data", "smap", "--data-path", str(data), "--work-dir", str(tmp_path / "w"), "--out", str(tmp_path)]
    flags += ["--bootstrap", "50"]
    assert peers.main([*flags, "--detectors", "trivial", "msflow", "pca", "--seeds", "0", "1"]) == 0
    with (tmp_path / "peers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [(row["detector"], row["seed"], row["smooth"]) for row in rows]
    assert found[-6:] == [("msflow", "0", "32"), ("msflow", "1", "32")] + [
        ("pca", seed, smooth) for seed in "01" for smooth in ("32", "1")
    ]
    assert found[0] == ("random", "0", "32") and len(found) == 5 + 6
    text = (tmp_path / "peers.md").read_text()
    assert "`uv run main.py --detector pca --dataset smap --seed 0 --smooth 1 --risk 7`" in text
    assert "| pca, mean of 32 |" in text and "| pca |" in text
    own = {row["seed"]: row for row in rows if row["detector"] == "msflow"}
    assert own["0"]["lower"] == "nan" and float(own["0"]["gigabytes"]) > 0
    assert all(np.isfinite(float(row["lower"])) for row in rows if row["detector"] == "pca")

    monkeypatch.setattr(peers, "rows_of", lambda *asked: pytest.fail("stands in the csv already"))
    assert peers.main([*flags, "--detectors", "trivial", "msflow", "pca", "--seeds", "0", "1"]) == 0
    assert peers.main([*flags, "--detectors", "tradan"]) == 2
    assert "tranad" in capsys.readouterr().err


def test_the_command_beside_a_row_gives_its_figures(tmp_path: Path) -> None:
    """Scores, smoothing and policy: what main.py judges of that command is what the table says."""
    data = write_telemanom(tmp_path / "telemetry", {"P-1": (400, 300), "S-1": (350, 280)})
    flags = ["--data", "smap", "--data-path", str(data), "--work-dir", str(tmp_path / "w"), "--out", str(tmp_path)]
    assert peers.main([*flags, "--detectors", "statistics", "--seeds", "0", "--bootstrap", "0"]) == 0
    (row, _) = read_records(tmp_path / "peers.csv", Row)
    command = [*row.command.split()[1:], "--data-path", str(data), "--work-dir", str(tmp_path / "by hand")]
    assert main.main([*command, "--vis-top-k", "0"]) == 0
    (path,) = (tmp_path / "by hand").rglob("metrics.json")
    pooled = json.loads(path.read_text())["scores"]["model"]["parts"]["pooled"]
    assert pooled["roc_auc"] == pytest.approx(row.pooled_roc_auc, abs=1e-4)
    assert pooled["event_recall"] == pytest.approx(row.event_recall, abs=1e-4)
    assert pooled["vus_pr"] == pytest.approx(row.vus_pr, abs=1e-4)


def test_the_interval_of_a_mean_is_that_of_its_resamples() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, size=40)
    low, high = mean_interval(values.tolist())
    rng = np.random.default_rng(1)
    slow = np.quantile([rng.choice(values, 40).mean() for _ in range(20_000)], [0.025, 0.975])
    np.testing.assert_allclose([low, high], slow, atol=0.02)
    assert mean_interval([2.0, 2.0]) == (2.0, 2.0)
