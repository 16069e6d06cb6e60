"""Settings: default.py < recipe < flag, every type, and one line for everything a user can get wrong."""

import ast
import dataclasses
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import main
from datasets import DATASETS
from detectors import DETECTORS
from drawing import COLOURS, LAYOUTS
from models import DENSITIES
from runtime.errors import InputError
from settings import read
from settings.flags import make_parser
from settings.load import Config, load_config, recorded_config, save_config
from settings.read import read_settings

ROOT = Path(main.__file__).parent
DEFAULTS = read_settings()
RECIPES = sorted((ROOT / "configs").glob("*.py"))
DEFAULT_TEXT = read.DEFAULT_FILE.read_text(encoding="utf-8")


def parsed(*words: str) -> Config:
    """The Config of a command line."""
    flags = vars(make_parser("").parse_args(list(words)))
    return load_config(flags.pop("config"), flags)


def edited_default(folder: Path, line: str, name: str = "") -> Path:
    """A copy of default.py in which `line` stands for the line of the setting `name`, or at the end."""
    text, count = re.subn(rf"(?m)^{name}:.*$", lambda _: line, DEFAULT_TEXT) if name else (f"{DEFAULT_TEXT}{line}\n", 1)
    assert count == 1
    path = folder / "default.py"
    path.write_text(text, encoding="utf-8")
    return path


def failure(argv: list[str], capsys: pytest.CaptureFixture) -> str:
    """What a command that must fail prints: exit code 2, no traceback, nothing on the standard output."""
    capsys.readouterr()
    try:
        code = main.main(argv)
    except SystemExit as stop:  # argparse's way out
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("error: ") and "Traceback" not in captured.err
    return captured.err


# Where a value comes from


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


# Every type: what a flag says is what the Config holds

finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-12, 1e12)
share = st.floats(0, 1, exclude_min=True)
count = st.integers(1, 10**6)
from_zero = st.integers(0, 10**6)
word = st.text("abcXYZ019_./ äß-%=", min_size=1).filter(lambda text: not text.startswith("-"))


def three(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(values, values, values)


VALID: dict[str, st.SearchStrategy] = {
    "dataset": st.sampled_from(list(DATASETS)),
    "data_path": word,
    "class_names": st.lists(word, min_size=1).map(tuple),
    "eval_ckpt": word,
    "work_dir": word,
    "seed": from_zero,
    "num_workers": from_zero,
    "input_size": st.tuples(st.integers(32, 4096), st.integers(32, 4096)),
    "smap_used_dims": three(from_zero),
    "img_mean": st.just("auto") | three(finite),
    "img_std": st.just("auto") | three(positive),
    "extractor": word,
    "weights": word,
    "c_conds": three(st.integers(1, 100).map(lambda n: 4 * n)),
    "parallel_blocks": three(count),
    "clamp_alpha": positive,
    "batch_size": count,
    "meta_epochs": count,
    "sub_epochs": count,
    "lr": positive,
    "lr_warmup_epochs": from_zero,
    "lr_warmup_from": share,
    "lr_decay_milestones": st.lists(count, min_size=1).map(tuple),
    "lr_decay_gamma": share,
    "grad_clip": positive,
    "top_k": share,
    "vis_top_k": from_zero,
    "layout": st.sampled_from(list(LAYOUTS)),
    "head": st.sampled_from(list(DENSITIES)),
    "detector": st.sampled_from(list(DETECTORS)),
    "colours": three(st.sampled_from(list(COLOURS))),
    "colour_window": count,
    "colour_gains": three(finite),
    "clip": st.floats(0, 1e6),
    "time_scales": st.lists(count, min_size=1).map(tuple),
    "window": count,
    "fold_width": count,
    "mtf_bins": count,
    "max_columns": count,
    "gaussian_floor": positive,
    "memory_size": count,
    "fleet_size": from_zero,
    "fleet_offset": st.floats(0, 1e6),
    "train_window": count,
    "feature_noise": st.floats(0, 1e6),
    "levels": st.sampled_from([(1,), (2, 3), (1, 2, 3)]),
    "smooth": count,
    "merge_gap": from_zero,
    "widen": from_zero,
    "drop": st.lists(word, min_size=1).map(tuple),
    "threshold": st.sampled_from(["pot", "q0.99", "q1", "0.5", "1e-3", "-2"]),
    "vus_window": from_zero,
    "bootstrap": from_zero,
    **{name: st.booleans() for name, setting in DEFAULTS.items() if setting.type is bool},
    **{
        name: st.sampled_from(typing.get_args(setting.type))
        for name, setting in DEFAULTS.items()
        if typing.get_origin(setting.type) is typing.Literal
    },
}
some_values = st.fixed_dictionaries({}, optional=VALID)


def as_words(name: str, value: typing.Any) -> list[str]:
    """The flag that asks for a value."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    return [flag, *map(str, value if isinstance(value, tuple) else (value,))]


def test_every_setting_has_random_values() -> None:
    assert set(VALID) == set(DEFAULTS)


@settings(deadline=None, max_examples=100)
@given(some_values)
@example({"img_mean": (0.5, -0.25, -3.0)})
@example({"img_mean": (-1e-05, 0.0, 1e-07)})
def test_a_flag_gives_its_value(values: dict[str, typing.Any]) -> None:
    loaded = parsed(*(text for name, value in values.items() for text in as_words(name, value)))
    for name, value in values.items():
        assert getattr(loaded, name) == value, name
        assert type(getattr(loaded, name)) is type(value), name


@settings(deadline=None, max_examples=50)
@given(some_values)
def test_a_recipe_gives_its_value(tmp_path_factory: pytest.TempPathFactory, values: dict[str, typing.Any]) -> None:
    recipe = tmp_path_factory.getbasetemp() / "recipe.py"
    recipe.write_text("".join(f"{name} = {value!r}\n" for name, value in values.items()), encoding="utf-8")
    loaded = load_config(recipe)
    assert {name: getattr(loaded, name) for name in values} == values


@settings(deadline=None, max_examples=50)
@given(some_values)
def test_config_json_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, typing.Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "saved" / "config.json"
    saved = load_config(base=values)
    save_config(path, saved, {"weights": "random"})
    again = recorded_config(path)
    assert vars(again) == vars(saved)
    assert [type(value) for value in vars(again).values()] == [type(value) for value in vars(saved).values()]
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.seed = 1
    assert json.loads(path.read_text(encoding="utf-8"))["weights"] == "random"


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"settings": {"nonsense": 1}}', '{"settings": {"seed": "x"}}', '{"settings": {"c_conds": [1]}}'],
)
def test_a_damaged_config_json_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(InputError, match=re.escape(str(path))):
        recorded_config(path)
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "none.json"))):
        recorded_config(tmp_path / "none.json")


# Help, and the one source of defaults


def test_help_shows_every_setting_with_its_default(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main(["--help"])
    assert stop.value.code == 0
    shown = "".join(capsys.readouterr().out.split())  # lines are wrapped, at hyphens too
    for name, setting in DEFAULTS.items():
        assert setting.help, f"{name} has no comment"
        default = setting.default
        text = " ".join(map(str, default)) if isinstance(default, list | tuple) else str(default)
        assert "".join(f"{setting.help} (default: {text or 'empty'})".split()) in shown, name
        assert f"--{name.replace('_', '-')}" in shown, name
        assert f"# {setting.group}\n" in DEFAULT_TEXT, name


def test_every_setting_has_exactly_one_flag() -> None:
    actions = [action.dest for action in make_parser("")._actions]
    assert sorted(actions) == sorted([*DEFAULTS, "config", "help"])


def test_the_help_of_dataset_names_the_registry() -> None:
    words = re.findall(r"\w+", DEFAULTS["dataset"].help)
    assert set(DATASETS) <= set(words)


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "main.py", "--help"]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    modules = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in loaded.splitlines()}
    assert "argparse" in modules, "the list of imports was not read"
    assert not modules & {"torch", "numpy", "timm", "scipy", "matplotlib", "torchvision", "sklearn", "PIL"}


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


# What a user can get wrong

BAD_VALUES = {
    # name, what the flag says, what stands in a file, what the message must hold
    "wrong type": ("seed", "1.5", "1.5", ["1.5", "Allowed: int"]),
    "no number": ("lr", "fast", "'fast'", ["'fast'", "Allowed: float"]),
    "not finite": ("lr", "inf", "float('inf')", ["inf", "Allowed: float"]),
    "a word among numbers": ("c_conds", "64 x 64", "[64, 'x', 64]", ["'x'", "Allowed: list[int]"]),
    "neither list nor auto": ("img_mean", "automatic", "'automatic'", ["'automatic'", "list[float]", "auto"]),
    "unknown choice": ("mode", "tset", "'tset'", ["'tset'", "Did you mean 'test'?", "all, train, test"]),
    "far from any choice": ("pool_type", "q", "'q'", ["'q'", "avg, max, none"]),
    "unknown dataset": ("dataset", "mvtek", "'mvtek'", ["'mvtek'", "Did you mean 'mvtec'?", *DATASETS]),
    "batch of 0": ("batch_size", "0", "0", ["0", "above 0"]),
    "negative lr": ("lr", "-1", "-1", ["-1", "above 0"]),
    "top_k above 1": ("top_k", "1.5", "1.5", ["1.5", "up to 1"]),
    "top_k of 0": ("top_k", "0", "0", ["0", "above 0"]),
    "negative seed": ("seed", "-1", "-1", ["-1", "from 0"]),
    "a seed torch cannot take": ("seed", str(2**45), str(2**45), [str(2**45), "Allowed"]),
    "no multiple of 4": ("c_conds", "64 64 6", "[64, 64, 6]", ["[64, 64, 6]", "multiples of 4"]),
    "tiny picture": ("input_size", "16 64", "(16, 64)", ["16", "at least 32"]),
    "three sizes": ("input_size", "64 64 64", "(64, 64, 64)", ["64, 64, 64", "tuple[int, int]"]),
    "two levels": ("parallel_blocks", "2 5", "[2, 5]", ["[2, 5]", "3 values"]),
    "two colours": ("smap_used_dims", "0 1", "[0, 1]", ["[0, 1]", "3 values"]),
    "deviation of 0": ("img_std", "1 0 1", "[1, 0, 1]", ["0", "above 0"]),
    "unknown layout": ("layout", "lien", "'lien'", ["'lien'", "Did you mean 'line'?", "stretch, line, fold"]),
    "unknown colour": ("colours", "value value valve", "['value', 'value', 'valve']", ["'valve'", "'value'"]),
    "a level that is not there": ("levels", "1 4", "[1, 4]", ["[1, 4]", "each of 1 2 3 once"]),
    "levels out of order": ("levels", "2 1", "[2, 1]", ["[2, 1]", "1 2 3 once, in order"]),
    "a scale of 0": ("time_scales", "1 0", "[1, 0]", ["[1, 0]", "above 0"]),
    "no quantile": ("threshold", "q1.5", "'q1.5'", ["q1.5", "pot, a quantile", "or a number"]),
    "a misspelt rule": ("threshold", "pto", "'pto'", ["'pto'", "pot, a quantile"]),
    "a negative gap": ("merge_gap", "-1", "-1", ["-1", "from 0"]),
    "no class": ("class_names", "", "[]", ["at least one"]),
    "a milestone of 0": ("lr_decay_milestones", "0 5", "[0, 5]", ["[0, 5]", "above 0"]),
}
bad_value = pytest.mark.parametrize(("name", "words", "literal", "parts"), BAD_VALUES.values(), ids=BAD_VALUES)


@bad_value
def test_bad_value_of_a_flag(
    name: str, words: str, literal: str, parts: list[str], capsys: pytest.CaptureFixture
) -> None:
    message = failure([f"--{name}", *words.split(" ")], capsys)
    assert message.count("\n") == 1
    for part in (f"--{name.replace('_', '-')}", name, *parts):
        assert part in message


@bad_value
def test_bad_value_in_a_recipe(
    name: str, words: str, literal: str, parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text(f"{name} = {literal}\n")
    message = failure(["--config", str(recipe)], capsys)
    assert message.count("\n") == 1
    for part in (str(recipe), name, *parts):
        assert part in message


@bad_value
def test_bad_value_in_default(
    name: str,
    words: str,
    literal: str,
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    kind = re.search(rf"(?m)^{name}: ([^=]+) = ", DEFAULT_TEXT)
    assert kind
    path = edited_default(tmp_path, f"{name}: {kind[1]} = {literal}  # help", name)
    monkeypatch.setattr(read, "DEFAULT_FILE", path)
    message = failure([], capsys)
    assert message.count("\n") == 1
    for part in (str(path), name, *parts):
        assert part in message


BAD_RECIPES = {
    "unknown setting": ("batch_szie = 3", ["batch_szie", "Did you mean 'batch_size'?", *DEFAULTS]),
    "far from any setting": ("qqq = 3", ["'qqq'", *DEFAULTS]),
    "syntax error": ("seed = 1\nbatch_size = (", ["SyntaxError", "line 2"]),
    "failing text": ("seed = 1 / 0", ["ZeroDivisionError"]),
    "unknown name": ("seed = sede", ["NameError", "sede"]),
    "a number for a switch": ("resume = 1", ["resume = 1 ", "Allowed: bool"]),
    "a switch for a number": ("seed = True", ["seed = True", "Allowed: int"]),
    "a list for a text": ("dataset = ['smap']", ["dataset = ['smap']", "Allowed: str"]),
    "a text for a list": ("class_names = 'all'", ["class_names = 'all'", "Allowed: list[str]"]),
    "no value": ("seed: int", ["seed"]),
    "a value that is never reached": ("if False:\n    seed = 1", ["seed"]),
}


@pytest.mark.parametrize(("text", "parts"), BAD_RECIPES.values(), ids=BAD_RECIPES)
def test_bad_recipe(text: str, parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text(f"{text}\n")
    message = failure(["--config", str(recipe)], capsys)
    assert message.count("\n") == 1
    for part in (str(recipe), *parts):
        assert part in message


def test_missing_recipe_lists_the_recipes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(ROOT)
    message = failure(["--config", "configs/smpa.py"], capsys)
    assert "configs/smpa.py" in message
    for recipe in RECIPES:
        assert f"configs/{recipe.name}" in message


def test_a_folder_is_no_recipe(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert str(tmp_path) in failure(["--config", str(tmp_path)], capsys)


BAD_DEFAULTS = {
    "syntax error": ("seed: int = (", "seed", ["SyntaxError", "line"]),
    "no type": ("seed = 1  # help", "seed", ["line", "seed has no type", "name: type = value"]),
    "no type of a new setting": ("new_one = 1", "", ["line", "new_one has no type", "name: type = value"]),
    "no value": ("seed: int  # help", "seed", ["seed"]),
    "unknown type": ("seed: itn = 1  # help", "seed", ["itn"]),
}


@pytest.mark.parametrize(("line", "name", "parts"), BAD_DEFAULTS.values(), ids=BAD_DEFAULTS)
@pytest.mark.parametrize("argv", [[], ["--help"]], ids=["run", "help"])
def test_bad_default_file(
    line: str,
    name: str,
    parts: list[str],
    argv: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    path = edited_default(tmp_path, line, name)
    monkeypatch.setattr(read, "DEFAULT_FILE", path)
    message = failure(argv, capsys)
    assert message.count("\n") == 1
    for part in (str(path), *parts):
        assert part in message


def test_a_new_line_of_default_is_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    line = "new_one: list[float] = [1.5]  # a thing, in % of a step"
    monkeypatch.setattr(read, "DEFAULT_FILE", edited_default(tmp_path, line))
    assert parsed().new_one == (1.5,)
    assert parsed("--new-one", "2", "-3").new_one == (2.0, -3.0)
    with pytest.raises(SystemExit):
        main.main(["--help"])
    assert "a thing, in % of a step (default: 1.5)" in " ".join(capsys.readouterr().out.split())


BAD_FLAGS = {
    "misspelt": (["--batch-szie", "3"], ["--batch-szie", "did you mean --batch-size?"]),
    "misspelt with underscore": (["--batch_szie=3"], ["--batch-szie=3", "did you mean --batch-size?"]),
    "abbreviated": (["--meta-epoch", "3"], ["--meta-epoch", "did you mean --meta-epochs?"]),
    "far from any flag": (["--qqq"], ["--qqq"]),
    "no flag at all": (["smap"], ["smap"]),
    "no value": (["--lr"], ["--lr", "expected one argument"]),
    "no values": (["--class-names"], ["--class-names", "expected at least one argument"]),
    "value of a switch": (["--resume=yes"], ["--resume", "yes"]),
}


@pytest.mark.parametrize(("argv", "parts"), BAD_FLAGS.values(), ids=BAD_FLAGS)
def test_bad_flag(argv: list[str], parts: list[str], capsys: pytest.CaptureFixture) -> None:
    message = failure(argv, capsys)
    for part in (*parts, "--help"):
        assert part in message
