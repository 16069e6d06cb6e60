"""What may come of a hostile file: a right result, or the one clear error. Anything else is a fault.

Every input is read in this process, with an alarm against hangs, a hook that sees every file that is written and every
class that is unpickled, and an eye on memory and on what is printed.
"""

import io
import os
import random
import resource
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from runtime.errors import MOST, InputError, note, warn

ALARM = 30  # seconds that a healthy read never takes
MEMORY = 2**30  # bytes that reading an input of some kilobytes may take
ROOM = 2**32  # bytes of addresses that may be asked for at the most, so that a fault does not take the machine with it
LINES, LETTERS = 30, 10_000  # of what is printed about one input
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename": (0, 1), "os.remove": (0,), "os.mkdir": (0,), "os.rmdir": (0,), "os.link": (0, 1)}
CHANGES |= {"os.symlink": (1,), "os.truncate": (0,), "os.chmod": (0,)}
FORBIDDEN = {"pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect"}
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RIGHT, TOLD = "right", "told"


class Hang(BaseException):
    """Not an Exception: no boundary may take it for a damaged file."""


@dataclass
class Case:
    """One input. `read` lets the product read it, `check` fails where what that gave is not right.

    `what` names the input; an error must hold one of `names`. `may_exit`: the command line may be refused by argparse.
    """

    what: str
    read: Callable[[], Any]
    check: Callable[[Any], None]
    names: tuple[str, ...]
    may_exit: bool = False


class Reader(Protocol):
    """What makes inputs for one reader of the product; what it needs for that is made in a folder once."""

    def __init__(self, place: Path) -> None: ...

    def case(self, rng: random.Random, folder: Path) -> Case:
        """A new input in an empty folder."""


@dataclass
class Tally:
    """How many inputs ended how, and those that ended badly."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def tried(reader: type[Reader], inputs: int, seed: int, place: Path, first: int = 0) -> Tally:
    """Try so many inputs, from the `first` one on; every input has a seed of its own, so that one can be repeated."""
    tally = Tally()
    (place / "made").mkdir()
    made = reader(place / "made")
    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + ROOM, limit[1]))
    try:
        for number in range(first, first + inputs):
            folder = place / "input"
            folder.mkdir()
            rng = random.Random(f"{seed} {number}")
            os.chdir(folder)
            case = made.case(rng, folder)
            kind, told = outcome(case, folder)
            tally.counts[kind] += 1
            if kind not in (RIGHT, TOLD):
                tally.faults.append(f"input {number} ({case.what[:200]}): {kind}: {told}")
            os.chdir(place)
            shutil.rmtree(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
    return tally


def outcome(case: Case, folder: Path) -> tuple[str, str]:
    """How the reading of an input ends, in a word, and what is to be told of a fault."""
    printed = io.StringIO()
    before = _peak_from_now()
    with _watched(folder) as seen, redirect_stdout(printed), redirect_stderr(printed):
        kind, told = _read(case)
    used = _status("VmHWM") - before
    if seen:
        return "unsafe", "; ".join(seen[:3])
    if used > MEMORY:
        return "memory", f"{used / 1e6:.0f} MB"
    text = printed.getvalue()
    if text.count("\n") > LINES or len(text) > LETTERS:
        return "storm", text[:500]
    return kind, told


def _read(case: Case) -> tuple[str, str]:
    warn.cache_clear()
    note.cache_clear()
    try:
        with _alarm():
            found = case.read()
    except InputError as error:
        told = str(error)
        clear = len(told) <= MOST + 10 and told.strip() and any(name in told for name in case.names)
        return (TOLD, told) if clear else ("unclear", told[:500])
    except SystemExit as error:
        return (TOLD, "") if case.may_exit and error.code == 2 else ("exit", repr(error.code))
    except Hang:
        return "hang", traceback.format_exc(limit=-6)
    except BaseException:
        return "traceback", traceback.format_exc(limit=-3)
    try:
        case.check(found)
    except Exception:
        return "wrong", traceback.format_exc(limit=-4)
    return RIGHT, ""


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(ALARM)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _status(name: str) -> int:
    """A line of this process's status in bytes; 0 on systems that have none, where memory is not watched."""
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return 1024 * int(line.split()[1])
    return 0


def _peak_from_now() -> int:
    """The memory in use; the peak is counted from here on."""
    with suppress(OSError):
        RESET.write_text("5")
    return _status("VmHWM")


_watch: tuple[Path, list[str]] | None = None


@contextmanager
def _watched(folder: Path) -> Iterator[list[str]]:
    """See what is written outside of a folder, and what no reading of data should do."""
    global _watch
    seen: list[str] = []
    _watch = folder.resolve(), seen
    try:
        yield seen
    finally:
        _watch = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    global _watch
    if _watch is None or (event != "open" and event not in CHANGES and event not in FORBIDDEN):
        return
    watch, _watch = _watch, None  # what follows is no part of it
    folder, seen = watch
    try:
        if event in FORBIDDEN:
            seen.append(f"{event} {arguments[:2]}")
        for path in _written(event, arguments):
            place = Path(os.path.realpath(os.fsdecode(path)))
            if place != Path(os.devnull) and not place.is_relative_to(folder):
                seen.append(f"{event} {place}")
    finally:
        _watch = watch


def _written(event: str, arguments: tuple[Any, ...]) -> list[str | bytes]:
    if event == "open":
        path, mode, flags = arguments
        writes = bool(flags & WRITING) if isinstance(flags, int) else any(c in str(mode) for c in "wax+")
        return [path] if writes and isinstance(path, str | bytes) else []
    if event in CHANGES and (event == "os.truncate" or arguments[-1] < 0):
        return [arguments[n] for n in CHANGES[event] if isinstance(arguments[n], str | bytes | os.PathLike)]
    return []  # relative to an open folder, as rmtree does


def watch_files() -> None:
    """Begin to see files that are written; there is no way back."""
    sys.dont_write_bytecode = True  # a module that is imported late is no finding
    sys.addaudithook(_hook)
