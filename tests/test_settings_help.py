"""The help: every line of default.py is one flag, shown with its default, and nothing heavy is loaded for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from settings_reading import DEFAULT_TEXT, DEFAULTS, ROOT, edited_default, parsed

import main
from datasets import DATASETS
from settings import read
from settings.flags import make_parser


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


def test_help_begins_with_ten_settings_of_every_day() -> None:
    shown = make_parser("").format_help()
    first = shown[shown.index("Every day:") : shown.index("What to run:")]
    names = re.findall(r"(?m)^  --([a-z-]+)", first)
    assert len(names) == 10 and {"dataset", "data-path", "mode", "work-dir"} <= set(names)
    assert shown.index("--config FILE  ") < shown.index("Every day:")
    of_script = make_parser("", ["levels", "work_dir"]).format_help()
    assert of_script.index("--work-dir") < of_script.index("--levels")


def test_every_setting_has_exactly_one_flag() -> None:
    actions = [action.dest for action in make_parser("")._actions]
    assert sorted(actions) == sorted([*DEFAULTS, "config", "help"])


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


def test_the_help_of_dataset_names_the_registry() -> None:
    words = re.findall(r"[\w-]+", DEFAULTS["dataset"].help)
    assert set(DATASETS) <= set(words)


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "main.py", "--help"]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    modules = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in loaded.splitlines()}
    assert "argparse" in modules, "the list of imports was not read"
    assert not modules & {"torch", "numpy", "timm", "scipy", "matplotlib", "torchvision", "sklearn", "PIL"}
