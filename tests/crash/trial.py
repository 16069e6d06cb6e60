"""One program in a process of its own, cut short at one of its writing operations."""

import contextlib
import importlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .checks import sums
from .scenarios import Work

PATIENCE = 120.0  # seconds after which a program hangs
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# what a path tells of the phase that a program is in; the first that fits
PHASES = {
    "features": r"features",
    "export": r"\bvis\b|scores/\.?scores\.csv",
    "report": r"report\.html|channels|\.png|metrics\.json",
    "evaluation": r"alarms\.csv|timestep_",
    "new data": r"scored|followed|kept|data/",
    "scoring": r"/\.?scores",
    "training": r"last\.pt|log\.jsonl|config\.json",
}


@dataclass
class Operation:
    """A writing operation: what it does to which path, in which phase, and when."""

    what: str
    path: str
    phase: str
    seconds: float


@dataclass
class Ended:
    """How a program ended: its exit code, or less than 0 where it was killed, and what it printed."""

    code: int
    output: str
    hung: bool = False


@dataclass
class Course:
    """The operations of a program that ran to its end, and every content that a file got together with its name."""

    operations: list[Operation] = field(default_factory=list)
    contents: dict[str, set[str]] = field(default_factory=dict)


class Watcher:
    """Calls `act` with the number of every writing operation in a folder, before it is done."""

    def __init__(self, place: Path, act: Callable[[int, str, str, str], None]) -> None:
        self._place, self._act, self._number, self._busy = f"{place}{os.sep}", act, 0, False
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple) -> None:
        if self._busy or not _writes(event, arguments):
            return
        paths = [os.path.abspath(os.fsdecode(path)) for path in arguments[:2] if isinstance(path, str | bytes | Path)]
        inside = [path.removeprefix(self._place) for path in paths if path.startswith(self._place)]
        if inside:
            self._busy = True
            try:
                self._act(self._number, event, inside[0], inside[-1])
            finally:
                self._number, self._busy = self._number + 1, False


def _writes(event: str, arguments: tuple) -> bool:
    if event == "open":
        _, mode, flags = arguments
        return bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool((flags or 0) & WRITES)
    return event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


def forked(place: Path, works: Sequence[Work], prepare: Callable[[], None], kill_after: float | None = None) -> Ended:
    """Do the works in `place` in a child process, which `prepare` begins; what it prints is heard through a pipe.

    With `kill_after` it is killed so many seconds after it has written to descriptor 3.
    """
    reading, writing = os.pipe()
    telling, told = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        os.dup2(writing, 1), os.dup2(writing, 2), os.dup2(told, 3)
        os.closerange(4, 64)
        os._exit(_worked(place, works, prepare))
    os.close(writing), os.close(told)
    if kill_after is not None and os.read(telling, 1):
        time.sleep(kill_after)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    output, end, hung = b"", time.monotonic() + PATIENCE, False
    os.set_blocking(reading, False)
    while True:
        with contextlib.suppress(BlockingIOError):
            while block := os.read(reading, 1 << 16):
                output += block
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            hung = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.003)
    with contextlib.suppress(BlockingIOError):
        while block := os.read(reading, 1 << 16):
            output += block
    os.close(reading), os.close(telling)
    return Ended(os.waitstatus_to_exitcode(status), output.decode(errors="replace"), hung)


def _worked(place: Path, works: Sequence[Work], prepare: Callable[[], None]) -> int:
    try:
        os.chdir(place)
        prepare()
        for work in works:
            if code := work():
                return code
        return 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        if type(error).__name__ == "InputError":  # of what is no command
            print(f"error: {error}", file=sys.stderr)
            return 2
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush(), sys.stderr.flush()


def load_what_they_load(place: Path, works: Sequence[Work], log: Path) -> tuple[Course, Ended]:
    """Do the works to their end, and import here what they have imported: later children need not."""

    def tell() -> None:
        log.write_text("\n".join(sys.modules), encoding="utf-8")

    ended = forked(place, [*works, tell], lambda: None)
    for name in log.read_text(encoding="utf-8").split() if ended.code == 0 else ():
        with contextlib.suppress(Exception):  # some can be imported by others alone
            importlib.import_module(name)
    return Course(), ended


def followed(place: Path, works: Sequence[Work], log: Path) -> tuple[Course, Ended]:
    """Do the works to their end, and tell of every operation, by way of a file outside the place."""

    log.unlink(missing_ok=True)

    def begin() -> None:
        start, phase = time.monotonic(), "begin"

        def act(number: int, event: str, path: str, target: str) -> None:
            nonlocal phase
            phase = next((name for name, pattern in PHASES.items() if re.search(pattern, target)), phase)
            named = sums(place / path, target) if event == "os.rename" else {}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps([event, path, phase, time.monotonic() - start, named]) + "\n")

        Watcher(place, act)

    ended, course = forked(place, works, begin), Course()
    for line in log.read_text(encoding="utf-8").splitlines():
        event, path, phase, seconds, named = json.loads(line)
        course.operations.append(Operation(event, path, phase, seconds))
        for name, content in named.items():
            course.contents.setdefault(name, set()).add(content)
    return course, ended


def killed(place: Path, works: Sequence[Work], number: int, delay: float) -> Ended:
    """Kill the program before its operation `number`, or that many seconds after it has begun it."""

    def act(found: int, *_: str) -> None:
        if found == number:
            os.write(3, b"!") if delay else os.kill(os.getpid(), signal.SIGKILL)

    return forked(place, works, lambda: Watcher(place, act) and None, delay or None)


def full(place: Path, works: Sequence[Work], number: int) -> Ended:
    """From operation `number` on no file can grow: the disk is full."""

    def act(found: int, *_: str) -> None:
        if found == number:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    return forked(place, works, lambda: Watcher(place, act) and None)


def vanishing(place: Path, works: Sequence[Work], number: int, folders: Sequence[str]) -> Ended:
    """Before operation `number` somebody removes the folders of results."""

    def act(found: int, *_: str) -> None:
        if found == number:
            for folder in folders:
                shutil.rmtree(place / folder, ignore_errors=True)

    return forked(place, works, lambda: Watcher(place, act) and None)
