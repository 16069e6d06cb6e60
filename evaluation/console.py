"""What an evaluation prints."""

import numpy as np
import pandas as pd

from evaluation.alarms import under_alarm
from evaluation.frames import Scored
from evaluation.judge import HEAVY, HEAVY_FACTOR, PARTS, POOLED, Labelled, Result, labelled_channels
from metrics.table import printed_columns

SHOWN = 10  # alarms that are printed


def print_tables(results: list[Result]) -> None:
    """AUROC and average precision by part of the steps, then the other metrics of the pooled steps."""
    parts = [name for name in PARTS if name in results[0].parts]
    print(f"\n{'ROC AUC, AP':20}" + "".join(f"{PARTS[name].heading:>12}" for name in parts))
    for result in results:
        pairs = [(result.parts[n]["roc_auc"], result.parts[n]["average_precision"]) for n in parts]
        print(f"{result.name:20}" + "".join(f" {_cell(auroc)} {_cell(ap)}" for auroc, ap in pairs))
    if HEAVY in parts:
        print(f"heavy: channels with more than {HEAVY_FACTOR} times the mean number of labelled steps")
    for table, name in (("ranking", "pooled: ranking of steps"), ("alarms", "pooled: alarms")):
        shown = printed_columns(table, results[0].parts[POOLED])
        print(f"\n{name:24}" + "".join(f"{column.printed:>{column.width}}" for column in shown))
        for result in results:
            print(f"{result.name:24}" + "".join(column.cell(result.parts[POOLED][column.name]) for column in shown))
    print(
        "normal: share of normal steps under alarm; delay: median steps to the alarm;\n"
        "quiet: alarms per 10,000 steps of training that was held out."
    )


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>5}"


def print_counts(labels: Labelled) -> bool:
    """Print the counts of steps; returns whether both classes are there, and says why nothing follows if not."""
    known = [labels[number] for number in labelled_channels(labels)]
    if len(known) < len(labels):
        print(f"Channels that nobody has labelled, which count in no metric: {len(labels) - len(known)}.")
    num_steps, anomalous = sum(map(len, known)), sum(int(channel.sum()) for channel in known)
    print(f"Time steps: {num_steps}, anomalous: {anomalous}, normal: {num_steps - anomalous}")
    if 0 < anomalous < num_steps:
        return True
    kind = "anomalous" if anomalous else "normal"
    print(f"Time-step ROC AUC and average precision are not defined: all {num_steps} time steps are {kind}.")
    return False


def print_alarms(scored: list[Scored], alarms: pd.DataFrame) -> None:
    """The counts of steps and alarms, and the alarms with the highest scores: when, how high, which columns."""
    steps = sum(int(np.isfinite(channel.scores).sum()) for channel in scored)
    alarmed = sum(
        int(under_alarm(channel.alarms, len(channel.scores))[np.isfinite(channel.scores)].sum()) for channel in scored
    )
    share = alarmed / max(steps, 1)
    print(f"Scored: {len(scored)} channel(s), {steps} steps. Alarms: {len(alarms)}, over {share:.1%} of the steps.")
    if not len(alarms):
        return
    zones = {str(channel.times.tz or "") for channel in scored if channel.times is not None}
    zone = f" ({zones.pop()})" if len(zones) == 1 and zones != {""} else ""
    print(f"\n{'score':>9} {'/limit':>7}  {'from' + zone:19} {'to':19} channel: columns")
    for alarm in alarms.sort_values("peak_score", ascending=False, kind="stable").head(SHOWN).itertuples():
        start, end = (
            f"step {step}" if pd.isna(time) else f"{time:%Y-%m-%d %H:%M:%S}"
            for step, time in ((alarm.start, alarm.start_time), (alarm.end, alarm.end_time))
        )
        above = f"{alarm.peak_score / alarm.threshold:.1f}" if alarm.threshold and alarm.threshold > 0 else "-"
        what = f"{alarm.channel}: {alarm.columns}" if alarm.columns else alarm.channel
        print(f"{alarm.peak_score:9.4g} {above:>7}  {start:19} {end:19} {what}")
    if len(alarms) > SHOWN:
        print(f"{'':>9} and {len(alarms) - SHOWN} more, with lower scores")


def print_headline(model: Result) -> None:
    """The two numbers that stand for the run."""
    for metric, words in (("roc_auc", "ROC AUC"), ("average_precision", "Average Precision (AP)")):
        low, high = model.confidence.get(metric) or (None, None)
        interval = "" if low is None else f"  (95 % interval over channels {low:.3f} to {high:.3f})"
        print(f"Time-step {words}: {model.parts[POOLED][metric]:.4f}{interval}")
