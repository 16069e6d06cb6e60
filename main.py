"""MSFlow for pictures and time series: train on normal data, score the test data, export, evaluate.

    python main.py --config configs/sample.py        synthetic telemetry, about a minute, nothing to download
    python main.py                                   what default.py says: SMAP, the reference recipe
    python main.py --mode test --eval-ckpt FILE      score with a checkpoint, the original MSFlow's included
    python main.py --resume                          continue a stopped training

Settings come from default.py, then the recipe (--config), then the flags below; the last one wins. [head=memory] before
a help text: the setting counts with that head only.
"""

import sys
from pathlib import Path

from runtime.errors import exit_code
from runtime.malloc import keep_freed_memory
from settings.config import Config
from settings.effects import idle_in_recipe, warn_of_idle
from settings.flags import make_parser
from settings.load import load_config


def run(argv: list[str] | None) -> None:
    """Parse settings, then train and test every class; for series also export and evaluate the scores."""
    flags = vars(make_parser(__doc__).parse_args(argv))
    recipe = flags.pop("config")
    config = load_config(recipe, flags)
    warn_of_idle(config, flags)

    keep_freed_memory()
    from runtime import distributed  # here and below, because --help must not wait for NumPy and torch

    with distributed.session(config.device):
        if recipe and (names := idle_in_recipe(config, Path(recipe), flags)):
            print(f"Set in {recipe}, but without effect here: {', '.join(names)}.")
        _run_all(config)


def _run_all(config: Config) -> None:
    from datasets import DATASETS
    from runtime import distributed

    data = DATASETS[config.dataset]
    with distributed.writer_first():
        tasks = data.tasks(config)

    from detectors.loop import LAST
    from detectors.run import open_run
    from detectors.scoring import test
    from metrics.pictures import format_metrics
    from train import train

    if data.kind == "series":
        print(
            "Series have one label per time step: detection AUROC, localisation AUROC and PRO are not defined for "
            "them and not computed. Time-step metrics follow after the test."
        )
    results = {}
    for task in tasks:
        current = open_run(config, task)
        weights = current.detector.weights
        print(f"{config.dataset} {task.class_name}  weights: {weights}  folder: {current.folder}")
        if config.mode != "test":
            train(current)
            print(f"Checkpoint: {current.folder / LAST}")
        if config.mode != "train":
            scores_folder, results[task.class_name] = test(current)
            print(f"Scores: {scores_folder}")
    if not distributed.is_writer() or not results:
        return
    if data.kind == "series":
        from evaluation.evaluate import evaluate
        from evaluation.ranking import export

        export(scores_folder, task, config)
        evaluate(scores_folder, task, config)
    else:
        print(f"Weights: {weights}")
        for class_name, metrics in results.items():
            print(f"{class_name:>12}  {format_metrics(metrics)}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
