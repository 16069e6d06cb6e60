"""Where a run keeps what."""

from pathlib import Path

from settings.load import Config

CONFIG_FILE = "config.json"

TRAIN_SCORES = "train"  # folder beside the scores of the test split with those of the training split

MAP_NAMES = ("add", "mul")

LEVEL_MAPS = "maps"  # folder with one file per channel: the raw -log p of every time scale and level, (rows, T)


def version(config: Config) -> str:
    """The name of the model's make, e.g. msflow_wide_resnet50_2_avgpool_pl258."""
    blocks = "".join(str(n) for n in config.parallel_blocks)
    layout = "" if config.layout == "stretch" else f"_{config.layout}"
    return f"msflow_{config.extractor}_{config.pool_type}pool_pl{blocks}{layout}"


def run_folder(config: Config, class_name: str, root: Path = Path()) -> Path:
    """Where the run of a class lies; a relative `work_dir` lies under `root`."""
    return root / config.work_dir / version(config) / config.dataset / class_name


def map_file(scores_folder: Path, name: str) -> Path:
    """The file of the score maps `name`, add or mul."""
    return scores_folder / f"anomaly_score_map_{name}.npy"


def level_map_file(scores_folder: Path, channel: str) -> Path:
    """The file of a channel's raw -log p."""
    return scores_folder / LEVEL_MAPS / f"{channel}.npy"
