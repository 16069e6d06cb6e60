"""What a user did wrong, told in one line: no traceback, exit code 2."""

import errno
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from functools import cache

from runtime import launch
from runtime.stopping import Stopped, stopping
from runtime.streams import endure, lost

MOST, LAST = 2000, 500  # letters of an error, and how many of them are its end, with the remedy
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # but for tabs and line feeds
WAIT = 10  # seconds in which torchrun ends all processes after the first


class InputError(Exception):
    """Bad input. The message names the file or setting, what was found there and the remedy.

    What files hold may be anything: long messages lose their middle, and characters that steer a terminal are written
    out. Of several processes that torchrun started all meet the same, and the first of them says so, unless it is
    `of_one`.
    """

    of_one = False

    def __init__(self, message: str) -> None:
        super().__init__(clear(message))


def clear(message: str) -> str:
    """A message that can be shown, whatever stands in it: long ones lose their middle."""
    message = printable(message)
    left_out = len(message) - MOST
    return message if left_out <= 0 else f"{message[: -LAST - left_out]} [..] {message[-LAST:]}"


def printable(text: str) -> str:
    """A text without characters that steer a terminal: names from files may hold them."""
    return STEERING.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def unknown_name(what: str, name: str, known: list[str], more: Sequence[str] = (), rest: str = "") -> InputError:
    """An InputError that lists the known names and, for a near miss, what was probably meant.

    `more` holds names that are known but too many to list, `rest` describes them.
    """
    close = closest(name, [*known, *more])
    hint = f" Did you mean {close!r}?" if close else ""
    return InputError(f"unknown {what} {name!r}.{hint} Known: {', '.join(known)}{f', {rest}' if rest else ''}.")


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, whatever its case; None where none is near."""
    folded = {other.casefold(): other for other in known}
    close = get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None


@cache
def warn(message: str) -> None:
    """Print a warning that a user should act on to the standard error, once per message."""
    print(clear(f"warning: {message}"), file=sys.stderr, flush=True)


@cache
def note(message: str) -> None:
    """Print what was found or decided without being asked, once per message."""
    print(clear(message), flush=True)


def exit_code(command: Callable[[list[str] | None], None], argv: list[str] | None) -> int:
    """Run a command line program: 0 when it ends well, 1 where its output was lost, 2 on bad input.

    130 when interrupted, 128 and the number of the signal when told to stop: with what was kept, and how to go on.
    """
    endure()
    try:
        with stopping() if not launch.rank() else nullcontext():  # the other processes have nothing to say
            command(argv)
    except InputError as error:
        if launch.rank() and not error.of_one:
            time.sleep(WAIT)
            return 2
        _last_word(f"error: {error}")
        return 2
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        _last_word(f"error: {clear(str(error.filename))}: is longer than a name can be. Choose another.")
        return 2
    except KeyboardInterrupt as error:
        by = f" by {error}" if isinstance(error, Stopped) else ""
        _last_word("\n".join([f"interrupted{by}", *getattr(error, "__notes__", [])]))
        return 128 + (error.number if isinstance(error, Stopped) else signal.SIGINT)
    if lost():
        _last_word(f"error: the standard output could not be written ({lost()}). All files of the run were.")
        return 1
    return 0


def _last_word(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)
