"""default.py, a recipe and the command line become one validated, frozen Config.

`default.py` is the only source of names, types, defaults and help texts. A recipe may set some of them anew,
a flag wins over both: one per setting, `--batch-size` and `--batch_size` alike.
"""

import argparse
import ast
import json
import math
import re
import sys
import tokenize
import types
import typing
from collections.abc import Iterable
from dataclasses import asdict, dataclass, make_dataclass
from difflib import get_close_matches
from pathlib import Path

from runtime.errors import InputError, unknown_name
from runtime.files import atomic_file

DEFAULT_FILE = Path(__file__).with_name("default.py")
SETTING_FORM = "Write settings as `name: type = value  # help`."
Config = typing.Any  # a frozen dataclass with one field per setting of default.py, made by load_config

POSITIVE = {
    "input_size", "img_std", "c_conds", "parallel_blocks", "clamp_alpha", "batch_size", "meta_epochs",
    "sub_epochs", "lr", "lr_warmup_from", "lr_decay_milestones", "lr_decay_gamma", "grad_clip", "top_k",
    "colour_window", "time_scales", "window", "fold_width", "mtf_bins", "max_columns", "gaussian_floor", "memory_size",
    "train_window", "levels", "smooth",
}  # fmt: skip
NOT_NEGATIVE = {
    "seed", "num_workers", "smap_used_dims", "lr_warmup_epochs", "vis_top_k", "merge_gap", "widen", "vus_window",
    "bootstrap", "clip", "fleet_size", "fleet_offset", "feature_noise",
}  # fmt: skip
AT_MOST = {"top_k": 1, "lr_warmup_from": 1, "lr_decay_gamma": 1, "seed": 2**32 - 1, "levels": 3}
LENGTHS = {
    "smap_used_dims": 3, "img_mean": 3, "img_std": 3, "c_conds": 3, "parallel_blocks": 3, "colours": 3,
    "colour_gains": 3,
}  # fmt: skip
PATTERNS = {
    "threshold": (
        r"pot|q(0(\.\d+)?|1(\.0+)?)|[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?",
        "pot, a quantile of the training scores such as q0.99, or a number",
    )
}
NOT_EMPTY = {"class_names", "dataset", "extractor", "weights", "work_dir", "time_scales", "levels", "layout", "colours"}


@dataclass(frozen=True)
class Setting:
    """One line of default.py."""

    name: str
    type: typing.Any
    default: typing.Any
    help: str
    group: str


def read_settings(path: Path) -> dict[str, Setting]:
    """The settings of a default.py in the order of the file. Raises InputError where a line is not one."""
    namespace, tree = _execute(path)
    with tokenize.open(path) as file:
        comments = [t for t in tokenize.generate_tokens(file.readline) if t.type == tokenize.COMMENT]
    helps = {token.start[0]: token.string.lstrip("# ") for token in comments}
    headings = [token.start[0] for token in comments if token.start[1] == 0]
    settings = {}
    for line in tree.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name = line.target.id
            if name not in namespace:
                raise InputError(f"{path}, line {line.lineno}: {name} has no value. {SETTING_FORM}")
            kind = eval(compile(ast.Expression(line.annotation), str(path), "eval"), namespace)
            above = [helps[number] for number in headings if number < line.lineno]
            group = above[-1] if above else "Settings"
            settings[name] = Setting(name, kind, namespace[name], helps.get(line.end_lineno or 0, ""), group)
        elif isinstance(line, ast.Assign):
            target = ast.unparse(line.targets[0])
            raise InputError(f"{path}, line {line.lineno}: {target} has no type. {SETTING_FORM}")
    return settings


def _execute(path: Path) -> tuple[dict[str, typing.Any], ast.Module]:
    """Names and syntax tree of a settings file. It is the user's own program text, so it is run."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        namespace: dict[str, typing.Any] = {}
        exec(compile(tree, str(path), "exec"), namespace)
    except OSError as error:
        known = ", ".join(str(p) for p in sorted(Path("configs").glob("*.py")))
        raise InputError(f"{path}: cannot be read ({error.strerror}). Recipes here: {known or 'none'}.") from error
    except Exception as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}. Correct the file.") from error
    return namespace, tree


def _recipe_values(path: Path, settings: dict[str, Setting]) -> dict[str, typing.Any]:
    namespace, tree = _execute(path)
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    names = list(dict.fromkeys(node.id for node in stored))
    for name in names:
        if name not in settings:
            raise InputError(f"{path}: {unknown_name('setting', name, list(settings))}")
        if name not in namespace:
            raise InputError(f"{path}: {name} gets no value. Give it one, or take the line out.")
    return {name: namespace[name] for name in names}


def _type_name(kind: typing.Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(typing.get_args(kind))
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " | ".join(_type_name(k) for k in typing.get_args(kind))
    return str(kind) if typing.get_args(kind) else kind.__name__


def _converted(value: typing.Any, kind: typing.Any) -> typing.Any:
    """`value` as an instance of the annotation `kind`, sequences as tuples. Raises ValueError where it is none."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        if value in arguments:
            return value
    elif isinstance(kind, types.UnionType) or origin is typing.Union:
        for option in arguments:
            try:
                return _converted(value, option)
            except ValueError:
                continue
    elif origin in (list, tuple):
        if isinstance(value, list | tuple):
            items = arguments if origin is tuple else arguments * len(value)
            if len(items) == len(value):
                return tuple(_converted(v, k) for v, k in zip(value, items, strict=True))
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif type(value) is kind:
        return value
    raise ValueError(value)


def _from_words(words: str | list[str], kind: typing.Any) -> typing.Any:
    """What the command line gave for a setting, as a value that `_converted` can check."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(words, list):
        if isinstance(kind, types.UnionType) or origin is typing.Union:
            if len(words) == 1 and any(words[0] in typing.get_args(option) for option in arguments):
                return words[0]
            arguments = next(typing.get_args(option) for option in arguments if typing.get_origin(option) is list)
        return [_from_words(word, arguments[0]) for word in words]
    try:
        return {int: int, float: float}.get(kind, str)(words)
    except ValueError:
        return words


def _check(setting: Setting, value: typing.Any, where: str) -> typing.Any:
    """The value in its type, within its bounds. Raises InputError that says what is allowed."""

    def wrong(allowed: str) -> InputError:
        return InputError(f"{where}: {setting.name} = {value!r} is not allowed. Allowed: {allowed}.")

    try:
        checked = _converted(value, setting.type)
    except ValueError:
        if typing.get_origin(setting.type) is typing.Literal and isinstance(value, str):
            choices = [str(choice) for choice in typing.get_args(setting.type)]
            raise InputError(f"{where}: {unknown_name(setting.name, value, choices)}") from None
        raise wrong(_type_name(setting.type)) from None
    values = checked if isinstance(checked, tuple) else (checked,)
    if isinstance(checked, tuple) and len(checked) != LENGTHS.get(setting.name, len(checked)):
        raise wrong(f"{LENGTHS[setting.name]} values (a value may stand twice)")
    if setting.name in NOT_EMPTY and (not values or "" in values):
        raise wrong("at least one name")
    numbers = [v for v in values if isinstance(v, int | float)]
    if setting.name in POSITIVE and any(v <= 0 for v in numbers):
        raise wrong("numbers above 0")
    if setting.name in NOT_NEGATIVE and any(v < 0 for v in numbers):
        raise wrong("numbers from 0 on")
    if any(v > AT_MOST.get(setting.name, math.inf) for v in numbers):
        raise wrong(f"numbers up to {AT_MOST[setting.name]}")
    pattern, meaning = PATTERNS.get(setting.name, ("", ""))
    if pattern and not re.fullmatch(pattern, checked):
        raise wrong(meaning)
    if setting.name == "c_conds" and any(v % 4 for v in numbers):
        raise wrong("multiples of 4")
    if setting.name == "input_size" and any(v < 32 for v in numbers):
        raise wrong("at least 32 pixels each way, or the deepest feature map is too small to pad")
    return checked


class _Parser(argparse.ArgumentParser):
    """Takes `--batch_size` for `--batch-size`, and guesses what an unknown flag was meant to be."""

    def __init__(self, *args: typing.Any, **options: typing.Any) -> None:
        super().__init__(*args, **options)
        # before Python 3.14 argparse takes -1e-5 for a flag
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def parse_known_args(self, args=None, namespace=None):
        words = [_hyphenated(word) for word in (sys.argv[1:] if args is None else args)]
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> typing.NoReturn:
        unknown = [word for word in message.split() if word.startswith("--")] if "unrecognized" in message else []
        close = [flag for word in unknown for flag in get_close_matches(word, self._option_string_actions, n=1)]
        hint = f" (did you mean {' '.join(close)}?)" if close else ""
        self.exit(2, f"error: {message}{hint}\nSee {self.prog} --help.\n")


def _hyphenated(word: str) -> str:
    flag, equals, value = word.partition("=")
    return f"{flag.replace('_', '-')}{equals}{value}" if flag.startswith("--") else word


def make_parser(description: str, only: Iterable[str] | None = None) -> argparse.ArgumentParser:
    """A parser with `--config` and the flags of default.py (those named in `only`, where given).

    There is one flag per setting; one that is not given leaves no trace in the result.
    """
    settings = read_settings(DEFAULT_FILE)
    parser = _Parser(
        description=description,
        usage="%(prog)s [--config FILE] [--SETTING VALUE ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="recipe with the settings that differ from default.py")
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in settings.values() if only is None else (settings[name] for name in only):
        if setting.group not in groups:
            groups[setting.group] = parser.add_argument_group(setting.group)
        _add_flag(groups[setting.group], setting)
    return parser


def _add_flag(group: argparse._ArgumentGroup, setting: Setting) -> None:
    many = isinstance(setting.default, list | tuple)
    default = " ".join(map(str, setting.default)) if many else setting.default
    options: dict[str, typing.Any] = {
        "dest": setting.name,
        "default": argparse.SUPPRESS,
        "help": f"{setting.help} (default: {'empty' if default == '' else default})".replace("%", "%%"),
    }
    if setting.type is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        takes_many = many or any(typing.get_origin(k) is list for k in typing.get_args(setting.type))
        choices = typing.get_args(setting.type) if typing.get_origin(setting.type) is typing.Literal else ()
        options["nargs"] = "+" if takes_many else None
        options["metavar"] = "|".join(choices) if choices else _example(setting)
    group.add_argument(f"--{setting.name.replace('_', '-')}", **options)


def _example(setting: Setting) -> str:
    """What stands behind a flag in the help: the kind of value it takes."""
    kinds = {int: "N", float: "X"}
    arguments = [kind for option in typing.get_args(setting.type) for kind in (typing.get_args(option) or (option,))]
    return kinds.get(setting.type) or next((kinds[kind] for kind in arguments if kind in kinds), "TEXT")


def load_config(
    recipe: str | Path | None = None,
    flags: dict[str, typing.Any] | None = None,
    base: dict[str, typing.Any] | None = None,
) -> Config:
    """Merge default.py, a recipe and parsed flags (words, or a bool), the later winning, and check every value.

    `base` replaces the values of default.py, as those of an earlier run.

    Raises InputError that names the source, what was given and what is allowed.
    """
    from colours import COLOURS  # here, because NumPy would slow down --help
    from datasets import DATASETS
    from layouts import LAYOUTS

    settings = read_settings(DEFAULT_FILE)
    values = {name: (s.default, str(DEFAULT_FILE)) for name, s in settings.items()}
    values |= {name: (value, "the earlier run's settings") for name, value in (base or {}).items()}
    if recipe:
        values |= {name: (value, str(recipe)) for name, value in _recipe_values(Path(recipe), settings).items()}
    for name, words in (flags or {}).items():
        value = words if isinstance(words, bool) else _from_words(words, settings[name].type)
        values[name] = (value, f"--{name.replace('_', '-')}")
    checked = {name: _check(settings[name], value, where) for name, (value, where) in values.items()}
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
    settings = read_settings(DEFAULT_FILE)
    try:
        defaults = {name: setting.default for name, setting in settings.items()}
        recorded = defaults | json.loads(path.read_text(encoding="utf-8"))["settings"]
        checked = {name: _check(settings[name], value, str(path)) for name, value in recorded.items()}
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
