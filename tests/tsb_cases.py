"""Made-up series and scores on which the code of the TSB-AD benchmark was run; what it gave is in oracle/tsb_ad.json.

Made by this file in an environment of its own, with TSB-AD 1.5 and statsmodels of PyPI, numpy < 2, none of which the
project needs:

    python tests/tsb_cases.py SMAP_FOLDER > tests/oracle/tsb_ad.json

SMAP_FOLDER holds the published test/<channel>.npy of SMAP and MSL.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def wave(steps: int, period: float, noise: float, seed: int) -> Series:
    """A sine with noise."""
    rng = np.random.default_rng(seed)
    return np.sin(2 * np.pi * np.arange(steps) / period) + noise * rng.uniform(-1, 1, steps)


def switched(steps: int, seed: int) -> Series:
    """A command: 0 or 1, changing now and then."""
    return (np.cumsum(np.random.default_rng(seed).random(steps) < 0.01) % 2).astype(float)


def walk(steps: int, seed: int) -> Series:
    """A random walk."""
    return np.cumsum(np.random.default_rng(seed).uniform(-1, 1, steps))


def period_cases() -> dict[str, Series]:
    """Series (T,) by name."""
    return {
        "period 50": wave(3000, 50, 0.3, 0),
        "period 4, below the range": wave(2000, 4, 0.0, 1),
        "period 7": wave(900, 7, 1.0, 2),
        "period 302": wave(6000, 302, 0.05, 3),
        "period 310, out of range": wave(6000, 310, 0.0, 4),
        "uniform noise": np.random.default_rng(5).random(1500),
        "random walk": walk(4000, 6),
        "a command": switched(5000, 7),
        "nine levels in turn": np.arange(700) % 9.0,
        "another period after 20,000 steps": np.append(wave(20_000, 40, 0.5, 8), 9 * wave(8000, 90, 0.5, 9)),
        "300 steps": wave(300, 60, 0.2, 10),
        "12 steps": walk(12, 11),
        "a line": np.arange(1000.0),
        "at rest": np.full(1000, 0.1),
    }


def labels_of(steps: int, *intervals: tuple[int, int]) -> NDArray[np.int64]:
    """Labels (T,): 1 inside the intervals, both ends included."""
    labels = np.zeros(steps, dtype=np.int64)
    for start, end in intervals:
        labels[start : end + 1] = 1
    return labels


def score_cases() -> dict[str, tuple[NDArray[np.int64], Series, int, bool]]:
    """By name labels (T,), scores (T,), the largest window, and whether 250 quantiles of the scores are all there are.

    So they are of at most 250 steps, and of few scores that are all frequent.
    """
    rng = np.random.default_rng(0)
    one, two = labels_of(250, (100, 130)), labels_of(240, (50, 60), (70, 72), (200, 239))
    many = labels_of(3000, (400, 520), (700, 710), (735, 760), (2500, 2600))
    return {
        "one interval": (one, rng.random(250) + 0.6 * one, 20, True),
        "noise": (two, rng.random(240), 33, True),
        "from the first step on": (labels_of(200, (0, 20), (90, 100)), rng.random(200), 50, True),
        "the labels": (two, two.astype(float), 16, True),
        "ten scores": (many, np.floor(10 * (rng.random(3000) + 0.6 * many) / 2), 60, True),
        "late": (many, np.roll(many, 30) + np.floor(3 * rng.random(3000)), 125, True),
        "3,000 scores": (many, rng.random(3000) + 0.5 * many, 100, False),
        "a smooth score": (many, np.convolve(many, np.ones(64) / 64, "same") + 0.2 * rng.random(3000), 100, False),
    }


# channel -> labelled intervals, largest window; scored by `rough_score`
REAL_CASES = {
    "T-9": (((780, 810), (890, 970)), 9),
    "A-6": (((1890, 1930),), 6),
    "D-5": (((4800, 4850),), 6),
    "F-4": (((2700, 2770),), 228),
}


def rough_score(series: Series) -> Series:
    """How far column 0 of a series (T, D) is from its median of the first 500 steps, averaged over 33 steps: (T,)."""
    distance = np.abs(series[:, 0] - np.median(series[:500, 0]))
    return np.convolve(distance, np.ones(33) / 33, "same")


def main() -> None:
    """Run the benchmark's own code."""
    from TSB_AD.evaluation.basic_metrics import generate_curve
    from TSB_AD.utils.slidingWindows import find_length_rank

    windows = {name: int(find_length_rank(series.reshape(-1, 1), rank=1)) for name, series in period_cases().items()}
    volumes = {}
    for name, (labels, scores, window, _) in score_cases().items():
        *_, vus_roc, vus_pr = generate_curve(labels, scores, window, "opt", 250)
        volumes[name] = {"vus_roc": float(vus_roc), "vus_pr": float(vus_pr)}
    arrays = {path.stem: np.load(path) for path in sorted((Path(sys.argv[1]) / "test").glob("*.npy"))}
    real_windows = {name: int(find_length_rank(array[:, :1], rank=1)) for name, array in arrays.items()}
    real_volumes = {}
    for name, (intervals, window) in REAL_CASES.items():
        labels = labels_of(len(arrays[name]), *intervals)
        *_, vus_roc, vus_pr = generate_curve(labels, rough_score(arrays[name]), window, "opt", 250)
        real_volumes[name] = {"vus_roc": float(vus_roc), "vus_pr": float(vus_pr)}
    found = {"windows": windows, "volumes": volumes, "real_windows": real_windows, "real_volumes": real_volumes}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
