"""The channels by their scores: scores.csv and heat maps."""

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from data.telemanom import TelemanomSource
from runs.scores import Scores, check_channels, open_scores
from runtime.files import atomic_file, atomic_folder
from settings.effects import score_name

COLUMNS = ("rank", "chan_id", "anomaly_score", "label", "num_steps", "num_anomalous_steps")


def export(scores_folder: Path, source: TelemanomSource, top_k: int) -> Path:
    """Write scores.csv, highest score first, and vis/ with heat maps of the first `top_k`; returns the csv file.

    Raises InputError where the score files are missing, damaged or of another data set.
    """
    scores = open_scores(scores_folder)
    check_channels(scores, source.channels)
    order = np.argsort(-scores.picture_scores, kind="stable")
    csv_path = scores_folder / "scores.csv"
    with atomic_file(csv_path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for rank, index in enumerate(order, start=1):
            channel = scores.channels[index]
            labels = source.timestep_labels(channel)
            score = f"{scores.picture_scores[index]:.6f}"
            writer.writerow([rank, channel, score, scores.labels[index], len(labels), int(labels.sum())])
    with atomic_folder(scores_folder / "vis") as folder:
        for rank, index in enumerate(order[:top_k], start=1):
            figure = draw_heat_map(scores, int(index), source, rank)
            figure.savefig(folder / f"rank{rank:02d}_{Path(scores.filenames[index]).name}.png", dpi=110)
    print(f"Ranking: {csv_path}  Heat maps: {scores_folder / 'vis'}")
    return csv_path


def draw_heat_map(scores: Scores, index: int, source: TelemanomSource, rank: int) -> Figure:
    """The channel's drawn column with its labelled intervals above its score map, on one time axis."""
    channel, config = scores.channels[index], scores.config
    column = config.smap_used_dims[0]
    values = source.series(channel, "test")[:, column]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    above.plot(values, color="#0b3954", linewidth=0.8)
    intervals = source.intervals(channel)
    for number, (start, end) in enumerate(intervals):
        label = "labelled anomaly" if number == 0 else None
        above.axvspan(start - 0.5, end + 0.5, color="#e69f00", alpha=0.35, linewidth=0, label=label)
    if intervals:
        above.legend(loc="upper right", fontsize="small", frameon=False)
    above.set_ylabel("telemetry value" if column == 0 else f"column {column}")
    above.set_title(
        f"{channel}: rank {rank} of {len(scores.channels)}, score {scores.picture_scores[index]:.3f}", loc="left"
    )
    name = score_name(config)
    score_map = scores.maps[name][index]
    image = below.imshow(score_map, extent=(-0.5, len(values) - 0.5, 0, 1), aspect="auto", cmap="magma")
    below.set_yticks([])
    below.set_ylabel("-log p by level" if name == "nll" else "score map")
    below.set_xlabel("time step")
    figure.colorbar(image, ax=below, label="anomaly score", pad=0.01)
    figure.align_ylabels([above, below])
    return figure
