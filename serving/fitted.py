"""A detector that has learnt, as Python programs and `--mode score` use it."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from data.frames import FrameSource
from data.source import ChosenColumns
from datasets import SeriesTask, series_task
from detectors.run import Run, open_run, reopened
from detectors.scoring import write_scores
from drawing.colours import TOGETHER
from evaluation.evaluate import evaluate
from evaluation.frames import Scored, alarm_frame, step_frame, write_frames
from evaluation.learnt import LearntScores
from runs.folder import TRAIN_SCORES
from runtime.errors import InputError
from runtime.files import atomic_folder, file_name, writing
from runtime.locks import owned
from serving.matching import Matched
from serving.pictures import FittedPictures
from serving.stream import Stream
from settings.config import Config
from settings.load import load_config
from train import train

RECIPES = Path(__file__).parents[1] / "configs"
Data = pd.DataFrame | Any | Mapping[str, Any]


class Fitted:
    """What a run has learnt: it scores new data of the same channels, and raises alarms.

    `channels` are those that it knows, `columns` their columns by channel, `config` its settings. New data are a
    DataFrame, an array (T, D) or (T,), or a mapping of channels to either; a DataFrame with a DatetimeIndex, or a
    column of times, gives scores with times.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.config: Config = run.config
        self.columns: dict[str, list[str]] = run.known
        self._learnt = LearntScores(run.folder / "scores" / TRAIN_SCORES, run.config, run.known)
        self._kept: Scratch | None = None  # the run's folder, where nobody has named one

    def __repr__(self) -> str:
        columns = sum(map(len, self.columns.values()))
        return f"<msflow.Fitted: {len(self.columns)} channel(s), {columns} column(s), {self._run.detector.weights}>"

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self._run.folder

    @property
    def steps(self) -> dict[str, pd.Timedelta]:
        """The usual time between two rows of each channel in training, where it has times."""
        return self._run.steps

    @property
    def channels(self) -> list[str]:
        """The channels that were learnt."""
        return list(self.columns)

    @property
    def thresholds(self) -> dict[str, float | None]:
        """The score that an alarm of each channel exceeds at the least, learnt from its training."""
        return {channel: self.threshold(channel) for channel in self.channels}

    def threshold(self, channel: str) -> float | None:
        """The score that alarms of a channel exceed at the least; of one that was not learnt that of all others."""
        return self._learnt.learnt(channel).threshold

    def score(self, data: Data) -> pd.DataFrame:
        """One row per row of the data: channel, step, time, score, alarm (0 or 1) and highest_column.

        The score is missing where nothing was measured, the time where there is none. Raises InputError for channels or
        columns that were not learnt.
        """
        return pd.concat([step_frame(scored) for scored in self._scored(self._matched(data))], ignore_index=True)

    def alarms(self, data: Data) -> pd.DataFrame:
        """One row per alarm: channel, start, end (inclusive) and peak, in steps and times, peak_score, columns, kind.

        `threshold` is the score that had to be exceeded at its start. All columns: `evaluation.frames.alarm_frame`.
        """
        return alarm_frame(self._scored(self._matched(data)))

    def _matched(self, data: Data) -> Matched:
        source = FrameSource(data, name="data", train=False, steps=self.steps)
        return Matched(source, self.columns, self.config, "this detector", self.steps)

    def _scored(self, source: Matched) -> Iterator[Scored]:
        for channel in source.channels:
            found = self._run.detector.scores(channel, source.series(channel, "test"))
            times, rows = source.times(channel, "test"), source.rows(channel, "test")
            yield self._learnt.scored(channel, found.rows, found.of_columns, times, rows)

    def stream(self, channel: str | None = None) -> Stream:
        """A stream of rows of a channel, which may be left out where only one is known, scored as they arrive.

        Raises InputError for an unknown channel, and for settings under which a score depends on the whole series.
        """
        if channel is None and len(self.columns) > 1:
            raise InputError(f"which channel does the stream belong to? Known: {', '.join(self.columns)}.")
        channel = channel or self.channels[0]
        if channel not in self.columns and not self.config.shared_density:
            raise InputError(f"channel {channel} was not learnt. Known: {', '.join(self.columns)}.")
        stream = Stream(self._run.detector, self._learnt, channel, self.steps.get(channel))
        stream.owner = self
        return stream

    def save(self, folder: str | Path) -> Path:
        """Write all that is needed to `load` it again into a folder, whole or not at all; returns the folder."""
        folder = Path(folder)
        with atomic_folder(folder) as temporary, writing(self._run.folder):
            shutil.copytree(self._run.folder, temporary, dirs_exist_ok=True)
        return folder

    def score_files(self, source: Any, name: str) -> Path:
        """Score a source of new data into the run's folder: score files, scores.csv, alarms.csv and the report.

        Returns the folder. Raises InputError as `score` does.
        """
        matched = Matched(source, self.columns, self.config, str(self._run.folder), self.steps)
        task: SeriesTask = series_task(matched, self.config)
        run = replace(self._run, task=task)
        folder = self._run.folder / "scored" / file_name(name)
        with owned(folder.parent, folder.name):
            write_scores(run, folder, ["test"])
            result = evaluate(folder, task, self.config, self._run.folder / "scores" / TRAIN_SCORES)
            write_frames(folder / "scores.csv", (step_frame(scored) for scored in result.scored))
        print(f"Scores: {folder / 'scores.csv'}  Alarms: {folder / 'alarms.csv'}")
        return folder


class Scratch:
    """A temporary folder, removed with the last object that has it."""

    def __init__(self) -> None:
        self.name = tempfile.mkdtemp(prefix="msflow-")
        weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)


def fit(
    data: Data, *, name: str = "series", recipe: str = "telemetry", folder: str | Path | None = None, **settings: Any
) -> Fitted:
    """Learn what is normal from data in which hardly anything is odd.

    `data` are a DataFrame, an array (T, D) or (T,), or a mapping of channels to either. `name` is that of the channel
    where there is only one; `recipe` names a file of configs/, and `settings` override its lines. The run lies in
    `folder`, as one of main.py does in work_dirs/; without, it is kept until the program ends.

    Raises InputError for data and settings that cannot be.
    """
    kept = None if folder else Scratch()
    place = str(folder or kept.name)
    keywords = {"dataset": "table", **settings, "mode": "train", "work_dir": place}
    config = load_config(RECIPES / f"{recipe}.py", keywords=keywords)
    source = FrameSource(data, name=name, train=True, steps=None)
    chosen = source if config.columns == TOGETHER else ChosenColumns(source, config.columns)
    run = open_run(config, series_task(chosen, config))
    with owned(run.folder):
        train(run)
        write_scores(run, run.folder / "scores", ["train"])
    fitted = Fitted(run)
    fitted._kept = kept
    return fitted


def load(folder: str | Path, config: Config | None = None) -> Fitted | FittedPictures:
    """What a run of main.py, or `save`, left in a folder: of series, or of pictures.

    `config` replaces its settings: what scores are judged by may be another. Raises InputError where the folder holds
    no run, or one that was made with other settings.
    """
    run = reopened(Path(folder), config)
    return FittedPictures(run) if run.task.kind == "pictures" else Fitted(run)
