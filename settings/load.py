"""default.py, a recipe and the command line become one checked, frozen Config.

`default.py` is the only source of defaults and help texts. A recipe may set some of them anew, a flag wins over both:
one per setting, `--batch-size` and `--batch_size` alike.
"""

import hashlib
import json
from dataclasses import asdict, fields, make_dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError, unknown_name
from runtime.files import atomic_file
from runtime.reading import reading, understood
from settings import read
from settings.check import checked_value
from settings.config import Config
from settings.flags import value_of_words
from settings.read import RENAMED, read_settings, recipe_values

WHAT, AGAIN = "the config.json of a run", "Run main.py again."
CHECKSUM = "checksum"  # the line of config.json that tells whether the others are as they were written
PUBLISHED = Path(__file__).parents[1] / "configs"  # where a detector's own settings lie, under its name


def load_config(
    recipe: str | Path | None = None,
    flags: dict[str, Any] | None = None,
    base: dict[str, Any] | None = None,
    keywords: dict[str, Any] | None = None,
) -> Config:
    """Merge default.py, a recipe and parsed flags (words, or a bool), the later winning, and check every value.

    `base` replaces the values of default.py, as those of an earlier run; `keywords` are values given in a program. What
    was published with a detector (`published`) comes between default.py and all else.
    Raises InputError that names the source, what was given and what is allowed.
    """
    settings = read_settings()
    defaults = {name: (setting.default, str(read.DEFAULT_FILE)) for name, setting in settings.items()}
    values = {name: (value, "the earlier run's settings") for name, value in (base or {}).items()}
    if recipe:
        values |= recipe_values(Path(recipe), settings)
    for name, words in (flags or {}).items():
        value = words if isinstance(words, bool) else value_of_words(words, settings[name].type)
        values[name] = (value, f"--{name.replace('_', '-')}")
    for name, value in (keywords or {}).items():
        if name not in settings:
            raise unknown_name("setting", name, list(settings))
        values[name] = (value, "keyword")
    if "detector" in values:
        brought = published(checked_value(settings["detector"], *values["detector"]))
        defaults |= recipe_values(brought, settings) if brought else {}
    values = defaults | values
    return _config({name: checked_value(settings[name], value, where) for name, (value, where) in values.items()})


def published(detector: str) -> Path | None:
    """The recipe with the settings that were published with a detector; None where it is the one of default.py.

    Who chooses it there has all other settings before them.
    """
    recipe = PUBLISHED / f"{detector}.py"
    return recipe if recipe.is_file() and detector != read_settings()["detector"].default else None


def told_of_published(config: Config) -> str:
    """Which settings were published with the detector of a run, and which of them are set otherwise; else empty."""
    if (recipe := published(config.detector)) is None:
        return ""
    settings = read_settings()
    theirs = {name: checked_value(settings[name], *value) for name, value in recipe_values(recipe, settings).items()}
    others = {name: getattr(config, name) for name, value in theirs.items() if getattr(config, name) != value}
    told = ", ".join(f"{name} = {value}" for name, value in others.items())
    where = f"{recipe.parent.name}/{recipe.name}"
    return f"detector = {config.detector} begins with the settings of {where}" + (
        f"; set otherwise: {told}." if told else "."
    )


def recorded_config(path: Path) -> Config:
    """The Config of the run that wrote a config.json. Raises InputError where that is no such file."""
    settings = read_settings()
    content = read_record(path)
    with understood(str(path), WHAT, AGAIN):
        recorded = content["settings"]
        renamed = {RENAMED.get(name, name): value for name, value in recorded.items()}
        values = {name: setting.default for name, setting in settings.items()} | renamed
        checked = {name: checked_value(settings[name], value, str(path)) for name, value in values.items()}
    return _config(checked)


def read_record(path: Path) -> dict[str, Any]:
    """The content of a config.json. Raises InputError where that is no such file, or not as it was written.

    One of an earlier version has no checksum, and is taken as it is.
    """
    with reading(path, WHAT, AGAIN, missing="Make the scores first: python main.py --mode test."):
        content = json.loads(path.read_text(encoding="utf-8"))
        expected = content.pop(CHECKSUM, None)
        changed = expected is not None and expected != _checksum(content)
    if changed:
        raise InputError(
            f"{path}: is damaged, or was changed since the run wrote it. Run main.py again; where the change was "
            f"meant, remove its line {CHECKSUM}."
        )
    return content


def _checksum(content: dict[str, Any]) -> str:
    """SHA-256 of a content, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _config(values: dict[str, Any]) -> Config:
    """A Config, with a field more for every line that was added to default.py."""
    known = {field.name for field in fields(Config)}
    added = [(name, type(value)) for name, value in values.items() if name not in known]
    return make_dataclass("Config", added, bases=(Config,), frozen=True)(**values) if added else Config(**values)


def save_config(path: Path, config: Config, facts: dict[str, Any]) -> None:
    """Write the settings, and facts about the run beside them, as JSON with a checksum."""
    with atomic_file(path) as temporary:
        content = json.loads(json.dumps({"settings": asdict(config), **facts}))
        text = json.dumps({**content, CHECKSUM: _checksum(content)}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
