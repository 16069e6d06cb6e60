"""What a user did wrong, told in one line: no traceback, exit code 2."""

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache


class InputError(Exception):
    """Bad input. The message names the file or setting, what was found there and the remedy."""


def unknown_name(what: str, name: str, known: list[str], more: Sequence[str] = (), rest: str = "") -> InputError:
    """An InputError that lists the known names and, for a near miss, what was probably meant.

    `more` holds names that are known but too many to list, `rest` describes them.
    """
    close = get_close_matches(name, [*known, *more], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return InputError(f"unknown {what} {name!r}.{hint} Known: {', '.join(known)}{f', {rest}' if rest else ''}.")


@cache
def warn(message: str) -> None:
    """Print a warning that a user should act on to the standard error, once per message."""
    print(f"warning: {message}", file=sys.stderr, flush=True)


@cache
def note(message: str) -> None:
    """Print what was found or decided without being asked, once per message."""
    print(message, flush=True)


def exit_code(command: Callable[[list[str] | None], None], argv: list[str] | None) -> int:
    """Run a command line program: 0 when it ends well, 2 on bad input, 130 when interrupted."""
    try:
        command(argv)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0
