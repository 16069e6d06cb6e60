"""Fuzz the readers: python -m tests.fuzz --inputs 10000 --reader tables --seed 0. Exit code 1 where there is a fault.

A fault tells the number of its input: --first NUMBER --inputs 1 repeats it alone.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

READERS = {
    "arrays": "arrays:Arrays", "labels": "tables:LabelFiles", "tables": "tables:Tables", "scores": "runs:Scores",
    "checkpoints": "runs:Checkpoints", "recipes": "settings:Recipes", "configs": "settings:Configs",
    "archives": "archives:Archives", "pictures": "pictures:Pictures", "weights": "runs:Weights",
}  # fmt: skip
SHOWN = 10  # faults


def main() -> int:
    """Try the readers one after the other and print how their inputs ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=200, help="for each reader (200)")
    parser.add_argument("--reader", choices=READERS, nargs="+", default=list(READERS), help="(all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input (0)")
    given = parser.parse_args()

    from .harness import tried, watch_files

    watch_files()
    faults = 0
    for name in given.reader:
        module, _, reader = READERS[name].partition(":")
        made = getattr(importlib.import_module(f".{module}", __package__), reader)
        started = time.process_time()
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            tally = tried(made, given.inputs, given.seed, Path(place).resolve(), given.first)
            os.chdir("/")
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(tally.counts.items()))
        print(f"{name}: {counts}  ({time.process_time() - started:.1f} s of CPU)", flush=True)
        for fault in tally.faults[:SHOWN]:
            print(f"  {fault}", file=sys.stderr)
        faults += len(tally.faults)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
