"""MSFlow for pictures and time series: train on normal data, score the test data, export, evaluate.

    python main.py --config configs/sample.py        synthetic telemetry, about a minute, nothing to download
    python main.py                                   what default.py says: SMAP, the reference recipe
    python main.py --mode test --eval-ckpt FILE      score with a checkpoint, the original MSFlow's included
    python main.py --resume                          continue a stopped training

Settings come from default.py, then the recipe (--config), then the flags below; the last one wins.
"""

import sys

from runtime.errors import exit_code
from runtime.malloc import keep_freed_memory
from settings.flags import make_parser
from settings.load import Config, load_config


def run(argv: list[str] | None) -> None:
    """Parse settings, then train and test every class; for series also export and evaluate the scores."""
    flags = vars(make_parser(__doc__).parse_args(argv))
    config = load_config(flags.pop("config"), flags)

    keep_freed_memory()
    from runtime import distributed  # here and below, because --help must not wait for NumPy and torch

    with distributed.session(config.device):
        _run_all(config)


def _run_all(config: Config) -> None:
    from datasets import DATASETS
    from runtime import distributed

    data = DATASETS[config.dataset]
    with distributed.writer_first():
        classes = data.classes(config)

    from detectors.run import LAST, open_run
    from detectors.scoring import test
    from metrics.pictures import format_metrics
    from train import train

    if data.is_series:
        print(
            "Series have one label per time step: detection AUROC, localisation AUROC and PRO are not defined for "
            "them and not computed. Time-step metrics follow after the test."
        )
    results = {}
    for class_name in classes:
        current = open_run(config, class_name)
        print(f"{config.dataset} {class_name}  weights: {current.extractor.weights}  folder: {current.folder}")
        if config.mode != "test":
            train(current)
            print(f"Checkpoint: {current.folder / LAST}")
        if config.mode != "train":
            scores_folder, results[class_name] = test(current)
            print(f"Scores: {scores_folder}")
    if not distributed.is_writer():
        return
    if data.is_series and config.mode != "train":
        from evaluation.evaluate import evaluate
        from evaluation.ranking import export

        export(scores_folder, data.open(config), config.vis_top_k)
        evaluate(scores_folder, data.open(config), config)
    elif results and not data.is_series:
        print(f"Weights: {current.extractor.weights}")
        for class_name, metrics in results.items():
            print(f"{class_name:>12}  {format_metrics(metrics)}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
