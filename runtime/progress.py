"""Progress bars on a terminal."""

import os
import sys
from typing import Any

from tqdm import tqdm


def progress_bar(total: int, initial: int = 0, **options: Any) -> tqdm:
    """A bar on a terminal, nothing elsewhere; of the processes that torchrun started one has it."""
    hidden = not sys.stderr.isatty() or os.environ.get("RANK", "0") != "0"
    return tqdm(total=total, initial=initial, disable=hidden, dynamic_ncols=True, **options)
