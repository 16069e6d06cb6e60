"""Where a run keeps what."""

from dataclasses import replace
from pathlib import Path

from datasets import Task
from runtime.errors import InputError, warn
from runtime.files import file_name
from settings.config import Config
from settings.effects import counting, score_name
from settings.load import recorded_config

CONFIG_FILE = "config.json"
TRAIN_SCORES = "train"  # folder beside the scores of the test split with those of the training split
FEATURES = "features"  # folder with what the extractor made of the pictures of each split
MAP_NAMES = ("add", "mul")
ENERGY = "energy"  # the map beside them of pictures that are scored by it
LEVEL_MAPS = "maps"  # folder with one file per channel: its scores by row, for MSFlow time scale and level, (rows, T)
COLUMN_SCORES = "columns"  # folder beside it: what each column of a channel has in them, (D, T / COLUMN_CELL)


def config_of(config: Config, task: Task) -> Config:
    """The settings of the run of one task: a series that is learnt by itself is the only one there."""
    return replace(config, class_names=(task.class_name,)) if task.group else config


def version(config: Config) -> str:
    """The name of the detector's make, e.g. msflow_wide_resnet50_2_avgpool_pl258: what counts of its main settings."""
    named = {
        "extractor": config.extractor,
        "pool_type": f"{config.pool_type}pool",
        "parallel_blocks": "pl" + "".join(str(n) for n in config.parallel_blocks),
        "layout": config.layout if config.layout != "stretch" else "nll" if score_name(config) == "nll" else "",
        "head": config.head if config.head != "flow" else "",
    }
    parts = [config.detector, *(named[name] for name in counting(config, named))]
    return file_name("_".join(part for part in parts if part))


def run_folder(config: Config, class_name: str, root: Path = Path()) -> Path:
    """Where the run of a class lies; a relative `work_dir` lies under `root`.

    Warns where there is nothing yet but a run under the name that an earlier version gave it.
    """
    work_dir = root / config.work_dir
    folder = work_dir / version(config) / config.dataset / file_name(class_name)
    blocks = "".join(str(n) for n in config.parallel_blocks)
    layout = "" if config.layout == "stretch" else f"_{config.layout}"
    before = f"msflow_{config.extractor}_{config.pool_type}pool_pl{blocks}{layout}"
    old = work_dir / before / config.dataset / class_name
    if not folder.exists() and old != folder and _was_made_as(old, config):
        warn(
            f"{folder}: is new, as folders are named by head too. An earlier version kept such a run in {old}: move "
            f"it, or name what is in it (--eval-ckpt {old / 'last.pt'}, --scores-dir {old / 'scores'})."
        )
    return folder


def _was_made_as(folder: Path, config: Config) -> bool:
    """Whether a run that lies there is of the same make as one of these settings."""
    try:
        return version(recorded_config(folder / CONFIG_FILE)) == version(config)
    except InputError:
        return False


def map_file(scores_folder: Path, name: str) -> Path:
    """The file of the score maps `name`: add, mul or energy."""
    return scores_folder / f"anomaly_score_map_{name}.npy"


def column_file(scores_folder: Path, channel: str) -> Path:
    """The file of what a channel's columns have in its scores."""
    return scores_folder / COLUMN_SCORES / f"{file_name(channel)}.npy"


def level_map_file(scores_folder: Path, channel: str) -> Path:
    """The file of a channel's scores by row."""
    return scores_folder / LEVEL_MAPS / f"{file_name(channel)}.npy"
