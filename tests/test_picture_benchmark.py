"""The table of heads on pictures says what the runs say, and runs nothing twice."""

import json
from pathlib import Path

import numpy as np
import pytest
from picture_folders import draw_mvtec

from benchmarks import pictures
from benchmarks.records import read_records

RECIPE = "extractor = 'resnet18'\nweights = 'random'\ninput_size = (64, 64)\nhead = 'memory'\nreport = False\n"
ASKED = ("memory, greedy", "gaussian")


def test_a_line_for_every_head_and_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny.py").write_text(RECIPE)
    monkeypatch.setattr(pictures, "ANY", str(tmp_path / "tiny.py"))
    places = ["--data-path", str(draw_mvtec(tmp_path / "data")), "--work-dir", str(tmp_path / "runs")]
    words = ["--dataset", "mvtec", *places, "--to", str(tmp_path), "--only", *ASKED]
    assert pictures.main(words) == 0
    rows = read_records(tmp_path / "pictures.csv", pictures.Result)
    assert [(row.head, row.class_name) for row in rows] == [(h, c) for h in ASKED for c in ("screw", "tile")]
    for row in rows:
        (path,) = tmp_path.glob(f"runs/*_{row.head.split(',')[0]}/mvtec/{row.class_name}/scores/metrics.json")
        metrics = json.loads(path.read_text())
        assert (row.detection, row.pro) == pytest.approx((metrics["detection"], metrics["pro"]), abs=5e-5)
        assert (row.found, row.false_alarms) == (metrics["found"], metrics["false alarms"])
        assert row.megabytes == round((path.parents[1] / "last.pt").stat().st_size / 1e6, 2)
    (line,) = (line for line in (tmp_path / "pictures.md").read_text().splitlines() if line.startswith("| gaussian"))
    mean = np.mean([row.localisation for row in rows[2:]])
    assert f"{mean:.3f}".lstrip("0") in line and "main.py --config" in line and "--head gaussian" in line

    monkeypatch.setattr(pictures, "run_class", lambda *given: pytest.fail("it stands in the csv already"))
    assert pictures.main(words) == 0


def test_what_it_does_not_know_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert pictures.main(["--only", "flaw", "--to", str(tmp_path)]) == 2
    assert "unknown head 'flaw'. Did you mean 'flow'?" in capsys.readouterr().err
    assert pictures.main(["--dataset", "smap", "--to", str(tmp_path)]) == 2
    assert "is of series" in capsys.readouterr().err
