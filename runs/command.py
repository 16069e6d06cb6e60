"""The command line of the scripts that read scores."""

from dataclasses import dataclass
from pathlib import Path

from datasets import DATASETS
from runs.folder import CONFIG_FILE, LEVEL_MAPS, config_of, run_folder, version
from runs.known import last_scored, listed, of_settings, with_its_data
from runs.scores import ScoredRun
from runtime.errors import InputError, note
from settings.config import Config
from settings.effects import warn_of_idle
from settings.flags import make_parser
from settings.load import load_config, recorded_config

# the settings that say which run is meant
NAMING = (
    "dataset", "class_names", "detector", "layout", "head", "extractor", "pool_type", "parallel_blocks", "timestep_map",
)  # fmt: skip


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

    Without --scores-dir the folder is that of the run which the settings describe, or where nothing describes one and
    default.py's is not there, that of the last run; with it, the settings are those the scores were made with, where
    that is recorded. `flags` names the settings that the script lets the command line change, `switches` further flags
    of its own, which need no scores, name -> help. Raises InputError where there are no scores.
    """
    parser = make_parser(description or "", dict.fromkeys([*flags, "data_path", "work_dir", *NAMING]))
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
    described = load_config(recipe, given)
    if folder is None and not set_switches:
        folder = _of_last_run(described, root, named=bool(recipe or set(given) & set(NAMING)))
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: missing. Make the scores first: python main.py --mode test.")
    if folder is not None and (folder / "scores").is_dir():  # the folder of the run itself
        folder = folder / "scores"
    if folder is not None and (folder / CONFIG_FILE).exists():
        base = vars(recorded_config(folder / CONFIG_FILE))
    elif folder is not None:
        base = {"timestep_map": "nll"} if (folder / LEVEL_MAPS).is_dir() else None
        print(f"{folder}: has no config.json, so the scores are judged with the settings given here.")
    config = load_config(recipe, given, base) if folder is not None else with_its_data(described, root)
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


def _of_last_run(described: Config, root: Path, named: bool) -> Path | None:
    """The folder of the last run where that of the settings has no scores, and nobody has `named` it; else None.

    Raises InputError where there are no scores at all.
    """
    work_dir = root / described.work_dir
    there = any((folder / "scores").is_dir() for folder in of_settings(described, root))
    last = last_scored(work_dir)
    if there and last is not None and not named and last not in of_settings(described, root):
        note(f"The run that default.py describes. A later one lies in {last}: --scores-dir {last / 'scores'}.")
    if there:
        return None
    if named or last is None:
        place = work_dir / version(described) / described.dataset
        raise InputError(
            f"{place}: missing. Make the scores first: python main.py --mode test. Or name another run, by its recipe "
            f"(--config) or folder (--scores-dir). {listed(work_dir)}"
        )
    note(f"The run that default.py describes is not there, so this is of the last one: {last}.")
    return last
