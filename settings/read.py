"""Settings files: the lines of default.py, and what a recipe sets anew."""

import ast
import re
import tokenize
import typing
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from runtime.errors import InputError, unknown_name
from runtime.reading import reading, said
from settings.config import Config

DEFAULT_FILE = Path(__file__).parents[1] / "default.py"
SETTING_FORM = "Write settings as `name: type = value  # help`."
KINDS = ("series", "pictures")  # of data sets
BASE = "base"  # in a recipe, the recipe that it builds on
RENAMED = {"labels": "interval_ends"}  # what an older version called a setting


@dataclass(frozen=True)
class Condition:
    """`name=value ..` or `name!=value ..` in the brackets of a line; a word alone is a kind of data set."""

    name: str
    equal: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """One line of default.py. It counts where of every entry of `counts_with` one condition holds."""

    name: str
    type: typing.Any
    default: typing.Any
    help: str
    group: str
    counts_with: tuple[tuple[Condition, ...], ...]


def read_settings() -> dict[str, Setting]:
    """The settings of default.py in the order of the file.

    Raises InputError where a line is not a setting, or the line of one is missing or misspelt.
    """
    path = DEFAULT_FILE
    namespace, tree = _execute(path)
    with tokenize.open(path) as file:
        comments = [t for t in tokenize.generate_tokens(file.readline) if t.type == tokenize.COMMENT]
    helps = {token.start[0]: token.string.lstrip("# ") for token in comments}
    headings = [token.start[0] for token in comments if token.start[1] == 0]
    settings = {}
    for line in tree.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name = line.target.id
            if name in settings:
                raise InputError(f"{path}, line {line.lineno}: {name} stands twice. Take one line out.")
            if name not in namespace:
                raise InputError(f"{path}, line {line.lineno}: {name} has no value. {SETTING_FORM}")
            kind = eval(compile(ast.Expression(line.annotation), str(path), "eval"), namespace)
            above = [helps[number] for number in headings if number < line.lineno]
            group = above[-1] if above else "Settings"
            text = helps.get(line.end_lineno or 0, "")
            settings[name] = Setting(name, kind, namespace[name], text, group, _counts_with(text))
        elif isinstance(line, ast.Assign):
            target = ast.unparse(line.targets[0])
            raise InputError(f"{path}, line {line.lineno}: {target} has no type. {SETTING_FORM}")
    _check_complete(path, settings)
    return settings


def _counts_with(text: str) -> tuple[tuple[Condition, ...], ...]:
    """The conditions in the brackets of a help text: `,` between what must all hold, ` or ` between alternatives."""
    brackets = re.match(r"\[([^]]*)\]", text)
    terms = brackets[1].split(",") if brackets else []
    return tuple(tuple(_condition(part.strip()) for part in term.split(" or ")) for term in terms)


def _condition(text: str) -> Condition:
    name, equals, values = text.partition("=")
    if not equals:
        return Condition("", True, (text,))
    return Condition(name.rstrip("!"), not name.endswith("!"), tuple(values.split()))


def _check_complete(path: Path, settings: dict[str, Setting]) -> None:
    known = [field.name for field in fields(Config)]
    for name in known:
        if name not in settings:
            close = get_close_matches(name, [found for found in settings if found not in known], n=1)
            hint = f" Is it the line {close[0]!r}?" if close else ""
            raise InputError(f"{path}: has no line of the setting {name}.{hint} Put it back as it was published.")
    for setting in settings.values():
        for condition in (condition for term in setting.counts_with for condition in term):
            if condition.name and condition.name not in settings:
                raise InputError(f"{path}: {setting.name}: {unknown_name('setting', condition.name, list(settings))}")
            if not condition.name and condition.values[0] not in KINDS:
                unknown = unknown_name("condition", condition.values[0], [*KINDS, "setting=value"])
                raise InputError(f"{path}: {setting.name}: {unknown} Brackets before a help text say when it counts.")


def _execute(path: Path) -> tuple[dict[str, typing.Any], ast.Module]:
    """Names and syntax tree of a settings file. It is the user's own program text, so it is run."""
    known = ", ".join(str(p) for p in sorted(Path("configs").glob("*.py")))
    with reading(path, "a file of settings", f"Recipes here: {known or 'none'}."):
        text = path.read_text(encoding="utf-8-sig")
    namespace: dict[str, typing.Any] = {}
    try:
        tree = ast.parse(text, filename=str(path))
        exec(compile(tree, str(path), "exec"), namespace)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it is a program, which may raise anything, and end itself
        raise InputError(f"{path}: {type(error).__name__}: {said(error)}. Correct the file.") from error
    return namespace, tree


def recipe_values(
    path: Path, settings: dict[str, Setting], above: tuple[Path, ...] = ()
) -> dict[str, tuple[typing.Any, str]]:
    """What a recipe and those it builds on set, name -> value and the file that sets it; the recipe itself wins.

    Raises InputError where one sets something that is no setting, gives it no value, or builds on itself.
    """
    namespace, tree = _execute(path)
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    names = list(dict.fromkeys(node.id for node in stored))
    values: dict[str, tuple[typing.Any, str]] = {}
    for name in names:
        if name not in namespace:
            raise InputError(f"{path}: {name} gets no value. Give it one, or take the line out.")
        if name == BASE:
            if not isinstance(namespace[name], str) or not re.fullmatch(r"[\w-]+", namespace[name]):
                raise InputError(
                    f"{path}: base = {namespace[name]!r} is no name of a recipe beside it, such as 'line'."
                )
            below = path.with_name(f"{namespace[name]}.py")
            if below in (*above, path):
                raise InputError(f"{path}: base = {namespace[name]!r} builds on itself. Name another recipe.")
            values = recipe_values(below, settings, (*above, path)) | values
        elif name in RENAMED:
            raise InputError(f"{path}: the setting {name} is called {RENAMED[name]} now. Rename the line.")
        elif name not in settings:
            raise InputError(f"{path}: {unknown_name('setting', name, list(settings))}")
        else:
            values[name] = (namespace[name], str(path))
    return values
