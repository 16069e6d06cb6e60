"""Settings files: the lines of default.py, and what a recipe sets anew."""

import ast
import tokenize
import typing
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError, unknown_name

DEFAULT_FILE = Path(__file__).parents[1] / "default.py"

SETTING_FORM = "Write settings as `name: type = value  # help`."


@dataclass(frozen=True)
class Setting:
    """One line of default.py."""

    name: str
    type: typing.Any
    default: typing.Any
    help: str
    group: str


def read_settings() -> dict[str, Setting]:
    """The settings of default.py in the order of the file. Raises InputError where a line is not one."""
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


def recipe_values(path: Path, settings: dict[str, Setting]) -> dict[str, typing.Any]:
    """What a recipe sets. Raises InputError where it sets something that is no setting, or gives it no value."""
    namespace, tree = _execute(path)
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    names = list(dict.fromkeys(node.id for node in stored))
    for name in names:
        if name not in settings:
            raise InputError(f"{path}: {unknown_name('setting', name, list(settings))}")
        if name not in namespace:
            raise InputError(f"{path}: {name} gets no value. Give it one, or take the line out.")
    return {name: namespace[name] for name in names}
