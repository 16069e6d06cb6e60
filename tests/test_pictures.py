"""Pictures from folders in the published layouts to printed metrics, through the real entry point."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from references import slow_pro
from sklearn.metrics import roc_auc_score

from main import main

SIZE = 64
VERSION = "msflow_resnet18_avgpool_pl111"
CLASSES = {"screw": (48, 80, "L"), "tile": (SIZE, SIZE, "RGB")}  # height, width, mode of the pictures
NUM_TRAIN, NUM_GOOD, NUM_BAD = 5, 3, 3
METRICS = {"detection": "detection AUROC", "localisation": "localisation AUROC", "pro": "PRO"}


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A normal picture: grey stripes and noise, (H, W)."""
    stripes = 90 + 30 * np.sin(np.arange(width) / 3 + rng.uniform(0, 6))
    return np.clip(stripes + rng.normal(0, 8, (height, width)), 0, 160)


def defect(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a bright square, and where the square is."""
    picture, mask = texture(rng, height, width), np.zeros((height, width), dtype=bool)
    top, left = rng.integers(0, height - 16), rng.integers(0, width - 16)
    mask[top : top + 16, left : left + 16] = True
    return np.where(mask, 250, picture), mask


def save(path: Path, picture: np.ndarray, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).convert(mode).save(path)
    return path


def draw_mvtec_class(
    folder: Path,
    shape: tuple[int, int] = (SIZE, SIZE),
    mode: str = "RGB",
    num_bad: int = NUM_BAD,
    mask_name: str = "{}_mask.png",
    mask_value: int = 255,
) -> None:
    """One class in the layout of MVTec AD."""
    rng = np.random.default_rng(len(folder.name))
    for number in range(NUM_TRAIN):
        save(folder / "train" / "good" / f"{number:03}.png", texture(rng, *shape), mode)
    for number in range(NUM_GOOD):
        save(folder / "test" / "good" / f"{number:03}.png", texture(rng, *shape), mode)
    for number in range(num_bad):
        picture, mask = defect(rng, *shape)
        save(folder / "test" / "defect" / f"{number:03}.png", picture, mode)
        save(folder / "ground_truth" / "defect" / mask_name.format(f"{number:03}"), mask * mask_value, "L")


def draw_mvtec(folder: Path) -> Path:
    for name, (height, width, mode) in CLASSES.items():
        draw_mvtec_class(folder / name, (height, width), mode)
    (folder / "license.txt").write_text("none")
    (folder / "empty").mkdir()
    (folder / "tile" / "test" / "good" / "Thumbs.db").write_bytes(b"no picture")
    (folder / "tile" / "test" / ".DS_Store").write_bytes(b"no folder")
    return folder


def draw_visa(folder: Path, mask_value: int = 255) -> Path:
    """Two classes as VisA is published: pictures by object, splits in a table."""
    rng, rows = np.random.default_rng(5), []
    for name in ("candle", "pcb1"):
        images, masks = Path(name, "Data", "Images"), Path(name, "Data", "Masks", "Anomaly")
        for number in range(NUM_TRAIN + NUM_GOOD):
            path = images / "Normal" / f"{number:04}.JPG"
            save(folder / path, texture(rng, 60, 90))
            rows.append([name, "train" if number < NUM_TRAIN else "test", "normal", path.as_posix(), ""])
        for number in range(NUM_BAD):
            picture, mask = defect(rng, 60, 90)
            path, mask_path = images / "Anomaly" / f"{number:03}.JPG", masks / f"{number:03}.png"
            save(folder / path, picture)
            save(folder / mask_path, mask * mask_value, "L")
            rows.append([name, "test", "anomaly", path.as_posix(), mask_path.as_posix()])
    (folder / "split_csv").mkdir()
    with (folder / "split_csv" / "1cls.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["object", "split", "label", "image", "mask"], *rows])
    return folder


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
    maps = result.load(name, "anomaly_score_map_add")
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


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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


@pytest.fixture
def tile(tmp_path: Path) -> Path:
    """A folder with one class for a test to damage."""
    draw_mvtec_class(tmp_path / "data" / "tile")
    return tmp_path / "data" / "tile"


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
        assert (maps.shape, maps.dtype) == ((count, SIZE, SIZE), np.float32)
        assert (maps.min(axis=(1, 2)) == 0).all()
    scores, maps = mvtec_run.load(name, "anomaly_score"), mvtec_run.load(name, "anomaly_score_map_mul")
    highest = np.sort(maps.reshape(count, -1), axis=1)[:, -int(0.03 * SIZE * SIZE) :]
    np.testing.assert_allclose(scores, highest.mean(axis=1), rtol=1e-5)
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


@pytest.mark.parametrize("dataset", ["mvtec", "visa"])
def test_missing_data_says_how_to_get_it(dataset: str) -> None:
    assert_one_line_error(run(dataset, None), f"data/{dataset}", f"python -m data.download {dataset}")
    assert_one_line_error(run(dataset, Path("nowhere")), "nowhere", f"python -m data.download {dataset}")


def test_a_folder_without_classes_is_named(tmp_path: Path) -> None:
    (tmp_path / "data" / "tile").mkdir(parents=True)
    assert_one_line_error(run("mvtec", tmp_path / "data"), str(tmp_path / "data"), "no class")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "text": lambda content: b"<html>404 Not Found</html>",
    "truncated": lambda content: content[: len(content) // 2],
    "bytes_flipped": lambda content: content[:60] + bytes(byte ^ 255 for byte in content[60:90]) + content[90:],
    "chunk_length": lambda content: shorter_chunk(content),
}


def shorter_chunk(content: bytes) -> bytes:
    """A PNG whose first chunk of pixels claims to be half as long: no chunk starts where the next one should."""
    start = content.index(b"IDAT") - 4
    length = int.from_bytes(content[start : start + 4])
    return content[:start] + (length // 2).to_bytes(4) + content[start + 4 :]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name",
    ["train/good/001.png", "test/defect/001.png", "ground_truth/defect/001_mask.png"],
    ids=["train", "test", "mask"],
)
def test_a_damaged_picture_is_named(tile: Path, name: str, damage: str) -> None:
    path = tile / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert_one_line_error(run("mvtec", tile.parent, "--meta-epochs", "1"), str(path), "not a readable picture")


# in a process with threads Python 3.12 warns of the fork that torch's loader makes
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["train/good/001.png", "test/defect/001.png"], ids=["train", "test"])
def test_a_picture_that_a_loading_process_finds_damaged_is_named_as_shortly(tile: Path, name: str) -> None:
    path = tile / name
    path.write_bytes(b"")
    result = run("mvtec", tile.parent, "--meta-epochs", "1", "--num-workers", "1")
    assert_one_line_error(result, str(path), "not a readable picture")
    assert "worker" not in result.err


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_loading_processes_change_no_score(tile: Path) -> None:
    alone = run("mvtec", tile.parent, "--meta-epochs", "1")
    scores = alone.load("tile", "anomaly_score")
    helped = run("mvtec", tile.parent, "--meta-epochs", "1", "--num-workers", "2")
    assert helped.code == 0, helped.err
    np.testing.assert_array_equal(helped.load("tile", "anomaly_score"), scores)


def test_a_missing_mask_is_named_before_any_training(tile: Path) -> None:
    mask = tile / "ground_truth" / "defect" / "001_mask.png"
    mask.unlink()
    result = run("mvtec", tile.parent)
    assert_one_line_error(result, str(mask), str(tile / "test" / "defect" / "001.png"))
    assert not (result.folder / "tile" / "last.pt").exists()


def test_a_class_without_test_pictures_is_named(tile: Path) -> None:
    (tile / "test").rename(tile / "tset")
    assert_one_line_error(run("mvtec", tile.parent), str(tile), "no test pictures")


def test_only_normal_test_pictures_leave_the_metrics_undefined(tmp_path: Path) -> None:
    draw_mvtec_class(tmp_path / "data" / "tile", num_bad=0)
    result = run("mvtec", tmp_path / "data", "--pro-eval")
    assert result.code == 0, result.err
    assert result.err == ""
    assert result.printed("tile") == dict.fromkeys(METRICS.values(), "undefined")
    assert "nan" not in result.out.lower()
    assert [record[metric] for record in result.log("tile")[1::2] for metric in METRICS] == [None] * 6
    assert [path.name for path in (result.folder / "tile").glob("*.pt")] == ["last.pt"]


def test_visa_is_read_as_published(tmp_path: Path) -> None:
    data = draw_visa(tmp_path / "visa")
    result = run("visa", data, "--pro-eval")
    assert result.code == 0, result.err

    def visa_mask(path: Path) -> Path | None:
        mask = path.parents[2] / "Masks" / "Anomaly" / f"{path.stem}.png"
        return mask if path.parent.name == "Anomaly" else None

    for name in ("candle", "pcb1"):
        assert result.load(name, "anomaly_score_map_add").shape == (NUM_GOOD + NUM_BAD, SIZE, SIZE)
        check_metrics(result, name, visa_mask)
    assert_one_line_error(run("visa", data, "--class-names", "pcb"), "Did you mean 'pcb1'?", "candle, pcb1")
    (data / "candle" / "Data" / "Masks" / "Anomaly" / "002.png").unlink()
    assert_one_line_error(run("visa", data), str(Path("Masks", "Anomaly", "002.png")))


def test_visa_prepared_in_the_layout_of_mvtec_gives_the_same_kind_of_run(tmp_path: Path) -> None:
    draw_mvtec_class(tmp_path / "visa" / "candle", (60, 90), mask_name="{}.png", mask_value=3)
    result = run("visa", tmp_path / "visa", "--pro-eval", "--meta-epochs", "1")
    assert result.code == 0, result.err

    def prepared_mask(path: Path) -> Path | None:
        mask = mvtec_mask(path)
        return mask and mask.with_name(f"{path.stem}.png")

    check_metrics(result, "candle", prepared_mask)


@pytest.mark.parametrize("value", [1, 2, 7])
def test_every_value_above_zero_in_a_mask_is_anomalous(tmp_path: Path, value: int) -> None:
    """VisA numbers the kinds of defects in its masks."""
    result = run("visa", draw_visa(tmp_path / "plain"), "--meta-epochs", "1", "--class-names", "candle")
    numbered = run("visa", draw_visa(tmp_path / "numbered", value), "--meta-epochs", "1", "--class-names", "candle")
    assert numbered.code == 0, numbered.err
    assert numbered.printed("candle") == result.printed("candle")
    assert "undefined" not in numbered.out


def test_a_visa_table_without_its_columns_is_named(tmp_path: Path) -> None:
    data = draw_visa(tmp_path / "visa")
    table = data / "split_csv" / "1cls.csv"
    table.write_text(table.read_text().replace("object,split,label,image,mask", "class,part,kind,file,truth"))
    assert_one_line_error(run("visa", data), str(table))


def test_pictures_reach_the_model_normalised_and_masks_as_0_and_1(tmp_path: Path) -> None:
    from data.pictures import PictureDataset, PictureFile
    from datasets import IMAGENET_MEAN, IMAGENET_STD

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
