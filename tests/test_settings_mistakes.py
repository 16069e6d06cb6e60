"""What a user can get wrong in a flag, a recipe, default.py or a config.json ends in a line that names it."""

import re
from pathlib import Path

import pytest
from settings_reading import DEFAULT_TEXT, DEFAULTS, RECIPES, ROOT, edited_default

import main
from datasets import DATASETS
from runtime.errors import InputError
from settings import read
from settings.load import recorded_config


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


# Values

BAD_VALUES = {
    # name, what the flag says, what stands in a file, what the message must hold
    "wrong type": ("seed", "1.5", "1.5", ["1.5", "Allowed: int"]),
    "no number": ("lr", "fast", "'fast'", ["'fast'", "Allowed: float"]),
    "not finite": ("lr", "inf", "float('inf')", ["inf", "Allowed: float"]),
    "a word among numbers": ("c_conds", "64 x 64", "[64, 'x', 64]", ["'x'", "Allowed: list[int]"]),
    "neither list nor auto": ("img_mean", "automatic", "'automatic'", ["'automatic'", "list[float]", "auto"]),
    "unknown choice": ("mode", "tset", "'tset'", ["'tset'", "Did you mean 'test'?", "all, train, test"]),
    "far from any choice": ("pool_type", "q", "'q'", ["'q'", "avg, max, none"]),
    "another case": ("dataset", "SMAP", "'SMAP'", ["'SMAP'", "Did you mean 'smap'?"]),
    "a choice in another case": ("device", "CPU", "'CPU'", ["'CPU'", "Did you mean 'cpu'?"]),
    "unknown dataset": ("dataset", "mvtek", "'mvtek'", ["'mvtek'", "Did you mean 'mvtec'?", *DATASETS]),
    "batch of 0": ("batch_size", "0", "0", ["0", "above 0"]),
    "negative lr": ("lr", "-1", "-1", ["-1", "above 0"]),
    "top_k above 1": ("top_k", "1.5", "1.5", ["1.5", "up to 1"]),
    "top_k of 0": ("top_k", "0", "0", ["0", "above 0"]),
    "a contrast of 1": ("contrast", "1", "1", ["1", "below 1"]),  # would ask for more than the highest score
    "negative contrast": ("contrast", "-0.1", "-0.1", ["-0.1", "from 0"]),
    "prune above 1": ("prune", "5", "5", ["5", "below 1"]),
    "negative prune": ("prune", "-0.1", "-0.1", ["-0.1", "from 0"]),
    "release above 1": ("release", "1.5", "1.5", ["1.5", "up to 1"]),
    "negative release": ("release", "-0.5", "-0.5", ["-0.5", "from 0"]),
    "everything held out": ("held_out", "1", "1", ["1", "below 1"]),
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


# Flags and files

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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import sys\nsys.exit()", "SystemExit"),
        ("exit('done')", "SystemExit: done"),
        ("raise BaseException('odd')", "BaseException: odd"),
        ("class Own(BaseException): pass\nraise Own", "Own"),
        ("open('nowhere')", "FileNotFoundError"),
        ("def f(): f()\nf()", "RecursionError"),
        (f"seed = {'(' * 5000}", "Correct the file"),
        ("seed = 10 ** 5000", "seed = <int without a text> is not allowed"),
        ("class Odd:\n    def __repr__(self): raise ValueError\nseed = Odd()", "seed = <Odd without a text>"),
        ("raise ValueError('x' * 10 ** 6)", "ValueError: xxx"),
    ],
)
def test_a_recipe_may_end_in_any_way(text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "recipe.py").write_text(text)
    message = failure(["--config", str(tmp_path / "recipe.py")], capsys)
    assert message.count("\n") == 1 and len(message) < 1000
    assert str(tmp_path / "recipe.py") in message and told in message


def test_ctrl_c_in_a_recipe_is_ctrl_c(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "recipe.py").write_text("raise KeyboardInterrupt")
    assert main.main(["--config", str(tmp_path / "recipe.py")]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("name", ["--data-path", "--config"])
def test_a_path_longer_than_paths_can_be_is_told(name: str, capsys: pytest.CaptureFixture) -> None:
    message = failure(["--dataset", "table", name, "x" * 5000], capsys)
    assert "xxx" in message and len(message) < 2200


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
