"""How accurate each recipe is on SMAP and MSL: one change at a time to the line recipe, over several seeds.

    uv run python -m benchmarks.accuracy --data-path DIR --weights FILE --weights-name "what they are"
    uv run python -m benchmarks.accuracy --data-path DIR --weights FILE --weights-name ".." --only line --seeds 0 1

Writes benchmarks/accuracy.csv, a line per recipe, data set and seed, and benchmarks/accuracy.md, the means. What stands
in the csv already is not run again: a stopped run goes on where it was.
"""

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.records import read_records, write_records
from datasets import DATASETS, SeriesTask
from detectors.run import open_run
from detectors.scoring import test
from evaluation import BASELINES
from evaluation.alarms import Policy
from evaluation.baselines import trivial_scores
from evaluation.judge import PER_CHANNEL, POOLED, SECOND_HALF, Scoring, judge
from evaluation.time_steps import scores_of_steps
from metrics.metric import Options
from runs.folder import TRAIN_SCORES
from runs.scores import open_scores
from runtime.errors import exit_code
from runtime.files import atomic_file
from settings.config import Config
from settings.flags import make_parser
from settings.load import load_config
from train import train

HERE = Path(__file__).parent
DATASETS_HERE = ("smap", "msl")
# cheap where only ranks count
RANKS_ONLY = Options(vus_window=0, bootstrap=0, point_adjust=False)
ESCAPED_BAR = "\\|"
COLUMNS = ((POOLED, "pooled"), (PER_CHANNEL, "per channel"), (SECOND_HALF, "second half"))


@dataclass(frozen=True)
class Row:
    """A recipe: its name, and the flags that change configs/<data set>_line.py."""

    name: str
    flags: tuple[str, ...] = ()


FLOW = ("--head", "flow")
RESNET, BOTH = ("--extractor", "resnet18"), ("--extractor", "telemetry+resnet18")
ROWS = (
    Row("line"),
    *(
        Row(f"{extractor}, {head}", ("--extractor", extractor, "--head", head))
        for extractor in ("telemetry", "transformer", "recurrent", "resnet18", "telemetry+resnet18")
        for head in ("gaussian", "memory", "combined")
    ),
    Row("telemetry, flow", FLOW),
    Row("telemetry, flow, twice the epochs", (*FLOW, "--meta-epochs", "20")),
    Row("resnet18, flow", (*RESNET, *FLOW)),
    Row("without what the fleet knows", ("--fleet-size", "0")),
    Row("time scale 1 alone", ("--time-scales", "1")),
    Row("time scale 2 alone", ("--time-scales", "2")),
    Row("calibration: center", ("--calibration", "center")),
    Row("level 1 alone", ("--levels", "1")),
    Row("level 3 alone", ("--levels", "3")),
    Row("every column in its own unit", ("--scaling", "quantile")),
    Row("commands too", ("--columns", "all")),
    Row("resnet18, layout: stretch", (*RESNET, "--layout", "stretch", "--timestep-map", "nll", "--time-scales", "1")),
    Row("resnet18, layout: fold", (*RESNET, "--layout", "fold", "--time-scales", "1")),
)


@dataclass(frozen=True)
class Result:
    """One line of accuracy.csv."""

    recipe: str
    dataset: str
    seed: int
    weights: str
    pooled_auroc: float
    pooled_ap: float
    per_channel_auroc: float
    per_channel_ap: float
    second_half_auroc: float
    second_half_ap: float
    seconds: float
    command: str


def run_row(row: Row, dataset: str, seed: int, arguments: argparse.Namespace) -> Result:
    """Train and test a recipe, and judge its time-step scores."""
    flags = ["--seed", str(seed), *row.flags]
    recipe = f"configs/{dataset}_line.py"
    given = ["--data-path", arguments.data_path, "--work-dir", arguments.work_dir]
    settings = vars(make_parser("").parse_args([*flags, *given]))
    extractors, weights = settings.get("extractor", "").split("+"), "those of this repository"
    if "resnet18" in extractors:
        settings["weights"] = "+".join(arguments.weights if name == "resnet18" else "auto" for name in extractors)
        weights = arguments.weights_name
    settings.pop("config")
    config = load_config(HERE.parent / recipe, settings)
    started = time.monotonic()
    (task,) = DATASETS[dataset].tasks(config)
    run = open_run(config, task)
    train(run)
    folder, _ = test(run)
    seconds = time.monotonic() - started
    scores = open_scores(folder)
    found = scores_of_steps(scores, open_scores(folder / TRAIN_SCORES), task.source, config)
    facts = (row.name, dataset, seed, weights)
    metrics = _metrics(Scoring(row.name, scores.channels, *found), task, config)
    command = f"uv run main.py --config {recipe} {' '.join(flags)}"
    return Result(*facts, *metrics, round(seconds, 1), command)


def _metrics(scoring: Scoring, task: SeriesTask, config: Config) -> list[float]:
    """ROC AUC and average precision of each part of COLUMNS."""
    labels = [task.labels.steps(channel) for channel in scoring.channels]
    parts = judge(scoring, labels, Policy.of(config), RANKS_ONLY).parts
    return [round(parts[part][metric], 4) for part, _ in COLUMNS for metric in ("roc_auc", "average_precision")]


def trivial_rows(dataset: str, data_path: str) -> list[Result]:
    """The trivial scores of eval_smap_timestep.py."""
    config = load_config(HERE.parent / f"configs/{dataset}_line.py", {"data_path": data_path})
    task = DATASETS[dataset].task(config)
    source, results = task.source, []
    for name, baseline in BASELINES.items():
        started = time.monotonic()
        series = [(source.series(c, "train"), source.series(c, "test")) for c in source.channels]
        pairs = [trivial_scores(baseline, *pair, None, config.smooth, config.trailing) for pair in series]
        scoring = Scoring(name, source.channels, [test for _, test in pairs], [train for train, _ in pairs])
        seconds = round(time.monotonic() - started, 1)
        command = f"uv run eval_smap_timestep.py --config configs/{dataset}_line.py"
        results.append(Result(name, dataset, 0, "none", *_metrics(scoring, task, config), seconds, command))
    return results


def as_markdown(results: list[Result], machine: str) -> str:
    """The means over seeds, their standard deviations, and the command of the first seed, a table per data set."""
    lines = [
        f"# Accuracy\n\n{__doc__.strip().splitlines()[0]}\n",
        f"Made by `uv run python -m benchmarks.accuracy`. {machine}\n",
    ]
    for dataset in DATASETS_HERE:
        rows = defaultdict(list)
        for result in results:
            if result.dataset == dataset:
                rows[result.recipe].append(result)
        lines.append(
            f"\n## {dataset.upper()}\n\nROC AUC / average precision of time steps, ± standard deviation over seeds.\n"
        )
        lines.append(f"| recipe | {' | '.join(words for _, words in COLUMNS)} | seeds | seconds | command |")
        lines.append("|---" * (len(COLUMNS) + 4) + "|")
        for name, found in rows.items():
            cells = [
                " / ".join(
                    _spread([getattr(r, f"{words.replace(' ', '_')}_{m}") for r in found]) for m in ("auroc", "ap")
                )
                for _, words in COLUMNS
            ]
            title, seconds = name.replace("|", ESCAPED_BAR), np.mean([r.seconds for r in found])
            facts = f"{len(found)} | {seconds:.0f} | `{found[0].command}`"
            lines.append(f"| {title} | {' | '.join(cells)} | {facts} |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> str:
    mean = f"{np.mean(values):.3f}".lstrip("0")
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.3f}".replace("± 0.", "± .")


def _run(argv: list[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-path", required=True, help="folder with SMAP and MSL")
    parser.add_argument("--weights", required=True, help="of resnet18: imagenet, or a file")
    parser.add_argument("--weights-name", required=True, help="how the table calls these weights")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), help="seeds (default: 0 to 4)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows whose name begins so")
    parser.add_argument("--work-dir", default="work_dirs/accuracy", help="folder for the runs")
    arguments = parser.parse_args(argv)
    path, results = HERE / "accuracy.csv", read_records(HERE / "accuracy.csv", Result)
    done = {(result.recipe, result.dataset, result.seed) for result in results}
    rows = [row for row in ROWS if not arguments.only or row.name.startswith(tuple(arguments.only))]
    todo = [(row, d, s) for row in rows for d in DATASETS_HERE for s in arguments.seeds if (row.name, d, s) not in done]
    for dataset in DATASETS_HERE:
        if ("random", dataset, 0) not in done:
            results += trivial_rows(dataset, arguments.data_path)
    for row, dataset, seed in tqdm(todo, unit="run", disable=not sys.stderr.isatty()):
        result = run_row(row, dataset, seed, arguments)
        results.append(result)
        write_records(path, results)
        with atomic_file(HERE / "accuracy.md") as temporary:
            machine = f"Weights of resnet18: {arguments.weights_name}. Seconds: training and scoring, two CPU cores."
            temporary.write_text(as_markdown(results, machine), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
