"""The channels by their scores: scores.csv and heat maps."""

import csv
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from datasets import SeriesTask
from drawing.colours import TOGETHER
from runs.scores import ScoreFiles, check_channels, open_scores
from runtime.files import atomic_file, atomic_folder, file_name
from settings.config import Config

COLUMNS = ("rank", "chan_id", "anomaly_score", "label", "num_steps", "num_anomalous_steps")


def export(scores_folder: Path, task: SeriesTask, config: Config) -> Path:
    """Write scores.csv, highest score first, and vis/ with heat maps of the first `vis_top_k`; returns the csv file.

    The label and the number of anomalous steps of a channel that nobody has labelled are empty.
    Raises InputError where the score files are missing, damaged or of another data set.
    """
    scores = open_scores(scores_folder)
    check_channels(scores, task.source.channels)
    order = np.argsort(-scores.picture_scores, kind="stable")
    csv_path = scores_folder / "scores.csv"
    with atomic_file(csv_path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for rank, index in enumerate(order, start=1):
            channel = scores.channels[index]
            labels, score = task.labels.steps(channel), f"{scores.picture_scores[index]:.6f}"
            labelled = ["", ""] if labels is None else [scores.labels[index], int(labels.sum())]
            num_steps = task.source.num_steps(channel, "test")
            writer.writerow([rank, channel, score, labelled[0], num_steps, labelled[1]])
    with atomic_folder(scores_folder / "vis") as folder:
        for rank, index in enumerate(order[: config.vis_top_k], start=1):
            figure = draw_heat_map(scores, int(index), task, rank, config)
            figure.savefig(folder / f"rank{rank:02d}_{file_name(scores.channels[index])}.npy.png", dpi=110)
    print(f"Ranking: {csv_path}  Heat maps: {scores_folder / 'vis'}")
    return csv_path


def draw_heat_map(scores: ScoreFiles, index: int, task: SeriesTask, rank: int, config: Config) -> Figure:
    """The channel's drawn column with its labelled intervals above its score map, on one time axis."""
    channel, names = scores.channels[index], task.source.columns(scores.channels[index])
    column = _drawn_column(scores, channel, scores.config or config, len(names))
    values = task.source.series(channel, "test")[:, column]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    above.plot(values, color="#0b3954", linewidth=0.8)
    intervals = task.labels.intervals(channel) or []
    for number, (start, end) in enumerate(intervals):
        label = "labelled anomaly" if number == 0 else None
        above.axvspan(start - 0.5, end + 0.5, color="#e69f00", alpha=0.35, linewidth=0, label=label)
    if intervals:
        figure.legend(loc="outside upper right", fontsize="small", frameon=False)
    above.set_ylabel(_plain(names[column]))
    score = scores.picture_scores[index]
    above.set_title(_plain(f"{channel}: rank {rank} of {len(scores.channels)}, score {score:.3f}"), loc="left")
    raw = "nll" in scores.maps
    image = below.imshow(
        scores.maps["nll" if raw else _map_name(scores)][index],
        extent=(-0.5, len(values) - 0.5, 0, 1),
        aspect="auto",
        cmap=matplotlib.colormaps["magma"].with_extremes(bad="#d5d8de"),
    )
    below.set_yticks([])
    below.set_ylabel("-log p by level" if raw else "score map")
    times = task.source.times(channel, "test")
    if times is None:
        below.set_xlabel("time step")
    else:
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        below.xaxis.set_major_formatter(lambda step, _: _time_at(times, step))
        below.set_xlabel(f"time ({times.tz})" if times.tz else "time")
    figure.colorbar(image, ax=below, label="anomaly score", pad=0.01)
    figure.align_ylabels([above, below])
    return figure


def _drawn_column(scores: ScoreFiles, channel: str, config: Config, num_columns: int) -> int:
    """The column that is shown: the first colour, or of columns looked at one by one that with the highest score."""
    of_columns = scores.of_columns(channel)
    if of_columns is not None:
        return int(np.nan_to_num(of_columns, nan=0.0).max(axis=1).argmax())
    return min(config.smap_used_dims[0] if config.columns == TOGETHER else 0, num_columns - 1)


def _time_at(times: pd.DatetimeIndex, step: float) -> str:
    """The time of a step as a tick, in two lines; empty beyond the series."""
    inside = 0 <= step < len(times)
    return times[int(step)].strftime("%Y-%m-%d\n%H:%M:%S") if inside else ""


def _map_name(scores: ScoreFiles) -> str:
    """The map that the run was scored by."""
    chosen = "auto" if scores.config is None else scores.config.timestep_map
    return chosen if chosen in scores.maps else "add"


def _plain(text: str) -> str:
    """The text with nothing in it that matplotlib reads as mathematics."""
    return text.replace("$", r"\$")
