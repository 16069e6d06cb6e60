"""Where the value of a setting comes from: default.py < recipe < flag, and the shipped recipes."""

import ast
import dataclasses
from pathlib import Path

import pytest
from settings_reading import DEFAULTS, RECIPES, ROOT, edited_default, parsed

from datasets import DATASETS
from settings import read


def test_a_flag_wins_over_the_recipe_and_the_recipe_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "DEFAULT_FILE", edited_default(tmp_path, "seed: int = 5  # help", "seed"))
    recipe = tmp_path / "recipe.py"
    recipe.write_text("batch_size = 4\nlr = 0.25\nresume = True\nc_conds = [4, 8, 12]\n")

    assert parsed().seed == 5
    assert parsed().batch_size == DEFAULTS["batch_size"].default
    with_recipe = parsed("--config", str(recipe))
    assert (with_recipe.seed, with_recipe.batch_size, with_recipe.lr) == (5, 4, 0.25)
    assert with_recipe.resume is True
    with_flags = parsed("--batch-size", "6", "--no-resume", "--config", str(recipe), "--c-conds", "4", "4", "4")
    assert (with_flags.seed, with_flags.batch_size, with_flags.lr) == (5, 6, 0.25)
    assert with_flags.resume is False
    assert with_flags.c_conds == (4, 4, 4)
    assert parsed("--seed", "7", "--config", str(recipe)).seed == 7


def test_what_no_one_sets_is_the_default() -> None:
    values = vars(parsed())
    assert list(values) == list(DEFAULTS)
    for name, setting in DEFAULTS.items():
        assert values[name] == (tuple(setting.default) if isinstance(setting.default, list) else setting.default), name


@pytest.mark.parametrize(
    "words",
    [("--batch-size", "3"), ("--batch_size", "3"), ("--batch-size=3",), ("--batch_size=3",), ("--batch_size=03",)],
    ids=" ".join,
)
def test_both_spellings(words: tuple[str, ...]) -> None:
    assert parsed(*words).batch_size == 3


@pytest.mark.parametrize(
    ("words", "value"), [("--save-npy", True), ("--save_npy", True), ("--no-save-npy", False), ("--no_save_npy", False)]
)
def test_both_spellings_of_a_switch(words: str, value: bool) -> None:
    assert parsed(words).save_npy is value


def test_underscores_in_a_value_stay() -> None:
    assert parsed("--work_dir=a_b-c", "--extractor", "wide_resnet50_2").work_dir == "a_b-c"
    assert parsed("--data_path", "a_b").data_path == "a_b"


def test_config_is_frozen_and_holds_tuples(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text("c_conds = [4, 4, 4]\nimg_mean = [0, 1, 2]\ninput_size = [32, 64]\nlr = 1\n")
    loaded = parsed("--config", str(recipe), "--class-names", "A-1", "B-1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.lr = 1.0
    hash(loaded)
    assert loaded.c_conds == (4, 4, 4)
    assert loaded.class_names == ("A-1", "B-1")
    assert loaded.input_size == (32, 64)
    assert loaded.img_mean == (0.0, 1.0, 2.0)
    assert {type(value) for value in (*loaded.img_mean, loaded.lr)} == {float}, "an int is a float here"


def test_the_reference_recipe_is_what_default_holds() -> None:
    tree = ast.parse((ROOT / "configs" / "smap_report.py").read_text(encoding="utf-8"))
    values = {
        line.targets[0].id: ast.literal_eval(line.value)
        for line in tree.body
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
    }
    assert len(values) > 5
    assert values == {name: DEFAULTS[name].default for name in values}
    assert vars(parsed("--config", str(ROOT / "configs" / "smap_report.py"))) == vars(parsed())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load(recipe: Path) -> None:
    loaded = parsed("--config", str(recipe))
    assert loaded.dataset in DATASETS


def test_there_are_recipes() -> None:
    assert {"mvtec", "sample", "smap_report", "visa"} <= {path.stem for path in RECIPES}
