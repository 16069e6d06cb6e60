"""The command line of the scripts that read scores."""

from dataclasses import dataclass
from pathlib import Path

from datasets import DATASETS
from runs.folder import CONFIG_FILE, LEVEL_MAPS, config_of, run_folder
from runs.scores import ScoredRun
from runtime.errors import InputError
from settings.effects import warn_of_idle
from settings.flags import make_parser
from settings.load import load_config, recorded_config


@dataclass(frozen=True)
class ScoresCommand:
    """What the command line of such a script says: whose scores they are, and its switches.

    There are several runs where every series is learnt by itself.
    """

    runs: list[ScoredRun]
    switches: set[str]


def scores_command(
    description: str | None, flags: list[str], argv: list[str] | None, switches: dict[str, str] | None = None
) -> ScoresCommand:
    """Parse the command line shared by the two scripts that read scores.

    Without --scores-dir the folder is that of the run which the settings describe; with it, the settings are those
    the scores were made with, where that is recorded. `flags` names the settings that the script lets the command line
    change, `switches` further flags of its own, name -> help.
    """
    shared = ["dataset", "data_path", "class_names", "work_dir", "detector", "layout", "head", "extractor", "pool_type"]
    shared += ["parallel_blocks", "timestep_map"]
    parser = make_parser(description or "", dict.fromkeys([*flags, *shared]))
    parser.add_argument(
        "--root-dir", type=Path, default=Path(), help="folder that relative paths start from (default: .)"
    )
    parser.add_argument("--scores-dir", type=Path, help="folder with the score files of a test run")
    for name, text in (switches or {}).items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    given = vars(parser.parse_args(argv))
    set_switches = {name for name in switches or {} if given.pop(name.replace("-", "_"))}
    root, folder, recipe = given.pop("root_dir"), given.pop("scores_dir"), given.pop("config")
    base = None
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: missing. Make the scores first: python main.py --mode test.")
    if folder is not None and (folder / "scores").is_dir():  # the folder of the run itself
        folder = folder / "scores"
    if folder is not None and (folder / CONFIG_FILE).exists():
        base = vars(recorded_config(folder / CONFIG_FILE))
    elif folder is not None:
        base = {"timestep_map": "nll"} if (folder / LEVEL_MAPS).is_dir() else None
        print(f"{folder}: has no config.json, so the scores are judged with the settings given here.")
    config = load_config(recipe, given, base)
    data = DATASETS[config.dataset]
    if data.kind != "series":
        series = ", ".join(name for name, known in DATASETS.items() if known.kind == "series")
        raise InputError(f"dataset = {config.dataset}: pictures have no time steps. Choose one of {series}.")
    warn_of_idle(config, given)
    if folder is not None:  # of one run, whatever else may be chosen
        return ScoresCommand([ScoredRun(folder, config, data.task(config, root))], set_switches)
    runs = [
        ScoredRun(run_folder(config, task.class_name, root) / "scores", config_of(config, task), task)
        for task in data.tasks(config, root)
    ]
    return ScoresCommand(runs, set_switches)
