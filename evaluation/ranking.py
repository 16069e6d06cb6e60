"""The channels by their scores: scores.csv and heat maps."""

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from datasets import SeriesTask
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
    column = min((scores.config or config).smap_used_dims[0], len(names) - 1)
    values = task.source.series(channel, "test")[:, column]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    above.plot(values, color="#0b3954", linewidth=0.8)
    intervals = task.labels.intervals(channel) or []
    for number, (start, end) in enumerate(intervals):
        label = "labelled anomaly" if number == 0 else None
        above.axvspan(start - 0.5, end + 0.5, color="#e69f00", alpha=0.35, linewidth=0, label=label)
    if intervals:
        above.legend(loc="upper right", fontsize="small", frameon=False)
    above.set_ylabel(_plain(names[column]))
    score = scores.picture_scores[index]
    above.set_title(_plain(f"{channel}: rank {rank} of {len(scores.channels)}, score {score:.3f}"), loc="left")
    raw = "nll" in scores.maps
    image = below.imshow(
        scores.maps["nll" if raw else _map_name(scores)][index],
        extent=(-0.5, len(values) - 0.5, 0, 1),
        aspect="auto",
        cmap="magma",
    )
    below.set_yticks([])
    below.set_ylabel("-log p by level" if raw else "score map")
    below.set_xlabel("time step")
    figure.colorbar(image, ax=below, label="anomaly score", pad=0.01)
    figure.align_ylabels([above, below])
    return figure


def _map_name(scores: ScoreFiles) -> str:
    """The map that the run was scored by."""
    chosen = "auto" if scores.config is None else scores.config.timestep_map
    return chosen if chosen in scores.maps else "add"


def _plain(text: str) -> str:
    """The text with nothing in it that matplotlib reads as mathematics."""
    return text.replace("$", r"\$")
