"""The folder of a run and the score files that a test leaves in it.

`<work_dir>/<version>/<dataset>/<class>/` holds checkpoints, config.json and log.jsonl; its `scores/` holds one
entry per sample in anomaly_score.npy, labels.npy, filenames.npy and the score maps, add and mul (N, H, W) or
maps/<channel>.npy (rows, T), and the config.json they were made with; for series `scores/train/` holds the same for
the training split.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.folder import CONFIG_FILE, LEVEL_MAPS, MAP_NAMES, level_map_file, map_file
from runtime.arrays import ArrayFile
from runtime.errors import InputError
from settings.load import Config, recorded_config


@dataclass(frozen=True)
class Scores:
    """What a test run left: N samples, in one order throughout.

    `filenames` (N,) text, `labels` (N,) 0/1, `picture_scores` (N,); `maps` by name, read from disk on use: add and mul
    (N, H, W), or nll, one (rows, T) per channel with a row per time scale and level.
    `config` and `facts`, the rest of config.json, tell which run it was.
    """

    folder: Path
    filenames: NDArray[np.str_]
    labels: NDArray[np.integer]
    picture_scores: NDArray[np.floating]
    maps: dict[str, Sequence[NDArray[np.floating]]]
    config: Config
    facts: dict[str, Any]

    @property
    def weights(self) -> str:
        """The weights of the extractor, in words."""
        return self.facts["weights"]

    @cached_property
    def channels(self) -> list[str]:
        """The names of the samples: their files' names without the ending."""
        return [Path(name).stem for name in self.filenames]


def open_scores(folder: Path) -> Scores:
    """Read and check the score files of a test run.

    Raises InputError where a file is missing or damaged, or where the files are not of one run.
    """
    arrays = {name: _read(folder / f"{name}.npy") for name in ("filenames", "labels", "anomaly_score")}
    if (folder / LEVEL_MAPS).is_dir():
        maps = {"nll": _LevelMaps([level_map_file(folder, Path(name).stem) for name in arrays["filenames"]])}
    else:
        maps = {name: _read(map_file(folder, name), ArrayFile) for name in MAP_NAMES}
    counts = {name: len(array) for name, array in {**arrays, **maps}.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"{folder}: score files of different runs: samples per file {listed}. Run --mode test again.")
    config = recorded_config(folder / CONFIG_FILE)
    facts = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    del facts["settings"]
    return Scores(folder, arrays["filenames"], arrays["labels"], arrays["anomaly_score"], maps, config, facts)


class _LevelMaps(Sequence):
    """The raw -log p of channels, (rows, T) each, whose memory is given back after every use."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        for path in paths:
            _read(path)  # a damaged file is found before anything is computed

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> NDArray[np.floating]:
        return _read(self._paths[number])


def _mapped(path: Path) -> NDArray[Any]:
    return np.load(path, allow_pickle=False, mmap_mode="r")


def _read(path: Path, opener: Callable[[Path], Any] = _mapped) -> Any:
    try:
        return opener(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: missing. Make the scores first: python main.py --mode test.") from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: is damaged ({error}). Run main.py --mode test again.") from error


def check_channels(scores: Scores, known: list[str]) -> None:
    """Raises InputError where a score file names a channel that the data set does not have."""
    strangers = [channel for channel in scores.channels if channel not in known]
    if strangers:
        raise InputError(
            f"{scores.folder / 'filenames.npy'}: score files of another data set: {len(strangers)} "
            f"of {len(scores.channels)} channels unknown here, first {strangers[0]!r}. Set --data-path or --scores-dir."
        )
