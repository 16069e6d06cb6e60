"""A month of a spacecraft by the default recipe: its three faults are its highest scores and its alarms, by sensor."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import main
from runtime import errors

DAYS, DAY = 30, 1440
FAULTS = {  # sensor -> first minute and length
    "bus current [A]": (22 * DAY + 300, 6 * 60),
    "battery temperature [degC]": (25 * DAY + 700, 8 * 60),
    "wheel 1 [rpm]": (28 * DAY + 200, 3 * 60),
}


def wander(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Noise of deviation 1 with a memory of about ten minutes."""
    return np.array(pd.Series(rng.normal(size=steps)).ewm(alpha=0.1, adjust=False).mean()) * np.sqrt(19)


def spacecraft(seed: int) -> pd.DataFrame:
    """Twelve sensors by the minute: orbits of 95 minutes, days, duty cycles, set points, counts, a constant."""
    rng = np.random.default_rng(seed)
    steps = DAYS * DAY
    minute = np.arange(steps)
    sun = (minute % 95 < 60).astype(float)
    warm = np.array(pd.Series(sun).ewm(alpha=1 / 12, adjust=False).mean())
    day = np.sin(2 * np.pi * minute / DAY)
    heater = (minute % 47 < 12).astype(float)
    momentum = 900 * np.sin(2 * np.pi * minute / 190) + 250 * day
    load = np.repeat(rng.choice([0.0, 0.6, 1.1], size=steps // 60 + 1), 60)[:steps]

    def noisy(values: np.ndarray, size: float) -> np.ndarray:
        return values + size * (0.6 * rng.normal(size=steps) + 0.4 * wander(rng, steps))

    columns = {
        "bus voltage [V]": noisy(28 + 1.5 * sun - 0.4 * load, 0.08),
        "bus current [A]": noisy(4 + 1.2 * load + 0.5 * heater, 0.06),
        "array current [mA]": noisy(5200 * sun * (0.9 + 0.1 * warm), 40),
        "battery temperature [degC]": noisy(12 + 6 * warm + 1.5 * day, 0.15),
        "panel temperature [K]": noisy(240 + 90 * warm, 1.5),
        "tank pressure [Pa]": noisy(1.8e6 + 3e4 * warm, 2e3),
        "heater": heater,
        "wheel 1 [rpm]": noisy(2500 + momentum, 12),
        "wheel 2 [rpm]": noisy(-1800 - 0.7 * momentum, 12),
        "magnetometer [T]": noisy(3e-5 * np.cos(2 * np.pi * minute / 95), 4e-7),
        "frames": (minute * 7) % 4096,
        "mode": np.full(steps, 3.0),
    }
    for name, (first, length) in FAULTS.items():
        fault = slice(first, first + length)
        if "current" in name:
            columns[name][fault] *= 0.55
        elif "temperature" in name:
            columns[name][fault] += np.linspace(0, 14, length)
        else:
            columns[name][fault] = columns[name][first]
    frame = pd.DataFrame(columns)
    frame.insert(0, "time", pd.date_range("2026-03-01", periods=steps, freq="min").strftime("%Y-%m-%dT%H:%M:%SZ"))
    for name in ("bus voltage [V]", "tank pressure [Pa]", "wheel 2 [rpm]"):  # where a sensor did not answer
        for first in rng.integers(0, steps - 200, size=6):
            frame.loc[first : first + int(rng.integers(1, 150)), name] = np.nan
    lost = np.zeros(steps, dtype=bool)  # rows that the ground never received
    for first in rng.integers(0, steps - 400, size=12):
        lost[first : first + int(rng.integers(2, 300))] = True
    for first, length in FAULTS.values():
        lost[first - 60 : first + length + 60] = False
    return frame[~lost]


def times_of_faults() -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
    """When each begins and ends, by its sensor."""
    start = pd.Timestamp("2026-03-01", tz="UTC")
    spans = {name: (first, first + length) for name, (first, length) in FAULTS.items()}
    return {name: tuple(start + pd.Timedelta(minute, "min") for minute in span) for name, span in spans.items()}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_highest_scores_and_the_alarms_of_a_month_are_its_faults(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    errors.note.cache_clear()
    frame = spacecraft(seed)
    frame.to_csv("craft.csv", index=False)
    recipe = Path(main.__file__).parent / "configs" / "telemetry.py"
    flags = ["--config", str(recipe), "--data-path", "craft.csv", "--no-report"]
    assert main.main([*flags, "--vis-top-k", "0"]) == 0
    assert "a step is 1 min" in capsys.readouterr().out
    (run,) = Path("work_dirs").rglob("last.pt")
    assert main.main(["--mode", "score", "--run", str(run.parent), "--data-path", "craft.csv", "--no-report"]) == 0

    scores = pd.read_csv(run.parent / "scored" / "craft" / "scores.csv", parse_dates=["time"])
    assert len(scores) == len(frame) and (scores["time"] == pd.to_datetime(frame["time"]).to_numpy()).all()
    scores = scores[scores["time"] >= "2026-03-16"].set_index("time")
    found = []
    for _ in FAULTS:
        peak = scores["score"].idxmax()
        found.append((peak, scores.loc[peak, "highest_column"]))
        scores.loc[peak - pd.Timedelta("12h") : peak + pd.Timedelta("12h"), "score"] = -1
    expected, margin = times_of_faults(), pd.Timedelta("30min")
    assert {name for _, name in found} == set(expected), found
    for peak, name in found:
        assert expected[name][0] - margin <= peak <= expected[name][1] + margin
    for folder in (run.parent / "scores", run.parent / "scored" / "craft"):
        check_alarms(pd.read_csv(folder / "alarms.csv", parse_dates=["start_time", "end_time"]))
    shutil.rmtree("work_dirs")


def check_alarms(alarms: pd.DataFrame) -> None:
    """Every fault is one alarm and an incident of its own, its sensor comes first; few alarms are elsewhere."""
    told = {}
    for name, (start, end) in times_of_faults().items():
        of_fault = alarms[(alarms["start_time"] <= end) & (alarms["end_time"] >= start)]
        assert len(of_fault) == 1, f"{name}: {len(of_fault)} alarms"
        (told[name],) = of_fault["incident"]
        assert of_fault["columns"].item().startswith(f"{name} "), of_fault["columns"].item()
    assert len(set(told.values())) == len(FAULTS)
    assert len(alarms) - len(FAULTS) <= 5
