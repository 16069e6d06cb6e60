"""What an evaluation prints."""

import numpy as np
from numpy.typing import NDArray

from evaluation.judge import HEAVY, HEAVY_FACTOR, LIGHT, PER_CHANNEL, POOLED, SECOND_HALF, Result

PARTS = {POOLED: "pooled", PER_CHANNEL: "per channel", SECOND_HALF: "second half", HEAVY: "heavy", LIGHT: "others"}

DETAILS = {
    "best_f1": "best F1", "range_auc_roc": "R-ROC", "range_auc_pr": "R-PR", "vus_roc": "VUS-ROC", "vus_pr": "VUS-PR",
    "affiliation_precision": "affil P", "affiliation_recall": "affil R", "affiliation_f1": "affil F1",
    "event_precision": "event P", "event_recall": "event R", "event_f1": "event F1", "point_adjusted_f1": "PA-F1",
}  # fmt: skip


def print_tables(results: list[Result]) -> None:
    """AUROC and average precision by part of the steps, then the other metrics of the pooled steps."""
    parts = [name for name in PARTS if name in results[0].parts]
    print(f"\n{'':22}" + "".join(f"{PARTS[name]:>16}" for name in parts))
    print(f"{'':22}" + f"{'AUROC':>9}{'AP':>7}" * len(parts))
    for result in results:
        cells = [
            f"{_cell(result.parts[n]['roc_auc'], 9)}{_cell(result.parts[n]['average_precision'], 7)}" for n in parts
        ]
        print(f"{result.name:22}" + "".join(cells))
    if HEAVY in parts:
        print(f"{'':22}heavy: channels with more than {HEAVY_FACTOR} times the mean number of labelled steps")
    details = [name for name in DETAILS if name in results[0].parts[POOLED]]
    print(f"\n{'pooled':22}" + "".join(f"{DETAILS[name]:>9}" for name in details))
    for result in results:
        print(f"{result.name:22}" + "".join(_cell(result.parts[POOLED][name], 9) for name in details))


def _cell(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>{width}}"


def print_counts(labels: list[NDArray[np.uint8]]) -> bool:
    """Print the counts of steps; returns whether both classes are there, and says why nothing follows if not."""
    num_steps, anomalous = sum(map(len, labels)), sum(int(channel.sum()) for channel in labels)
    print(f"Time steps: {num_steps}, anomalous: {anomalous}, normal: {num_steps - anomalous}")
    if 0 < anomalous < num_steps:
        return True
    kind = "anomalous" if anomalous else "normal"
    print(f"Time-step ROC AUC and average precision are not defined: all {num_steps} time steps are {kind}.")
    return False


def print_headline(model: Result) -> None:
    """The two numbers that stand for the run."""
    for metric, words in (("roc_auc", "ROC AUC"), ("average_precision", "Average Precision (AP)")):
        low, high = model.confidence.get(metric) or (None, None)
        interval = "" if low is None else f"  (95 % interval over channels {low:.3f} to {high:.3f})"
        print(f"Time-step {words}: {model.parts[POOLED][metric]:.4f}{interval}")
