"""How fast: the plain way against ours, the same work side by side, in turn, medians over rounds.

    uv run python -m benchmarks.speed                              everything: more than an hour on two cores
    uv run python -m benchmarks.speed --parts line growth          some parts; the others keep their place in the table
    uv run python -m benchmarks.speed --data-path data/smap        stretch and line on the real SMAP
    uv run --with plotly python -m benchmarks.speed compare --against 089e7b9 --smap data/smap --weights FILE
                                                                   the whole command, side_by_side.py

Plain: the extractor in every step at full height, FrEIA 0.2's blocks with their dense permutations, float32, no cache.
Ours: features once, permutations by index, channels-last, freed memory kept; in float32, and with amp. Both go through
train.py and detectors/scoring.py as they stand, from the same start; losses and ROC AUCs must agree before a ratio is
printed. All in one process, but for peak memory, growth, and test mode as a command. Random weights. Writes its tables
to benchmarks/speed.md.
"""

import argparse
import contextlib
import io
import json
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import side_by_side
from benchmarks.inputs import write_pictures, write_telemetry
from benchmarks.own_process import STEPS, Cost, cost_of
from benchmarks.variants import Flags, flow_of, open_variant, return_freed_memory
from datasets import Pictures
from detectors.loop import Loss
from detectors.msflow.features import PictureBatches
from detectors.run import Run
from detectors.scoring import test
from evaluation.time_steps import scores_of_steps
from metrics.ranking import auroc
from models.flows import MSFlow, negative_log_likelihood
from runs.folder import TRAIN_SCORES
from runs.scores import open_scores
from runtime.errors import exit_code
from runtime.files import atomic_file
from runtime.malloc import keep_freed_memory
from train import train

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("speed.md")
HEAD = "# Speed\n\nMade by `uv run python -m benchmarks.speed`, which says on top what is compared.\n"
PARTS = ("stretch", "command", "pictures", "line", "growth")
VARIANTS = {"plain": (True, ()), "float32": (False, ()), "amp": (False, ("--amp",))}
ROWS = (
    "training step", "training sub-epoch", "features of the training split, once",
    "test mode, features new", "test mode, features kept",
)  # fmt: skip
TABLE_HEAD = ("| | plain | float32 | amp | ratio, float32 | ratio, amp |", "|---|---|---|---|---|---|")
LOSS_TOLERANCE = {"float32": 1e-4, "amp": 2e-2}  # relative to the plain way's
AUROC_TOLERANCE = {"float32": 1e-3, "amp": 5e-3}
NUM_PICTURES = 16
GROWTH = (1, 4, 16, 64)
BASE_CHANNELS = 8
LINE = ("--config", str(ROOT / "configs" / "smap_line.py"))
GROWTH_RECIPES = {
    "stretch, resnet18, 256x256": ("--extractor", "resnet18", "--input-size", "256", "256"),
    "line, configs/smap_line.py": LINE,
}


@dataclass
class Variant:
    """A run with the flow that every training begins with, and what was measured of it, by row of the table."""

    run: Run
    start: dict[str, torch.Tensor]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    loss: float = 0.0
    auroc: float = 0.0

    def timed(self, row: str, work: Callable[[], None]) -> None:
        """Do the work silently and keep its seconds."""
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        _wait()
        self.seconds.setdefault(row, []).append(time.perf_counter() - started)


def one_round(variant: Variant) -> None:
    """Train a sub-epoch, score both splits with features new and kept, and take one more training step."""
    run = variant.run
    keep_freed_memory() if run.config.feature_cache else return_freed_memory()
    pictures = training_pictures(run)
    shutil.rmtree(run.folder / "features", ignore_errors=True)
    if run.config.feature_cache:
        variant.timed("features of the training split, once", lambda: run.detector.opened(pictures, "train"))
    flow_of(run).load_state_dict(variant.start)
    variant.timed("training", lambda: train(run))
    record = json.loads((run.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    variant.seconds.setdefault("training sub-epoch", []).append(record["seconds"])
    variant.loss = record["loss"]
    batches = PictureBatches(run.detector.opened(pictures, "train"), run.detector.density, run.config.batch_size, 0.0)
    loss = Loss(run.detector.density, [run.detector.density.loss])
    variant.timed("training step", lambda: loss(next(batches.batches(0))).backward())
    flow_of(run).zero_grad(set_to_none=True)
    metrics: list[dict[str, float | None]] = []
    shutil.rmtree(run.folder / "features" / "test", ignore_errors=True)  # a training of pictures makes them too
    variant.timed("test mode, features new", lambda: metrics.append(test(run)[1]))
    if run.config.feature_cache:
        variant.timed("test mode, features kept", lambda: test(run))
    variant.auroc = metrics[0]["localisation"] if metrics[0] else pooled_auroc(run)


def training_pictures(run: Run) -> Pictures:
    """The pictures of the training split."""
    return run.task.pictures(run.config, "train", *run.detector.normalisation())


def pooled_auroc(run: Run) -> float:
    """Time-step ROC AUC of the scores that a test left."""
    folder = run.folder / "scores"
    scores = open_scores(folder)
    steps, _ = scores_of_steps(scores, open_scores(folder / TRAIN_SCORES), run.task.source, run.config)
    labels = [run.task.labels.steps(channel) for channel in scores.channels]
    return auroc(np.concatenate(labels), np.concatenate(steps))


def compared(title: str, flags: Flags, rounds: int) -> str:
    """The section of one extractor on one data set: all variants in turn, then their memory in processes of their own.

    Raises AssertionError where the variants do not compute the same.
    """
    variants = {}
    for name, (plain, _) in VARIANTS.items():
        run = open_variant(variant_flags(flags, name), plain)
        start = {key: tensor.clone() for key, tensor in flow_of(run).state_dict().items()}
        variants[name] = Variant(run, start)
    for number in range(rounds):
        for name, variant in variants.items():
            one_round(variant)
            latest = {row: f"{seconds[-1]:.2f}" for row, seconds in variant.seconds.items()}
            print(f"{title}, round {number + 1}, {name}: loss {variant.loss:.1f}, {latest}", flush=True)
    reference = variants["plain"]
    for name in ("float32", "amp"):
        np.testing.assert_allclose(variants[name].loss, reference.loss, rtol=LOSS_TOLERANCE[name])
        np.testing.assert_allclose(variants[name].auroc, reference.auroc, atol=AUROC_TOLERANCE[name])
    lines = [*TABLE_HEAD]
    for row in ROWS:
        # the plain way keeps nothing: its one test mode stands against both of ours
        of_plain = reference.seconds.get(row, reference.seconds["test mode, features new"])
        seconds = [statistics.median(variant.seconds.get(row, of_plain)) for variant in variants.values()]
        lines.append(_row(row, seconds, "s", with_ratio=row in reference.seconds or row.startswith("test")))
    lines += [f"| loss | {' | '.join(f'{variant.loss:.1f}' for variant in variants.values())} | | |"]
    lines += [f"| ROC AUC | {' | '.join(f'{variant.auroc:.4f}' for variant in variants.values())} | | |"]
    start = second_start(variant_flags(flags, "float32"))
    run = reference.run
    if run.task.kind == "series":  # two batches have the peak of all
        flags = (*flags, "--class-names", *run.task.channels[: 2 * run.config.batch_size])
    for step, words in (("train", "training"), ("test", "test mode")):
        peaks = [cost_of(step, variant_flags(flags, name), plain).peak for name, (plain, _) in VARIANTS.items()]
        lines.append(_row(f"peak memory, {words}", peaks, "GB"))
    return "\n".join([*lines, "", flows_alone(variants), "", start])


def _row(name: str, values: list[float], unit: str, with_ratio: bool = True) -> str:
    """A row of the table: plain, float32 and amp, and how many times as much plain takes."""
    plain, *ours = values
    cells = [f"{value:.2f} {unit}" for value in values] if with_ratio else ["", *(f"{v:.2f} {unit}" for v in ours)]
    ratios = [f"{plain / value:.2f}" if with_ratio else "" for value in ours]
    return f"| {name} | {' | '.join(cells + ratios)} |"


def command_section(flags: Flags, rounds: int) -> str:
    """Test mode as a command of its own, all variants in turn with one checkpoint, features of the test split new."""
    flags = variant_flags(flags, "command")
    cost_of("train", flags)
    run = open_variant(flags)
    costs: dict[str, list[Cost]] = {name: [] for name in VARIANTS}
    aurocs = {}
    for number in range(rounds):
        for name, (plain, more) in VARIANTS.items():
            shutil.rmtree(run.folder / "features" / "test", ignore_errors=True)
            costs[name].append(cost_of("test", (*flags, *more), plain))
            aurocs[name] = pooled_auroc(run)
            print(f"test mode as a command, round {number + 1}, {name}: {costs[name][-1]}", flush=True)
    for name, tolerance in AUROC_TOLERANCE.items():
        np.testing.assert_allclose(aurocs[name], aurocs["plain"], atol=tolerance)
    seconds = [statistics.median(cost.seconds for cost in of_one) for of_one in costs.values()]
    return "\n".join([*TABLE_HEAD, _row("test mode, without imports", seconds, "s")])


def variant_flags(flags: Flags, name: str) -> Flags:
    """The flags of a variant, or of something else, whose runs lie in a folder of their own."""
    work_dir = flags[flags.index("--work-dir") + 1]
    _, more = VARIANTS.get(name, (False, ()))
    return (*flags, *more, "--work-dir", f"{work_dir}/{name}")


def flows_alone(variants: dict[str, Variant]) -> str:
    """A training step of the flows without their features, and its rate beside that of torch.matmul, in words."""
    run = variants["float32"].run
    levels = run.detector.opened(training_pictures(run), "train").levels(list(range(run.config.batch_size)))

    def step(flow: MSFlow) -> None:
        negative_log_likelihood(*flow.transform(levels)).backward()
        flow.zero_grad(set_to_none=True)

    with FlopCounterMode(display=False) as counter:
        step(flow_of(run))
    told = []
    for name, dtype in (("float32", torch.float32), ("amp", torch.bfloat16)):
        seconds = _median_seconds(lambda name=name: step(flow_of(variants[name].run)))
        rate, limit = counter.get_total_flops() / seconds, matmul_rate(run.device, dtype)
        told.append(
            f"{name} {seconds:.2f} s, {rate / 1e9:.0f} GFLOP/s, {rate / limit:.0%} of torch.matmul's in {dtype}"
        )
    once = _median_seconds(lambda: step(flow_of(run)))
    for flow in flow_of(run).parallel_flows:
        flow.recompute = True
    twice = _median_seconds(lambda: step(flow_of(run)))
    return f"A training step of the flows alone: {'; '.join(told)}; with `recompute` {twice / once:.2f} times as long."


def second_start(flags: Flags) -> str:
    """What is kept of the features, and how long a run takes to start that finds them, in words."""
    started = time.perf_counter()
    run = open_variant(flags)
    run.detector.opened(training_pictures(run), "train")
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in (run.folder / "features" / "train").iterdir())
    return f"Features of the training split: {size / 1e6:.1f} MB; a second run has them after {seconds:.1f} s."


def _median_seconds(work: Callable[[], None], rounds: int = 3) -> float:
    seconds = []
    for _ in range(rounds + 1):  # the first warms up
        started = time.perf_counter()
        work()
        _wait()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _wait() -> None:
    """A GPU works on while Python goes on."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second that torch.matmul reaches."""
    a, b = (torch.randn(2048, 2048, device=device, dtype=dtype) for _ in range(2))
    return 2 * 2048**3 / _median_seconds(lambda: torch.matmul(a, b), rounds=7)


def line_section(flags: Flags, rounds: int) -> str:
    """Training of one sub-epoch and test of `line` with the heads of its recipe."""
    keep_freed_memory()
    recipe = (*LINE, *flags)
    heads = {"gaussian": (), "flow": ("--head", "flow"), "flow, amp": ("--head", "flow", "--amp")}
    work_dir = flags[flags.index("--work-dir") + 1]
    variants = {
        name: Variant(open_variant((*recipe, *more, "--work-dir", f"{work_dir}/{name}")), {})
        for name, more in heads.items()
    }
    for _ in range(rounds):
        for variant in variants.values():
            variant.timed("features, fit, one sub-epoch", lambda run=variant.run: train(run))
            variant.timed("test mode", lambda run=variant.run: test(run))
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for row in ("features, fit, one sub-epoch", "test mode"):
        cells = [f"{statistics.median(variant.seconds[row]):.2f} s" for variant in variants.values()]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def growth_section(name: str, flags: Flags, folder: Path) -> str:
    """Seconds and peak memory of training and test, each in a process of its own, by number of channels."""
    lines = [f"| channels | {' | '.join(f'{step} | peak' for step in STEPS)} |", "|---" * (1 + 2 * len(STEPS)) + "|"]
    first: list[float] = []
    for times in GROWTH:
        data = folder / f"telemetry{times}"
        if not data.exists():
            write_telemetry(data, times * BASE_CHANNELS)
        values: list[float] = []
        for step in STEPS:
            cost = cost_of(step, (*flags, "--data-path", str(data), "--work-dir", str(folder / f"growth{times}")))
            values += [cost.seconds, cost.peak]
        first = first or values
        cells = [
            f"{value:.1f} {unit} ({value / at_one:.2f}x)"
            for value, at_one, unit in zip(values, first, ("s", "GB") * len(STEPS), strict=True)
        ]
        lines.append(f"| {times * BASE_CHANNELS} ({times}x) | {' | '.join(cells)} |")
        print(f"{name}: {lines[-1]}", flush=True)
    return "\n".join(lines)


def write_section(title: str, text: str) -> None:
    """Put a section in its place in speed.md, in place of an earlier one of the same title."""
    head, *sections = (TABLE.read_text(encoding="utf-8") if TABLE.exists() else HEAD).split("\n## ")
    by_title = {section.split("\n", 1)[0]: section for section in sections}
    by_title[title] = f"{title}\n\n{text}\n"
    with atomic_file(TABLE) as temporary:
        temporary.write_text("\n## ".join([head, *by_title.values()]), encoding="utf-8")
    print(f"\n## {title}\n\n{text}\n", flush=True)


def _run(argv: list[str] | None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["compare"]:
        write_section(*side_by_side.section(argv[1:]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to time (default: all)")
    parser.add_argument(
        "--extractors", nargs="+", default=["wide_resnet50_2", "resnet18"], help="(default: wide_resnet50_2 resnet18)"
    )
    parser.add_argument("--data-path", type=Path, help="real SMAP for stretch and line (default: made-up telemetry)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds behind each median (default: 3)")
    given = parser.parse_args(argv)
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU threads"
    machine = f"{machine}, {platform.machine()}, torch {torch.__version__}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        telemetry = given.data_path or write_telemetry(folder / "telemetry", 54)
        source = "SMAP" if given.data_path else "54 made-up channels"
        series = ("--dataset", "smap", "--data-path", str(telemetry.absolute()), "--work-dir", str(folder / "runs"))
        for extractor in given.extractors:
            more = ("--extractor", extractor)
            if "stretch" in given.parts:
                title = f"stretch, {extractor}, 512x512, batches of 8, {source} ({machine})"
                write_section(title, compared(title, (*series, *more), given.rounds))
            if "command" in given.parts:
                title = f"test mode as a command, stretch, {extractor}, 512x512, batches of 8, {source} ({machine})"
                write_section(title, command_section((*series, *more), given.rounds))
            if "pictures" in given.parts:
                pictures = write_pictures(folder / "pictures", NUM_PICTURES, 512)
                title = (
                    f"pictures, {extractor}, 512x512, batches of 8, {NUM_PICTURES} made-up pictures a split ({machine})"
                )
                flags = ("--dataset", "mvtec", "--data-path", str(pictures), "--work-dir", str(folder / "runs"), *more)
                write_section(title, compared(title, flags, given.rounds))
        if "line" in given.parts:
            write_section(f"line, configs/smap_line.py, {source} ({machine})", line_section(series, given.rounds))
        if "growth" in given.parts:
            for name, flags in GROWTH_RECIPES.items():
                flags = (*flags, "--dataset", "smap")
                write_section(f"growth, {name} ({machine})", growth_section(name, flags, folder))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
