"""The whole command, main.py, of an earlier commit and of today's tree in turn: medians over rounds, on one machine.

    uv run --with plotly python -m benchmarks.speed compare --against 089e7b9 --smap FOLDER --weights FILE

Train, score, evaluate and report, each time in a process and a folder of its own: SMAP, and made-up channels, many and
short. The earlier tree with configs/smap_line.py, today's with that, whose features come with it, and with
configs/imagenet.py, the same resnet18 as the earlier tree's. Both trees run with the packages that are installed here,
and that commit needs plotly, compiled once, as an installation keeps them. About 20 minutes; writes a table to
benchmarks/speed.md; of a machine that does other things at the same time it means little.
"""

import argparse
import contextlib
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import write_telemetry
from runtime.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
# of the earlier tree and of today's; with the weights of resnet18 or without
COMMANDS = {
    "earlier": ("configs/smap_line.py", True),
    "today": ("configs/smap_line.py", False),
    "today, resnet18": ("configs/imagenet.py", True),
}
MADE_UP = {"num_channels": 300, "num_steps": {"train": 2000, "test": 2000}, "num_columns": 5}
REACHED = re.compile(r"Time-step ROC AUC: ([\d.]+)")
BUSY = 0.3  # running processes, over the last minute, of a machine that is not idle


@dataclass(frozen=True)
class Run:
    """One run of the command: seconds by the clock, seconds of all processors, and the ROC AUC that it printed."""

    seconds: float
    cpu: float
    auroc: str


def run_command(tree: Path, data: Path, recipe: str, weights: Path | None) -> Run:
    """Run main.py of a tree in a folder of its own, which is removed. Raises InputError where it fails."""
    with tempfile.TemporaryDirectory() as work_dir:
        flags = ("--config", recipe, "--dataset", "smap", "--data-path", data, "--work-dir", work_dir)
        flags += () if weights is None else ("--weights", weights)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, "main.py", *map(str, flags)]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise InputError(f"{tree}: main.py ends with {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, REACHED.findall(done.stdout)[-1])


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The tree of a commit in a folder of its own, which is gone afterwards. Raises InputError for an unknown one."""
    folder = Path(tempfile.mkdtemp()) / "tree"
    git = ["git", "-C", str(ROOT), "worktree"]
    try:
        added = subprocess.run([*git, "add", "--detach", str(folder), commit], capture_output=True, text=True)
        if added.returncode:
            raise InputError(f"--against {commit}: {added.stderr.strip()}")
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], capture_output=True)
        shutil.rmtree(folder.parent, ignore_errors=True)


def compared(commit: str, inputs: dict[str, Path], weights: Path, rounds: int) -> str:
    """The table of all inputs: the commands in turn, the earlier tree's first."""
    names = [commit, *list(COMMANDS)[1:]]
    lines = [f"| | {' | '.join(names)} | ratio | ratio, resnet18 |", "|---" * 6 + "|"]
    with checked_out(commit) as earlier:
        for name, data in inputs.items():
            runs: dict[str, list[Run]] = {which: [] for which in names}
            for number in range(rounds):
                for which, (recipe, with_weights) in zip(names, COMMANDS.values(), strict=True):
                    tree = earlier if which == commit else ROOT
                    runs[which].append(run_command(tree, data, recipe, weights if with_weights else None))
                    print(f"{name}, round {number + 1}, {which}: {runs[which][-1]}", flush=True)
            for words, field in (("by the clock", "seconds"), ("of all processors", "cpu")):
                medians = [statistics.median(getattr(run, field) for run in found) for found in runs.values()]
                seconds = " | ".join(f"{median:.1f} s" for median in medians)
                ratios = " | ".join(f"{medians[0] / median:.2f}" for median in medians[1:])
                lines.append(f"| {name}, {words} | {seconds} | {ratios} |")
            lines.append(f"| {name}, ROC AUC | {' | '.join(found[-1].auroc for found in runs.values())} | | |")
    return "\n".join(lines)


def section(argv: list[str]) -> tuple[str, str]:
    """Title and text of the section of speed.md that the flags ask for."""
    parser = argparse.ArgumentParser(
        "benchmarks.speed compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", required=True, help="the earlier commit")
    parser.add_argument("--weights", type=Path, required=True, help="file with the weights of resnet18")
    parser.add_argument("--smap", type=Path, help="folder of the real SMAP (default: made-up channels only)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds behind each median (default: 3)")
    given = parser.parse_args(argv)
    if os.getloadavg()[0] > BUSY:
        print(f"This machine is not idle: {os.getloadavg()[0]:.1f} processes ran over the last minute.", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        title = f"{MADE_UP['num_channels']} channels x {MADE_UP['num_steps']['test']} steps"
        inputs = {} if given.smap is None else {"SMAP": given.smap.absolute()}
        inputs[title] = write_telemetry(Path(temporary) / "telemetry", **MADE_UP)
        text = compared(given.against, inputs, given.weights.absolute(), given.rounds)
    return f"the whole command against {given.against} ({os.cpu_count()} processors)", text
