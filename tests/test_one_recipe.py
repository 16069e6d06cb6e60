"""One recipe for SMAP, MSL, the sample and tables: what follows from the data set is decided by it."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_telemanom

import msflow
from data.source import MEASURED, ChosenColumns
from data.telemanom import TelemanomSource
from main import main
from runtime import errors
from settings.effects import scaling_name
from settings.load import load_config

ROOT = Path(__file__).resolve().parents[1]
RECIPES = {"smap_line": "smap", "msl_line": "msl", "telemetry": "table", "sample": "sample"}


def recipe(name: str) -> dict:
    return asdict(load_config(ROOT / "configs" / f"{name}.py"))


POLICY = {"risk", "contrast", "drift"}  # when there is an alarm


def test_the_recipes_differ_in_nothing_but_the_data_set() -> None:
    line = recipe("line")
    for name, dataset in RECIPES.items():
        differs = {key: value for key, value in recipe(name).items() if line[key] != value and key not in POLICY}
        assert {"dataset": "smap", "save_npy": False} | differs == {"dataset": dataset, "save_npy": name == "sample"}


def test_units_are_learnt_where_the_data_were_not_published_in_one() -> None:
    found = {name: scaling_name(load_config(ROOT / "configs" / f"{name}.py")) for name in RECIPES}
    assert found == {"smap_line": "none", "msl_line": "none", "sample": "none", "telemetry": "quantile"}
    assert scaling_name(load_config(ROOT / "configs/smap_line.py", {"scaling": "range"})) == "range"


def test_what_is_measured_is_the_telemetry_value_and_every_column_of_a_table(tmp_path: Path) -> None:
    folder = write_telemanom(tmp_path / "telemetry", {"P-1": (300, 300)})
    source = TelemanomSource(folder, "SMAP")
    measured = ChosenColumns(source, MEASURED)
    assert measured.columns("P-1") == ["telemetry value"] != source.columns("P-1")
    for _ in range(3):  # kept after the first time, and nobody else's
        found = measured.series("P-1", "test")
        np.testing.assert_array_equal(found, source.series("P-1", "test")[:, :1])
        found += 1
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=["a", "b", "c"])
    fitted = msflow.fit(frame, folder=tmp_path / "fitted")
    assert list(fitted.columns.values()) == [["a", "b", "c"]]
    with pytest.raises(msflow.InputError, match="lacks the column b"):
        fitted.score(frame[["a", "c"]])
    with pytest.raises(msflow.InputError, match="as was not so in training, the column d"):
        fitted.score(frame.assign(d=1.0))


def test_an_extractor_of_one_plane_says_what_it_does_not_look_at(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = write_telemanom(tmp_path / "telemetry", {"P-1": (300, 300)})
    flags = ["--config", str(ROOT / "configs/smap_line.py"), "--data-path", str(folder), "--mode", "train"]
    places = ["--work-dir", str(tmp_path / "runs"), "--no-report"]
    errors.warn.cache_clear()
    warning = "extractor = telemetry reads the first of the three colours alone"
    assert main([*flags, *places]) == 0
    assert warning not in capsys.readouterr().err
    assert main([*flags, *places, "--columns", "colours"]) == 0
    assert warning in capsys.readouterr().err
    errors.warn.cache_clear()
    assert main([*flags, *places, "--colours", "value", "value", "spread"]) == 0
    assert warning in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--layout", "stretch"], "extractor = telemetry reads lines, pictures of one row. Set --layout line"),
        (["--weights", "imagenet"], "there are no ImageNet weights of telemetry"),
        (
            ["--extractor", "telemetry+resnet18", "--weights", "auto+random", "--head", "flow"],
            "reads the 3 levels of one extractor",
        ),
    ],
)
def test_what_an_extractor_cannot_do_ends_in_one_line(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = write_telemanom(tmp_path / "telemetry", {"P-1": (300, 300)})
    given = ["--config", str(ROOT / "configs/smap_line.py"), "--data-path", str(folder), *flags]
    assert main([*given, "--work-dir", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
