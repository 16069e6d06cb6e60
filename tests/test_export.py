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
import torch
from picture_folders import defect, draw_mvtec_class, save, texture
from picture_runs import run as run_pictures
from PIL import Image

import msflow
from detectors.run import reopened
from models import export
from serving import export as exporting

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")

STEPS = 500
LINE = {"time_scales": [1, 2], "smooth": 8, "parallel_blocks": [1, 1, 1], "meta_epochs": 1, "clip": 4.0}


def command(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = export.main(list(words))
    return code, out.getvalue(), err.getvalue()


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 20 new pictures, good and bad, and data to learn from."""
    place = tmp_path_factory.mktemp("exported")
    draw_mvtec_class(place / "data" / "tile", (48, 80))
    rng = np.random.default_rng(7)
    for number in range(15):
        save(place / "data" / "tile" / "train" / "good" / f"{number:03}.png", texture(rng, 48, 80))
    for number in range(20):
        picture = texture(rng, 48, 80) if number % 2 else defect(rng, 48, 80)[0]
        save(place / "new" / f"{number:02}.png", picture)
    return place


def learn(place: Path, head: str, work_dir: str, threshold: str = "maxima") -> Path:
    flags = ["--head", head, "--no-report", "--work-dir", work_dir, "--threshold", threshold]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        result = run_pictures("mvtec", place / "data", *flags)
        assert result.code == 0, result.err
        (last,) = Path(work_dir).resolve().rglob("last.pt")
    return last.parent


def pixels(path: Path, size: tuple[int, int]) -> np.ndarray:
    """As the README says it: what any program can do that has a picture."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize(size[::-1], Image.Resampling.LANCZOS), np.float32)


@pytest.mark.parametrize(("head", "threshold"), [("flow", "q0.5"), ("memory", "maxima")])
def test_pictures_have_the_scores_verdicts_and_maps_of_the_run(place: Path, head: str, threshold: str) -> None:
    folder = learn(place, head, f"work/{head}", threshold)
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


def test_deep_pictures_go_in_with_their_own_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    for number in range(6):  # of a camera with 12 bits
        values = (texture(rng, 64, 64) * 4095 / 160).astype(np.uint16)
        (tmp_path / "parts").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / "parts" / f"{number}.png")
    result = run_pictures("folder", tmp_path / "parts", "--head", "gaussian", "--no-report")
    assert result.code == 0, result.err
    (last,) = Path("work").rglob("last.pt")
    made = exporting.network_of_pictures(reopened(last.parent), None, None)
    assert made.facts["white"] == "4095"
    grey = np.asarray(Image.open(tmp_path / "parts" / "0.png"), np.float32)
    with torch.no_grad():
        score, *_ = made.network(torch.from_numpy(np.repeat(grey[None, :, :, None], 3, axis=3)))
    close(score.numpy(), msflow.load(last.parent).score(tmp_path / "parts" / "0.png")["score"].to_numpy())


def pump(seed: int, steps: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(steps) / 9)[:, None] + 0.2 * rng.normal(size=(steps, 2))
    return pd.DataFrame(wave * [1, 1e4] + [0, 3e5], columns=["current", "pressure"])


def odd(seed: int) -> pd.DataFrame:
    new = pump(seed, STEPS)
    new.iloc[200:230, seed % 2] *= 1.5
    return new


def test_lines_have_the_scores_of_the_run(tmp_path: Path) -> None:
    fitted = msflow.fit(pump(0), name="pump", folder=tmp_path, **LINE | {"time_scales": [2]})
    code, out, err = command(str(fitted.folder), "--steps", str(STEPS), "--to", str(tmp_path / "pump.onnx"))
    assert (code, err) == (0, "")
    assert "Compared with the run on 5 made-up series" in out
    session = onnxruntime.InferenceSession(tmp_path / "pump.onnx")
    for new in map(odd, range(1, 6)):
        (found,) = session.run(["score"], {"series": new.to_numpy()})
        close(found, fitted.score(new)["score"].to_numpy())
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["columns"]) == ["current", "pressure"]
    assert float(facts["threshold"]) == pytest.approx(fitted.threshold("pump"))


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "memory", "combine": "mean", "calibration": "center", "fleet_size": 0, "time_scales": [1]},
        {"head": "gaussian", "combine": "logs", "trailing": True, "levels": [1, 3], "calibration": "quantile"},
        {"head": "gaussian", "combine": "highest", "pool_type": "none", "smooth": 1, "scaling": "none", "clip": 0.0},
        {"head": "flow", "columns": ["colours"], "smap_used_dims": [0, 1, 1], "standardise": False, "smooth": 9},
        {"head": "combined", "shared_density": True, "time_scales": [3]},
    ],
    ids=str,
)
@pytest.mark.parametrize("steps", [STEPS, 37])
def test_the_network_of_lines_computes_what_the_detector_does(tmp_path: Path, settings: dict, steps: int) -> None:
    known = {"a": pump(0), "b": pump(9)}
    fitted = msflow.fit(known, folder=tmp_path, **LINE | settings)
    network, new = exporting.network_of_series(reopened(fitted.folder), steps, "b").network, odd(1)[:steps]
    with torch.no_grad():
        found = network(torch.tensor(new.to_numpy())).numpy()
    close(found, fitted.score({"b": new})["score"].to_numpy())


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


def test_a_file_that_scores_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of the same shape that adds a thousandth stands for what may go wrong."""
    folder = msflow.fit(pump(0), head="gaussian", folder=tmp_path, **LINE | {"time_scales": [1]}).folder
    right = exporting.network_of_series

    def wrong(*given: object) -> exporting.Exported:
        made = right(*given)
        made.network.row_centre -= 1e-3
        return made

    monkeypatch.setattr(exporting, "network_of_series", wrong)
    code, out, err = command(str(folder), "--steps", str(STEPS))
    assert code == 2 and out == ""
    assert "the scores of 5 made-up series by the file differ from those by the run, by" in err
    assert not (folder / "model.onnx").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_without_a_package_it_says_what_to_install(
    tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = msflow.fit(pump(0, 300), head="gaussian", folder=tmp_path).folder
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == package else find_spec(name))
    monkeypatch.setattr(exporting, "_write", lambda made, path: None)  # takes seconds
    code, out, err = command(str(folder), "--steps", "100")
    assert code == (0 if package == "onnxruntime" else 2)
    assert package in out + err and "uv sync --extra onnx" in out + err
    assert ("Not compared" in out) == (package == "onnxruntime")
