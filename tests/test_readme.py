"""What the README tells a newcomer exists: its flags, files, recipes and settings."""

import re
import shlex
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

import data.download
import eval_smap_timestep
import export_smap_scores
import main
import models.export
from settings.read import read_settings

ROOT = Path(main.__file__).parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
INLINE = re.findall(r"`((?:uv run|python|pip) [^`]+)`", README)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.strip()] + INLINE
ENTRIES = {
    "main.py": main.main,
    "export_smap_scores.py": export_smap_scores.main,
    "eval_smap_timestep.py": eval_smap_timestep.main,
    "data.download": data.download.main,
    "models.export": models.export.main,
}


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)


def entry_of(command: str) -> str | None:
    return next((word for word in words(command) if word in ENTRIES), None)


def help_of(name: str, capsys: pytest.CaptureFixture) -> str:
    with pytest.raises(SystemExit) as stopped:
        ENTRIES[name](["--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_there_are_commands() -> None:
    assert {entry_of(command) for command in COMMANDS} >= set(ENTRIES)
    assert [words(line)[:2] for line in BLOCKS[0].splitlines()] == [["uv", "run"]] * 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_what_exists(command: str, capsys: pytest.CaptureFixture) -> None:
    name = entry_of(command)
    if name is not None:
        flags = [word for word in words(command)[words(command).index(name) :] if word.startswith("--")]
        known = help_of(name, capsys)
        assert [flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", known)] == []
    for word in words(command):
        if re.fullmatch(r"[\w/]+\.(py|txt)", word):
            assert (ROOT / word).is_file(), word


def test_every_flag_in_the_text_is_one_of_a_setting_or_a_script(capsys: pytest.CaptureFixture) -> None:
    known = " ".join(help_of(name, capsys) for name in ENTRIES) + get_args_parser().format_help()
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - {
        "--extra",
        "--with",
        "--against",
        "--smap",
        "--no-sync",
        "--torch-backend",
        "--kills",
        "--project",
        "--only",
        "--tables",
        "--extractors",
        "--detectors",
        "--data",
    }  # of uv and of benchmarks
    assert {flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", known)} == set()


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_settings_named_in_words_exist() -> None:
    settings = set(read_settings())
    for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", README):
        if not name.startswith(("wide_resnet", "anomaly_score", "timestep_", "work_dirs")):
            assert name in settings, name
