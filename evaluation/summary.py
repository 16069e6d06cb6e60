"""Several test runs judged, and where every series is learnt by itself the means over the series of each group."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from datasets import SeriesTask
from evaluation.evaluate import evaluate
from evaluation.judge import POOLED
from evaluation.results import Evaluation
from metrics.table import columns
from runs.scores import ScoredRun
from runtime.files import atomic_file

FIGURES = ("roc_auc", "average_precision", "vus_pr")  # of every series, whose means are shown
SUMMARY, SERIES = "summary.csv", "series.csv"


def evaluate_all(runs: Sequence[ScoredRun]) -> None:
    """Judge test runs, and of several series that are learnt each by itself the means too, without those to drop."""
    found = []
    for run in runs:
        if run.task.group and run.task.class_name in run.config.drop:
            continue
        evaluation = evaluate(run.folder, run.task, run.config)
        if run.task.group:
            found.append(series_rows(run.task, evaluation))
    if len(found) > 1:
        write_summary(runs[0].folder.parents[1], pd.concat(found, ignore_index=True))


def series_rows(task: SeriesTask, evaluation: Evaluation) -> pd.DataFrame:
    """What the model and the trivial scores reach on one series: a row for each, NaN where a figure is undefined."""
    (labels,) = evaluation.labels
    facts = {"group": task.group, "series": task.class_name, "num_steps": len(labels), "num_anomalous": labels.sum()}
    if evaluation.vus_windows is not None:
        (facts["vus_window"],) = evaluation.vus_windows
    rows = [
        facts | {"score": result.name} | {name: result.parts[POOLED][name] for name in FIGURES}
        for result in evaluation.results
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(FIGURES, float))


def write_summary(folder: Path, series: pd.DataFrame) -> None:
    """Print the means over the series of each group by score, and write them and the figures of every series."""
    by_group = series.groupby(["group", "score"], sort=False)
    means = by_group[list(FIGURES)].mean()
    means.insert(0, "num_series", by_group.size())
    headings = {column.name: column.printed for column in columns()}
    print(f"\n{'Means over series':30} series" + "".join(f"{headings[name]:>8}" for name in FIGURES))
    for (group, score), row in means.iterrows():
        cells = "".join(f"{'-' if np.isnan(row[name]) else format(row[name], '.3f'):>8}" for name in FIGURES)
        print(f"{group:8} {score:21} {row['num_series']:6.0f}{cells}")
    for name, frame in ((SERIES, series), (SUMMARY, means.reset_index())):
        with atomic_file(folder / name) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.6f")
    print(f"Means: {folder / SUMMARY}  Every series: {folder / SERIES}")
