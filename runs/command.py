"""The command line of the scripts that read scores."""

from pathlib import Path

from data.telemanom import TelemanomSource
from datasets import DATASETS
from runs.folder import CONFIG_FILE, run_folder
from runtime.errors import InputError
from settings.flags import make_parser
from settings.load import Config, load_config, recorded_config


def scores_parser(
    description: str | None, flags: list[str], argv: list[str] | None, switches: dict[str, str] | None = None
) -> tuple[Path, Config, TelemanomSource, set[str]]:
    """The command line shared by the two scripts that read scores: scores folder, settings, data set, switches set.

    Without --scores-dir the folder is that of the run which the settings describe; with it, the settings are those
    the scores were made with. `flags` names the settings that the script lets the command line change, `switches`
    further flags of its own, name -> help.
    """
    shared = ["dataset", "data_path", "class_names", "work_dir", "layout", "extractor", "pool_type", "parallel_blocks"]
    parser = make_parser(description or "", [*flags, *shared])
    parser.add_argument(
        "--root-dir", type=Path, default=Path(), help="folder that relative paths start from (default: .)"
    )
    parser.add_argument("--scores-dir", type=Path, help="folder with the score files of a test run")
    for name, text in (switches or {}).items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    given = vars(parser.parse_args(argv))
    set_switches = {name for name in switches or {} if given.pop(name.replace("-", "_"))}
    root, folder, recipe = given.pop("root_dir"), given.pop("scores_dir"), given.pop("config")
    base = None if folder is None else vars(recorded_config(folder / CONFIG_FILE))
    config = load_config(recipe, given, base)
    data = DATASETS[config.dataset]
    if not data.is_series:
        raise InputError(f"dataset = {config.dataset}: pictures have no time steps. Choose smap, msl or sample.")
    if folder is None:
        folder = run_folder(config, data.classes(config, root)[0], root) / "scores"
    return folder, config, data.open(config, root), set_switches
