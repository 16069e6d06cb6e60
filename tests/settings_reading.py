"""Settings as a command line gives them, from default.py as it is or with one line changed."""

import re
from pathlib import Path

import main
from settings import read
from settings.flags import make_parser
from settings.load import Config, load_config
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
