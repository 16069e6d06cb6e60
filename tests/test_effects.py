"""When a setting counts: what follows from the brackets in default.py, and recipes that build on each other."""

import dataclasses
import typing
from pathlib import Path

import pytest
from conftest import tiny_flags, unexpected, write_telemanom

import main
from models import DENSITIES
from models.densities.base import DensityShape
from models.densities.gaussian import GaussianDensity
from models.densities.memory import MemoryDensity
from runs.folder import run_folder
from runtime import errors
from runtime.errors import InputError
from settings import read
from settings.check import bare
from settings.config import Config
from settings.effects import (
    DRAWN_BY,
    JUDGED_BY,
    TRAINED_BY,
    changed_settings,
    counting,
    course_settings,
    idle,
    idle_in_recipe,
)
from settings.load import load_config, recorded_config, save_config
from settings.read import read_settings

SETTINGS = read_settings()
# settings that neither shape a model nor the judgement of scores
FREE = {
    *("data_path", "class_names", "mode", "eval_ckpt", "resume", "work_dir", "device", "recompute", "num_workers"),
    *(
        "max_columns",
        "feature_cache",
        "meta_epochs",
        "top_k",
        "picture_score",
        "keep_features",
        "deep_maps",
        "pro_eval",
        "vis_top_k",
        "save_npy",
        "report",
    ),
    *("tensorboard", "wandb", "run", "follow", "combine", "combine_highest"),
    # how a table is read: of what it holds a checkpoint keeps the columns
    *("time_column", "time_format", "label_column", "label_file", "series_column", "missing"),
    *("delimiter", "decimal", "encoding"),
}


def config(**values: typing.Any) -> Config:
    return load_config(base=values)


def static(kind: typing.Any) -> typing.Any:
    """The type of a setting as the Config has it: lists become tuples, and str holds any named word."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return tuple[static(arguments[0]), ...]
    if origin is tuple:
        return tuple[tuple(map(static, arguments))]
    if origin is typing.Union:
        kinds = [static(argument) for argument in arguments]
        kinds = [each for each in kinds if str not in kinds or typing.get_origin(each) is not typing.Literal]
        return typing.Union[tuple(kinds)]  # noqa: UP007
    return kind


def test_config_tells_a_type_checker_what_default_holds() -> None:
    assert [field.name for field in dataclasses.fields(Config)] == list(SETTINGS)
    hints = typing.get_type_hints(Config)
    for name, setting in SETTINGS.items():
        assert hints[name] == static(bare(setting.type)), name


def test_every_setting_has_one_role() -> None:
    roles = [*DRAWN_BY, *TRAINED_BY, *JUDGED_BY, *FREE]
    assert [name for name in SETTINGS if roles.count(name) != 1] == [], (
        "name each in one of DRAWN_BY, TRAINED_BY, JUDGED_BY of settings/effects.py, or in FREE of this file"
    )
    assert set(roles) <= set(SETTINGS)


@pytest.mark.parametrize(
    ("values", "name", "counts"),
    [
        ({}, "memory_size", False),
        ({"head": "memory"}, "memory_size", True),
        ({"head": "memory"}, "lr", False),
        ({"head": "flow"}, "lr", True),
        ({"layout": "line", "head": "gaussian"}, "train_window", True),
        ({"layout": "line", "head": "gaussian"}, "batch_size", False),
        ({"head": "gaussian"}, "batch_size", True),
        ({"dataset": "mvtec"}, "timestep_map", False),
        ({"dataset": "mvtec"}, "feature_cache", True),
        ({"feature_cache": False}, "num_workers", False),
        ({}, "lr_warmup_from", True),
        ({"lr_warmup_epochs": 0}, "lr_warmup_from", False),
        ({"layout": "fold"}, "fold_width", True),
        ({"layout": "gasf"}, "window", True),
        ({"layout": "gasf"}, "fold_width", False),
        ({"layout": "line"}, "levels", True),
        ({}, "levels", False),
        ({"timestep_map": "nll"}, "levels", True),
        ({"colours": ("value", "spread", "value")}, "colour_window", True),
        ({}, "colour_window", False),
        ({"standardise": True}, "gaussian_floor", True),
        ({"standardise": True, "head": "memory"}, "gaussian_floor", False),
        ({"dataset": "mvtec"}, "pro_eval", True),
        ({"dataset": "mvtec"}, "threshold", True),
        ({"dataset": "mvtec"}, "held_out", True),
        ({"dataset": "mvtec", "head": "memory"}, "held_out", False),
        ({"dataset": "mvtec"}, "contrast", False),
        ({}, "picture_score", False),
        ({}, "threshold", True),
        ({"fleet_size": 5}, "fleet_offset", True),
        ({}, "fleet_offset", False),
        ({"condition": "none"}, "c_conds", False),
    ],
    ids=str,
)
def test_when_a_setting_counts(values: dict[str, typing.Any], name: str, counts: bool) -> None:
    assert counting(config(**values), [name]) == ([name] if counts else [])
    if not counts:
        (why,) = idle(config(**values), [name]).values()
        assert f"[{why}]" in SETTINGS[name].help


@pytest.mark.parametrize("head", list(DENSITIES))
def test_a_learning_rate_counts_with_what_is_trained_and_a_size_with_what_keeps_features(head: str) -> None:
    settings = config(layout="line", head=head, condition="none")
    density = DENSITIES[head](settings, DensityShape([8, 8, 8], 2, line=True))
    assert ("lr" in counting(settings, ["lr"])) == (density.trained is not None)
    memories = [part for part in density.modules() if isinstance(part, MemoryDensity)]
    assert ("memory_size" in counting(settings, ["memory_size"])) == bool(memories)
    gaussians = [part for part in density.modules() if isinstance(part, GaussianDensity)]
    assert ("gaussian_floor" in counting(settings, ["gaussian_floor"])) == bool(gaussians)


def test_an_idle_flag_is_warned_of_and_a_counting_one_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors.warn.cache_clear()
    monkeypatch.chdir(tmp_path)
    data = write_telemanom(tmp_path / "telemetry", {"P-1": (120, 200)})
    assert main.main([*tiny_flags(data, Path("runs")), "--memory-size", "5", "--lr", "1e-3", "--no-report"]) == 0
    told = unexpected(capsys.readouterr().err)
    assert told == ["warning: --memory-size has no effect here: it counts with head=memory combined."]


def test_what_is_idle_in_a_recipe_is_said_once_unless_a_flag_sets_it(tmp_path: Path) -> None:
    (tmp_path / "below.py").write_text("layout = 'line'\nmemory_size = 9\nlr = 1e-3\n")
    recipe = tmp_path / "recipe.py"
    recipe.write_text("base = 'below'\nfold_width = 64\n")
    assert idle_in_recipe(load_config(recipe), recipe, []) == ["fold_width"], "a base may serve several heads"
    assert idle_in_recipe(load_config(recipe), recipe, ["fold_width"]) == []
    below = tmp_path / "below.py"
    assert idle_in_recipe(load_config(below), below, []) == ["memory_size"]


def test_a_recipe_wins_over_its_base_and_errors_name_the_file_that_sets(tmp_path: Path) -> None:
    (tmp_path / "lowest.py").write_text("seed = 1\nlr = 0.5\nbatch_size = 2\n")
    (tmp_path / "below.py").write_text("base = 'lowest'\nlr = 0.25\n")
    recipe = tmp_path / "recipe.py"
    recipe.write_text("batch_size = 3\nbase = 'below'\n")
    made = load_config(recipe)
    assert (made.seed, made.lr, made.batch_size) == (1, 0.25, 3)
    (tmp_path / "lowest.py").write_text("seed = -1\n")
    with pytest.raises(InputError, match=r"lowest\.py: seed = -1 is not allowed"):
        load_config(recipe)
    (tmp_path / "lowest.py").write_text("base = 'recipe'\n")
    with pytest.raises(InputError, match="builds on itself"):
        load_config(recipe)
    for name in ("'../lowest'", "3", "None"):
        recipe.write_text(f"base = {name}\n")
        with pytest.raises(InputError, match="is no name of a recipe beside it"):
            load_config(recipe)
    recipe.write_text("base = 'nowhere'\n")
    with pytest.raises(InputError, match=r"nowhere\.py: missing"):
        load_config(recipe)


def test_an_old_name_of_a_setting_is_told_or_read(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text("labels = 'exclusive'\n")
    with pytest.raises(InputError, match="the setting labels is called interval_ends now"):
        load_config(recipe)
    (tmp_path / "config.json").write_text('{"settings": {"labels": "exclusive"}}')
    assert recorded_config(tmp_path / "config.json").interval_ends == "exclusive"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "batch_szie: int = 8  # pictures per step",
            r"has no line of the setting batch_size\. Is it the line 'batch_szie'",
        ),
        ("", r"has no line of the setting batch_size\. Put it back"),
        ("batch_size: int = 8  # [seires] pictures", r"batch_size: unknown condition 'seires'\. Did you mean 'series'"),
        ("batch_size: int = 8  # [haed=flow] pictures", r"batch_size: unknown setting 'haed'\. Did you mean 'head'"),
    ],
)
def test_a_line_of_default_that_is_missing_or_misspelt(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = read.DEFAULT_FILE.read_text(encoding="utf-8").splitlines()
    changed = [line if text.startswith("batch_size:") else text for text in lines]
    (tmp_path / "default.py").write_text("\n".join(changed) + "\n")
    monkeypatch.setattr(read, "DEFAULT_FILE", tmp_path / "default.py")
    with pytest.raises(InputError, match=message):
        load_config()


@pytest.mark.parametrize("layout", ["stretch", "line"])
def test_runs_that_differ_in_head_or_layout_share_no_folder(layout: str) -> None:
    folders = {run_folder(config(layout=layout, head=head), "SMAP") for head in DENSITIES}
    folders |= {run_folder(config(layout="stretch", timestep_map="nll", head=head), "SMAP") for head in DENSITIES}
    folders |= {run_folder(config(layout="fold", head=head), "SMAP") for head in DENSITIES}
    assert len(folders) == 3 * len(DENSITIES)
    assert run_folder(config(), "SMAP") == Path("work_dirs/msflow_wide_resnet50_2_avgpool_pl258/smap/SMAP")


def test_a_run_under_its_old_name_is_hinted_at(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    errors.warn.cache_clear()
    old = tmp_path / "msflow_resnet18_avgpool_pl258_line" / "smap" / "SMAP"
    made = config(layout="line", head="gaussian", extractor="resnet18", work_dir=str(tmp_path))
    save_config(old / "config.json", dataclasses.replace(made, head="flow"), {})
    assert run_folder(made, "SMAP") == tmp_path / "msflow_resnet18_avgpool_line_gaussian" / "smap" / "SMAP"
    assert capsys.readouterr().err == "", "a flow run of that name is of this version too"
    save_config(old / "config.json", made, {})
    run_folder(made, "SMAP")
    assert f"kept such a run in {old}" in capsys.readouterr().err


def test_a_checkpoint_is_compared_by_what_counts_alone() -> None:
    before = course_settings(config())
    assert "memory_size" not in before and "lr" in before
    assert changed_settings(before, config(memory_size=5, fold_width=9), (*DRAWN_BY, *TRAINED_BY)) == ""
    assert changed_settings(before, config(lr=0.5, clip=2.0), TRAINED_BY) == "lr was 0.0001, now 0.5"
    assert changed_settings(before, config(lr=0.5, clip=2.0), DRAWN_BY) == "clip was 0.0, now 2.0"
