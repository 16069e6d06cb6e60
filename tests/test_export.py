"""A run as one ONNX file: other programs get the scores that the run gives."""

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from picture_folders import defect, draw_mvtec_class, save, texture
from picture_runs import run as run_pictures
from PIL import Image

import msflow
from models import export
from serving import export as exporting

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")

STEPS = 500
LINE = {"time_scales": [1, 2], "smooth": 8, "parallel_blocks": [1, 1, 1], "meta_epochs": 1, "clip": 4.0}
HEADS = ("flow", "gaussian", "memory")


def command(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = export.main(list(words))
    return code, out.getvalue(), err.getvalue()


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.median(expected))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 20 new pictures, good and bad, and data to learn from."""
    place = tmp_path_factory.mktemp("exported")
    draw_mvtec_class(place / "data" / "tile", (48, 80))
    rng = np.random.default_rng(7)
    for number in range(12):
        save(place / "data" / "tile" / "train" / "good" / f"{number:03}.png", texture(rng, 48, 80))
    for number in range(20):
        picture = texture(rng, 48, 80) if number % 2 else defect(rng, 48, 80)[0]
        save(place / "new" / f"{number:02}.png", picture)
    return place


def learn(place: Path, head: str, work_dir: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        result = run_pictures("mvtec", place / "data", "--head", head, "--no-report", "--work-dir", work_dir)
        assert result.code == 0, result.err
        (folder,) = (
            path.parent.resolve() for path in Path("work").rglob("last.pt") if head in str(path) or head == "flow"
        )
    return folder


def pixels(path: Path, size: tuple[int, int]) -> np.ndarray:
    """As the README says it: what any program can do that has a picture."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize(size[::-1], Image.Resampling.LANCZOS), np.float32)


@pytest.mark.parametrize("head", HEADS)
def test_pictures_have_the_scores_verdicts_and_maps_of_the_run(place: Path, head: str) -> None:
    folder = learn(place, head, f"work/{head}")
    code, out, err = command(str(folder))
    assert (code, err) == (0, "")
    assert "Compared with the run on 20 pictures" in out and str(folder / "model.onnx") in out
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    size = tuple(session.get_inputs()[0].shape[1:3])
    files = sorted((place / "new").iterdir())
    batch = np.stack([pixels(path, size) for path in files])
    inspector = msflow.load(folder)
    expected = inspector.score(files)
    score, bad, where = session.run(["score", "bad", "map"], {"pictures": batch})
    close(score, expected["score"].to_numpy())
    assert bad.tolist() == (expected["verdict"] == "bad").tolist() and 0 < bad.sum() < len(bad)
    for number in (0, 1):
        close(where[number], inspector.score_map(files[number]))
        (alone,) = session.run(["score"], {"pictures": batch[number : number + 1]})
        close(alone, score[number : number + 1])
    facts = session.get_modelmeta().custom_metadata_map
    assert float(facts["threshold"]) == inspector.threshold and facts["white"] == "255"


def pump(seed: int, steps: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(steps) / 9)[:, None] + 0.2 * rng.normal(size=(steps, 2))
    return pd.DataFrame(wave * [1, 1e4] + [0, 3e5], columns=["current", "pressure"])


@pytest.mark.parametrize(
    ("head", "more"),
    [
        ("combined", {"combine": "max"}),
        ("memory", {"combine": "mean", "calibration": "quantile", "fleet_size": 0}),
        ("gaussian", {"combine": "logs", "trailing": True, "levels": [1, 3], "pool_type": "none"}),
        ("flow", {"combine": "highest"}),
    ],
    ids=str,
)
def test_lines_have_the_scores_of_the_run(tmp_path: Path, head: str, more: dict) -> None:
    fitted = msflow.fit(pump(0), name="pump", head=head, folder=tmp_path, **LINE | more)
    code, out, err = command(str(fitted.folder), "--steps", str(STEPS), "--to", str(tmp_path / "pump.onnx"))
    assert (code, err) == (0, "")
    assert "Compared with the run on 5 made-up series" in out
    session = onnxruntime.InferenceSession(tmp_path / "pump.onnx")
    for seed in range(1, 6):
        new = pump(seed, STEPS)
        new.iloc[200:230, seed % 2] *= 1.5
        (found,) = session.run(["score"], {"series": new.to_numpy()})
        close(found, fitted.score(new)["score"].to_numpy())
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["columns"]) == ["current", "pressure"]
    assert float(facts["threshold"]) == pytest.approx(fitted.threshold("pump"))


def test_what_cannot_be_exported_is_one_error_that_says_why(place: Path, tmp_path: Path) -> None:
    frame = pump(0, 300)
    tables = {
        "detector = pca: only msflow": {"detector": "pca", "window": 8},
        "layout = fold: its pictures overlap": {"layout": "fold", "extractor": "resnet18", "weights": "random"},
        "colours = residual": {"colours": ["residual"] * 3},
    }
    for words, settings in tables.items():
        folder = msflow.fit(frame, folder=tmp_path / words[:12], columns=["all"], **settings).folder
        code, out, err = command(str(folder), "--steps", "100")
        assert code == 2 and err.count("\n") == 1 and out == ""
        assert f"{folder}: cannot be exported: {words}" in err
        assert not (folder / "model.onnx").exists()


def test_wrong_words_are_one_error(place: Path, tmp_path: Path) -> None:
    pictures = learn(place, "gaussian", "work/words")
    several = msflow.fit({"a": pump(0, 300), "b": pump(1, 300)}, folder=tmp_path, head="gaussian").folder
    for words, told in (
        ((pictures, "--steps", "5"), "is a run of pictures"),
        ((several,), "Set --steps"),
        ((several, "--steps", "100"), "which channel .*: a, b"),
        ((several, "--steps", "100", "--channel", "c"), "unknown channel 'c'"),
        ((tmp_path / "nowhere",), "nowhere.*: missing"),
    ):
        code, _, err = command(*map(str, words))
        assert code == 2 and err.count("\n") == 1
        assert re.search(told, err), err


def test_a_file_that_scores_otherwise_is_not_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = learn(place, "gaussian", "work/otherwise")
    monkeypatch.setattr(exporting, "CLOSE", 0.0)
    code, out, err = command(str(folder), "--to", str(folder / "other.onnx"))
    assert code == 2 and out == "" and "differ from those by the run" in err
    assert not (folder / "other.onnx").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_without_a_package_it_says_what_to_install(place: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = learn(place, "gaussian", "work/without")
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == package else find_spec(name))
    code, out, err = command(str(folder))
    assert code == (0 if package == "onnxruntime" else 2)
    assert package in out + err and "uv sync --extra onnx" in out + err
    assert ("Not compared" in out) == (package == "onnxruntime")
