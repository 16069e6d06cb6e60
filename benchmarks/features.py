"""Which extractor, head and fleet suit series best: tried on made-up fleets, and on training that was held out.

    uv run python -m benchmarks.features                              two made-up fleets: some minutes
    uv run python -m benchmarks.features --data-path data/smap             held-out training of SMAP and MSL, too
    uv run python -m benchmarks.features --only "telemetry memory"    some of the variants
    uv run python -m benchmarks.features --weights FILE               resnet18 weights from a file (default: random)
    uv run python -m benchmarks.features --short 300 750              sensors known for so few steps, in place of fleets

Printed for every variant and set: pooled ROC AUC / AP, their mean per channel, event F1, and the share of normal steps
under alarm. The sets: `validation`, of the processes that pretraining draws from, but no channel of it; `plants`, the
fleets of benchmarks/alarms.py, whose processes and faults have nothing to do with those; `held out`, the last 40 % of
every training series of SMAP and MSL, in which faults were planted, after the first 60 %; `short N`, the sensors of
benchmarks/short.py, and `alone N`, channels as those of `validation`, each known for N steps and by a run of its own,
in units of its own (`scaling` auto), as a table of one sensor is. No label of SMAP, MSL or of other data is read.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import default_rng
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

import msflow
from benchmarks import alarms
from benchmarks.short import CHANNELS as ALONE
from benchmarks.short import NEW as NEW_ALONE
from benchmarks.short import make_short
from data.synthetic.faults import FAULTS, Stretch, fault_length
from data.synthetic.fleet import make_fleet
from data.synthetic.processes import Array, log_uniform
from data.telemanom import TelemanomSource
from metrics.events import event_metrics
from runtime.errors import exit_code, unknown_name

CHANNELS, KNOWN, NEW = 72, 2500, 3000  # of the validation fleet, and steps
CUT, SLOT = 0.6, 600  # share of a real training series that trains, and steps with one fault at most
LEAST = 0.08  # root mean square change that is a fault
VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    **{
        f"{extractor} {head}": {"extractor": extractor, "head": head}
        for extractor in (
            "telemetry",
            "transformer",
            "recurrent",
            "telemetry+transformer+recurrent",
            "resnet18",
            "telemetry+resnet18",
        )
        for head in ("gaussian", "memory", "combined")
    },
    "telemetry flow": {"extractor": "telemetry", "head": "flow"},
    "resnet18 flow": {"extractor": "resnet18", "head": "flow"},
    **{f"fleet {offset:g}": {"fleet_offset": offset} for offset in (0.15, 0.35, 3.0)},
    "no fleet": {"fleet_size": 0},
    **{f"floor {floor:g}": {"gaussian_floor": floor} for floor in (0.02, 0.1, 0.2)},
    **{f"smooth {steps}": {"smooth": steps} for steps in (16, 32)},
    **{f"clip {limit:g}": {"clip": limit} for limit in (8.0, 16.0, 64.0)},
    "one scale": {"time_scales": [1]},
    "two scales": {"time_scales": [1, 2]},
    "four scales": {"time_scales": [1, 2, 4, 8]},
    **{f"std {std:g}": {"img_std": [std] * 3} for std in (0.3, 0.1, 0.01)},
}


@dataclass(frozen=True, eq=False)
class Fleet:
    """Training and test series (T,) by channel, and labels (T,) of the latter; `alone`: each channel is a run."""

    train: dict[str, Array]
    test: dict[str, Array]
    labels: dict[str, NDArray[np.bool_]]
    alone: bool = False

    @classmethod
    def of(cls, channels: list[tuple[Array, Array, NDArray[np.bool_]]], alone: bool = False) -> "Fleet":
        """Of unnamed channels."""
        named = ({f"channel {n}": channel[part] for n, channel in enumerate(channels)} for part in range(3))
        return cls(*named, alone)

    def scored(self, settings: dict[str, Any]) -> pd.DataFrame:
        """What `Fitted.score` gives for all channels."""
        if not self.alone:
            return msflow.fit(self.train, **settings).score(self.test)
        settings = settings | {"scaling": "auto"}
        runs = ((name, msflow.fit({name: series}, **settings)) for name, series in self.train.items())
        return pd.concat([run.score({name: self.test[name]}) for name, run in runs], ignore_index=True)


def planted(values: Array, other: Array, seed: int) -> tuple[Array, NDArray[np.bool_]]:
    """A series (T,) with faults that are told from its own changes, and where they are, (T,)."""
    rng = default_rng([seed, 77])
    found, odd = values.copy(), np.zeros(len(values), dtype=bool)
    for slot in np.array_split(np.arange(len(values)), max(len(values) // SLOT, 1)):
        if len(slot) < 60 or rng.uniform() < 0.3:
            continue
        for _ in range(8):
            length = fault_length(rng, min(len(slot) - 2, 300))
            start = int(slot[0] + rng.integers(1, len(slot) - length))
            place = slice(start, start + length)
            pace = 1 + rng.choice([-0.4, -0.25, 0.3, 0.6, 1.0])
            fast = np.interp(start + np.arange(length) * pace, np.arange(len(values)), values)
            size = log_uniform(rng, 0.12, 1.2) * max(np.ptp(values) / 2, 0.3)
            fault = FAULTS[int(rng.integers(len(FAULTS)))]
            new = fault(Stretch(values[place], values, other[place], fast, size), rng).clip(-4, 4)
            if np.sqrt(np.mean((new - values[place]) ** 2)) > LEAST:
                found[place], odd[place] = new, True
                break
    return found, odd


def held_out(folder: Path) -> Fleet:
    """The training series of SMAP and MSL, cut in two, with faults in the second part."""
    whole = {}
    for spacecraft in ("SMAP", "MSL"):
        source = TelemanomSource(folder, spacecraft)
        whole |= {channel: source.series(channel, "train")[:, 0].clip(-4, 4) for channel in source.channels}
    names = sorted(whole)
    channels = []
    for number, name in enumerate(names):
        values, cut = whole[name], int(CUT * len(whole[name]))
        other = whole[names[int(default_rng([number, 77]).integers(len(names)))]]
        channels.append((values[:cut], *planted(values[cut:], np.resize(other, len(values) - cut), number)))
    return Fleet.of(channels)


def judged(fleet: Fleet, settings: dict[str, Any]) -> str:
    """The figures of a fleet, scored with settings."""
    rows = dict(list(fleet.scored(settings).groupby("channel", sort=False)))
    labels = [fleet.labels[channel] for channel in fleet.test]
    scores = [rows[channel]["score"].to_numpy() for channel in fleet.test]
    alarmed = [rows[channel]["alarm"].to_numpy().astype(bool) for channel in fleet.test]
    pairs = [(y, s) for y, s in zip(labels, scores, strict=True) if 0 < y.sum() < len(y)]
    truth, mask, pooled = (np.concatenate(arrays) for arrays in (labels, alarmed, scores))
    events = event_metrics(truth, mask, [len(y) for y in labels])
    means = [np.mean([measure(*pair) for pair in pairs]) for measure in (roc_auc_score, average_precision_score)]
    figures = (roc_auc_score(truth, pooled), average_precision_score(truth, pooled), *means)
    return "{:.3f}/{:.3f} {:.3f}/{:.3f}".format(*figures) + f" {events.f1 or 0:.3f} {mask[~truth].mean():5.1%}"


def run(argv: list[str] | None) -> None:
    """Print a line for every variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-path", type=Path, help="folder of SMAP and MSL (default: none)")
    parser.add_argument("--short", nargs="+", type=int, default=[], metavar="STEPS", help="of training (default: none)")
    parser.add_argument("--recipe", default="line", help="of configs/ (default: line)")
    parser.add_argument("--weights", default="random", help="of resnet18, as the setting (default: random)")
    parser.add_argument("--scaling", default="none", help="as the setting; auto: as in tables (default: none, as SMAP)")
    parser.add_argument("--seed", type=int, default=0, help="of the made-up fleets (default: 0)")
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), metavar="VARIANT", help="(default: all)")
    given = parser.parse_args(argv)
    for name in given.only:
        if name not in VARIANTS:
            raise unknown_name("variant", name, list(VARIANTS))
    sets = {}
    if not given.short:
        sets["validation"] = Fleet.of(make_fleet(given.seed, CHANNELS, KNOWN, NEW))
        sets["plants"] = Fleet(*alarms.make_fleet(given.seed + 1, True, (2500, 4000)))
    if given.data_path:
        sets["held out"] = held_out(given.data_path)
    for steps in given.short:
        sets[f"short {steps}"] = Fleet.of(make_short(given.seed, steps), alone=True)
        sets[f"alone {steps}"] = Fleet.of(make_fleet(given.seed + 50, ALONE, steps, NEW_ALONE), alone=True)
    print(f"{'variant':28}", *(f"{name:38}" for name in sets), "seconds")
    for name in given.only:
        settings = {"recipe": given.recipe, "scaling": given.scaling, **VARIANTS[name]}
        if "resnet18" in settings.get("extractor", ""):
            settings["weights"] = "+".join(
                given.weights if part == "resnet18" else "auto" for part in settings["extractor"].split("+")
            )
        began = time.monotonic()
        cells = [judged(fleet, settings) for fleet in sets.values()]
        print(f"{name:28}", *(f"{cell:38}" for cell in cells), f"{time.monotonic() - began:.0f}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
