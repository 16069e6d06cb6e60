"""How long the features of all series take, by extractor, in turn: medians over rounds, and their ratio to the first.

    uv run python -m benchmarks.extractors --data-path data/smap        telemetry against resnet18
    uv run python -m benchmarks.extractors --data-path data/smap --extractors resnet18 telemetry transformer recurrent

Every channel of SMAP and MSL, both splits, at the time scales of configs/line.py, drawn as lines; untrained weights,
which cost the same.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from data.telemanom import TelemanomSource
from detectors.msflow.pieces import LineMaker
from drawing.line import line
from drawing.steps import coarsen
from models.extractors import build_extractor
from models.flows import make_pool
from runtime.errors import exit_code
from settings.load import load_config

RECIPE = Path(__file__).parents[1] / "configs" / "line.py"


def drawings(folder: Path, scales: tuple[int, ...]) -> list[np.ndarray]:
    """All series of SMAP and MSL, three colours alike, at every time scale: (T, 3) each."""
    found = []
    for spacecraft in ("SMAP", "MSL"):
        source = TelemanomSource(folder, spacecraft)
        for channel in source.channels:
            for split in ("train", "test"):
                planes = source.series(channel, split)[:, [0, 0, 0]]
                found += [coarsen(planes, scale) for scale in scales]
    return found


@torch.inference_mode()
def seconds(maker: LineMaker, drawn: list[np.ndarray]) -> float:
    """The time that the pyramids of all drawings take."""
    began = time.perf_counter()
    for planes in drawn:
        for _ in maker.pieces(planes):
            pass
    return time.perf_counter() - began


def run(argv: list[str] | None) -> None:
    """Print a line for every extractor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-path", type=Path, required=True, help="folder of SMAP and MSL")
    parser.add_argument("--extractors", nargs="+", default=["resnet18", "telemetry"], help="(default: both)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    given = parser.parse_args(argv)
    config = load_config(RECIPE)
    drawn = drawings(given.data_path, config.time_scales)
    makers = {}
    for name in given.extractors:
        extractor = build_extractor(name, "random", 0).as_line()
        makers[name] = LineMaker(extractor, make_pool(config.pool_type, True), line(config), 0, config.max_columns)
    times = {name: [] for name in makers}
    for _ in range(given.rounds):
        for name, maker in makers.items():
            times[name].append(seconds(maker, drawn))
    first = statistics.median(times[given.extractors[0]])
    print(f"{sum(map(len, drawn)):,} columns, {torch.get_num_threads()} thread(s), {given.rounds} rounds in turn")
    for name, found in times.items():
        median = statistics.median(found)
        spread = f"from {min(found):.2f} to {max(found):.2f}"
        print(f"{name:20} {median:7.2f} s ({spread})   {first / median:5.2f} times as fast")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
