"""Runs of main.py on pictures: what they left, and metrics computed anew from their score files."""

import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from picture_folders import SIZE
from PIL import Image
from references import slow_pro
from sklearn.metrics import roc_auc_score

from main import main

VERSION = "msflow_resnet18_avgpool_pl111"
METRICS = {"detection": "detection AUROC", "localisation": "localisation AUROC", "pro": "PRO"}


@dataclass
class Result:
    """What a run of the entry point left: exit code, output, and the folder of its data set."""

    code: int
    out: str
    err: str
    folder: Path

    def printed(self, name: str) -> dict[str, str]:
        """The metrics in the last lines, by their printed names."""
        line = next(line for line in reversed(self.out.splitlines()) if line.split()[:1] == [name])
        return dict(re.findall(r"(detection AUROC|localisation AUROC|PRO) (undefined|[\d.]+)", line))

    def load(self, name: str, file: str) -> np.ndarray:
        return np.load(self.folder / name / "scores" / f"{file}.npy")

    def log(self, name: str) -> list[dict]:
        lines = (self.folder / name / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def run(dataset: str, data_path: Path | None, *more: str) -> Result:
    """Run main.py in the current folder with a tiny model."""
    out, err = io.StringIO(), io.StringIO()
    flags = [
        *("--dataset", dataset, "--work-dir", "work", "--extractor", "resnet18", "--weights", "random"),
        *("--input-size", str(SIZE), str(SIZE), "--parallel-blocks", "1", "1", "1", "--c-conds", "4", "4", "4"),
        *("--meta-epochs", "2", "--sub-epochs", "1", "--batch-size", "4", "--device", "cpu"),
        *(("--data-path", str(data_path)) if data_path else ()),
    ]
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*flags, *more])
    return Result(code, out.getvalue(), err.getvalue(), Path("work").resolve() / VERSION / dataset)


def recomputed(result: Result, name: str, mask_of: Callable[[Path], Path | None]) -> dict[str, float]:
    """The metrics of a class from its score files and the masks on disk."""
    energies = (result.folder / name / "scores" / "anomaly_score_map_energy.npy").exists()
    maps = result.load(name, f"anomaly_score_map_{'energy' if energies else 'add'}")
    masks = np.zeros(maps.shape, dtype=np.uint8)
    labels = np.zeros(len(maps), dtype=int)
    for index, filename in enumerate(result.load(name, "filenames")):
        mask_path = mask_of(Path(filename))
        if mask_path is not None:
            drawn = np.asarray(Image.open(mask_path)) > 0
            rows, columns = (((np.arange(SIZE) + 0.5) * length / SIZE).astype(int) for length in drawn.shape)
            masks[index] = drawn[np.ix_(rows, columns)]
            labels[index] = 1
    np.testing.assert_array_equal(result.load(name, "labels"), labels)
    return {
        "detection": roc_auc_score(labels, result.load(name, "anomaly_score")),
        "localisation": roc_auc_score(masks.ravel(), maps.ravel()),
        "pro": slow_pro(masks, maps),
    }


def mvtec_mask(path: Path) -> Path | None:
    if path.parent.name == "good":
        return None
    return path.parents[2] / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"


def check_metrics(result: Result, name: str, mask_of: Callable[[Path], Path | None]) -> None:
    """Printed and logged metrics are those of the score files."""
    expected, logged = recomputed(result, name, mask_of), result.log(name)[-1]
    for metric, words in METRICS.items():
        assert float(result.printed(name)[words]) == pytest.approx(expected[metric], abs=0.5001e-4)
        assert logged[metric] == pytest.approx(expected[metric], abs=1e-6)


def assert_one_line_error(result: Result, *words: str) -> None:
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err + result.out
    for word in words:
        assert word in result.err
