"""Two hundred hostile files for every reader, and whether the harness would see what may go wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.__main__ import READERS

ROOT = Path(__file__).parents[1]
FAULTS = {
    "traceback": "1 / 0",
    "hang": "time.sleep(60)",
    "exit": "sys.exit(1)",
    "wrong": "found = 2",
    "unclear": "raise InputError('something is wrong')",
    "storm": "print('x\\n' * 100)",
    "memory": "held = b'1' * 2 * 10**9",
    "unsafe": "(folder.parent / 'outside').mkdir()",
    "unsafe ": "pickle.loads(pickle.dumps(Path('x')))",
    "unsafe  ": "subprocess.run(['true'])",
    "told": "raise InputError('name.csv: is empty')",
    "right": "found = 1",
}
SCRIPT = """
import pickle, subprocess, sys, time
from pathlib import Path
from runtime.errors import InputError
from tests.fuzz import harness

def read():
    found = 1
    {code}
    return found

def check(found):
    assert found == 1

harness.ALARM = 1
harness.watch_files()
folder = Path(sys.argv[1])
print(harness.outcome(harness.Case("it", read, check, ("name.csv",)), folder)[0])
"""


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.parametrize("module", sorted({place.partition(":")[0] for place in READERS.values()}))
def test_hostile_files_are_read_rightly_or_refused_in_one_clear_error(module: str) -> None:
    """In a process of its own: a file that ends it is a fault too."""
    readers = [name for name, place in READERS.items() if place.startswith(f"{module}:")]
    done = run("-m", "tests.fuzz", "--inputs", "200", "--reader", *readers)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
    lines = done.stdout.splitlines()
    assert len(lines) == len(readers)
    assert all("right" in line and "told" in line for line in lines), "else the inputs are all of a kind"


@pytest.mark.parametrize("fault", FAULTS)
def test_the_harness_sees_every_kind_of_fault(fault: str, tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    if fault == "memory" and not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell how much memory was used")
    done = run("-c", SCRIPT.format(code=FAULTS[fault]), str(tmp_path / "input"))
    assert done.stdout.splitlines()[-1:] == [fault.strip()], done.stdout + done.stderr
