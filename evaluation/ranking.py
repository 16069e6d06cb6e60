"""The channels by their scores: scores.csv and heat maps."""

import csv
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from datasets import SeriesTask
from drawing.colours import TOGETHER
from evaluation.frames import safe_cell
from report.clock import axis_title
from report.style import DPI
from report.thinning import decimate
from runs.scores import ScoreFiles, check_data, open_scores
from runtime.files import atomic_file, atomic_folder, file_name
from runtime.progress import progress_bar
from settings.config import Config

# inches: the picture, its margins, the two panels with the gap between them, and the bar of colours
WIDTH, LEFT, RIGHT, TOP, BOTTOM, GAP = 10.0, 1.1, 0.85, 0.4, 0.6, 0.12
PANEL_WIDTH = WIDTH - LEFT - RIGHT - 0.1
VALUE_HEIGHT, MAP_HEIGHT, ROW_HEIGHT, BAR_WIDTH = 1.9, 1.3, 0.16, 0.13
PIXELS = 900  # columns of the picture that a map is drawn in, about

COLUMNS = ("rank", "chan_id", "anomaly_score", "label", "num_steps", "num_anomalous_steps")


def export(scores_folder: Path, task: SeriesTask, config: Config) -> Path:
    """Write scores.csv, highest score first, and vis/ with heat maps of the first `vis_top_k`; returns the csv file.

    The label and the number of anomalous steps of a channel that nobody has labelled are empty.
    Raises InputError where the score files are missing, damaged or of another data set.
    """
    scores = open_scores(scores_folder)
    check_data(scores, task.source)
    csv_path = scores_folder / "scores.csv"
    with atomic_file(csv_path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for rank, index in enumerate(scores.ranked, start=1):
            channel = scores.channels[index]
            labels, score = task.labels.steps(channel), f"{scores.picture_scores[index]:.6f}"
            labelled = ["", ""] if labels is None else [scores.labels[index], int(labels.sum())]
            num_steps = task.source.num_steps(channel, "test")
            writer.writerow([rank, safe_cell(channel), score, labelled[0], num_steps, labelled[1]])
    shown = scores.ranked[: config.vis_top_k]
    with (
        atomic_folder(scores_folder / "vis") as folder,
        progress_bar(len(shown), desc="Heat maps", unit="channel") as bar,
    ):
        picture = HeatMap(scores.rows) if shown else None
        for rank, index in enumerate(shown, start=1):
            picture.show(scores, index, task, rank, config)
            path = folder / f"rank{rank:02d}_{file_name(scores.channels[index])}.npy.png"
            picture.figure.savefig(path, dpi=DPI, pil_kwargs={"compress_level": 1})
            bar.update()
    print(f"Ranking: {csv_path}  Heat maps: {scores_folder / 'vis'}")
    return csv_path


def draw_heat_map(scores: ScoreFiles, index: int, task: SeriesTask, rank: int, config: Config) -> Figure:
    """The channel's drawn column with its labelled intervals above its score map, on one time axis.

    Rows of a map of their own, such as the levels of a pyramid, have their names beside them.
    """
    picture = HeatMap(scores.rows)
    picture.show(scores, index, task, rank, config)
    return picture.figure


class HeatMap:
    """A figure that shows channels one after the other: axes and ticks take longer to make than to draw anew."""

    def __init__(self, rows: list[str]) -> None:
        map_height = max(MAP_HEIGHT, ROW_HEIGHT * len(rows))
        height = TOP + VALUE_HEIGHT + GAP + map_height + BOTTOM
        self.figure = Figure(figsize=(WIDTH, height))  # without a layout engine, which takes as long as all the rest
        size = (PANEL_WIDTH / WIDTH, VALUE_HEIGHT / height)
        self.above = self.figure.add_axes((LEFT / WIDTH, 1 - (TOP + VALUE_HEIGHT) / height, *size))
        self.below = self.figure.add_axes((LEFT / WIDTH, BOTTOM / height, size[0], map_height / height))
        bar = self.figure.add_axes((1 - RIGHT / WIDTH, BOTTOM / height, BAR_WIDTH / WIDTH, map_height / height))
        self.above.xaxis.set_visible(False)  # that of the map below is its
        self.image = self.below.imshow(
            np.zeros((1, 1)),
            aspect="auto",
            interpolation="nearest",
            cmap=matplotlib.colormaps["magma"].with_extremes(bad="#d5d8de"),
        )
        self.below.set_yticks(range(len(rows)), [_plain(row) for row in rows], fontsize=7.5)
        if not rows:
            self.below.set_ylabel("score map")
        self.figure.colorbar(self.image, cax=bar, label="anomaly score")

    def show(self, scores: ScoreFiles, index: int, task: SeriesTask, rank: int, config: Config) -> None:
        """Draw a channel in place of the one before."""
        channel, names = scores.channels[index], task.source.columns(scores.channels[index])
        column = _drawn_column(scores, channel, scores.config or config, len(names))
        values = task.source.series(channel, "test")[:, column]
        self._draw_values(values, task.labels.intervals(channel) or [])
        self.above.set_ylabel(_plain(names[column]))
        score = scores.picture_scores[index]
        title = f"{channel}: rank {rank} of {len(scores.channels)}, score {score:.3f}"
        self.above.set_title(_plain(title), loc="left", y=1.0)
        shrunk, covered = _shrunk(scores.maps["nll" if scores.rows else _map_name(scores)][index])
        self.image.set_data(shrunk)
        self.image.set_extent((-0.5, covered * len(values) - 0.5, max(len(scores.rows), 1) - 0.5, -0.5))
        self.image.autoscale()
        for axes in (self.above, self.below):
            axes.set_xlim(-0.5, len(values) - 0.5)
        _mark_times(self.below, task.source.times(channel, "test"))

    def _draw_values(self, values: NDArray[np.floating], intervals: Sequence[tuple[int, int]]) -> None:
        for artist in (*self.above.lines, *self.above.patches):
            artist.remove()
        self.above.relim()
        kept = decimate(values, 2 * PIXELS)
        self.above.plot(kept, values[kept], color="#0b3954", linewidth=0.8)
        for number, (start, end) in enumerate(intervals):
            label = "labelled anomaly" if number == 0 else None
            self.above.axvspan(start - 0.5, end + 0.5, color="#e69f00", alpha=0.35, linewidth=0, label=label)
        if self.above.get_legend() is not None:
            self.above.get_legend().remove()
        if intervals:
            place = {"loc": "lower right", "bbox_to_anchor": (1, 1)}
            self.above.legend(**place, fontsize="small", frameon=False, borderaxespad=0.2)


def _shrunk(heat_map: NDArray[np.floating]) -> tuple[NDArray[np.floating], float]:
    """A map (H, W) with the highest of the columns that share a pixel, NaN where all are: (H, about PIXELS).

    And how many times as wide as the map it is, as the last pixel may have fewer columns than the others.
    """
    width = heat_map.shape[1]
    share = -(-width // PIXELS)
    padded = np.pad(heat_map, ((0, 0), (0, -width % share)), constant_values=np.nan)
    return np.fmax.reduce(padded.reshape(len(heat_map), -1, share), axis=2), padded.shape[1] / width


def _mark_times(axes: Axes, times: pd.DatetimeIndex | None) -> None:
    """Ticks and title of a time axis in steps."""
    if times is not None:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(lambda step, _: _time_at(times, step))
    axes.set_xlabel(axis_title(times))


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
