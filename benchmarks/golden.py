"""Whether a change leaves every score as it was: record the score files of a set of runs, change the code, compare.

    uv run python -m benchmarks.golden record DIR      before the change
    uv run python -m benchmarks.golden compare DIR     after it: byte-equal, or by how much not
    .. --smap FOLDER --weights FILE                    also on the real SMAP and MSL, with resnet18 weights from a file
    .. --original FILE                                 also a checkpoint of the original MSFlow, trained on resnet18
    .. --only sample line_flow                         some of the runs

The runs are those of main.py, one process each with one thread: layouts, heads, pictures and recipes, most of them on
made-up data and random weights. Bytes agree on one machine only, so both times must be on the same.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import write_pictures
from runtime.errors import InputError, exit_code, unknown_name

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-6  # relative: what another order of summation may change

SAMPLE = ("--config", str(ROOT / "configs" / "sample.py"), "--no-report")
SHORT = ("--class-names", "W-1", "C-1", "--meta-epochs", "2", "--sub-epochs", "1", "--lr-warmup-epochs", "0")
SMALL = (*SAMPLE, *SHORT)
RESNET18 = ("--extractor", "resnet18")
PICTURES = (
    *("--dataset", "mvtec", "--data-path", "pictures", *RESNET18, "--weights", "random", "--input-size", "64", "64"),
    *("--parallel-blocks", "1", "1", "2", "--meta-epochs", "2", "--sub-epochs", "1", "--lr", "1e-3"),
)
RUNS = {
    "sample": (*SAMPLE, "--report"),
    "stretch": (*SMALL, "--layout", "stretch", "--condition", "position", "--feature-noise", "0", "--smooth", "1",
                "--input-size", "64", "256", "--smap-used-dims", "0", "1", "2"),
    "stretch_nll": (*SMALL, "--layout", "stretch", "--timestep-map", "nll", "--input-size", "32", "256"),
    "line_flow": (*SMALL, "--condition", "both", "--standardise", "--time-scales", "1", "2", "--pool-type", "max",
                  "--fleet-size", "50"),
    "line_pieces": (*SMALL, "--condition", "position", "--max-columns", "512"),
    "line_gaussian": (*SMALL, "--head", "gaussian", "--levels", "2", "3", "--calibration", "quantile"),
    "line_memory": (*SMALL, "--head", "memory", "--memory-size", "200", "--colours", "value", "residual", "spread"),
    "fold": (*SMALL, "--layout", "fold", "--fold-width", "47", "--window", "512"),
    "gasf": (*SMALL, "--layout", "gasf", "--head", "gaussian", "--window", "64"),
    "mtf": (*SMALL, "--layout", "mtf", "--head", "gaussian", "--window", "64"),
    "pictures": (*PICTURES, "--pro-eval"),
}  # fmt: skip
REAL_RUNS = {
    "smap_line": ("--config", str(ROOT / "configs" / "smap_line.py")),
    "msl_line": ("--config", str(ROOT / "configs" / "msl_line.py")),
    "smap_stretch": ("--class-names", "P-1", "E-12", *RESNET18, "--meta-epochs", "1", "--sub-epochs", "2"),
}
ORIGINAL = (
    *("--mode", "test", "--class-names", "E-3", "T-1", *RESNET18, "--parallel-blocks", "1", "1", "1"),
    *("--img-mean", "-0.2", "0.03", "0.005", "--img-std", "0.8", "0.17", "0.08"),
)


def run(name: str, flags: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """Do a run in `folder`; returns its files by the name they are compared under."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, str(ROOT / "main.py"), *flags, "--work-dir", f"runs/{name}", "--device", "cpu"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"the run {name} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    work_dir = folder / "runs" / name
    found = [*work_dir.rglob("scores/**/*.npy"), *work_dir.rglob("scores/*.csv")]
    found += [*work_dir.rglob("scores/metrics.json"), *work_dir.rglob("log.jsonl")]
    # the first part is the version, whose name may change while its scores do not
    return {"/".join(path.relative_to(work_dir).parts[1:]): path for path in sorted(found)}


def difference(before: Path, after: Path) -> float:
    """The largest relative difference between two files' numbers, inf where they differ otherwise."""
    if before.suffix == ".npy":
        return _between(*(np.load(path, allow_pickle=False) for path in (before, after)))
    if before.suffix == ".csv":
        return 0.0 if before.read_text(encoding="utf-8") == after.read_text(encoding="utf-8") else math.inf
    return _between_values(*(_numbers_of(path) for path in (before, after)))


def _numbers_of(path: Path) -> Any:
    """What must agree of a JSON file: the scores of metrics.json, all but the seconds of log.jsonl."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)["scores"]
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]


def _between(before: np.ndarray, after: np.ndarray) -> float:
    if before.dtype == after.dtype and before.shape == after.shape and before.tobytes() == after.tobytes():
        return 0.0
    if before.shape != after.shape or before.dtype.kind != "f":
        return math.inf
    scored = np.isfinite(before)  # steps that were not measured or that were trained on have no score
    if not np.array_equal(before[~scored], after[~scored], equal_nan=True) or not np.isfinite(after[scored]).all():
        return math.inf
    scale = max(float(np.abs(before[scored]).max(initial=0)), np.finfo(np.float64).tiny)
    return float(np.abs(before[scored].astype(np.float64) - after[scored]).max(initial=0)) / scale or TOLERANCE


def _between_values(before: Any, after: Any) -> float:
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return max((_between_values(before[key], after[key]) for key in before), default=0.0)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return max((_between_values(*pair) for pair in zip(before, after, strict=True)), default=0.0)
    if before == after:
        return 0.0
    numbers = all(isinstance(value, int | float) for value in (before, after))
    return abs(before - after) / max(abs(before), abs(after)) if numbers else math.inf


def compared(name: str, before: dict[str, Path], after: dict[str, Path]) -> bool:
    """Print what differs in a run; returns whether nothing does by more than TOLERANCE."""
    differing = {key: difference(before[key], after[key]) for key in before if key in after}
    differing |= {key: math.inf for key in before if key not in after}
    inexact = {key: value for key, value in differing.items() if value}
    print(f"{name}: {len(before)} files, {len(before) - len(inexact)} equal", flush=True)
    for key, value in inexact.items():
        what = "missing" if key not in after else "differs" if math.isinf(value) else f"differs by {value:.1e}"
        print(f"  {key}: {what}")
    return max(differing.values(), default=0.0) <= TOLERANCE


def _runs(given: argparse.Namespace) -> dict[str, tuple[str, ...]]:
    real: tuple[str, ...] = ()
    if given.smap:
        real = ("--data-path", str(given.smap.absolute()))
        real += ("--weights", str(given.weights.absolute())) if given.weights else ("--weights", "random")
    runs = RUNS | {name: (*flags, *real) for name, flags in REAL_RUNS.items() if given.smap}
    if given.smap and given.original:
        runs["original"] = (*ORIGINAL, *real, "--eval-ckpt", str(given.original.absolute()))
    for name in given.only or ():
        if name in {*REAL_RUNS, "original"} - set(runs):
            raise InputError(f"the run {name} needs --smap{' and --original' if name == 'original' else ''}.")
        if name not in runs:
            raise unknown_name("run", name, list(runs))
    return {name: flags for name, flags in runs.items() if name in (given.only or runs)}


def _run(argv: list[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the record lies")
    parser.add_argument("--smap", type=Path, metavar="FOLDER", help="the published SMAP and MSL")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="resnet18 weights (default: random)")
    parser.add_argument("--original", type=Path, metavar="FILE", help="a checkpoint of the original MSFlow")
    parser.add_argument("--only", nargs="+", metavar="RUN", help=f"of {', '.join([*RUNS, *REAL_RUNS, 'original'])}")
    given = parser.parse_args(argv)
    runs, equal = _runs(given), True
    missing = [name for name in runs if given.what == "compare" and not (given.folder / name).is_dir()]
    if missing:
        raise InputError(f"{given.folder}: has no record of the run {missing[0]}. Record it with the code before.")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        write_pictures(scratch / "pictures", 8, 64)
        for name, flags in runs.items():
            files = run(name, flags, scratch)
            record = given.folder / name
            if given.what == "record":
                shutil.rmtree(record, ignore_errors=True)
                for key, path in files.items():
                    (record / key).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, record / key)
                print(f"{name}: {len(files)} files recorded", flush=True)
            else:
                before = {str(path.relative_to(record)): path for path in record.rglob("*") if path.is_file()}
                equal &= compared(name, before, files)
    if not equal:
        raise InputError(f"scores differ by more than {TOLERANCE:g} from those recorded in {given.folder}.")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
