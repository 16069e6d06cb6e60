"""The sample of pictures: drawn alike everywhere, defects where their masks say, and found by its recipe."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import sample_pictures
from data.sample_pictures import CLASSES, SIZE, Kind, bad_picture, good_picture, write_sample_pictures
from main import main
from models.extractors import lite


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("kind", Kind)
def test_a_defect_is_where_its_mask_is_and_nowhere_else(name: str, kind: Kind) -> None:
    for number in range(2):
        bad, mask = bad_picture(name, kind, number)
        without = good_picture(name, kind, number)  # of the same seed
        assert bad.shape == (SIZE, SIZE, 3) and bad.min() >= 0 and bad.max() <= 1
        differs = np.abs(bad - without).max(axis=2)
        assert 40 <= mask.sum() < 0.1 * mask.size
        assert np.median(differs[mask]) > 0.06
        assert (differs > 0).sum() < 0.1 * mask.size


@pytest.mark.parametrize("name", CLASSES)
def test_pictures_differ_from_each_other_and_are_drawn_alike_again(name: str) -> None:
    again = [good_picture(name, "train", number) for number in (0, 0, 1)]
    np.testing.assert_array_equal(again[0], again[1])
    assert np.abs(again[0] - again[2]).mean() > 0.01
    assert np.abs(again[0] - good_picture(name, "train", 0, seed=1)).mean() > 0.01


def test_they_lie_as_mvtec_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("NUM_TRAIN", 2), ("NUM_GOOD", 1), ("PER_KIND", 1)):
        monkeypatch.setattr(sample_pictures, name, value)
    write_sample_pictures(tmp_path / "made")
    for name in CLASSES:
        place = tmp_path / "made" / name
        found = sorted(str(path.relative_to(place)) for path in place.rglob("*.png"))
        bad = [f"test/{kind}/000.png" for kind in Kind] + [f"ground_truth/{kind}/000_mask.png" for kind in Kind]
        assert found == sorted([*bad, "train/good/000.png", "train/good/001.png", "test/good/000.png"])
        with Image.open(place / "ground_truth" / "hole" / "000_mask.png") as mask:
            assert mask.size == (SIZE, SIZE) and set(np.unique(mask)) == {0, 255}


def called(*flags: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["--config", str(Path(__file__).parents[1] / "configs" / "sample_pictures.py"), *flags])
    return code, out.getvalue(), err.getvalue()


def test_the_recipe_reaches_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the hardest class, which keeps it short."""
    pytest.importorskip(lite.PACKAGE, reason="needs the extra lite0")
    monkeypatch.chdir(tmp_path)
    code, out, err = called("--class-names", "slate")
    assert (code, err) == (0, "")
    assert (tmp_path / "data" / "sample_pictures" / "weave").is_dir()
    (folder,) = tmp_path.glob("work_dirs/*_memory/sample_pictures/slate")
    told = dict(zip(("detection", "localisation"), map(float, _numbers(out)), strict=True))
    assert told["detection"] > 0.95 and told["localisation"] > 0.90
    assert json.loads((folder / "scores" / "config.json").read_text())["settings"]["head"] == "memory"


def _numbers(out: str) -> list[str]:
    line = out.splitlines()[-1]
    return [line.partition(f"{name} AUROC ")[2].split()[0] for name in ("detection", "localisation")]


def test_without_its_package_one_error_says_how_to_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(tag: str) -> None:
        raise ConnectionError("Name or service not known")

    from models.extractors import backbone

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sample_pictures, "CLASSES", {"weave": CLASSES["weave"]})
    monkeypatch.setattr(lite, "find_spec", lambda name: None)
    monkeypatch.setattr(backbone, "reach_hub", unreachable)
    code, _, err = called()
    assert code == 2 and err.count("\n") == 1
    assert "uv run --extra lite0 main.py --config configs/sample_pictures.py" in err
