"""One boundary around whatever reads a file: all that it throws there becomes the one clear error."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import InputError

TOLD = 160  # letters of a value, or of what another program says, that an error repeats
ROOM = 2**26  # bytes that anything may unpack to
SQUEEZED = 500  # times its size in the file that more may unpack to: telemetry packs 200 times, a bomb a thousand times


@contextmanager
def reading(path: Path, what: str, remedy: str, missing: str = "") -> Iterator[None]:
    """Read the file `path`, which is to be `what` such as "an array", in the block.

    Readers of other people raise dozens of types on damaged bytes, MemoryError and RecursionError among them, and no
    list of them is complete. What is no file is refused before it is opened, as a pipe would wait forever. Raises
    InputError with the remedy; where the file is not there, `missing` says what to do.
    """
    with understood(str(path), what, remedy):
        try:
            check_is_file(path, what, remedy)
            yield
        except FileNotFoundError as error:
            raise InputError(f"{path}: missing. {missing or remedy}") from error


@contextmanager
def understood(where: str, what: str, remedy: str) -> Iterator[None]:
    """The block reads what is at `where` as `what` it is to be: all that it raises becomes an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{where}: cannot be read as {what}: damaged, or of another kind ({said(error)}). {remedy}"
        ) from error


def check_is_file(path: Path, what: str, remedy: str) -> None:
    """Raises InputError where a path is a folder, a pipe or a device, and FileNotFoundError where it is nothing."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
        raise InputError(f"{path}: is {kind}, expected {what}. {remedy}")


def check_unpacked(size: int, packed: int, where: str) -> None:
    """Raises InputError where `packed` bytes of a file would unpack to a `size` that no data have, but bombs do."""
    if size > ROOM and size > SQUEEZED * packed:
        raise InputError(
            f"{where}: {packed} bytes unpack to {size} or more, as no data do. If they are what they should be, unpack "
            "them by hand."
        )


def said(error: BaseException) -> str:
    """What an exception says, in one short line."""
    return _short(" ".join(str(error).split())) or type(error).__name__


def quoted(value: object) -> str:
    """A value from a file as an error repeats it, however long it is."""
    try:
        return _short(repr(value[: 2 * TOLD] if isinstance(value, str | bytes) else value))
    except Exception:  # a whole number of thousands of digits has no text
        return f"<{type(value).__name__} without a text>"


def _short(text: str) -> str:
    return text if len(text) <= TOLD else f"{text[:TOLD]} .."
