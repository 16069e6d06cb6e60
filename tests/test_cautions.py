"""What makes a result worse than it looks is said, of new data that a run scores as of those it was tested on."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_frames_of_scores import scored

import main
from evaluation.cautions import cautions
from runtime import errors
from settings.load import load_config

RECIPE = Path(main.__file__).parent / "configs" / "telemetry.py"
COLUMNS = ("flow", "tank level")


def plant(steps: int, seed: int = 0) -> pd.DataFrame:
    """Two quiet sensors, a row a minute."""
    rng = np.random.default_rng(seed)
    step = np.arange(steps)
    values = [20 + 3 * np.sin(step / 20) + 0.2 * rng.normal(size=steps), 5 + 0.1 * rng.normal(size=steps)]
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), pd.date_range("2026-01-01", periods=steps, freq="min"))


def run(folder: Path, training: pd.DataFrame, *flags: str) -> Path:
    """Learn from all but the last 500 rows; returns the folder of the run."""
    folder.mkdir(exist_ok=True)
    training.to_csv(folder / "plant.csv", index_label="time")
    data = ["--data-path", str(folder / "plant.csv"), "--train-until", str(len(training) - 500)]
    # what is odd for most of a series does not stand out of it
    where = [
        "--contrast",
        "0",
        "--weights",
        "random",
        "--no-report",
        "--vis-top-k",
        "0",
        "--work-dir",
        str(folder / "runs"),
    ]
    assert main.main(["--config", str(RECIPE), *data, *where, *flags]) == 0
    (last,) = (folder / "runs").rglob("last.pt")
    return last.parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("cautions"), plant(3500))


def warned(trained: Path, new: pd.DataFrame, capsys: pytest.CaptureFixture, *flags: str) -> list[str]:
    """What scoring a new table warns of."""
    new.to_csv(trained / "november.csv", index_label="time")
    errors.warn.cache_clear()
    capsys.readouterr()
    flags = ("--mode", "score", "--run", str(trained), "--data-path", str(trained / "november.csv"), *flags)
    assert main.main(list(flags)) == 0
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]


def alarms(trained: Path) -> pd.DataFrame:
    return pd.read_csv(trained / "scored" / "november" / "alarms.csv")


def test_of_quiet_data_nothing_is_said(trained: Path, capsys: pytest.CaptureFixture) -> None:
    assert warned(trained, plant(1500, seed=1), capsys) == []


def test_values_that_are_cut_off(trained: Path, capsys: pytest.CaptureFixture) -> None:
    new = plant(2000, seed=1)
    new.iloc[700:760, 1] += 3
    (told,) = warned(trained, new, capsys)
    assert told == "warning: values beyond clip = 4 are cut off: plant tank level 3.0%"
    assert len(alarms(trained)) == 1


def test_values_far_outside_of_training(trained: Path, capsys: pytest.CaptureFixture) -> None:
    new = plant(2000, seed=1)
    new.iloc[700:1000, 1] -= 3
    told = warned(trained, new, capsys)
    assert told[-1].endswith("everything seen in training (has the level moved?): plant tank level 15%")
    assert "values beyond clip" in told[0] and len(told) == 2


def test_a_level_that_has_moved(trained: Path, capsys: pytest.CaptureFixture) -> None:
    new = plant(6000, seed=1)
    new.iloc[1000:, 1] += 3
    told = "\n".join(warned(trained, new, capsys))
    (alarm,) = alarms(trained).itertuples()
    assert abs(alarm.start - 1000) < 128 and alarm.kind == "the level has moved"
    assert "the level has moved since training; after an alarm of so many steps the new one is taken for usual" in told
    assert f"plant at step {alarm.start} ({alarm.end - alarm.start + 1} steps)" in told


def test_gaps(trained: Path, capsys: pytest.CaptureFixture) -> None:
    new = plant(2000, seed=1)
    new.iloc[500:1000] = np.nan
    (told,) = warned(trained, new, capsys)
    assert told.endswith("nothing is scored, at a large share of the steps: plant 25%")


def test_more_than_half_of_the_steps_under_alarm(trained: Path, capsys: pytest.CaptureFixture) -> None:
    new = plant(2000, seed=1)
    new.iloc[400:1600, 1] += 3
    told = [line for line in warned(trained, new, capsys) if "more than half of the steps are under alarm" in line]
    assert len(told) == 1 and 55 < int(told[0].rpartition(" ")[2].rstrip("%")) < 85


def test_short_training(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = run(tmp_path, plant(800))
    (told,) = warned(folder, plant(1500, seed=1), capsys)
    assert "the coarsest features are 128 steps apart, and of less than 2560 training steps little" in told
    assert told.endswith("(--time-scales 1 leaves most of them out): plant 300 steps")


def test_no_step_was_held_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    flow = ("--head", "flow", "--parallel-blocks", "1", "1", "1", "--meta-epochs", "1", "--sub-epochs", "1")
    folder = run(tmp_path, plant(3500), *flow, "--condition", "none", "--held-out", "0")
    new = plant(1500, seed=1)
    (told,) = warned(folder, new, capsys)
    assert "no step of training was held out, so no threshold is learnt and no alarm raised" in told
    assert told.endswith("in 1 of 1 channel(s), which no figure of alarms counts: plant")
    assert len(alarms(folder)) == 0
    assert not any("held out" in line for line in warned(folder, new, capsys, "--threshold", "0.1"))
    assert len(alarms(folder)) > 0


def test_how_many_channels_have_no_threshold() -> None:
    """Whether what their training held is known or not; without any training scores something else is said."""
    found = [replace(scored(np.zeros(50), None if n < 2 else 1.0), channel=f"c{n}") for n in range(3)]
    source, config = SimpleNamespace(source=None), load_config(RECIPE)
    (told,) = cautions(source, found, config, {})
    assert told.endswith("in 2 of 3 channel(s), which no figure of alarms counts: c0, c1")
    assert cautions(source, found[:2], config, {}) == []


def test_of_a_run_that_did_not_keep_what_its_training_held_the_rest_is_said(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = trained / "scores" / "train" / "config.json"
    kept = config.read_text()
    try:
        config.write_text(json.dumps({k: v for k, v in json.loads(kept).items() if k not in ("training", "checksum")}))
        new = plant(2000, seed=1)
        new.iloc[400:1600, 1] += 3
        (told,) = warned(trained, new, capsys)
        assert "more than half of the steps are under alarm" in told
    finally:
        config.write_text(kept)


def test_the_test_of_a_run_says_the_same_as_scoring_the_same_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    table = plant(3500)
    table.iloc[3100:3200, 0] += 40
    errors.warn.cache_clear()
    folder = run(tmp_path, table)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(told) >= 2 and any("values beyond clip = 4 are cut off: plant flow 20.0%" in line for line in told)
    assert warned(folder, table.iloc[3000:], capsys) == told


def recordings(folder: Path) -> Path:
    """Two recordings to learn from, at levels of their own, and two new ones; the last has a column more."""
    for split, names in (("train", "ab"), ("test", "abcd")):
        (folder / split).mkdir(parents=True)
        for name in names:
            table = plant(3000 if split == "train" else 1000, seed=ord(name))
            table["tank level"] += {"a": 0, "b": 4, "c": 40, "d": 4}[name]
            table = table.assign(lamp=0.0) if name == "d" else table
            table.to_csv(folder / split / f"{name}.csv", index_label="time")
    return folder


def test_of_a_recording_that_was_not_in_training_the_same_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """What all of them have been at is known of it, and of all of them."""
    errors.warn.cache_clear()
    flags = ["--data-path", str(recordings(tmp_path / "recordings")), "--shared-density", "--weights", "random"]
    flags += ["--no-report", "--vis-top-k", "0", "--work-dir", str(tmp_path / "runs")]
    assert main.main(["--config", str(RECIPE), *flags]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    (trained,) = (tmp_path / "runs").rglob("last.pt")
    outside = "warning: values far outside everything seen in training (has the level moved?): "
    assert f"{outside}c tank level 100%" in told
    assert "warning: values beyond clip = 4 are cut off: c tank level 100.0%" in told
    assert "warning: columns without any value in training: what they hold is not learnt: d lamp" in told
    assert len(told) == 3, told
    assert warned(trained.parent, plant(1000, seed=1), capsys) == []
    new = plant(1000, seed=1)
    new["tank level"] += 40
    assert f"{outside}november tank level 100%" in warned(trained.parent, new, capsys)
