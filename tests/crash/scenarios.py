"""What is cut short: a place prepared once, the commands that work in it, which go on after a cut as well."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import write_telemanom
from picture_folders import draw_mvtec_class

import eval_smap_timestep
import export_smap_scores
import main
import msflow
from data.sample import write_sample
from serving.follow import follow

Work = Callable[[], int | None]  # an exit code, or none

LENGTHS = {"P-1": (150, 120), "S-1": (140, 130)}
QUICK = ["--extractor", "telemetry", "--bootstrap", "5", "--device", "cpu", "--vis-top-k", "1", "--work-dir", "work"]
FLOW = [
    *("--data-path", "data", "--work-dir", "work", "--extractor", "resnet18", "--weights", "random"),
    *("--input-size", "32", "64", "--batch-size", "2", "--parallel-blocks", "1", "1", "1", "--c-conds", "4", "4", "4"),
    *("--meta-epochs", "3", "--sub-epochs", "1", "--device", "cpu", "--bootstrap", "5", "--vis-top-k", "1"),
]
LINE = ["--data-path", "data", "--layout", "line", "--head", "gaussian", "--save-npy", *QUICK]
TABLE = [
    "--dataset",
    "table",
    "--data-path",
    "table.csv",
    "--columns",
    "all",
    "--layout",
    "line",
    "--head",
    "gaussian",
    *QUICK,
]
PICTURES = [
    *("--dataset", "mvtec", "--data-path", "pictures", "--work-dir", "work", "--extractor", "resnet18"),
    *("--weights", "random", "--input-size", "32", "32", "--head", "memory", "--device", "cpu"),
]
RUN = Path("work/msflow_telemetry_avgpool_line_gaussian")


@dataclass(frozen=True, eq=False)
class Scenario:
    """Work in the current folder, which `prepare` has filled; the same works go on after a cut."""

    name: str
    prepare: Callable[[], object]
    works: Sequence[Work]


def command(program: Callable[[list[str]], int], *flags: str) -> Work:
    """A command line."""
    return lambda: program(list(flags))


def _telemetry() -> None:
    write_telemanom(Path("data"), LENGTHS)


def _scored() -> None:
    _telemetry()
    assert main.main(LINE) == 0


def _table() -> None:
    for name, seed in (("table", 0), ("new", 1)):
        rng = np.random.default_rng(seed)
        rows = np.sin(np.arange(400)[:, None] / [7, 12]) + 0.2 * rng.normal(size=(400, 2))
        rows[300:320] += 3
        np.savetxt(f"{name}.csv", rows, "%.4f", ",", header="a,b", comments="")


def _learnt() -> None:
    _table()
    assert main.main([*TABLE, "--no-report", "--threshold", "q0.99", "--causal"]) == 0


def _saved() -> None:
    _learnt()
    msflow.load(RUN / "table" / "table").save("kept")


def _pictures() -> None:
    draw_mvtec_class(Path("pictures/tile"))


def _judged() -> None:
    _pictures()
    assert main.main([*PICTURES, "--no-report"]) == 0
    shutil.copytree("pictures/tile/test", "new")


def _follow() -> None:
    follow(msflow.load(RUN / "table" / "table"), "new.csv", forever=False)


SCENARIOS = [
    Scenario("flow", _telemetry, [command(main.main, *FLOW, "--resume")]),
    Scenario("line", _telemetry, [command(main.main, *LINE)]),
    Scenario(
        "judge",
        _scored,
        [
            command(export_smap_scores.main, "--scores-dir", str(RUN / "smap/SMAP"), "--vis-top-k", "2"),
            command(eval_smap_timestep.main, "--scores-dir", str(RUN / "smap/SMAP"), "--smooth", "3", "--save-npy"),
        ],
    ),
    Scenario("table", _table, [command(main.main, *TABLE)]),
    Scenario(
        "score",
        _learnt,
        [command(main.main, "--mode", "score", "--run", str(RUN / "table/table"), "--data-path", "new.csv")],
    ),
    Scenario("follow", _learnt, [_follow]),
    Scenario("save", _saved, [lambda: msflow.load(RUN / "table" / "table").save("kept") and None]),
    Scenario("pictures", _pictures, [command(main.main, *PICTURES)]),
    Scenario(
        "inspect",
        _judged,
        [
            command(
                main.main,
                *("--mode", "score", "--data-path", "new", "--deep-maps"),
                *("--run", "work/msflow_resnet18_avgpool_memory/mvtec/tile"),
            )
        ],
    ),
    Scenario("sample", lambda: None, [lambda: write_sample(Path("data/sample"))]),
]
