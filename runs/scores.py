"""The score files that a test leaves in the `scores/` of a run.

One entry per sample in anomaly_score.npy, labels.npy, filenames.npy and the score maps, add and mul (N, H, W) or
maps/<channel>.npy (rows, T) and columns/<channel>.npy (D, T / COLUMN_CELL), and the config.json they were made with;
for series `scores/train/` holds the same for the training split. Arrays alone, as another program leaves them, will do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from datasets import SeriesSource, SeriesTask
from runs.fingerprints import damaged, of_series
from runs.folder import CONFIG_FILE, LEVEL_MAPS, MAP_NAMES, column_file, level_map_file, map_file
from runs.rows import unnamed_rows
from runtime.arrays import ArrayFile, read_npy
from runtime.errors import InputError
from runtime.locks import owned
from runtime.reading import quoted, reading
from settings.config import Config
from settings.load import read_record, recorded_config

AGAIN = "Run main.py --mode test again."
SAMPLES = {"filenames": "U", "labels": "iu", "anomaly_score": "f"}  # arrays (N,) and the kinds of what they hold
FACTS = {
    "channels": list[str], "rows": list[str], "files": dict[str, str], "data": dict[str, str],
    "training": dict[str, dict], "versions": dict[str, str], "weights": str, "class_name": str, "checkpoint": str,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ScoreFiles:
    """What a test run left: N samples, in one order throughout.

    `filenames` (N,) text, `channels` their names, `labels` (N,) 1 anomalous, 0 normal, -1 unknown, `picture_scores`
    (N,); `maps` by name, read from disk on use: add and mul (N, H, W), or nll, one (rows, T) per channel. `rows` names
    the rows, and is empty for add and mul.
    `config` and `facts`, the rest of config.json, tell which run it was; without config.json they are None and empty.
    """

    folder: Path
    filenames: NDArray[np.str_]
    channels: list[str]
    labels: NDArray[np.integer]
    picture_scores: NDArray[np.floating]
    maps: dict[str, Sequence[NDArray[np.floating]]]
    config: Config | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> str:
        """Which learnt features the detector started from, in words."""
        return self.facts.get("weights", "not recorded")

    @property
    def rows(self) -> list[str]:
        """The names of the rows of every channel's scores."""
        if "rows" in self.facts:
            return self.facts["rows"]
        return unnamed_rows(len(self.maps["nll"][0])) if "nll" in self.maps else []

    @property
    def ranked(self) -> list[int]:
        """The numbers of the samples, highest score first."""
        return np.argsort(-self.picture_scores, kind="stable").tolist()

    def of_columns(self, channel: str, number: int | None = None) -> NDArray[np.floating] | None:
        """What the columns of a channel have in its scores, (D, T / COLUMN_CELL), where each was scored by itself.

        Raises InputError where the file of them was removed, or D is not the `number` of columns that the channel has.
        """
        path = column_file(self.folder, channel)
        written = path.relative_to(self.folder).as_posix() in self.facts.get("files", ())
        if not written and not path.exists():
            return None
        found = read_array(path)
        check_kind(path, found, "f", 2)
        if number not in (None, len(found)):
            raise InputError(f"{path}: holds {len(found)} columns, the channel has {number}. {AGAIN}")
        return found


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """A test run to judge: the folder of its score files, its settings and its series."""

    folder: Path
    config: Config
    task: SeriesTask


@contextmanager
def owning(runs: Sequence[ScoredRun]) -> Iterator[None]:
    """Own the folders of test runs while the block runs. Raises InputError where a run still writes into one."""
    with ExitStack() as stack:
        for folder in (run.folder for run in runs if run.folder.is_dir()):  # who asks for its files says that it is not
            of_run = folder.name == "scores" and (folder.parent / CONFIG_FILE).exists()
            of_others = folder.parent.name == "scored"  # data that were scored later, each in a folder of their own
            place = (folder.parent,) if of_run else (folder.parent, folder.name) if of_others else (folder,)
            stack.enter_context(owned(*place))
        yield


def write_samples(
    folder: Path, filenames: list[str], channels: list[str] | None, labels: list[int], scores: dict[int, float]
) -> dict[str, Any]:
    """Write filenames, labels and scores of all samples, the scores by number.

    Returns what config.json must say of them: the `channels` of series, where these are not the names of the files.
    """
    known = all(label >= 0 for label in labels)
    in_order = [scores[number] for number in range(len(scores))]
    np.save(folder / "anomaly_score.npy", np.array(in_order, dtype=np.float32))
    np.save(folder / "labels.npy", np.array(labels, dtype=np.uint8 if known else np.int8))
    np.save(folder / "filenames.npy", np.array(filenames))
    return {} if channels in (None, _stems(filenames)) else {"channels": channels}


def _stems(filenames: Sequence[str]) -> list[str]:
    return [Path(name).stem for name in filenames]


def open_scores(folder: Path) -> ScoreFiles:
    """Read and check the score files of a test run.

    Raises InputError where a file is missing or damaged, or where the files are not of one run.
    """
    arrays = {name: read_array(folder / f"{name}.npy") for name in SAMPLES}
    for name, kinds in SAMPLES.items():
        check_kind(folder / f"{name}.npy", arrays[name], kinds, 1)
    config, facts = None, {}
    if (folder / CONFIG_FILE).exists():
        config = recorded_config(folder / CONFIG_FILE)
        facts = read_facts(folder / CONFIG_FILE)
    channels = facts.get("channels", _stems(arrays["filenames"].tolist()))
    if len(set(channels)) < len(channels):
        raise InputError(f"{folder}: has the scores of a channel twice. {AGAIN}")
    if (folder / LEVEL_MAPS).is_dir():
        maps = {"nll": _LevelMaps([level_map_file(folder, channel) for channel in channels], facts.get("rows"))}
    else:
        maps = {name: read_array(map_file(folder, name), ArrayFile) for name in MAP_NAMES}
        for name, found in maps.items():
            check_kind(map_file(folder, name), found, "f", 3)
    counts = {name: len(array) for name, array in {**arrays, "channels": channels, **maps}.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"{folder}: score files of different runs: samples per file {listed}. {AGAIN}")
    check_whole(folder, facts)
    found = arrays["filenames"], channels, arrays["labels"], arrays["anomaly_score"], maps
    return ScoreFiles(folder, *found, config, facts)


def read_facts(path: Path) -> dict[str, Any]:
    """What a config.json says beside the settings. Raises InputError where that is of other kinds than a run writes."""
    facts = read_record(path)
    facts.pop("settings", None)
    for name, kind in FACTS.items():
        if name in facts and not _is(facts[name], kind):
            raise InputError(f"{path}: is not the config.json of a run: its {name} is {quoted(facts[name])}. {AGAIN}")
    return facts


def _is(value: Any, kind: Any) -> bool:
    """Whether a value of a JSON is of a kind such as list[str]."""
    inner = get_args(kind)
    if not inner:
        return isinstance(value, kind)
    items = value.values() if isinstance(value, dict) else value
    return isinstance(value, get_origin(kind)) and all(isinstance(item, inner[-1]) for item in items)


def check_whole(folder: Path, facts: dict[str, Any]) -> None:
    """Raises InputError where a score file is not what the test wrote; those of earlier versions tell nothing."""
    if bad := damaged(folder, facts.get("files", {})):
        raise InputError(f"{folder / bad[0]}: is damaged: not what the test wrote. {AGAIN}")


class _LevelMaps(Sequence):
    """The scores of channels, (rows, T) each, whose memory is given back after every use."""

    def __init__(self, paths: list[Path], rows: list[str] | None) -> None:
        self._paths = paths
        found = {}
        for path in paths:  # a damaged file is found before anything is computed
            array = read_array(path)
            check_kind(path, array, "f", 2)
            found[path] = len(array)
        expected = len(rows) if rows is not None else next(iter(found.values()), 0)
        if odd := [path for path, number in found.items() if number != expected]:
            raise InputError(f"{odd[0]}: has {found[odd[0]]} rows of scores, expected {expected}. {AGAIN}")

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> NDArray[np.floating]:
        return read_array(self._paths[number])


def _mapped(path: Path) -> NDArray[Any]:
    return read_npy(path, AGAIN, mapped=True)


def read_array(path: Path, opener: Callable[[Path], Any] = _mapped) -> Any:
    """An array of the score files, read on use. Raises InputError where it is missing or damaged."""
    with reading(path, "an array of scores", AGAIN, missing="Make the scores first: python main.py --mode test."):
        return opener(path)


def check_kind(path: Path, array: NDArray[Any] | ArrayFile, kinds: str, ndim: int) -> None:
    """Raises InputError for an array of other numbers, or with other axes, than the file has."""
    if array.dtype.kind not in kinds or len(array.shape) != ndim:
        raise InputError(f"{path}: is {array.dtype} of shape {array.shape}, as no score file is. {AGAIN}")


def check_data(scores: ScoreFiles, source: SeriesSource, split: str = "test") -> None:
    """Raises InputError where the scores are of a channel that the data set does not have, or of other data of it.

    Scores of an earlier version do not tell of which data they are.
    """
    known = source.channels
    strangers = [channel for channel in scores.channels if channel not in known]
    if strangers:
        raise InputError(
            f"{scores.folder / 'filenames.npy'}: score files of another data set: {len(strangers)} "
            f"of {len(scores.channels)} channels unknown here, first {strangers[0]!r}. Set --data-path or --scores-dir."
        )
    before = scores.facts.get("data", {})
    others = [name for name in scores.channels if before.get(name) not in (None, of_series(source, name, split))]
    if others:
        raise InputError(
            f"{scores.folder}: the scores are of other data: {len(others)} of {len(scores.channels)} channels hold "
            f"others in {source.origin}, first {others[0]!r}. Set --data-path, or run main.py --mode test again."
        )
