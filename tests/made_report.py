"""Made reports: texts that attack the page, channels drawn whole and thinned, values that are missing, and times.

And the page read back: its rows, its texts and the series in its JSON.
"""

import json
from html.parser import HTMLParser

import numpy as np
import pandas as pd

from report import AlarmView, ChannelView, Curve, Report, SweepPoint, Table

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
    intervals = [(steps // 2, steps // 2 + 20), (steps - 1, steps - 1)]
    alarms = [make_alarm(steps // 2, steps // 2 + 9, scores, 2.5)]
    return ChannelView(name, columns, scores, intervals, alarms, 2.5, metrics)


def make_alarm(start: int, end: int, scores: np.ndarray, threshold: float | None, **more: object) -> AlarmView:
    at = start + int(np.nanargmax(scores[start : end + 1]))
    return AlarmView(start, end, at, float(scores[at]), threshold, **more)


def make_sweep(channels: list[ChannelView], labelled: bool, factors: int = 9) -> list[SweepPoint]:
    """Thresholds from a quarter to four times those of the channels."""
    points = []
    steps = max(sum(channel.num_steps for channel in channels), 1)
    for factor in 4.0 ** np.linspace(-1, 1, factors):
        alarms = [_runs(channel, factor) for channel in channels]
        number = sum(map(len, alarms))
        figures = {"alarms": number, "alarms per 1,000 steps": 1000 * number / steps}
        if labelled:
            found = [
                _meets(span, spans) for c, spans in zip(channels, alarms, strict=True) for span in c.intervals or []
            ]
            right = [
                _meets(span, c.intervals or []) for c, spans in zip(channels, alarms, strict=True) for span in spans
            ]
            figures["event precision"] = float(np.mean(right)) if right else None
            figures["event recall"] = float(np.mean(found)) if found else None
        points.append(SweepPoint(float(factor), alarms, figures))
    return points


def _runs(channel: ChannelView, factor: float) -> list[tuple[int, int]]:
    """Where the score is above so many times the threshold; at 1 the channel's own alarms."""
    if factor == 1 or channel.threshold is None:
        return [(alarm.start, alarm.end) for alarm in channel.alarms]
    above = np.nan_to_num(channel.scores) > factor * channel.threshold
    edges = np.flatnonzero(np.diff(np.pad(above, 1).astype(int))).reshape(-1, 2)
    return [(int(start), int(stop) - 1) for start, stop in edges]


def _meets(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start <= span[1] and end >= span[0] for start, end in others)


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
    return _with_sweep(content | changes, labelled=True)


def _with_sweep(content: dict, labelled: bool) -> Report:
    return Report(**({"sweep": make_sweep(content["channels"], labelled)} | content))


ZONE = "Europe/Berlin"
CAUSES = [
    [("Current", 0.72), ("Vibration <g>", 0.15)],
    [("Pressure", 0.55), ("Flow", 0.3), ("Current", 0.09)],
    [("Temperature", 0.91)],
]


def make_sensors(name: str = "pump 1", steps: int = 3000, **changes: object) -> ChannelView:
    """A table of sensors without labels: minutes around the end of summer time, a gap in the rows, steps unmeasured.

    Of its twelve columns eight are drawn: one is measured every tenth step only, one is a switch.
    """
    rng = np.random.default_rng(steps)
    minutes = np.arange(steps) + np.where(np.arange(steps) < steps * 2 // 3, 0, 700)
    times = pd.Timestamp("2024-10-26 18:00", tz=ZONE) + pd.to_timedelta(minutes, unit="min")
    masked = np.zeros(steps, dtype=bool)
    masked[steps // 3 : steps // 3 + steps // 20] = True
    names = ["Current", "Voltage", "Pressure", "Flow", "Temperature", "Vibration <g>", "every tenth step", "valve"]
    columns = {
        column: np.sin(np.arange(steps) / (40 + 30 * number)) * (number + 1) + rng.normal(0, 0.1, steps)
        for number, column in enumerate(names)
    }
    columns["every tenth step"][np.arange(steps) % 10 > 0] = np.nan
    columns["valve"] = (np.arange(steps) // 200 % 2).astype(float)
    scores = np.convolve(np.abs(rng.normal(size=steps)), np.ones(20) / 20, "same")
    starts = [steps // 10, steps // 5, steps * 9 // 10]
    alarms = []
    for start, height in zip(starts, (3.0, 8.0, 5.0), strict=True):
        scores[start : start + 40] += height
        nearest = (50, 89) if height == 8.0 else None
        alarms.append(
            make_alarm(
                start,
                start + 39,
                scores,
                2.0,
                columns=CAUSES[len(alarms)],
                kind="level <moved>",
                row="scale 4 level 3",
                nearest=nearest,
                nearest_values={"Pressure": np.sin(np.arange(40) / 9)} if nearest else {},
            )
        )
    for values in (scores, *columns.values()):
        values[masked] = np.nan
    content = {
        "times": pd.DatetimeIndex(times),
        "masked": masked,
        "alarms": alarms,
        "metrics": {"steps": steps, "alarmed": 120 / steps, "unknown": None},
    }
    content = {"threshold": 2.0, "intervals": None, "hidden_columns": 4} | content | changes
    return ChannelView(name=name, columns=columns, scores=scores, **content)


def make_unlabelled(**changes: object) -> Report:
    """What an engineer without labels gets."""
    content = {
        "title": "plant.csv: alarms in 2 channels",
        "verdict": "6 alarms in 2 channels; 4 % of the steps lie under alarm.",
        "headline": None,
        "roc": [],
        "pr": [],
        "prevalence": None,
        "channels": [make_sensors("pump 1", 3000), make_sensors("pump 2", 2400)],
        "facts": {"weights": "none", "version": "1.0"},
        "notes": ["alarmed: share of the steps that an alarm covers"],
        "left_out": 3,
        "warnings": ["The scores drift: <half> of all alarms lie in the last tenth.", "2 columns never change."],
    }
    return _with_sweep(content | changes, labelled=False)


class Page(HTMLParser):
    """Collects what the tests look at; the parser itself never complains, so open tags are counted here."""

    VOID = {"meta", "link", "path", "br", "img", "input"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.rows: list[list[tuple[str, str | None]]] = []
        self.tables: list[int] = []  # of which table, by number, each row is
        self.items: list[str] = []  # texts of the list of alarms
        self.json: dict[str, dict] = {}
        self.text = ""
        self._json = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
            self.tables.append(sum(kind == "table" and name == "class" for kind, name, _ in self.attributes))
        if tag == "li" and "ol" in self.open:
            self.items.append("")
        if tag in ("td", "th"):
            self.rows[-1].append(("", dict(attrs).get("data-value")))
        self._json = dict(attrs).get("id", "") if dict(attrs).get("type") == "application/json" else ""

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            if self._json:
                self.json[self._json] = json.loads(data)
        elif "svg" not in self.open and "style" not in self.open:
            self.text += data
            if "ol" in self.open:
                self.items[-1] += data
            if {"td", "th"} & set(self.open):
                text, value = self.rows[-1][-1]
                self.rows[-1][-1] = (text + data, value)


def steps_of(differences: list[int]) -> list[int]:
    """Steps that the page holds as differences, -n for n differences of 1."""
    ones = [one for difference in differences for one in ([difference] if difference >= 0 else [1] * -difference)]
    return np.cumsum(ones).tolist()


def values_of(series: dict, key: str = "y") -> list[float | None]:
    """Values that the page holds as differences of integers in units of 1 / per."""
    total, values = 0, []
    for difference in series[key]:
        total += difference or 0
        values.append(None if difference is None else total / series["per"])
    return values
