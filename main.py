"""MSFlow for pictures and time series: train on normal data, score the test data, export, evaluate.

    python main.py --config configs/sample.py        synthetic telemetry, about a minute, nothing to download
    python main.py --config configs/telemetry.py --data-path plant.csv      tables of your own: alarms and a report
    python main.py --mode score --run work_dirs/.. --data-path november.csv     new data by what was learnt
    python main.py --mode score --run work_dirs/.. --data-path new.png         a picture: good or bad, and where
    python main.py                                   what default.py says: SMAP, the reference recipe
    python main.py --mode test --eval-ckpt FILE      score with a checkpoint, the original MSFlow's included
    python main.py --resume                          continue a stopped training

Settings come from default.py, then the recipe (--config), then the flags below; the last one wins. [head=memory] before
a help text: the setting counts with that head only.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from runtime.collector import loading
from runtime.errors import InputError, exit_code
from runtime.locks import read
from runtime.malloc import keep_freed_memory
from runtime.stopping import AGAIN, told_when_stopped
from settings.config import Config
from settings.effects import idle_in_recipe, warn_of_idle
from settings.flags import make_parser
from settings.load import load_config, recorded_config, told_of_published


def run(argv: list[str] | None) -> None:
    """Parse settings, then train and test every class; for series also export and evaluate the scores of each."""
    flags = vars(make_parser(__doc__).parse_args(argv))
    recipe = flags.pop("config")
    with loading("torch"):
        if flags.get("mode") == "score":
            config = load_config(recipe, flags, _recorded(flags.get("run", ""), load_config(recipe, flags).work_dir))
        else:
            config = load_config(recipe, flags)
        warn_of_idle(config, flags)
        keep_freed_memory()
        from runtime import distributed  # here and below, because --help must not wait for NumPy and torch

    with distributed.session(config.device), told_when_stopped(lambda: AGAIN):
        if recipe and (names := idle_in_recipe(config, Path(recipe), flags)):
            print(f"Set in {recipe}, but without effect here: {', '.join(names)}.")
        if config.mode != "score" and (told := told_of_published(config)):
            print(told)
        if config.mode == "score":
            with read(Path(config.run)):
                _score(config)
        else:
            with ExitStack() as owning:
                _run_all(config, owning)


def _recorded(folder: str, work_dir: str) -> dict[str, Any]:
    """The settings of the run that scores new data: what is new about them is which data."""
    from datasets import DATASETS
    from runs.known import listed

    if not folder:
        raise InputError(f"--mode score: which run is to score? Set --run to its folder. {listed(Path(work_dir))}")
    if not Path(folder, "config.json").exists():
        raise InputError(f"--run {folder}: is not the folder of a run: it has no config.json. {listed(Path(work_dir))}")
    recorded = recorded_config(Path(folder) / "config.json")
    new = {"data_path": ""} if DATASETS[recorded.dataset].kind == "pictures" else {"dataset": "table"}
    return vars(recorded) | {"class_names": ("all",), **new}


def _score(config: Config) -> None:
    """Score new data with what a run has learnt."""
    from datasets import DATASETS
    from serving.fitted import load
    from serving.follow import follow

    fitted = load(config.run, config)
    if DATASETS[config.dataset].kind == "pictures":
        if not config.data_path:
            raise InputError("--mode score: which pictures? Set --data-path to a picture or a folder.")
        fitted.score_files(Path(config.data_path))
        return
    if config.follow:
        with told_when_stopped(lambda: "What was told is kept: the same command goes on from there."):
            follow(fitted, config.data_path)
        return
    if not config.data_path:
        raise InputError("--mode score: which data? Set --data-path to a file or folder.")
    source = DATASETS["table"].opened(Path(config.data_path), config, fitted.steps)
    fitted.score_files(source, source.name)


def _run_all(config: Config, owning: ExitStack) -> None:
    """Train and test every class; `owning` gives the folders of the runs back when all is done."""
    from datasets import DATASETS
    from runs.known import listed, of_settings, with_its_data
    from runtime import distributed

    if config.mode == "test" and not (config.data_path or config.eval_ckpt or of_settings(config)):
        raise InputError(
            "--mode test: there is no run of these settings. Train first, or name another run by its recipe (--config) "
            f"and flags. {listed(Path(config.work_dir))}"
        )
    if config.mode == "test" or config.resume:
        config = with_its_data(config)
    data = DATASETS[config.dataset]
    with distributed.writer_first():
        tasks = data.tasks(config)

    from detectors.loop import LAST
    from detectors.run import open_run
    from detectors.scoring import test
    from runs.folder import config_of, run_folder
    from runs.scores import ScoredRun
    from train import train

    results, scored = {}, []
    for task in tasks:
        settings = config_of(config, task)
        owning.enter_context(distributed.owned(run_folder(settings, task.class_name)))
        current = open_run(settings, task)
        weights = current.detector.weights
        print(f"{config.dataset} {task.class_name}  weights: {weights}  folder: {current.folder}")
        if config.mode != "test":
            again = "goes on" if config.resume else "begins anew"
            with told_when_stopped(lambda again=again: f"Nothing new was learnt: the same command {again}."):
                trained = train(current)
            if not trained:
                print("The detector is fitted: it needs no epochs.")
            print(f"Checkpoint: {current.folder / LAST}")
        if "test" not in current.way.splits:
            print(f"{task.class_name}: there are no test pictures, so none is scored.")
        if config.mode == "train" and data.kind == "pictures":
            _learn_threshold(current)
        if config.mode != "train":
            with told_when_stopped(lambda last=current.folder / LAST: f"{last} is whole: --mode test scores with it."):
                scores_folder, results[task.class_name] = test(current)
            scored.append(ScoredRun(scores_folder, current.config, task))
            print(f"Scores: {scores_folder}")
        current.tidy()
    if not distributed.is_writer() or not results:
        return
    if data.kind == "series":
        from evaluation.ranking import export
        from evaluation.summary import evaluate_all

        again = f"python eval_smap_timestep.py --scores-dir {scored[0].folder}"
        with told_when_stopped(lambda: f"The scores are whole. Evaluate them: {again}"):
            for run in scored:
                export(run.folder, run.task, run.config)
            evaluate_all(scored)
    else:
        _judge_pictures(scored, results, weights)


def _learn_threshold(run: Any) -> None:
    """Score the good pictures that were held out, so that new ones can be judged without a test."""
    from detectors.scoring import score_held_out
    from evaluation.pictures import picture_threshold, threshold_text

    print(f"Threshold: {threshold_text(picture_threshold(score_held_out(run), run.config))}")


def _judge_pictures(scored: list[Any], results: dict[str, Any], weights: str) -> None:
    """Judge the scored classes of pictures, and say how good the detectors are."""
    from evaluation.picture_report import judge_class, judge_classes
    from evaluation.pictures import threshold_text
    from metrics.pictures import format_metrics

    print(f"Weights: {weights}")
    classes = [judge_class(run.task.class_name, run.folder, run.config, results[run.task.class_name]) for run in scored]
    page = judge_classes(scored[0].folder.parents[1], scored[0].config.dataset, classes)
    pages = [page] if page else [judged.folder / "report.html" for judged in classes if judged.has_page]
    for place in pages:
        print(f"Report: {place}")
    if len(classes) == 1:
        print(f"New pictures: --mode score --run {scored[0].folder.parent} --data-path PICTURE_OR_FOLDER")
    for judged in classes:
        metrics = format_metrics(results[judged.name])
        print(f"{judged.name:>12}  {metrics}  threshold {threshold_text(judged.threshold)}")


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
