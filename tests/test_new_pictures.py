"""New pictures judged by what a run has learnt, from the command line and from Python."""

import csv
import io
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from picture_folders import defect, draw_mvtec_class, save, texture
from picture_runs import run
from PIL import Image

import msflow
from datasets import PictureTask
from evaluation.pictures import read_verdicts
from main import main
from runtime import errors
from runtime.errors import InputError

SHAPE = (48, 80)  # of the pictures, which the detector looks at in 64 x 64


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with the run of a memory on 15 good pictures, and new ones in new/: two good and a bad one."""
    place = tmp_path_factory.mktemp("inspected")
    draw_mvtec_class(place / "data" / "tile", SHAPE)
    rng = np.random.default_rng(3)
    for number in range(15):
        save(place / "data" / "tile" / "train" / "good" / f"{number:03}.png", texture(rng, *SHAPE))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        result = run("mvtec", place / "data", "--head", "memory", "--no-feature-cache")
    assert result.code == 0, result.err
    save(place / "new" / "a.png", texture(rng, *SHAPE))
    save(place / "new" / "deeper" / "b.JPG", texture(rng, *SHAPE))
    picture, mask = defect(rng, *SHAPE)
    save(place / "new" / "c.png", picture)
    np.save(place / "mask.npy", mask)
    (place / "new" / ".hidden.png").write_bytes(b"nothing")
    (place / "new" / "notes.txt").write_text("nothing")
    return place


@pytest.fixture
def inspected(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    errors.warn.cache_clear()
    yield made
    shutil.rmtree(folder_of(made) / "scored", ignore_errors=True)


def folder_of(place: Path) -> Path:
    (found,) = place.glob("work/*/mvtec/tile")
    return found


def scored(place: Path, new: str, *more: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["--mode", "score", "--run", str(folder_of(place)), "--data-path", new, *more])
    return code, out.getvalue(), err.getvalue()


def rows_of(place: Path, name: str = "new") -> dict[str, dict[str, str]]:
    with (folder_of(place) / "scored" / name / "scores.csv").open(newline="", encoding="utf-8") as file:
        return {Path(row["file"]).name: row for row in csv.DictReader(file)}


def test_a_folder_of_new_pictures_is_judged_picture_by_picture(inspected: Path) -> None:
    code, out, err = scored(inspected, "new")
    assert (code, err) == (0, "")
    rows = rows_of(inspected)
    assert {name: row["verdict"] for name, row in rows.items()} == {"a.png": "good", "b.JPG": "good", "c.png": "bad"}
    lines = out.splitlines()
    assert sum(line.lstrip().startswith(("good ", "bad ")) for line in lines) == 3
    assert "Pictures: 3, bad: 1. Threshold:" in out and "Not looked at, as they are no pictures: notes.txt" in out
    bad = rows["c.png"]
    assert float(bad["score"]) > float(bad["threshold"]) == float(rows["a.png"]["threshold"])
    y, x = np.nonzero(np.load(inspected / "mask.npy"))
    box = [int(bad[name]) for name in ("x0", "y0", "x1", "y1")]
    wide, high = min(box[2], x.max() + 1) - max(box[0], x.min()), min(box[3], y.max() + 1) - max(box[1], y.min())
    union = (box[2] - box[0]) * (box[3] - box[1]) + 16 * 16 - wide * high
    assert wide > 0 and high > 0 and wide * high / union > 0.25  # features see further than the defect


def test_what_is_drawn_has_the_size_of_the_picture_and_shows_where(inspected: Path) -> None:
    assert scored(inspected, "new", "--deep-maps")[0] == 0
    folder, mask = folder_of(inspected) / "scored" / "new", np.load(inspected / "mask.npy")
    for kind in ("overlays", "maps", "deep_maps"):
        assert {path.name for path in (folder / kind).iterdir()} == {"a.png", "b.png", "c.png"}
        for path in (folder / kind).iterdir():
            with Image.open(path) as picture:
                assert picture.size == SHAPE[::-1]
    good, over = (np.asarray(Image.open(p)).astype(int) for p in (inspected / "new/a.png", folder / "overlays/a.png"))
    assert np.abs(good - over).max() < 80  # hardly covered
    bad, over = (np.asarray(Image.open(p)).astype(int) for p in (inspected / "new/c.png", folder / "overlays/c.png"))
    assert np.abs(bad - over)[mask].mean() > 40
    heat, deep = (np.asarray(Image.open(folder / kind / "c.png")).astype(float) for kind in ("maps", "deep_maps"))
    assert heat[mask].mean() > 1.2 * heat[~mask].mean()
    assert deep.max() > 65535 * 0.9 and deep.shape == SHAPE and deep[mask].mean() > 1.5 * deep[~mask].mean()


def test_a_picture_of_the_test_has_the_score_that_the_test_gave_it(inspected: Path) -> None:
    scores = folder_of(inspected) / "scores"
    expected = dict(zip(np.load(scores / "filenames.npy"), np.load(scores / "anomaly_score.npy"), strict=True))
    found = msflow.load(folder_of(inspected)).score(list(expected))
    assert dict(zip(found["file"], found["score"], strict=True)) == pytest.approx(expected, rel=1e-4)
    code, _, err = scored(inspected, str(inspected / "data/tile/test/defect"))
    assert code == 0, err
    for name, row in rows_of(inspected, "defect").items():
        (score,) = (value for file, value in expected.items() if file.endswith(f"defect/{name}"))
        assert float(row["score"]) == pytest.approx(score, rel=1e-4)


def test_python_takes_paths_images_and_arrays_of_one_picture_alike(inspected: Path) -> None:
    fitted, path = msflow.load(folder_of(inspected)), inspected / "new" / "c.png"
    image = Image.open(path)
    grey = np.asarray(image.convert("L"))
    alike = [path, image, np.asarray(image), grey, grey / 255, (grey * 257.0).astype(np.uint16)]
    found = fitted.score(alike)
    assert list(found.columns) == [*("file", "score", "threshold", "verdict", "x0", "y0", "x1", "y1", "peak")]
    assert set(found["verdict"]) == {"bad"} and set(found["threshold"]) == {fitted.threshold}
    np.testing.assert_allclose(found["score"], found["score"][0], rtol=2e-3)
    assert found["score"][:3].nunique() == 1
    assert scored(inspected, str(path))[0] == 0
    assert float(rows_of(inspected, "c")["c.png"]["score"]) == found["score"][0]
    assert fitted.score(str(inspected / "new"))["verdict"].tolist() == ["good", "bad", "good"]
    assert fitted.score_map(path).shape == (64, 64)
    assert fitted.overlay(path).size == SHAPE[::-1]
    assert "threshold" in repr(fitted)


def test_a_saved_one_judges_alike_elsewhere(inspected: Path, tmp_path: Path) -> None:
    fitted = msflow.load(folder_of(inspected))
    expected = fitted.score(inspected / "new" / "c.png")
    again = msflow.load(fitted.save(tmp_path / "kept")).score(inspected / "new" / "c.png")
    assert again.equals(expected)


def test_another_threshold_can_be_given(inspected: Path) -> None:
    assert scored(inspected, "new", "--threshold", "1e6")[0] == 0
    assert {row["verdict"] for row in rows_of(inspected).values()} == {"good"}


def test_unreadable_pictures_are_named_and_the_others_scored(inspected: Path, tmp_path: Path) -> None:
    shutil.copytree(inspected / "new", tmp_path / "mixed")
    (tmp_path / "mixed" / "a.png").write_bytes(b"<html>")
    code, out, err = scored(inspected, str(tmp_path / "mixed"))
    assert code == 0 and "not readable: 1" in out
    assert err.count("\n") == 1 and "mixed/a.png: is not a readable picture" in err
    assert set(rows_of(inspected, "mixed")) == {"b.JPG", "c.png"}


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda place: None, "does not exist"),
        (lambda place: place.mkdir(), "holds no pictures"),
        (lambda place: (place.mkdir(), (place / "a.png").write_bytes(b"x")), "is not a readable picture"),
    ],
    ids=["missing", "empty", "all unreadable"],
)
def test_nothing_to_judge_is_one_error(inspected: Path, tmp_path: Path, draw, words: str) -> None:
    draw(tmp_path / "place")
    code, _, err = scored(inspected, str(tmp_path / "place"))
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1 and words in err and "place" in err
    assert not (folder_of(inspected) / "scored" / "place").exists()


@pytest.mark.parametrize("values", [np.zeros((2, 3, 4, 5)), np.full((8, 8), 3.0), np.array([["a"]])], ids=str)
def test_arrays_that_are_no_pictures_are_refused(inspected: Path, values: np.ndarray) -> None:
    with pytest.raises(InputError, match="picture 0: .* expected"):
        msflow.load(folder_of(inspected)).score([values])


def test_good_pictures_alone_are_enough(tile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test pictures at all: a threshold, and verdicts on new ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(PictureTask, "splits", ())
    shutil.rmtree(tile / "test")
    result = run("mvtec", tile.parent, "--head", "memory")
    assert result.code == 0, result.err
    threshold = float(result.out.rsplit("threshold ", 1)[1])
    rng = np.random.default_rng(5)
    found = msflow.load(folder_of(tmp_path)).score(
        [texture(rng, 64, 64).astype(np.uint8), defect(rng, 64, 64)[0] / 255]
    )
    assert found["threshold"].tolist() == pytest.approx([threshold] * 2, rel=1e-3)
    assert found["score"][1] > found["score"][0]


@pytest.mark.parametrize("head", [("memory",), ("flow", "--held-out", "0.4")], ids=" ".join)
def test_training_alone_leaves_the_threshold_of_a_whole_run(
    head: tuple[str, ...], many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ("--head", *head, "--threshold", "q0.5", "--picture-score", "energy")
    whole = run("mvtec", many.parent, *flags)
    expected = msflow.load(folder_of(tmp_path)).threshold
    shutil.rmtree("work")
    trained = run("mvtec", many.parent, *flags, "--mode", "train")
    assert whole.code == trained.code == 0, trained.err
    assert f"Threshold: {expected:.4g}\n" in trained.out
    assert msflow.load(folder_of(tmp_path)).threshold == pytest.approx(expected, rel=1e-6)
    assert not (folder_of(tmp_path) / "scores" / "anomaly_score.npy").exists()
    code, _, err = scored(tmp_path, str(many / "test" / "defect"))
    assert code == 0, err
    assert {row["verdict"] for row in rows_of(tmp_path, "defect").values()} == {"bad"}


@pytest.mark.parametrize("file", ["train/anomaly_score.npy", "anomaly_score.npy", "anomaly_score_map_energy.npy"])
def test_score_files_that_were_changed_are_not_judged(inspected: Path, tmp_path: Path, file: str) -> None:
    folder = shutil.copytree(folder_of(inspected), tmp_path / "copy")
    path = folder / "scores" / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}: is damaged: not what the test wrote"):
        fitted = msflow.load(folder)
        list(read_verdicts(folder / "scores", fitted.config, fitted.threshold))
