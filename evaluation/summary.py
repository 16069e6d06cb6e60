"""Several test runs judged, and where every series is learnt by itself the means over the series of each group."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.evaluate import evaluate
from evaluation.frames import safe_cell
from evaluation.judge import POOLED
from evaluation.results import Evaluation
from metrics.ranges import at_quantiles, volume_under_surface
from runs.scores import ScoredRun
from runtime.files import atomic_file

# figures of every series, whose means are shown, and their headings; the last is VUS-PR at 250 thresholds, as the
# published tables of the TSB-AD benchmark have it
FIGURES = {"roc_auc": "ROC AUC", "average_precision": "AP", "vus_pr": "VUS-PR", "vus_pr_250": "at 250"}
SUMMARY, SERIES = "summary.csv", "series.csv"


def evaluate_all(runs: Sequence[ScoredRun]) -> None:
    """Judge test runs, and of several series that are learnt each by itself the means too, without those to drop."""
    found = []
    for run in runs:
        if run.task.group and run.task.class_name in run.config.drop:
            continue
        evaluation = evaluate(run.folder, run.task, run.config)
        if run.task.group:
            found.append(series_rows(run, evaluation))
    if len(found) > 1:
        write_summary(runs[0].folder.parents[1], pd.concat(found, ignore_index=True))


def series_rows(run: ScoredRun, evaluation: Evaluation) -> pd.DataFrame:
    """What the model and the trivial scores reach on one series: a row for each, NaN where a figure is undefined."""
    (labels,), (window,) = evaluation.labels, evaluation.vus_windows or (run.config.vus_window,)
    facts = {"group": run.task.group, "series": safe_cell(run.task.class_name), "num_steps": len(labels)}
    facts |= {"num_anomalous": int(labels.sum()), "vus_window": window}
    rows = []
    for scoring, result in zip(evaluation.scorings, evaluation.results, strict=True):
        measured = np.isfinite(scoring.test[0])
        truth, scores = labels[measured], at_quantiles(scoring.test[0][measured])
        values = result.parts[POOLED] | {"vus_pr_250": volume_under_surface(truth, scores, [len(truth)], window).vus_pr}
        rows.append(facts | {"score": result.name} | {name: values[name] for name in FIGURES})
    return pd.DataFrame(rows).astype(dict.fromkeys(FIGURES, float))


def write_summary(folder: Path, series: pd.DataFrame) -> None:
    """Print the means over the series of each group by score, and write them and the figures of every series."""
    by_group = series.groupby(["group", "score"], sort=False)
    means = by_group[list(FIGURES)].mean()
    means.insert(0, "num_series", by_group.size())
    print(f"\n{'Means over series':30} series" + "".join(f"{heading:>8}" for heading in FIGURES.values()))
    for (group, score), row in means.iterrows():
        cells = "".join(f"{'-' if np.isnan(row[name]) else format(row[name], '.3f'):>8}" for name in FIGURES)
        print(f"{group:8} {score:21} {row['num_series']:6.0f}{cells}")
    print("at 250: VUS-PR at 250 thresholds, as the benchmark's code computes it; all else at every distinct score.")
    for name, frame in ((SERIES, series), (SUMMARY, means.reset_index())):
        with atomic_file(folder / name) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.6f")
    print(f"Means: {folder / SUMMARY}  Every series: {folder / SERIES}")
