"""Pictures in the layout of MVTec AD to printed metrics, through the real entry point."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_folders import CLASSES, NUM_BAD, NUM_GOOD, SIZE, draw_mvtec, draw_mvtec_class, save
from picture_runs import METRICS, Result, assert_one_line_error, check_metrics, mvtec_mask, run

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture(scope="module")
def mvtec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two classes that no test changes."""
    return draw_mvtec(tmp_path_factory.mktemp("data") / "mvtec")


@pytest.fixture(scope="module")
def mvtec_run(mvtec: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    """One run over both classes, with PRO."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        yield run("mvtec", mvtec, "--pro-eval")


def test_run_ends_well_and_prints_all_metrics_of_every_class(mvtec_run: Result) -> None:
    assert mvtec_run.code == 0, mvtec_run.err
    assert mvtec_run.err == ""
    lines = mvtec_run.out.splitlines()
    assert [line.split()[0] for line in lines[-2:]] == sorted(CLASSES)
    for name in CLASSES:
        assert set(mvtec_run.printed(name)) == set(METRICS.values())
    assert "weights: random (seed 0)" in mvtec_run.out
    assert "nan" not in mvtec_run.out


@pytest.mark.parametrize("name", CLASSES)
def test_metrics_are_those_of_the_score_files(mvtec_run: Result, name: str) -> None:
    check_metrics(mvtec_run, name, mvtec_mask)


@pytest.mark.parametrize("name", CLASSES)
def test_log_has_the_losses_and_metrics_of_every_meta_epoch(mvtec_run: Result, name: str) -> None:
    records = mvtec_run.log(name)
    assert [record["epoch"] for record in records] == [1, 1, 2, 2]
    for losses, metrics in zip(records[::2], records[1::2], strict=True):
        assert np.isfinite(losses["loss"])
        assert all(0 <= metrics[metric] <= 1 for metric in METRICS)


@pytest.mark.parametrize("name", CLASSES)
def test_checkpoints_are_the_last_and_the_best_of_every_metric(mvtec_run: Result, name: str) -> None:
    names = {f"{stem}.pt" for stem in ("last", *(f"best_{metric}" for metric in METRICS))}
    assert {path.name for path in (mvtec_run.folder / name).glob("*.pt")} == names
    logged = [record for record in mvtec_run.log(name) if "loss" not in record]
    for metric in METRICS:
        best = max(logged, key=lambda record: record[metric])  # noqa: B023 -- used at once; the first of equals
        checkpoint = torch.load(mvtec_run.folder / name / f"best_{metric}.pt", weights_only=True)
        assert checkpoint["epoch"] == best["epoch"]
        assert checkpoint["best"][metric] == best[metric]
    assert torch.load(mvtec_run.folder / name / "last.pt", weights_only=True)["epoch"] == 2


@pytest.mark.parametrize("name", CLASSES)
def test_score_files_have_the_documented_form(mvtec_run: Result, name: str) -> None:
    count = NUM_GOOD + NUM_BAD
    for file in ("anomaly_score_map_add", "anomaly_score_map_mul"):
        maps = mvtec_run.load(name, file)
        assert (maps.shape, maps.dtype) == ((count, SIZE, SIZE), np.float16)
        assert (maps.min(axis=(1, 2)) == 0).all()
    scores, maps = mvtec_run.load(name, "anomaly_score"), mvtec_run.load(name, "anomaly_score_map_mul")
    highest = np.sort(maps.reshape(count, -1), axis=1)[:, -int(0.03 * SIZE * SIZE) :]
    np.testing.assert_allclose(scores, highest.astype(float).mean(axis=1), atol=3e-4)  # maps are of half numbers
    assert len(set(mvtec_run.load(name, "filenames").tolist())) == count
    assert json.loads((mvtec_run.folder / name / "scores" / "config.json").read_text())["class_name"] == name


def test_best_checkpoint_can_be_tested_and_gives_its_metric(mvtec_run: Result, mvtec: Path) -> None:
    checkpoint = mvtec_run.folder / "tile" / "best_localisation.pt"
    result = run("mvtec", mvtec, "--mode", "test", "--eval-ckpt", str(checkpoint), "--class-names", "tile")
    assert result.code == 0, result.err
    best = max(record["localisation"] for record in mvtec_run.log("tile") if "localisation" in record)
    assert float(result.printed("tile")["localisation AUROC"]) == pytest.approx(best, abs=0.5001e-4)
    assert "PRO" not in result.printed("tile")


def test_a_chosen_class_is_the_only_one(mvtec: Path) -> None:
    result = run("mvtec", mvtec, "--class-names", "tile", "--meta-epochs", "1", "--no-pro-eval")
    assert result.code == 0, result.err
    assert [path.name for path in result.folder.iterdir()] == ["tile"]
    assert set(result.printed("tile")) == {"detection AUROC", "localisation AUROC"}
    assert "screw" not in result.out
    assert not (result.folder / "tile" / "best_pro.pt").exists()


def test_unknown_class_names_the_near_miss(mvtec: Path) -> None:
    result = run("mvtec", mvtec, "--class-names", "tiles")
    assert_one_line_error(result, "'tiles'", "Did you mean 'tile'?", "screw", str(mvtec))
    assert not result.folder.exists()
    assert "empty" not in result.err  # a folder without training pictures is no class


def test_only_normal_test_pictures_leave_the_metrics_undefined(tmp_path: Path) -> None:
    draw_mvtec_class(tmp_path / "data" / "tile", num_bad=0)
    result = run("mvtec", tmp_path / "data", "--pro-eval")
    assert result.code == 0, result.err
    assert result.err == ""
    assert result.printed("tile") == dict.fromkeys(METRICS.values(), "undefined")
    assert "nan" not in result.out.lower()
    assert [record[metric] for record in result.log("tile")[1::2] for metric in METRICS] == [None] * 6
    assert [path.name for path in (result.folder / "tile").glob("*.pt")] == ["last.pt"]


# in a process with threads Python 3.12 warns of the fork that torch's loader makes
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_loading_processes_change_no_score(tile: Path) -> None:
    alone = run("mvtec", tile.parent, "--meta-epochs", "1")
    scores = alone.load("tile", "anomaly_score")
    helped = run("mvtec", tile.parent, "--meta-epochs", "1", "--num-workers", "2")
    assert helped.code == 0, helped.err
    np.testing.assert_array_equal(helped.load("tile", "anomaly_score"), scores)


def test_pictures_reach_the_model_normalised_and_masks_as_0_and_1(tmp_path: Path) -> None:
    from data.picture_tasks import IMAGENET_MEAN, IMAGENET_STD
    from data.pictures import PictureDataset, PictureFile

    colours = np.full((20, 30, 3), (255, 0, 51))
    mask = np.zeros((20, 30))
    mask[:10, 15:] = 4
    files = [PictureFile(save(tmp_path / "a.png", colours)), PictureFile(tmp_path / "a.png", tmp_path / "m.png")]
    save(tmp_path / "m.png", mask, "L")
    pictures = PictureDataset(files, (32, 64), IMAGENET_MEAN, IMAGENET_STD)
    picture, label, no_mask = pictures[0]
    assert (picture.shape, picture.dtype) == ((3, 32, 64), np.float32)
    expected = (np.array([1, 0, 0.2]) - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(picture, np.broadcast_to(expected[:, None, None], picture.shape), atol=1e-6)
    assert (label, no_mask.shape, no_mask.any()) == (0, (32, 64), np.False_)
    _, label, resized = pictures[1]
    quarter = np.zeros((32, 64), dtype=np.uint8)
    quarter[:16, 32:] = 1
    assert label == 1
    np.testing.assert_array_equal(resized, quarter)
