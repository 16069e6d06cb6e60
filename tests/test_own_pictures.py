"""Pictures of a user's own, from the folder to printed metrics, through the real entry point."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_bytes import png
from picture_folders import SIZE, defect, draw_mvtec_class, save, texture
from picture_runs import assert_one_line_error, check_metrics, mvtec_mask, run
from PIL import Image
from sklearn.metrics import roc_auc_score

from runtime.errors import note, warn

pytestmark = pytest.mark.usefixtures("elsewhere")
SHORT = ("--meta-epochs", "1")


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    note.cache_clear()
    warn.cache_clear()


def saved_as(folder: Path, change: Callable[[np.ndarray], Image.Image], suffix: str = ".png") -> Path:
    """Every picture of a class, its masks apart, as `change` makes it, under another ending."""
    for path in [path for split in ("train", "test") for path in (folder / split).rglob("*.png")]:
        with Image.open(path) as picture:
            values = np.asarray(picture)
        path.unlink()
        change(values).save(path.with_suffix(suffix))
    return folder


def test_a_class_folder_gives_what_mvtec_gives(tile: Path) -> None:
    result = run("folder", tile, "--pro-eval")
    assert result.code == 0 and result.err == ""
    check_metrics(result, "tile", mvtec_mask)
    published, file = run("mvtec", tile.parent, "--pro-eval"), "anomaly_score_map_add"
    np.testing.assert_array_equal(result.load("tile", file), published.load("tile", file))
    assert run("folder", tile.parent, *SHORT, "--class-names", "tile").code == 0
    assert_one_line_error(run("folder", tile, "--class-names", "tiles"), "Did you mean 'tile'?")
    assert_one_line_error(run("folder", None), "--data-path")


@pytest.mark.parametrize("dataset", ["folder", "mvtec"])
def test_defects_without_masks_are_detected_and_not_localised(dataset: str, tile: Path) -> None:
    for mask in (tile / "ground_truth" / "defect").iterdir():
        mask.unlink()
    (tile / "test" / "defect").rename(tile / "test" / "not good")
    for split in ("train", "test"):
        (tile / split / "good").rename(tile / split / "Good")
    result = run(dataset, tile.parent, "--pro-eval")
    assert result.code == 0, result.err
    labels, scores = result.load("tile", "labels"), result.load("tile", "anomaly_score")
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert float(result.printed("tile")["detection AUROC"]) == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
    assert result.out.count("localisation AUROC undefined (no masks)  PRO undefined (no masks)") == 3
    assert result.log("tile")[-1]["localisation"] is None
    assert ("warning: tile test: 3 of 3 anomalous pictures have no mask" in result.err) == (dataset == "mvtec")


@pytest.mark.parametrize("name", ["{}.png", "{}_mask.bmp", "{}.TIF"])
def test_masks_of_other_names_and_formats_count(name: str, tmp_path: Path) -> None:
    draw_mvtec_class(tmp_path / "data" / "plate", mask_name=name)
    result = run("folder", tmp_path / "data" / "plate", *SHORT, "--pro-eval")
    assert result.code == 0 and result.err == ""

    def mask(path: Path) -> Path | None:
        made = mvtec_mask(path)
        return made and made.with_name(name.format(path.stem))

    check_metrics(result, "plate", mask)


def test_localisation_is_over_what_has_masks_and_what_is_good(tile: Path) -> None:
    (tile / "ground_truth" / "defect" / "001_mask.png").unlink()
    save(tile / "test" / "nobody_knows.png", texture(np.random.default_rng(1), SIZE, SIZE))
    result = run("folder", tile, *SHORT, "--pro-eval")
    assert result.code == 0, result.err
    labels, names = result.load("tile", "labels"), [Path(name).name for name in result.load("tile", "filenames")]
    assert dict(zip(names, labels.tolist(), strict=True))["nobody_knows.png"] == -1
    assert labels.tolist() == [-1, 1, 1, 1, 0, 0, 0]
    scores = result.load("tile", "anomaly_score")
    printed = result.printed("tile")
    assert float(printed["detection AUROC"]) == pytest.approx(roc_auc_score(labels[1:], scores[1:]), abs=1e-4)
    kept = [0, 2, *range(3, 6)]  # of the labelled ones, without the second defect
    maps = result.load("tile", "anomaly_score_map_energy")[1:][kept].astype(np.float32)
    masks = np.zeros(maps.shape, bool)
    for place, number in ((0, 0), (1, 2)):
        masks[place] = np.asarray(Image.open(tile / "ground_truth" / "defect" / f"{number:03}_mask.png")) > 0
    expected = roc_auc_score(masks.ravel(), maps.ravel())
    assert float(printed["localisation AUROC"]) == pytest.approx(expected, abs=1e-4)


def test_good_pictures_alone_are_learnt_from_and_nothing_is_scored(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "parts" / f"{number}.PNG", texture(np.random.default_rng(number), SIZE, SIZE))
    result = run("folder", tmp_path / "parts", *SHORT)
    assert result.code == 0 and result.err == ""
    assert "all of its 4 pictures are taken for good ones" in result.out
    assert "parts: there are no test pictures, so none is scored." in result.out
    assert (result.folder / "parts" / "last.pt").exists() and [
        p.name for p in (result.folder / "parts" / "scores").iterdir() if p.is_dir()
    ] == ["train"]
    assert not (result.folder / "parts" / "scores" / "anomaly_score.npy").exists()


def test_a_list_of_pictures_gives_the_same_run(tile: Path) -> None:
    lines = ["image,label,mask,split"]
    for path in sorted(tile.glob("t*/*/*.png")):
        mask = mvtec_mask(path)
        kind, split = path.parent.name, path.parents[1].name
        lines.append(f"{path.relative_to(tile)},{kind},{mask.relative_to(tile) if mask else ''},{split}")
    (tile / "parts.csv").write_text("\n".join(lines))
    listed = run("folder", tile / "parts.csv", *SHORT)
    assert listed.code == 0, listed.err
    read = run("folder", tile, *SHORT)
    np.testing.assert_array_equal(listed.load("parts", "anomaly_score"), read.load("tile", "anomaly_score"))
    assert listed.printed("parts") == read.printed("tile")


# Depth


def test_twelve_bits_in_sixteen_are_seen_as_eight_bits_are(tile: Path, tmp_path: Path) -> None:
    """A camera's 12 bits stored in 16: PIL alone shows every picture white."""
    grey = saved_as(tile, lambda values: Image.fromarray(values[..., 0]))
    shallow = run("folder", grey)
    deep = run("folder", saved_as(grey, lambda values: Image.fromarray(values * np.uint16(16))))
    assert deep.code == 0 and deep.err == ""
    white = max(int(np.asarray(Image.open(path)).max()) for path in (tile / "train").rglob("*.png"))
    assert f"5 of 5 training pictures are deep, with values up to {white}" in deep.out
    assert "their white is 4095, 12 bits" in deep.out
    checkpoint = torch.load(deep.folder / "tile" / "last.pt", weights_only=True)
    assert checkpoint["picture_white"] == 4095
    assert json.loads((deep.folder / "tile" / "scores" / "config.json").read_text())["picture_white"] == 4095
    for metric, value in shallow.printed("tile").items():
        assert float(deep.printed("tile")[metric]) == pytest.approx(float(value), abs=0.03)
    # the test is read as the training was, whatever lies in train/ now
    scores = deep.load("tile", "anomaly_score")
    saved_as(tile, lambda values: Image.fromarray(values))
    Image.fromarray(np.full((SIZE, SIZE), 60000, np.uint16)).save(tile / "train" / "good" / "bright.png")
    again = run("folder", tile, "--mode", "test")
    assert again.code == 0, again.err
    np.testing.assert_array_equal(again.load("tile", "anomaly_score"), scores)
    changed = run("folder", tile, "--mode", "test", "--picture-depth", "65535")
    assert_one_line_error(changed, "picture_depth was auto, now 65535")


def test_a_brighter_test_picture_is_white_and_said(tile: Path) -> None:
    saved_as(tile, lambda values: Image.fromarray(values[..., 0] * np.uint16(16)))
    Image.fromarray(np.full((SIZE, SIZE), 60000, np.uint16)).save(tile / "test" / "good" / "000.png")
    result = run("folder", tile, *SHORT)
    assert result.code == 0
    assert result.err.count("\n") == 1
    assert "test/good/000.png: has pixels up to 60000; what is above 4095" in result.err
    assert "--picture-depth 65535" in result.err


# Odd pictures


def test_what_lies_behind_alpha_is_not_looked_at(tile: Path) -> None:
    """Cut-out parts have anything behind what is transparent, and a defect may be there in alpha alone."""
    rng = np.random.default_rng(0)

    def cut_out(values: np.ndarray, hidden: int) -> Image.Image:
        alpha = np.full(values.shape[:2], 255, np.uint8)
        alpha[:, :20] = 0
        colours = values.copy()
        colours[:, :20] = rng.integers(0, hidden, (len(values), 20, 3))
        return Image.fromarray(np.dstack([colours, alpha]))

    black = run("folder", saved_as(tile, lambda values: cut_out(values, 1)), *SHORT)
    assert "5 of 5 pictures (first 000.png) have alpha: what is transparent is laid on black" in black.out
    scores = black.load("tile", "anomaly_score")
    noisy = run("folder", saved_as(tile, lambda values: cut_out(values[..., :3], 256)), *SHORT)
    assert noisy.code == black.code == 0
    np.testing.assert_array_equal(noisy.load("tile", "anomaly_score"), scores)


ODD = {
    "grey": lambda folder: saved_as(folder, lambda values: Image.fromarray(values[..., 0])),
    "upper case": lambda folder: saved_as(folder, Image.fromarray, ".JPG"),
    "tiff": lambda folder: saved_as(folder, Image.fromarray, ".tiff"),
    "palette": lambda folder: saved_as(folder, lambda values: Image.fromarray(values).quantize(200)),
    "cmyk": lambda folder: saved_as(folder, lambda values: Image.fromarray(values).convert("CMYK"), ".tif"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_pictures_go_through(name: str, tmp_path: Path) -> None:
    draw_mvtec_class(tmp_path / "中文 目录" / "金属板")
    folder = ODD[name](tmp_path / "中文 目录" / "金属板")
    result = run("folder", folder, *SHORT, "--pro-eval")
    assert result.code == 0 and result.err == ""
    check_metrics(result, folder.name, mvtec_mask)


def test_masks_of_another_size_are_stretched_and_said(tile: Path) -> None:
    for path in (tile / "ground_truth" / "defect").iterdir():
        with Image.open(path) as mask:
            small = mask.resize((32, 32), Image.Resampling.NEAREST)
        small.save(path)
    result = run("folder", tile, *SHORT, "--pro-eval")
    assert result.code == 0 and result.err == ""
    assert "tile test: the masks of 3 of 6 pictures (first 000.png) have another size" in result.out
    check_metrics(result, "tile", mvtec_mask)


def test_one_picture_to_learn_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    save(tmp_path / "few" / "train" / "good" / "a.png", texture(rng, 40, 200))
    save(tmp_path / "few" / "test" / "ok" / "a.png", texture(rng, 40, 200))
    save(tmp_path / "few" / "test" / "bad" / "a.png", defect(rng, 40, 200)[0])
    result = run("folder", tmp_path / "few", *SHORT)
    assert result.code == 0 and result.err == ""
    assert "undefined (no masks)" in result.out


# Damaged files


@pytest.mark.parametrize("name", ["train/good/001.png", "test/defect/001.png", "ground_truth/defect/001_mask.png"])
def test_a_remedy_fits_a_file_of_ones_own(name: str, tile: Path) -> None:
    (tile / name).write_bytes((tile / name).read_bytes()[:60])
    result = run("folder", tile, *SHORT)
    assert_one_line_error(result, name, "not a readable picture", "Copy or save it again")
    assert "Fetch" not in result.err
    published = run("mvtec", tile.parent, *SHORT)
    assert_one_line_error(published, name, "Fetch the data again: python -m data.download mvtec")


def test_a_bomb_among_the_pictures_is_named(tile: Path) -> None:
    png(tile / "test" / "good" / "000.png", 60000, 60000, 3, 8, b"\0" * 10)
    assert_one_line_error(run("folder", tile), "test/good/000.png", "million pixels")
