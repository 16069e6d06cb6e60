"""docs/new_detector.md: the detector in it runs as it stands."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from conftest import write_telemanom

import main
from detectors import DETECTORS

TEXT = (Path(main.__file__).parent / "docs" / "new_detector.md").read_text(encoding="utf-8")


def test_the_detector_of_the_walk_through_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    body = [line for line in code.splitlines() if line.strip() and not line.lstrip().startswith('"""')]
    assert len(body) <= 30, "thirty lines, docstrings aside"
    (tmp_path / "my_kmeans.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    data = write_telemanom(tmp_path / "telemetry", {"P-1": (600, 500)})
    DETECTORS.register("kmeans", importlib.import_module("my_kmeans").kmeans)
    try:
        flags = re.search(r"main\.py (--detector kmeans) --dataset sample (--columns measured)", TEXT)
        where = ("--dataset", "smap", "--data-path", str(data), "--work-dir", str(tmp_path / "runs"), "--no-report")
        assert main.main([*" ".join(flags.groups()).split(), *where]) == 0
        assert main.main([*" ".join(flags.groups()).split(), *where, "--mode", "test"]) == 0
    finally:
        DETECTORS.remove("kmeans")
        sys.modules.pop("my_kmeans", None)
    facts = json.loads((tmp_path / "runs/kmeans/smap/SMAP/scores/config.json").read_text())
    assert facts["rows"] == ["distance"] and facts["settings"]["detector"] == "kmeans"


def test_the_walk_through_names_what_there_is() -> None:
    root = Path(main.__file__).parent
    for path in re.findall(r"`?((?:detectors|settings|tests)/\w+\.py)`?", TEXT):
        assert (root / path).is_file() or path == "detectors/kmeans.py", path
    assert '    "kmeans": "detectors.kmeans:kmeans",' in TEXT
