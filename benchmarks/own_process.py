"""One step of a run in a process of its own: how long it took, and the most memory it had."""

import contextlib
import io
import multiprocessing
import re
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.variants import Flags, open_variant
from detectors.run import Run
from detectors.scoring import test
from evaluation.evaluate import evaluate
from runtime.malloc import keep_freed_memory
from train import train


def evaluate_scores(run: Run) -> None:
    """Judge what `test` left, report included."""
    evaluate(run.folder / "scores", run.task, run.config)


STEPS = {"train": train, "test": test, "evaluate": evaluate_scores}


@dataclass(frozen=True)
class Cost:
    """Seconds without imports; peak memory in gigabytes, of the GPU where one was used, else resident."""

    seconds: float
    peak: float


def cost_of(step: str, flags: Flags, plain: bool = False) -> Cost:
    """What training, scoring or judging a run, one of STEPS, costs in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, step, flags, plain).result()


def _measured(step: str, flags: Flags, plain: bool) -> Cost:
    if not plain:
        keep_freed_memory()
    started = time.perf_counter()
    run = open_variant(flags, plain)
    with contextlib.redirect_stdout(io.StringIO()):
        STEPS[step](run)
    seconds = time.perf_counter() - started
    on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return Cost(seconds, (on_gpu or peak_resident()) / 1e9)


def peak_resident() -> int:
    """The most memory that this process had, in bytes.

    Linux's ru_maxrss begins with that of the parent, so there the peak is read elsewhere.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
