"""Which runs there are, for who does not say which one is meant, and the data that they were made from."""

from dataclasses import replace
from pathlib import Path

from datasets import DATASETS
from runs.folder import CONFIG_FILE, version
from runtime.errors import InputError, note
from settings.config import Config
from settings.load import recorded_config

LISTED = 5  # runs that an error names


def runs_in(work_dir: Path, make: str = "*/*") -> list[Path]:
    """The folders of the runs in a work_dir, the latest first; `make`: of that version and data set alone."""
    found = {path.parent: _latest(path.parent) for path in work_dir.glob(f"{make}/*/{CONFIG_FILE}")}
    return sorted(found, key=lambda folder: (-found[folder], folder))


def _latest(folder: Path) -> float:
    """When a run was last trained or tested."""
    return max(
        path.stat().st_mtime for path in (folder / CONFIG_FILE, folder / "scores" / CONFIG_FILE) if path.exists()
    )


def listed(work_dir: Path) -> str:
    """Which runs there are, in words."""
    runs = list(map(str, runs_in(work_dir)))
    more = f" and {len(runs) - LISTED} more" if len(runs) > LISTED else ""
    return f"The runs in {work_dir}, the latest first: {', '.join(runs[:LISTED]) or 'none'}{more}."


def of_settings(config: Config, root: Path = Path()) -> list[Path]:
    """The folders of the runs that the settings describe, whatever their classes, the latest first."""
    return runs_in(root / config.work_dir, f"{version(config)}/{config.dataset}")


def last_scored(work_dir: Path) -> Path | None:
    """The folder of the run of series in a work_dir that was last scored; None where there is none."""
    return next((folder for folder in runs_in(work_dir) if _has_series(folder / "scores" / CONFIG_FILE)), None)


def _has_series(path: Path) -> bool:
    try:
        return path.is_file() and DATASETS[recorded_config(path).dataset].kind == "series"
    except InputError:
        return False


def with_its_data(config: Config, root: Path = Path()) -> Config:
    """The settings with the `data_path` of the run that they describe, where they name none."""
    for folder in [] if config.data_path else of_settings(config, root):
        try:
            data_path = recorded_config(folder / CONFIG_FILE).data_path
        except InputError:  # who reads more of it will say so
            continue
        if data_path:
            note(f"data_path = {data_path}, as in the run that lies in {folder}.")
            return replace(config, data_path=data_path)
    return config
