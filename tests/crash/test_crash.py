"""Twenty programs killed, some disks that fill up and folders that vanish: see the package for more of them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="cuts forked programs short")
def test_whoever_is_cut_short_leaves_whole_files_and_goes_on_as_if_nothing_had_happened() -> None:
    command = [sys.executable, "-m", "tests.crash", "--kills", "20", "--full", "5", "--vanish", "5", "--seed", "0"]
    command += ["--only", "flow", "judge", "score", "follow", "inspect"]  # the others are much like these
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) cuts, 0 broken rules", done.stdout)[1]) >= 30
