"""Write what a run has learnt as one ONNX file, for programs that have no Python: pixels or values in, scores out.

    uv run --extra onnx python -m models.export RUN                          pictures: RUN/model.onnx
    uv run --extra onnx python -m models.export RUN --steps 1000             series of 1000 steps, layout line
    uv run --extra onnx python -m models.export RUN --channel pump --steps 1000 --to pump.onnx

RUN is the folder of a run in work_dirs/. Of pictures: `pictures` (any number, height, width, 3), float32 in the
detector's size, from 0 to the `white` of the metadata (255 unless the pictures of the training were deep) -> `score`
and `map`, and `bad` where the run has a threshold, which is in the metadata too. Of series: `series` (steps, columns),
float64, in the units of the data and without gaps -> `score`, one per step. Normalisation, features, density and map
are inside. Where onnxruntime is installed, the file is compared with the run, and not written where scores differ.
"""

import argparse
import sys
from pathlib import Path

from runtime.errors import exit_code


def run(argv: list[str] | None) -> None:
    """Export one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--to", type=Path, help="file to write (default: model.onnx in the folder of the run)")
    parser.add_argument("--steps", type=int, help="series: their length")
    parser.add_argument("--channel", help="series: which, where the run knows several")
    given = parser.parse_args(argv)

    from serving.export import export  # here, because --help must not wait for torch

    export(given.run, given.to, given.steps, given.channel)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
