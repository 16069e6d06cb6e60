"""MSFlow beside its peers: every detector on the same steps, judged by the same code, beside the trivial scores.

    uv run python -m benchmarks.peers --data-path data/smap                     everything: many hours on two cores
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
import io
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.own_process import peak_resident
from benchmarks.peers_table import Row, as_markdown
from benchmarks.records import read_records, write_records
from datasets import DATASETS, SeriesTask
from detectors.run import open_run
from detectors.scoring import test
from drawing.gaps import filled
from evaluation import BASELINES
from evaluation.alarms import Policy
from evaluation.baselines import trivial_scores
from evaluation.judge import PER_CHANNEL, POOLED, SECOND_HALF, Result, Scoring, compared, judge
from evaluation.time_steps import scores_of_steps
from metrics.bootstrap import mean_interval
from metrics.metric import Options
from metrics.ranges import at_quantiles, volume_under_surface
from metrics.windows import period_window
from runs.folder import TRAIN_SCORES, run_folder
from runs.folder import config_of as run_config
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
# what each begins with beside its own recipe, and with a data set alone; behind a comma, another way to run it
FLAGS: dict[str, dict[str, tuple[str, ...]]] = {
    "statistics": {},
    "pca": {},
    "usad": {"msl": ("--latent", "33")},
    "tranad": {"": ("--stride", "5"), "msl": ("--lr", "2e-3")},
    "tranad, code": {"": ("--variant", "code"), "msl": ("--lr", "2e-3")},
    "omnianomaly": {"": ("--stride", "10", "--meta-epochs", "3")},
}
MODELS = (MSFLOW, RESNET, *FLAGS)
TRIVIAL = "trivial"
RANDOM = "random"  # the first of the trivial scores
FIRST_GROUP = {"tsb-nasa": "SMAP-M"}  # of data sets whose tasks are judged in groups
RANKS = ((POOLED, "pooled"), (PER_CHANNEL, "per_channel"), (SECOND_HALF, "second_half"))


@dataclass(frozen=True)
class Made:
    """What a command left: the folders of its scores by class, seconds of processors that training and scoring took
    (on one thread those of an idle machine's clock), and peak memory."""

    folders: dict[str, Path]
    seconds: float
    gigabytes: float


def command_of(detector: str, data: str, seed: int, weights: str = "FILE") -> list[str]:
    """The flags of a detector on a data set."""
    if detector == MSFLOW:
        flags = ["--config", f"configs/{RECIPES[data]}.py"]
    elif detector == RESNET:
        flags = ["--config", "configs/imagenet.py", "--dataset", data, "--weights", weights]
        flags += ["--fleet-size", "0", "--vus-window", "auto"] if data == "tsb-nasa" else []
    else:
        more = FLAGS[detector]
        flags = ["--detector", detector.partition(",")[0], "--dataset", data, *more.get("", ()), *more.get(data, ())]
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
    config, folders = config_of(flags), {}
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        for task in DATASETS[config.dataset].tasks(config):
            run = open_run(run_config(config, task), task)
            train(run)
            folders[task.class_name] = test(run)[0]
    return Made(folders, time.process_time() - started, peak_resident() / 1e9)


def made_apart(flags: list[str]) -> Made:
    """The same, in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(made, flags).result()


def groups_of(data: str, tasks: list[SeriesTask]) -> dict[str, list[SeriesTask]]:
    """The tasks that are judged together, by name: a data set, or a group of series that are learnt each by itself."""
    groups: dict[str, list[SeriesTask]] = {}
    for task in tasks:
        groups.setdefault(task.group or data, []).append(task)
    return groups


def scoring_of(name: str, folders: dict[str, Path], tasks: list[SeriesTask], config: Config) -> Scoring:
    """The time-step scores of some tasks, as `config` reads them, as those of one data set."""
    channels: list[str] = []
    found: tuple[list, list] = ([], [])
    for task in tasks:
        files = [open_scores(folders[task.class_name] / split) for split in (".", TRAIN_SCORES)]
        for all_of_split, series in zip(found, scores_of_steps(*files, task.source, config), strict=True):
            all_of_split.extend(series)
        channels += files[0].channels
    return Scoring(name, channels, *found)


def trivial_of(name: str, tasks: list[SeriesTask], config: Config) -> Scoring:
    """A trivial score of all channels of some tasks."""
    places = [(task.source, channel) for task in tasks for channel in task.channels]
    pairs = [(source.series(c, "train")[:, :1], source.series(c, "test")[:, :1]) for source, c in places]
    scored = [trivial_scores(BASELINES[name], *pair, None, config.smooth, config.trailing) for pair in pairs]
    return Scoring(name, [c for _, c in places], [new for _, new in scored], [known for known, _ in scored])


@dataclass(frozen=True, eq=False)
class Judged:
    """A result, and of series that are learnt each by itself the VUS-PR of each as the benchmark has it."""

    result: Result
    volumes: list[float]


def judged(scoring: Scoring, tasks: list[SeriesTask], config: Config) -> Judged:
    """Every metric of a scoring."""
    places = [(task, channel) for task in tasks for channel in task.channels]
    labels = [task.labels.steps(channel) for task, channel in places]
    windows = config.vus_window
    if windows == "auto":
        windows = tuple(period_window(filled(task.source.series(c, "test")[:, 0])) for task, c in places)
    options = Options(windows, config.bootstrap, False)
    volumes = []
    if tasks[0].group:
        for truth, scores, window in zip(labels, scoring.test, windows, strict=True):
            volumes.append(volume_under_surface(truth, at_quantiles(scores), [len(truth)], window).vus_pr)
    return Judged(judge(scoring, labels, Policy.of(config), options), volumes)


def interval(model: Judged, other: Judged) -> tuple[float, float]:
    """95 % interval of MSFlow less another: of the mean VUS-PR of single series, else of the pooled ROC AUC."""
    if model is other:
        return np.nan, np.nan
    if model.volumes:
        return mean_interval(np.subtract(model.volumes, other.volumes).tolist())
    return compared(model.result, other.result).differences.get("roc_auc") or (np.nan, np.nan)


def row_of(
    data: str,
    facts: tuple[str, int, int],
    found: Judged,
    ends: tuple[float, float],
    cost: tuple[float, float],
    command: str,
) -> Row:
    """The line of a judged detector, told by its name, seed and smoothing."""
    result = found.result
    ranks = [result.parts[part][metric] for part, _ in RANKS for metric in ("roc_auc", "average_precision")]
    alarms = ("event_precision", "event_recall", "event_f1", "normal_alarmed_share", "quiet_alarms")
    volume = np.mean(found.volumes) if found.volumes else result.parts[POOLED]["vus_pr"]
    values = [*ranks, volume, *(result.parts[POOLED][name] for name in alarms), *ends]
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

    own = {task.class_name: run_folder(recipe, task.class_name) / "scores" for task in tasks}
    if detector != MSFLOW and not all(folder.is_dir() for folder in own.values()):
        run(MSFLOW)
    cost = None if detector == TRIVIAL else run(detector)
    for group, chosen in groups_of(data, tasks).items():
        model = judged(scoring_of(MSFLOW, own, chosen, recipe), chosen, recipe)
        if cost is None:
            command = f"eval_smap_timestep.py --config configs/{RECIPES[data]}.py"
            readings = [(name, recipe, command) for name in BASELINES]
        else:
            command = f"main.py {' '.join(command_of(detector, data, seed))}"
            widths = (recipe.smooth,) if detector in (MSFLOW, RESNET) else (recipe.smooth, 1)
            read_as = [replace(recipe, smooth=width) for width in widths]
            readings = [(detector, reading, command + judged_as(detector, reading)) for reading in read_as]
        for name, reading, command in readings:
            started = time.process_time()
            if cost is None:
                scoring = trivial_of(name, chosen, reading)
                spent = time.process_time() - started, np.nan
            else:
                scoring = scoring_of(name, cost.folders, chosen, reading)
                spent = cost.seconds, cost.gigabytes
            found = model if name == MSFLOW else judged(scoring, chosen, reading)
            yield row_of(group, (name, seed, reading.smooth), found, interval(model, found), spent, command)


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
    parser.add_argument("--machine", default="", help="words about the machine, for the table (default: none)")
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
    path, rows = given.out / "peers.csv", read_records(given.out / "peers.csv", Row)
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
        write_records(path, rows)
        with atomic_file(path.with_suffix(".md")) as temporary:
            temporary.write_text(as_markdown(rows, given.machine), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
