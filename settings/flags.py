"""The command line: a flag for every setting."""

import argparse
import re
import sys
import typing
from collections.abc import Iterable

from runtime.errors import clear, closest
from settings.check import bare, is_choice
from settings.read import RENAMED, Setting, read_settings

# what the help shows first
EVERYDAY = (
    "dataset", "data_path", "class_names", "detector", "mode", "run", "resume", "work_dir", "device", "threshold",
)  # fmt: skip


def value_of_words(words: str | list[str], kind: typing.Any) -> typing.Any:
    """What the command line gave for a setting, as a value that `_converted` can check."""
    kind = bare(kind)
    arguments = typing.get_args(kind)
    if isinstance(words, list):
        if typing.get_origin(kind) is not list and typing.get_origin(kind) is not tuple:
            if len(words) == 1 and any(words[0] in typing.get_args(option) for option in arguments):
                return words[0]
            arguments = next(typing.get_args(option) for option in arguments if typing.get_origin(option) is list)
        return [value_of_words(word, arguments[0]) for word in words]
    number = next((option for option in (kind, *arguments) if option in (int, float)), str)
    try:
        return number(words)
    except ValueError:
        return words


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
        close = [flag for word in unknown if (flag := closest(word, self._option_string_actions))]
        renamed = {f"--{old.replace('_', '-')}": new for old, new in RENAMED.items()}
        close = [f"--{renamed[word].replace('_', '-')}" for word in unknown if word in renamed] or close
        hint = f" (did you mean {' '.join(close)}?)" if close else ""
        self.exit(2, f"error: {clear(message)}{hint}\nSee {self.prog} --help.\n")


def _hyphenated(word: str) -> str:
    flag, equals, value = word.partition("=")
    return f"{flag.replace('_', '-')}{equals}{value}" if flag.startswith("--") else word


def make_parser(description: str, only: Iterable[str] | None = None) -> argparse.ArgumentParser:
    """A parser with `--config` and the flags of default.py (those named in `only`, where given).

    There is one flag per setting; one that is not given leaves no trace in the result.
    """
    settings = read_settings()
    parser = _Parser(
        description=description,
        usage="%(prog)s [--config FILE] [--SETTING VALUE ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="recipe with the settings that differ from default.py")
    groups: dict[str, argparse._ArgumentGroup] = {}
    shown = [settings[name] for name in (settings if only is None else only)]
    first = [setting for setting in shown if setting.name in EVERYDAY]
    for setting in [*first, *(setting for setting in shown if setting not in first)]:
        heading = "Every day" if setting in first else setting.group
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        _add_flag(groups[heading], setting)
    return parser


def _add_flag(group: argparse._ArgumentGroup, setting: Setting) -> None:
    kind, many = bare(setting.type), isinstance(setting.default, list | tuple)
    default = " ".join(map(str, setting.default)) if many else setting.default
    options: dict[str, typing.Any] = {
        "dest": setting.name,
        "default": argparse.SUPPRESS,
        "help": f"{setting.help} (default: {'empty' if default == '' else default})".replace("%", "%%"),
    }
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        takes_many = many or any(typing.get_origin(k) is list for k in typing.get_args(kind))
        choices = typing.get_args(kind) if is_choice(kind) else ()
        options["nargs"] = "+" if takes_many else None
        options["metavar"] = "|".join(choices) if choices else _example(kind)
    group.add_argument(f"--{setting.name.replace('_', '-')}", **options)


def _example(kind: typing.Any) -> str:
    """What stands behind a flag in the help: the kind of value it takes."""
    kinds = {int: "N", float: "X"}
    inner = [item for option in typing.get_args(kind) for item in (typing.get_args(option) or (option,))]
    return kinds.get(kind) or next((kinds[item] for item in inner if item in kinds), "TEXT")
