"""Who names no run gets the last one, or is told which there are; a run knows where its data lie."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import write_telemanom

import eval_smap_timestep
import export_smap_scores
import main
from runs.known import last_scored, runs_in, with_its_data
from runtime.errors import note
from settings.load import load_config

QUICK = ["--extractor", "telemetry", "--no-report", "--bootstrap", "0", "--vis-top-k", "0"]
LINE = ["--layout", "line", "--head", "gaussian", *QUICK]
LINE_RUN = "work_dirs/msflow_telemetry_avgpool_line_gaussian/smap/SMAP"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which somebody has run a recipe's settings on data of their own."""
    place = tmp_path_factory.mktemp("ran")
    write_telemanom(place / "data", {"P-1": (150, 120)})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main.main([*LINE, "--data-path", "data"]) == 0
    return place


@pytest.fixture
def here(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in a copy of it."""
    shutil.copytree(ran, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    note.cache_clear()
    return tmp_path / "here"


@pytest.mark.parametrize("script", [eval_smap_timestep, export_smap_scores], ids=lambda script: script.__name__)
def test_scripts_find_the_last_run_where_nobody_names_one(
    script: object, here: Path, capsys: pytest.CaptureFixture
) -> None:
    quiet = ["--no-report"] if script is eval_smap_timestep else ["--vis-top-k", "0"]
    assert script.main([*quiet, "--root-dir", "."]) == 0
    told = capsys.readouterr().out
    assert f"default.py describes is not there, so this is of the last one: {LINE_RUN}." in told
    assert script.main([*quiet, "--layout", "line", "--head", "gaussian", "--extractor", "telemetry"]) == 0
    assert f"data_path = data, as in the run that lies in {LINE_RUN}." in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--dataset", "msl"], ["--work-dir", "nowhere"]])
def test_scripts_say_which_runs_there_are_where_the_named_one_is_not(
    argv: list[str], here: Path, capsys: pytest.CaptureFixture
) -> None:
    assert eval_smap_timestep.main(argv) == 2
    told = capsys.readouterr().err
    there = LINE_RUN if "msl" in argv else "none"
    assert "Make the scores first" in told and f"the latest first: {there}." in told and "--scores-dir" in told


def test_the_run_that_is_described_goes_before_a_later_one(here: Path, capsys: pytest.CaptureFixture) -> None:
    described = Path("work_dirs/msflow_wide_resnet50_2_avgpool_pl258/smap/SMAP")
    shutil.copytree(LINE_RUN, described)
    for number, folder in enumerate((described, Path(LINE_RUN))):
        for record in (folder / "config.json", folder / "scores" / "config.json"):
            os.utime(record, (number, number))
    assert runs_in(Path("work_dirs")) == [Path(LINE_RUN), described]
    assert export_smap_scores.main(["--vis-top-k", "0"]) == 0
    told = capsys.readouterr().out
    assert f"A later one lies in {LINE_RUN}: --scores-dir {LINE_RUN}/scores." in told
    assert f"Ranking: {described}/scores/scores.csv" in told


def test_a_test_finds_the_data_of_its_training(here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main.main([*LINE, "--mode", "test"]) == 0
    assert f"data_path = data, as in the run that lies in {LINE_RUN}." in capsys.readouterr().out
    assert main.main([*LINE, "--mode", "test", "--data-path", "elsewhere"]) == 2
    assert main.main(LINE) == 2, "a training that begins is of no run yet"
    assert "data/smap: does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["test", "score"])
def test_who_names_no_run_is_told_which_there_are(mode: str, here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main.main(["--mode", mode]) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told and f"The runs in work_dirs, the latest first: {LINE_RUN}." in told


def test_what_is_no_run_of_series_is_not_the_last(here: Path) -> None:
    damaged, unscored = Path("work_dirs/a/smap/B"), Path("work_dirs/a/smap/C")
    for folder in (damaged, unscored):
        shutil.copytree(LINE_RUN, folder)
    (damaged / "scores" / "config.json").write_text("{")
    shutil.rmtree(unscored / "scores")
    assert last_scored(Path("work_dirs")) == Path(LINE_RUN)
    (Path(LINE_RUN) / "config.json").write_text("{")
    config = load_config(keywords={"layout": "line", "head": "gaussian", "extractor": "telemetry"})
    assert with_its_data(config) == config


def test_the_first_line_of_a_run_is_about_the_run(here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main.main([*LINE, "--data-path", "data", "--mode", "train"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("smap SMAP  weights: telemetry") and first.endswith(f"folder: {LINE_RUN}")
