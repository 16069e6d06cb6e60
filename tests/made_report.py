"""A made report: texts that attack the page, channels drawn whole and thinned, and values that are missing."""

import numpy as np

from metrics.events import Alarm
from report import ChannelView, Curve, Report, Table

EVIL = '</script><img src="http://x/y">&amp;/..'
# steps: one channel that is drawn step by step, one that is decimated, one with hostile names
LENGTHS = {"A-1": 900, "A-10": 25_000, EVIL: 300}
AUROCS = {"A-1": 0.25, "A-10": None, EVIL: 0.7512345678901234}


def make_channel(name: str, steps: int) -> ChannelView:
    rng = np.random.default_rng(steps)
    scores = np.abs(rng.normal(size=steps))
    scores[steps // 4 : steps // 4 + 5] = np.nan
    scores[steps // 2 + 3] = 9.0
    columns = {f"value <i>{name}</i>": np.sin(np.arange(steps) / 9), "$command$": np.arange(steps) // 50 % 2}
    metrics = {"steps": steps, "ROC AUC": AUROCS[name], "spread": np.float32(0.5), "kind": f"<b>{name}"}
    intervals, alarms = (
        [(steps // 2, steps // 2 + 20), (steps - 1, steps - 1)],
        [Alarm(steps // 2, steps // 2 + 9, 9.0)],
    )
    return ChannelView(name, columns, scores, intervals, alarms, 2.5, metrics)


def make_report(**changes: object) -> Report:
    x = np.linspace(0, 1, 5000)
    content = {
        "title": f"Test {EVIL}",
        "verdict": f"The model is BELOW {EVIL}",
        "headline": Table(
            ["score", "ROC AUC", "AP", "steps"],
            [["model <1>", 0.65312345, 0.2, 1_234_567], ["position t/T", 0.801, None, float("nan")]],
            groups=[("", 1), ("pooled", 2), ("more", 1)],
            ranked=(1, 2),
            highlight=0,
        ),
        "roc": [Curve("model <1>", x, np.sqrt(x), 0.653), Curve("position t/T", x[::-1], x[::-1] ** 0.25, 0.801)],
        "pr": [Curve("model <1>", x, 1 - x, 0.187), Curve("position t/T", x[::-1], 1 - x[::-1] ** 2, 0.268)],
        "prevalence": 0.128,
        "channels": [make_channel(name, steps) for name, steps in LENGTHS.items()],
        "facts": {"weights": "resnet18 <approximate>", "version": "1.0"},
        "notes": ["ROC AUC: area under <the> curve: yes", "no term here"],
    }
    return Report(**(content | changes))
