"""The benchmark's NASA series: what each is made of, and a run for every one of them."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import published_folder, write_telemanom

import eval_smap_timestep
import export_smap_scores
import main
from data.source import Labels
from data.tsb_nasa import ORIGINS, TsbNasaSource, group_of
from datasets import DATASETS
from metrics.ranges import at_quantiles, volume_under_surface
from runtime.errors import InputError
from settings.load import load_config

ROOT = Path(main.__file__).parent
# id: steps for training, first anomalous step; from the file names of TSB-AD-M and TSB-AD-U
TABLE = {
    "MSL-M": """1: 500, 900; 2: 883, 1238; 3: 530, 630; 4: 855, 2700; 5: 1150, 1250; 6: 980, 3550; 7: 656, 1630;
        8: 714, 1390; 9: 554, 1172; 10: 1525, 4590; 11: 539, 940; 12: 554, 1200; 13: 1525, 4575; 14: 575, 1250;
        15: 500, 780; 16: 512, 1850""",
    "SMAP-M": """1: 2052, 5300; 2: 2133, 5400; 3: 2128, 5000; 4: 2160, 6449; 5: 2011, 5060; 6: 2128, 5000;
        7: 2077, 5394; 8: 1971, 4870; 9: 2073, 5600; 10: 1840, 4030; 11: 2117, 4770; 12: 1907, 4800; 13: 1173, 2750;
        14: 2126, 5000; 15: 2075, 5610; 16: 1757, 2650; 17: 1832, 5300; 18: 2075, 5550; 19: 1908, 4690; 20: 2051, 4575;
        21: 1976, 4200; 22: 2129, 5000; 23: 1113, 1890; 24: 2094, 5600; 25: 1998, 2098; 26: 1811, 4510;
        27: 2160, 4690""",
    "MSL-U": """1: 530, 630; 2: 500, 550; 3: 1525, 4575; 4: 980, 3550; 5: 1525, 4590; 6: 530, 630; 7: 554, 1172;
        8: 590, 690; 9: 883, 1238""",
    "SMAP-U": """1: 1811, 4510; 2: 2075, 5550; 3: 2052, 5300; 4: 1968, 4370; 5: 1113, 1890; 6: 2160, 5600;
        7: 2077, 5394; 8: 2007, 3650; 9: 1857, 4270; 10: 2051, 4575; 11: 1832, 5300; 12: 1908, 4690; 13: 2020, 4550;
        14: 1978, 4450; 15: 1173, 2750; 16: 2117, 4770; 17: 2133, 5400; 18: 2094, 5600; 19: 1998, 2098""",
}
PUBLISHED = {
    f"{group}-{number}": (int(train), int(first))
    for group, rows in TABLE.items()
    for number, train, first in re.findall(r"(\d+): (\d+), (\d+)", rows)
}
ABSENT = {"SMAP-M-6", "SMAP-M-21", "MSL-M-3", "MSL-M-10", "SMAP-U-5", "SMAP-U-13", "MSL-U-3", "MSL-U-7"}
# channel -> its spacecraft, steps of its test file, and rows of labels
MADE = {
    "P-2": ("SMAP", 6700, ["[[5350, 6575]]", "[[5300, 6420]]"]),
    "E-13": ("SMAP", 6600, ["[[5309, 5410], [5600, 5640], [6449, 6569]]"]),
    "G-7": ("SMAP", 6000, ["[[3650, 3750], [5050, 5100]]"]),
    "T-9": ("MSL", 800, ["[[560, 599]]"]),
    "C-1": ("MSL", 760, ["[[700, 730], [550, 580]]"]),
    "F-5": ("MSL", 900, ["[[100, 120]]"]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the channels, made up; F-5 is too short, and the file of P-15 is missing."""
    made = tmp_path_factory.mktemp("tsb") / "telemetry"
    write_telemanom(made, {channel: (60, steps) for channel, (_, steps, _) in MADE.items()})
    rows = ["chan_id,spacecraft,anomaly_sequences,class,num_values"]
    for channel, (spacecraft, steps, labels) in {**MADE, "P-15": ("MSL", 2856, ["[[1390, 1410]]"])}.items():
        rows += [f'{channel},{spacecraft},"{intervals}",[point],{steps}' for intervals in labels]
    (made / "labeled_anomalies.csv").write_text("\n".join(rows) + "\n")
    return made


def test_the_series_are_those_of_the_benchmark_whose_channel_is_known() -> None:
    assert set(ORIGINS) == set(PUBLISHED) - ABSENT
    assert {name: origin.train_steps for name, origin in ORIGINS.items()} == {
        name: train for name, (train, _) in PUBLISHED.items() if name in ORIGINS
    }
    groups = [group_of(name) for name in ORIGINS]
    assert {name: groups.count(name) for name in groups} == {"SMAP-M": 25, "MSL-M": 14, "SMAP-U": 17, "MSL-U": 7}


def test_real_series_have_the_first_anomaly_and_the_length_of_the_benchmark(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    source = TsbNasaSource(published_folder(tmp_path_factory))
    for name in source.channels:
        train_steps, first = PUBLISHED[name]
        labels = Labels(source).steps(name)
        assert labels.argmax() == first and labels[first] == 1, name
        assert len(labels) == source.num_steps(name, "test") == len(source.series(name, "test"))
        assert source.num_steps(name, "train") == train_steps
        # the benchmark trains on a quarter, but on 100 steps less than are normal, and 500 at least
        assert train_steps == max(min(len(labels) // 4, first - 100), 500), name


def test_training_is_the_beginning_of_the_test_series(folder: Path) -> None:
    source = TsbNasaSource(folder)
    for name, channel, columns in (("MSL-M-15", "T-9", 4), ("MSL-U-2", "C-1", 1), ("SMAP-U-3", "P-2", 1)):
        whole = np.load(folder / "test" / f"{channel}.npy")
        np.testing.assert_array_equal(source.series(name, "test"), whole[:, :columns])
        train = source.series(name, "train")
        np.testing.assert_array_equal(train, whole[: PUBLISHED[name][0], :columns])
        assert source.num_steps(name, "train") == len(train) and source.num_steps(name, "test") == len(whole)
        assert len(source.columns(name)) == columns and source.measured(name) == ["telemetry value"]
        assert source.place(name, "train") == str(folder / "test" / f"{channel}.npy")
        assert source.rows(name, "test") is source.times(name, "test") is source.step(name) is None
    assert source.unlabelled() == source.untrained == []


def test_labels_are_those_of_the_map(folder: Path) -> None:
    labels = Labels(TsbNasaSource(folder))
    assert labels.intervals("SMAP-M-1") == labels.intervals("SMAP-U-3") == [(5300, 6420)], "the later row"
    assert labels.intervals("SMAP-M-4") == [(6449, 6569)], "the last interval"
    assert labels.intervals("SMAP-U-8") == [(3650, 3750), (5050, 5100)]
    assert labels.intervals("SMAP-M-16") == [(2650, 2750), (4050, 4100)], "1,000 steps are cut off"
    assert labels.intervals("MSL-U-2") == [(700, 730), (550, 580)]
    assert labels.has_anomaly("MSL-M-15") and len(labels.steps("SMAP-M-16")) == 5000


def test_a_series_without_its_first_steps_knows_its_rows(folder: Path) -> None:
    source, whole = TsbNasaSource(folder), np.load(folder / "test" / "G-7.npy")
    for split in ("train", "test"):
        np.testing.assert_array_equal(source.series("SMAP-M-16", split), whole[source.rows("SMAP-M-16", split)])
    assert source.rows("SMAP-M-16", "train")[[0, -1]].tolist() == [1000, 2756]


def test_folders_that_lack_something(folder: Path, telemetry: Path) -> None:
    source = TsbNasaSource(folder)
    for ask in (source.series, source.num_steps):
        with pytest.raises(InputError, match=r"F-5.npy: has 900 steps, but series MSL-M-6 of TSB-AD trains on 980"):
            ask("MSL-M-6", "test")
    with pytest.raises(InputError, match="has no row of channel E-8, which series SMAP-M-2 is made of"):
        source.label_rows("SMAP-M-2")
    with pytest.raises(InputError, match="P-15.npy: missing"):
        source.series("MSL-M-8", "test")
    with pytest.raises(InputError, match="has no row of spacecraft MSL"):
        TsbNasaSource(telemetry)
    with pytest.raises(InputError, match="does not exist"):
        TsbNasaSource(folder / "nowhere")


def test_every_series_is_a_task_of_its_own(folder: Path) -> None:
    def tasks(*names: str) -> list:
        base = {"dataset": "tsb-nasa", "data_path": str(folder), "class_names": names}
        return DATASETS["tsb-nasa"].tasks(load_config(base=base))

    assert [task.class_name for task in tasks("all")] == list(ORIGINS)
    chosen = tasks("MSL-U-2", "SMAP-M-16")
    assert [(task.class_name, task.channels, task.trained, task.group) for task in chosen] == [
        ("SMAP-M-16", ["SMAP-M-16"], ["SMAP-M-16"], "SMAP-M"),
        ("MSL-U-2", ["MSL-U-2"], ["MSL-U-2"], "MSL-U"),
    ]
    with pytest.raises(InputError, match="unknown channel of .* 'SMAP-M-6'"):
        tasks("SMAP-M-6")


RECIPE = ["--config", str(ROOT / "configs" / "tsb_nasa.py"), "--head", "gaussian"]
FLAGS = [*RECIPE, "--vis-top-k", "0", "--time-scales", "1", "--save-npy"]


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of two series lie, and the summary of both."""
    work_dir = tmp_path_factory.mktemp("tsb_runs")
    chosen = ["--class-names", "MSL-U-2", "MSL-M-15"]
    assert main.main([*FLAGS, *chosen, "--data-path", str(folder), "--work-dir", str(work_dir)]) == 0
    (place,) = work_dir.glob("*/tsb-nasa")
    return place


def figures(run: Path, series: str) -> dict:
    return json.loads((run / series / "scores" / "metrics.json").read_text())["scores"]


def test_every_series_is_learnt_and_judged_in_its_own_folder(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == ["MSL-M-15", "MSL-U-2", "series.csv", "summary.csv"]
    for name, steps in (("MSL-M-15", 800), ("MSL-U-2", 760)):
        scores = run / name / "scores"
        assert np.load(scores / "maps" / f"{name}.npy").shape[1] == steps
        assert np.load(scores / "train" / "maps" / f"{name}.npy").shape[1] == 500
        assert json.loads((run / name / "config.json").read_text())["settings"]["class_names"] == [name]
        assert (scores / "report.html").is_file() and (scores / "scores.csv").read_text().count("\n") == 2
        channels = figures(run, name)["model"]["channels"]
        assert list(channels) == [name] and channels[name]["vus_window"] != 100


def test_the_summary_holds_means_over_the_series_of_a_group(run: Path) -> None:
    series = pd.read_csv(run / "series.csv")
    assert len(series) == 2 * 6 and set(series["num_steps"]) == {800, 760} and set(series["num_anomalous"]) == {40, 62}
    for row in series.itertuples():
        reached = figures(run, row.series)[row.score]["parts"]["pooled"]
        for name in ("roc_auc", "average_precision", "vus_pr"):
            assert getattr(row, name) == pytest.approx(reached[name], abs=1e-6)
    for row in series[series["score"] == "model"].itertuples():
        scores, labels = (
            np.load(run / row.series / "scores" / f"timestep_{name}.npy") for name in ("scores", "labels")
        )
        expected = volume_under_surface(labels, at_quantiles(scores), [len(labels)], row.vus_window).vus_pr
        assert row.vus_pr_250 == pytest.approx(expected, abs=1e-6) and expected != row.vus_pr
    with (run / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["score"]) for row in rows][::6] == [("MSL-M", "model"), ("MSL-U", "model")]
    assert [row["num_series"] for row in rows] == ["1"] * 12


def test_means_are_over_the_series_where_a_figure_is_defined(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from evaluation.summary import FIGURES, write_summary

    series = pd.DataFrame(
        [
            {"group": "A", "series": str(n), "score": "model", **dict.fromkeys(FIGURES, value)}
            for n, value in enumerate((0.25, 0.75, None))
        ]
        + [{"group": "B", "series": "3", "score": "model", **dict.fromkeys(FIGURES, None)}]
    ).astype(dict.fromkeys(FIGURES, float))
    write_summary(tmp_path, series)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["Means", "over", "series", "series", "ROC", "AUC", "AP", "VUS-PR", "at", "250"]
    assert lines[2].split() == ["A", "model", "3", *["0.500"] * 4]
    assert lines[3].split() == ["B", "model", "1", *["-"] * 4]
    assert pd.read_csv(tmp_path / "summary.csv")["vus_pr"].tolist()[0] == 0.5
    assert max(map(len, lines[:4])) <= 80


def test_the_scripts_find_every_series(run: Path, folder: Path, capsys: pytest.CaptureFixture) -> None:
    chosen = ["--class-names", "MSL-U-2", "MSL-M-15", "--data-path", str(folder), "--work-dir", str(run.parents[1])]
    before = figures(run, "MSL-U-2")["model"]["channels"]["MSL-U-2"]
    assert eval_smap_timestep.main([*RECIPE, *chosen, "--vus-window", "20", "--no-report"]) == 0
    output = capsys.readouterr().out
    assert output.count("Time steps: ") == 2 and output.count("Means over series") == 1
    assert set(pd.read_csv(run / "series.csv")["vus_window"]) == {20}
    assert eval_smap_timestep.main([*RECIPE, *chosen, "--drop", "MSL-M-15", "--no-report"]) == 0
    output = capsys.readouterr().out
    assert output.count("Time steps: ") == 1 and "Means" not in output
    assert eval_smap_timestep.main(["--scores-dir", str(run / "MSL-U-2"), "--data-path", str(folder)]) == 0
    assert figures(run, "MSL-U-2")["model"]["channels"]["MSL-U-2"] == before
    assert export_smap_scores.main([*RECIPE, *chosen, "--vis-top-k", "1"]) == 0
    assert capsys.readouterr().out.count("Ranking: ") == 2
    assert (run / "MSL-M-15" / "scores" / "vis" / "rank01_MSL-M-15.npy.png").is_file()


def test_the_recipe_is_that_of_all_series_without_a_fleet_and_with_the_window_of_the_benchmark() -> None:
    line, own = (vars(load_config(ROOT / "configs" / f"{name}.py")) for name in ("line", "tsb_nasa"))
    assert {name: value for name, value in own.items() if line[name] != value} == {
        "dataset": "tsb-nasa",
        "fleet_size": 0,
        "vus_window": "auto",
    }
