"""Standard output and error of a program: whatever becomes of them, its work goes on."""

import errno
import io
import os
import select
import sys

GONE = (
    errno.EPIPE,
    errno.EIO,
    errno.EBADF,
    errno.ECONNRESET,
)  # nobody reads any longer: `| head -1`, a closed terminal


class _Enduring(io.RawIOBase):
    """A file descriptor that is written to as long as somebody reads it; `lost` is another reason that ended it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor, self._over, self.lost = descriptor, False, ""

    def write(self, content: memoryview) -> int:
        """Write a part of the content, or drop it whole."""
        while not self._over:
            try:
                return os.write(self._descriptor, content)
            except BlockingIOError:  # somebody has set it so, and reads slowly
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._over = True
                self.lost = "" if error.errno in GONE else str(error.strerror)
        return len(content)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)


def endure() -> None:
    """Let the standard streams take all text, line by line, whatever their encoding, closed or not.

    A closed one leads nowhere: else the next file that is opened would get its number, and what libraries print.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _text(number, "utf-8"))
        elif stream is getattr(sys, f"__{name}__") and os.name != "nt":  # Windows writes to its terminal otherwise
            stream.flush()
            setattr(sys, name, _text(number, stream.encoding))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def _text(descriptor: int, encoding: str) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(_Enduring(descriptor))
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=True)


def lost() -> str:
    """Why the standard output could not be written; empty where it was, or where nobody wanted it."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, _Enduring) else ""
