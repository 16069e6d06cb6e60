"""What people brought to tools of this kind, made anew: units, sensors, irregular times, odd recordings, own arrays."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import main
from runtime import errors

RECIPE = str(Path(main.__file__).parent / "configs" / "telemetry.py")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    errors.warn.cache_clear()
    errors.note.cache_clear()


def run(*flags: str, code: int = 0) -> Path:
    """A run of the default recipe; returns its folder of scores."""
    always = ["--config", RECIPE, "--no-report", "--vis-top-k", "0", "--bootstrap", "0"]
    assert main.main([*always, "--vus-window", "0", *flags]) == code
    return next(iter(Path("work_dirs").rglob("timestep_scores.csv")), Path()).parent


def scores_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "timestep_scores.csv", parse_dates=["time"])


def test_a_machine_in_degrees_with_its_failures_as_times(capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(0)
    minutes = np.arange(4000) * 5
    values = 88 + 4 * np.sin(minutes / 600) + 0.8 * rng.normal(size=4000)
    values[2600:2750] -= np.linspace(0, 40, 150)
    times = pd.date_range("2024-12-02 21:15", periods=4000, freq="5min")
    pd.DataFrame({"timestamp": times, "value": values.round(2)}).to_csv("machine.csv", index=False)
    Path("windows.csv").write_text(f"start,end\n{times[2600]},{times[2749]}\n")
    folder = run("--data-path", "machine.csv", "--label-file", "windows.csv", "--train-until", "0.4")
    assert "Time steps: 2400, anomalous: 150" in capsys.readouterr().out
    scores = scores_of(folder)
    assert roc_auc_score(scores["time"].between(times[2600], times[2749]), scores["score"]) > 0.95
    (alarm, *_) = pd.read_csv(folder / "alarms.csv").sort_values("peak_score", ascending=False).itertuples()
    assert pd.Timestamp(alarm.start_time) <= times[2749] and pd.Timestamp(alarm.end_time) >= times[2650]


def test_eight_sensors_with_semicolons_make_one_score_that_names_the_sensor(capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(1)
    steps = np.arange(2400)
    columns = {f"S{k}": 10.0**k * (5 + np.sin(steps / (12 + 3 * k)) + 0.1 * rng.normal(size=2400)) for k in range(8)}
    columns["S6"][1800:1900] *= 1.6
    frame = pd.DataFrame({"datetime": pd.date_range("2020-03-09 10:14:33", periods=2400, freq="s"), **columns})
    frame["anomaly"] = ((steps >= 1800) & (steps < 1900)).astype(float)
    frame["changepoint"] = np.abs(np.diff(frame["anomaly"], prepend=0))
    frame.to_csv("valve.csv", sep=";", index=False)
    folder = run("--data-path", "valve.csv")
    assert "8 columns of values" in capsys.readouterr().out
    scores = scores_of(folder)
    labels = ((scores["step"] >= 600) & (scores["step"] < 700)).to_numpy()
    assert roc_auc_score(labels, scores["score"]) > 0.95
    assert (scores.loc[620:680, "highest_column"] == "S6").all()


@pytest.mark.parametrize("seed", [2, 3])
def test_a_month_at_another_level_at_irregular_times_is_one_alarm(seed: int, capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(seed)
    seconds = 1_577_837_000 + np.cumsum(
        rng.exponential(2400, size=6000).astype(int) + 60 + 172_800 * (rng.random(6000) < 0.001)
    )
    hours = seconds / 3600
    values = 22 + 2.5 * np.sin(2 * np.pi * hours / 24) + 0.3 * rng.normal(size=6000)
    hot = (np.arange(6000) >= 4000) & (np.arange(6000) < 4900)
    values[hot] += 80
    pd.DataFrame({"timestamp": seconds, "value": values.round(2)}).to_csv("box.csv", index=False)
    folder = run("--data-path", "box.csv", "--train-until", "2000")
    output = capsys.readouterr()
    assert "s since 1970, UTC" in output.out and "AUROC" not in output.out and "nothing was measured" in output.err
    alarms = pd.read_csv(folder / "alarms.csv", parse_dates=["start_time", "end_time"])
    alarm, *others = alarms.sort_values("peak_score", ascending=False).itertuples()
    assert len(others) <= 1 and all(other.peak_score < alarm.peak_score / 5 for other in others)
    start, end = (pd.Timestamp(second, unit="s", tz="UTC") for second in seconds[hot][[0, -1]])
    near = pd.Timedelta("3 days")
    assert abs(alarm.start_time - start) < near and abs(alarm.end_time - end) < near
    under = scores_of(folder)["alarm"].mean()
    assert f"4000 steps. Alarms: {len(alarms)}, over {under:.1%} of the steps." in output.out


def recordings(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
    for k in range(6):
        steps = np.arange(1500 + 20 * k)
        series = 0.6 * np.sin(2 * np.pi * steps / (90 if k != 4 else 55) + k) + 0.05 * rng.normal(size=len(steps))
        if k == 5:
            series[800:860] += 0.35 * rng.normal(size=60)
        for split in ("train", "test")[k > 3 :]:
            np.save(folder / split / f"rec{k}.npy", series)


def test_which_recording_is_odd_among_those_that_were_not_in_training(capsys: pytest.CaptureFixture) -> None:
    recordings(Path("recordings"))
    run("--data-path", "recordings", code=2)
    assert "channel rec4 was not in training" in capsys.readouterr().err
    folder = run("--data-path", "recordings", "--shared-density")
    ranking = pd.read_csv(folder / "scores.csv")["chan_id"].tolist()
    assert set(ranking[:2]) == {"rec4", "rec5"}

    new = ["--mode", "score", "--run", str(folder.parent), "--data-path", "recordings/test/rec4.npy", "--no-report"]
    assert main.main(new) == 0
    again = pd.read_csv(folder.parent / "scored" / "rec4" / "scores.csv")
    before = scores_of(folder)
    np.testing.assert_allclose(again["score"], before.loc[before["channel"] == "rec4", "score"], rtol=1e-5)


@pytest.mark.parametrize("seed", [4, 5])
def test_milliseconds_counts_and_bytes_are_comparable(seed: int) -> None:
    """Every metric in its own unit: the scores rank all steps together, and the faults are the only alarms."""
    rng = np.random.default_rng(seed)
    steps, day = np.arange(4000), np.sin(2 * np.pi * np.arange(4000) / 288)
    series = {
        "latency": 200 + 25 * day + 5 * rng.normal(size=4000),
        "timeouts": np.maximum(0, 2 + 1.5 * day + 0.4 * rng.normal(size=4000)),
        "bytes": 50000 + 8000 * day + 600 * rng.normal(size=4000),
    }
    faults = {"latency": (2900, 70.0), "timeouts": (3200, 5.0), "bytes": (3500, -20000.0)}
    for name, (first, size) in faults.items():
        series[name][first : first + 60] += size
        Path("gateway").mkdir(exist_ok=True)
        pd.DataFrame({name: series[name]}).to_csv(f"gateway/{name}.csv", index=False)
    folder = run("--data-path", "gateway")
    scores, alarms = scores_of(folder), pd.read_csv(folder / "alarms.csv")
    labels = np.zeros(len(scores), dtype=bool)
    for name, (first, _) in faults.items():
        labels |= ((scores["channel"] == name) & (scores["step"].between(first - 2000, first - 1941))).to_numpy()
    assert len(steps) // 2 * 3 == len(scores) and roc_auc_score(labels, scores["score"]) > 0.95
    assert sorted(alarms["channel"]) == sorted(faults)
    for alarm in alarms.itertuples():
        first = faults[alarm.channel][0] - 2000
        assert alarm.start <= first + 59 and alarm.end >= first and alarm.end - alarm.start < 400


def test_an_anomaly_in_the_second_column_beside_empty_ones_and_nothing_measured(capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(5)
    steps = np.arange(3000)
    values = np.stack([0.5 * np.sin(steps / (20 + 5 * k)) + 0.05 * rng.normal(size=3000) for k in range(6)], axis=1)
    values[2200:2261, 1] = 3
    values[:, 4:] = np.nan
    values[700:720, 0] = values[2600:2620] = np.nan
    np.save("own.npy", values)
    scores = scores_of(run("--data-path", "own.npy"))
    assert "columns left out: 'column 4'" in capsys.readouterr().err
    assert scores.loc[scores["score"].idxmax(), "highest_column"] == "column 1"
    assert 690 < scores["score"].idxmax() < 770
    assert scores["score"].isna().sum() == 20 and scores["alarm"][scores["score"].isna()].sum() == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_label_file_from_a_spreadsheet(encoding: str, capsys: pytest.CaptureFixture) -> None:
    values = 0.5 * np.sin(np.arange(2000) / 20) + 0.05 * np.random.default_rng(6).normal(size=2000)
    for split, part in (("train", values[:1000]), ("test", values[1000:])):
        Path("own", split).mkdir(parents=True)
        np.save(Path("own", split, "Kühler 1.npy"), part)
    text = "chan_id;spacecraft;anomaly_sequences\nKühler 1;SMAP;[[100, 200]]\n"
    Path("own/labeled_anomalies.csv").write_text(text, encoding=encoding)
    run("--data-path", "own", code=2 if encoding == "cp1252" else 0)
    told = capsys.readouterr()
    if encoding == "cp1252":
        assert "labeled_anomalies.csv: is not UTF-8" in told.err and told.err.count("\n") == 1
    else:
        assert "Time steps: 1000, anomalous: 101" in told.out
