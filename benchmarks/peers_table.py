"""The table of benchmarks/peers.py: its lines, and the markdown that shows them."""

from dataclasses import dataclass

import numpy as np

OWN = "msflow"  # what all others are compared with
HEADINGS = {
    "pooled": ("pooled_roc_auc", "pooled_average_precision"),
    "per channel": ("per_channel_roc_auc", "per_channel_average_precision"),
    "second half": ("second_half_roc_auc", "second_half_average_precision"),
    "VUS-PR": ("vus_pr",),
    "event P / R / F1": ("event_precision", "event_recall", "event_f1"),
    "normal alarmed": ("normal_alarmed_share",),
    "quiet": ("quiet_alarms",),
}
BURDENS = ("normal_alarmed_share", "quiet_alarms")  # little of which is no merit of what raises no alarms
LEGEND = """ROC AUC / average precision, as the scores are and, "mean of n", of their moving mean, as MSFlow's recipe
takes it; **bold**: above MSFlow's. VUS-PR: pooled; of the series of TSB-AD (SMAP-M and so on) the mean over
series, with the window and the 250 thresholds of its code. Normal alarmed: share of normal steps under alarm; quiet:
alarms per 10,000 steps of held-out training. Difference: 95 % interval of MSFlow's pooled ROC AUC, or of its mean
VUS-PR, less this one's, channels drawn with replacement, last seed. Seconds of processors, and GB, the most memory:
training and scoring."""
# means of VUS-PR of the same series, from the per-series tables that TSB-AD's authors and those of CHARM and TSPulse
# publish. Not like for like: theirs were tuned on other series of the benchmark, and most see all columns alike
PUBLISHED = {
    "SMAP-M": {
        "CHARM_kNN": 0.722, "KMeansAD": 0.380, "TSPulse, fine-tuned": 0.310, "CNN": 0.191, "OmniAnomaly": 0.124,
        "USAD": 0.108, "TranAD": 0.087,
    },
    "MSL-M": {
        "CHARM_kNN": 0.537, "KMeansAD": 0.435, "CNN": 0.352, "TranAD": 0.242, "USAD": 0.226, "OmniAnomaly": 0.216,
        "TSPulse, fine-tuned": 0.199,
    },
    "SMAP-U": {
        "CHARM_kNN": 0.866, "TSPulse, fine-tuned": 0.704, "KMeansAD": 0.632, "CNN": 0.344, "USAD": 0.275,
        "OmniAnomaly": 0.147, "TranAD": 0.127,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of peers.csv; intervals are of MSFlow less this, by paired resamples of the channels."""

    data: str
    detector: str
    seed: int
    smooth: int
    pooled_roc_auc: float
    pooled_average_precision: float
    per_channel_roc_auc: float
    per_channel_average_precision: float
    second_half_roc_auc: float
    second_half_average_precision: float
    vus_pr: float
    event_precision: float
    event_recall: float
    event_f1: float
    normal_alarmed_share: float
    quiet_alarms: float
    lower: float
    upper: float
    seconds: float
    gigabytes: float
    command: str


def as_markdown(rows: list[Row], machine: str) -> str:
    """A table per data set: means over the seeds with their deviations, and where a peer is ahead of MSFlow."""
    lines = ["# MSFlow beside its peers\n", f"Made by `uv run python -m benchmarks.peers`. {machine}\n", LEGEND]
    for data in dict.fromkeys(row.data for row in rows):
        found: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            if row.data == data:
                found.setdefault((row.detector, row.smooth), []).append(row)
        own = next((members for (name, _), members in found.items() if name == OWN), [])
        lines.append(f"\n## {data}\n")
        lines.append(f"| detector | {' | '.join(HEADINGS)} | difference | seeds | seconds | GB | command |")
        lines.append("|---" * (len(HEADINGS) + 6) + "|")
        lines += [_line(members, own) for members in found.values()]
        blank = " | " * (len(HEADINGS) - 4)
        for name, volume in PUBLISHED.get(data, {}).items():
            lines.append(f"| {name}, as published | | | | {_number(volume, 3)} {blank}| | | | | |")
    return "\n".join(lines) + "\n"


def _line(rows: list[Row], own: list[Row]) -> str:
    """The line of one way to score, by its rows of several seeds."""
    last = rows[-1]
    averaged = f", mean of {last.smooth}" if last.smooth > 1 and "--smooth" in last.command else ""
    title = last.detector.replace("|", "\\|") + averaged
    cells = [" / ".join(_figure(name, rows, own) for name in names) for names in HEADINGS.values()]
    ends = "" if np.isnan(last.lower) else f"{last.lower:+.3f} to {last.upper:+.3f}"
    timed = [row.seconds for row in rows if not np.isnan(row.seconds)]  # some ran beside other work, by the clock
    cost = f"{f'{np.mean(timed):.0f}' if timed else '-'} | {_number(max(row.gigabytes for row in rows), 1)}"
    return f"| {title} | {' | '.join(cells)} | {ends} | {len(rows)} | {cost} | `uv run {rows[0].command}` |"


def _figure(name: str, rows: list[Row], own: list[Row]) -> str:
    """Mean over the seeds and their deviation; bold where it is above MSFlow's own."""
    values, its = ([getattr(row, name) for row in members] for members in (rows, own))
    text = _number(np.mean(values), 3)
    if len(values) > 1:
        text += f" ± {_number(np.std(values, ddof=1), 3)}"
    ahead = its and rows is not own and name not in BURDENS and np.mean(values) > np.mean(its)
    return f"**{text}**" if ahead else text


def _number(value: float, digits: int) -> str:
    return (
        "-" if np.isnan(value) else f"{value:.{digits}f}".removeprefix("0") if 0 <= value < 1 else f"{value:.{digits}f}"
    )
