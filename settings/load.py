"""default.py, a recipe and the command line become one validated, frozen Config.

`default.py` is the only source of names, types, defaults and help texts. A recipe may set some of them anew,
a flag wins over both: one per setting, `--batch-size` and `--batch_size` alike.
"""

import json
import typing
from dataclasses import asdict, make_dataclass
from pathlib import Path

from runtime.errors import InputError, unknown_name
from runtime.files import atomic_file
from settings import read
from settings.check import checked_value
from settings.flags import value_of_words
from settings.read import read_settings, recipe_values

Config = typing.Any  # a frozen dataclass with one field per setting of default.py, made by load_config


def load_config(
    recipe: str | Path | None = None,
    flags: dict[str, typing.Any] | None = None,
    base: dict[str, typing.Any] | None = None,
) -> Config:
    """Merge default.py, a recipe and parsed flags (words, or a bool), the later winning, and check every value.

    `base` replaces the values of default.py, as those of an earlier run.

    Raises InputError that names the source, what was given and what is allowed.
    """
    from datasets import DATASETS
    from drawing.colours import COLOURS  # here, because NumPy would slow down --help
    from drawing.layouts import LAYOUTS

    settings = read_settings()
    values = {name: (s.default, str(read.DEFAULT_FILE)) for name, s in settings.items()}
    values |= {name: (value, "the earlier run's settings") for name, value in (base or {}).items()}
    if recipe:
        values |= {name: (value, str(recipe)) for name, value in recipe_values(Path(recipe), settings).items()}
    for name, words in (flags or {}).items():
        value = words if isinstance(words, bool) else value_of_words(words, settings[name].type)
        values[name] = (value, f"--{name.replace('_', '-')}")
    checked = {name: checked_value(settings[name], value, where) for name, (value, where) in values.items()}
    if checked["dataset"] not in DATASETS:
        raise InputError(f"{values['dataset'][1]}: {unknown_name('dataset', checked['dataset'], list(DATASETS))}")
    if checked["layout"] not in LAYOUTS:
        raise InputError(f"{values['layout'][1]}: {unknown_name('layout', checked['layout'], list(LAYOUTS))}")
    for colour in checked["colours"]:
        if colour not in COLOURS:
            raise InputError(f"{values['colours'][1]}: colours: {unknown_name('colour', colour, list(COLOURS))}")
    if not checked["levels"] == tuple(sorted(set(checked["levels"]))):
        raise InputError(f"{values['levels'][1]}: levels = {checked['levels']}: name each of 1 2 3 once, in order.")
    return make_dataclass("Config", checked, frozen=True)(**checked)


def recorded_config(path: Path) -> Config:
    """The Config of the run that wrote a config.json. Raises InputError where that is no such file."""
    settings = read_settings()
    try:
        defaults = {name: setting.default for name, setting in settings.items()}
        recorded = defaults | json.loads(path.read_text(encoding="utf-8"))["settings"]
        checked = {name: checked_value(settings[name], value, str(path)) for name, value in recorded.items()}
    except FileNotFoundError as error:
        raise InputError(f"{path}: missing. Make the scores first: python main.py --mode test.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not the config.json of a run ({error}). Run main.py again.") from error
    return make_dataclass("Config", checked, frozen=True)(**checked)


def save_config(path: Path, config: Config, facts: dict[str, typing.Any]) -> None:
    """Write the settings, and facts about the run beside them, as JSON."""
    with atomic_file(path) as temporary:
        text = json.dumps({"settings": asdict(config), **facts}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
