"""What Python's garbage collector looks through."""

import gc


def leave_alone_what_is_there() -> None:
    """Take what there is, modules above all, out of what the collector looks through: it stays to the end anyhow.

    torch alone makes half a million objects, which every full collection and the end of the process would go through.
    """
    gc.freeze()
