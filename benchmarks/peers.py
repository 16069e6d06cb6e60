"""MSFlow beside its peers: every detector on the same steps, judged by the same code, beside the trivial scores.

    uv run python -m benchmarks.peers --data-path data/smap                     everything: about five hours, two cores
    uv run python -m benchmarks.peers --detectors usad tranad --data sample     some of it; this needs no SMAP
    uv run python -m benchmarks.peers --data-path data/smap --weights FILE      with MSFlow on resnet18's features, too

Writes benchmarks/peers.csv, a line per detector, data set, seed and smoothing, and benchmarks/peers.md, the means. What
stands in the csv already is not run again: a stopped benchmark goes on where it was. Every detector trains and scores
in a process of its own with the settings that were published with it (configs/NAME.py), but for what its command says.

Its scores are judged twice: as they are, and as the moving mean that MSFlow's recipe takes; alarms are raised by that
recipe's policy, from thresholds that every detector learns from its own held-out training. Labels only judge.
"""

import argparse
import contextlib
import csv
import io
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.own_process import peak_resident
from datasets import DATASETS, SeriesTask
from detectors.run import open_run
from detectors.scoring import test
from evaluation import BASELINES
from evaluation.alarms import Policy
from evaluation.baselines import trivial_scores
from evaluation.judge import PER_CHANNEL, POOLED, SECOND_HALF, Result, Scoring, compared, judge
from evaluation.time_steps import scores_of_steps
from metrics.bootstrap import mean_interval
from metrics.metric import Options
from runs.folder import TRAIN_SCORES, run_folder
from runs.scores import open_scores
from runtime.errors import exit_code, unknown_name
from runtime.files import atomic_file
from settings.config import Config
from settings.flags import make_parser
from settings.load import load_config
from train import train

HERE = Path(__file__).parent
MSFLOW, RESNET = "msflow", "msflow, resnet18"
RECIPES = {"smap": "smap_line", "msl": "msl_line", "tsb-nasa": "tsb_nasa", "sample": "sample"}
# what each begins with beside its own recipe; a data set after it: there alone
FLAGS: dict[str, dict[str, tuple[str, ...]]] = {
    "statistics": {},
    "pca": {},
    "usad": {"msl": ("--latent", "33")},
    "tranad": {"msl": ("--lr", "2e-3")},
    "omnianomaly": {"": ("--stride", "10", "--meta-epochs", "2")},
}
MODELS = (MSFLOW, RESNET, *FLAGS)
TRIVIAL = "trivial"
RANDOM = "random"  # the first of the trivial scores
FIRST_GROUP = {"tsb-nasa": "SMAP-M"}  # of data sets whose tasks are judged in groups
TABLE = (
    ("pooled", ("pooled_roc_auc", "pooled_average_precision")),
    ("per channel", ("per_channel_roc_auc", "per_channel_average_precision")),
    ("second half", ("second_half_roc_auc", "second_half_average_precision")),
    ("VUS-PR", ("vus_pr",)),
    ("event P / R / F1", ("event_precision", "event_recall", "event_f1")),
    ("normal alarmed", ("normal_alarmed_share",)),
    ("quiet", ("quiet_alarms",)),
)
HIGHER = {name for _, names in TABLE[:5] for name in names}  # figures of which more is better
LEGEND = """ROC AUC / average precision, as they are and, "mean of n", as the moving mean of MSFlow's recipe; **bold**:
above MSFlow's. VUS-PR: pooled; of the benchmark's series (SMAP-M and so on) the mean over series, with its window.
Normal alarmed: share of normal steps under alarm; quiet: alarms per 10,000 steps of held-out training. Difference: 95 %
interval of MSFlow's pooled ROC AUC, or mean VUS-PR, less this, channels drawn with replacement, first seed. Seconds
and GB, the most memory: training and scoring.
"""
RANKS = ((POOLED, "pooled"), (PER_CHANNEL, "per_channel"), (SECOND_HALF, "second_half"))


@dataclass(frozen=True)
class Row:
    """One line of peers.csv; intervals are of MSFlow less this, by paired resamples of the channels."""

    data: str
    detector: str
    seed: int
    smooth: int
    pooled_roc_auc: float
    pooled_average_precision: float
    per_channel_roc_auc: float
    per_channel_average_precision: float
    second_half_roc_auc: float
    second_half_average_precision: float
    vus_pr: float
    event_precision: float
    event_recall: float
    event_f1: float
    normal_alarmed_share: float
    quiet_alarms: float
    lower: float
    upper: float
    seconds: float
    gigabytes: float
    command: str


@dataclass(frozen=True)
class Made:
    """What a command left: the folders of its scores by task, seconds of training and scoring, and peak memory."""

    folders: list[Path]
    seconds: float
    gigabytes: float


def command_of(detector: str, data: str, seed: int, weights: str = "FILE") -> list[str]:
    """The flags of a detector on a data set."""
    if detector == MSFLOW:
        flags = ["--config", f"configs/{RECIPES[data]}.py"]
    elif detector == RESNET:
        flags = ["--config", "configs/imagenet.py", "--dataset", data, "--weights", weights]
    else:
        more = FLAGS[detector]
        flags = ["--detector", detector, "--dataset", data, *more.get("", ()), *more.get(data, ())]
    return [*flags, "--seed", str(seed)]


def judged_as(detector: str, config: Config) -> str:
    """What a command says besides, so that it is judged as here: the smoothing and the policy of MSFlow's recipe."""
    if detector in (MSFLOW, RESNET):
        return ""
    window = " --vus-window auto" if config.vus_window == "auto" else ""
    return f" --smooth {config.smooth} --risk {config.risk:g}{window}"


def config_of(flags: list[str]) -> Config:
    """The settings of a command; recipes lie in this repository."""
    given = vars(make_parser("").parse_args(flags))
    recipe = given.pop("config")
    return load_config(recipe and HERE.parent / recipe, given)


def made(flags: list[str]) -> Made:
    """Train and score all tasks of a command; the memory is that of the whole process."""
    config, folders = config_of(flags), []
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        for task in DATASETS[config.dataset].tasks(config):
            run = open_run(config, task)
            train(run)
            folders.append(test(run)[0])
    return Made(folders, time.perf_counter() - started, peak_resident() / 1e9)


def made_apart(flags: list[str]) -> Made:
    """The same, in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(made, flags).result()


def groups_of(data: str, tasks: list[SeriesTask]) -> dict[str, list[int]]:
    """The tasks that are judged together, by name: a data set, or a part of the benchmark's series."""
    if data != "tsb-nasa":
        return {data: list(range(len(tasks)))}
    groups: dict[str, list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault(task.channels[0].rsplit("-", 1)[0], []).append(number)
    return groups


def scoring_of(name: str, folders: list[Path], tasks: list[SeriesTask], config: Config) -> Scoring:
    """The time-step scores of some tasks, as `config` reads them, as those of one data set."""
    channels: list[str] = []
    found: tuple[list, list] = ([], [])
    for folder, task in zip(folders, tasks, strict=True):
        scores = open_scores(folder)
        for split, series in zip(
            found, scores_of_steps(scores, open_scores(folder / TRAIN_SCORES), task.source, config), strict=True
        ):
            split.extend(series)
        channels += scores.channels
    return Scoring(name, channels, *found)


def trivial_of(name: str, tasks: list[SeriesTask], config: Config) -> Scoring:
    """A trivial score of all channels of some tasks."""
    places = [(task.source, channel) for task in tasks for channel in task.channels]
    pairs = [(source.series(c, "train")[:, :1], source.series(c, "test")[:, :1]) for source, c in places]
    scored = [trivial_scores(BASELINES[name], *pair, None, config.smooth, config.trailing) for pair in pairs]
    return Scoring(name, [c for _, c in places], [new for _, new in scored], [known for known, _ in scored])


def judged(scoring: Scoring, tasks: list[SeriesTask], config: Config) -> Result:
    """Every metric of a scoring."""
    labels = [task.labels.steps(channel) for task in tasks for channel in task.channels]
    return judge(scoring, labels, Policy.of(config), Options(config.vus_window, config.bootstrap, False))


def interval(data: str, model: Result, other: Result) -> tuple[float, float]:
    """95 % interval of MSFlow less another: of the pooled ROC AUC, of the benchmark's series of the mean VUS-PR."""
    if model is other:
        return np.nan, np.nan
    if "-" in data:
        differences = [a["vus_pr"] - b["vus_pr"] for a, b in zip(model.channels, other.channels, strict=True)]
        return mean_interval(differences)
    return compared(model, other).differences.get("roc_auc") or (np.nan, np.nan)


def row_of(
    data: str,
    facts: tuple[str, int, int],
    result: Result,
    ends: tuple[float, float],
    cost: tuple[float, float],
    command: str,
) -> Row:
    """The line of a judged detector, told by its name, seed and smoothing."""
    ranks = [result.parts[part][metric] for part, _ in RANKS for metric in ("roc_auc", "average_precision")]
    alarms = ("event_precision", "event_recall", "event_f1", "normal_alarmed_share", "quiet_alarms")
    part = PER_CHANNEL if "-" in data else POOLED
    values = [*ranks, result.parts[part]["vus_pr"], *(result.parts[POOLED][name] for name in alarms), *ends]
    known = [np.nan if value is None else round(float(value), 4) for value in values]
    return Row(data, *facts, *known, round(cost[0], 1), round(cost[1], 2), command)


def rows_of(data: str, detector: str, seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """All lines of a detector on a data set with a seed: it is run, and what it left is judged beside MSFlow's."""
    shared = ["--work-dir", str(Path(given.work_dir) / f"seed {seed}")]
    shared += ["--data-path", given.data_path] if data != "sample" else []
    own_flags = [*command_of(MSFLOW, data, seed), *shared]
    recipe = replace(config_of(own_flags), bootstrap=given.bootstrap)
    tasks = DATASETS[data].tasks(recipe)

    def run(name: str) -> Made:
        return made_apart([*command_of(name, data, seed, given.weights), *shared])

    own = [run_folder(recipe, task.class_name) / "scores" for task in tasks]
    if detector != MSFLOW and not all(folder.is_dir() for folder in own):
        run(MSFLOW)
    found = None if detector == TRIVIAL else run(detector)
    for group, numbers in groups_of(data, tasks).items():
        chosen = [tasks[number] for number in numbers]
        model = judged(scoring_of(MSFLOW, [own[n] for n in numbers], chosen, recipe), chosen, recipe)
        if found is None:
            command = f"eval_smap_timestep.py --config configs/{RECIPES[data]}.py"
            readings = [(name, recipe, command) for name in BASELINES]
        else:
            command = f"main.py {' '.join(command_of(detector, data, seed))}"
            widths = (recipe.smooth,) if detector in (MSFLOW, RESNET) else (recipe.smooth, 1)
            read_as = [replace(recipe, smooth=width) for width in widths]
            readings = [(detector, reading, command + judged_as(detector, reading)) for reading in read_as]
        for name, reading, command in readings:
            started = time.perf_counter()
            if found is None:
                scoring = trivial_of(name, chosen, reading)
                cost = time.perf_counter() - started, np.nan
            else:
                scoring = scoring_of(name, [found.folders[n] for n in numbers], chosen, reading)
                cost = found.seconds, found.gigabytes
            result = model if name == MSFLOW else judged(scoring, chosen, reading)
            ends = interval(group, model, result)
            yield row_of(group, (name, seed, reading.smooth), result, ends, cost, command)


def read_rows(path: Path) -> list[Row]:
    """The lines that a csv holds already."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [Row(**{f.name: f.type(line[f.name]) for f in fields(Row)}) for line in csv.DictReader(file)]


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write the csv anew, whole or not at all."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f.name for f in fields(Row)])
        writer.writerows([getattr(row, f.name) for f in fields(Row)] for row in rows)


def as_markdown(rows: list[Row], machine: str) -> str:
    """A table per data set: means over the seeds with their deviations, and where a peer is ahead of MSFlow."""
    lines = ["# MSFlow beside its peers\n", f"Made by `uv run python -m benchmarks.peers`. {machine}\n", LEGEND]
    for data in dict.fromkeys(row.data for row in rows):
        found: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            if row.data == data:
                found.setdefault((row.detector, row.smooth), []).append(row)
        own = next((members for (name, _), members in found.items() if name == MSFLOW), [])
        lines += [
            f"\n## {data}\n",
            f"| detector | {' | '.join(words for words, _ in TABLE)} | difference | seeds | seconds | GB | command |",
        ]
        lines.append("|---" * (len(TABLE) + 6) + "|")
        for (name, smooth), members in found.items():
            title = name.replace("|", "\\|") + (f", mean of {smooth}" if smooth > 1 and name in FLAGS else "")
            cells = [_cell(metrics, members, own) for _, metrics in TABLE]
            first = members[0]
            ends = "" if np.isnan(first.lower) else f"{first.lower:+.3f} to {first.upper:+.3f}"
            cost = f"{np.mean([row.seconds for row in members]):.0f} | {_number(first.gigabytes)}"
            lines.append(
                f"| {title} | {' | '.join(cells)} | {ends} | {len(members)} | {cost} | `uv run {first.command}` |"
            )
    return "\n".join(lines) + "\n"


def _cell(metrics: tuple[str, ...], rows: list[Row], own: list[Row]) -> str:
    """Means over the seeds and their deviations; bold where one is above MSFlow's own."""
    told = []
    for metric in metrics:
        values = [getattr(row, metric) for row in rows]
        text = _number(np.mean(values), 3) + (f" ± {_number(np.std(values, ddof=1), 3)}" if len(values) > 1 else "")
        ahead = (
            own
            and rows is not own
            and metric in HIGHER
            and np.mean(values) > np.mean([getattr(row, metric) for row in own])
        )
        told.append(f"**{text}**" if ahead else text)
    return " / ".join(told)


def _number(value: float, digits: int = 2) -> str:
    return (
        "-"
        if np.isnan(value)
        else f"{value:.{digits}f}".replace("0.", ".", 1)
        if abs(value) < 1
        else f"{value:.{digits}f}"
    )


def _run(argv: list[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--detectors", nargs="+", default=[TRIVIAL, MSFLOW, *FLAGS], metavar="NAME", help="(default: all)"
    )
    parser.add_argument("--data", nargs="+", default=list(RECIPES), metavar="NAME", help="(default: all)")
    parser.add_argument("--data-path", default="data/smap", help="folder of SMAP and MSL (default: data/smap)")
    parser.add_argument("--weights", default="", help="file with resnet18's, for MSFlow on them (default: without)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    parser.add_argument("--bootstrap", type=int, default=1000, help="resamples behind an interval (default: 1000)")
    parser.add_argument("--work-dir", default="work_dirs/peers", help="folder for the runs (default: work_dirs/peers)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of peers.csv and peers.md (default: benchmarks)")
    given = parser.parse_args(argv)
    for kind, names, known in (
        ("detector", given.detectors, (TRIVIAL, *MODELS)),
        ("data set", given.data, tuple(RECIPES)),
    ):
        for name in names:
            if name not in known:
                raise unknown_name(kind, name, list(known))
    detectors = [*given.detectors, *([RESNET] if given.weights and RESNET not in given.detectors else [])]
    path, rows = given.out / "peers.csv", read_rows(given.out / "peers.csv")
    done = {(row.data, row.detector, row.seed) for row in rows}
    todo = [
        (data, detector, seed)
        for data in given.data
        for detector in detectors
        for seed in (given.seeds if detector != TRIVIAL else given.seeds[:1])
        if (FIRST_GROUP.get(data, data), RANDOM if detector == TRIVIAL else detector, seed) not in done
    ]
    for data, detector, seed in tqdm(todo, unit="run"):
        tqdm.write(f"{data}, {detector}, seed {seed}")
        rows += rows_of(data, detector, seed, given)
        write_rows(path, rows)
        with atomic_file(path.with_suffix(".md")) as temporary:
            temporary.write_text(as_markdown(rows, "Two CPU cores, no GPU."), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
