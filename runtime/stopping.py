"""Being told to stop: SIGTERM and SIGHUP end a program as Ctrl-C does, its files in order and with a last word."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

AGAIN = "The same command begins anew."


class Stopped(KeyboardInterrupt):
    """A signal has told the program to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """Raise Stopped where a signal arrives in the block. One that was ignored, as with nohup, still is."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say so
        yield
        return
    program, before = os.getpid(), {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, handler in before.items() if handler == signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != program:  # a child that has inherited this
            os._exit(128 + number)
        for other in heard:  # a terminal that is closed sends several; what the first has begun is to be ended
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


@contextlib.contextmanager
def told_when_stopped(text: Callable[[], str]) -> Iterator[None]:
    """Say what is left and how to go on where the block is interrupted, unless a block within it has said so."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not getattr(error, "__notes__", []):
            error.add_note(text())
        raise
