"""Freed memory is kept for reuse, and no new pages are asked for."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import malloc

SCRIPT = """
import resource, sys
from runtime import malloc
if sys.argv[1] == "keep":
    malloc.keep_freed_memory()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = b"x" * 2**27
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these options")
def test_a_second_block_of_the_same_size_takes_no_new_pages() -> None:
    faults = {}
    for way in ("keep", "return"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, way], cwd=Path(malloc.__file__).parents[1], capture_output=True, text=True
        )
        faults[way] = int(done.stdout)
    assert faults["keep"] < faults["return"] / 20
