"""Score files: arrays that came without settings, rows that have names, names of channels that are no file's."""

import csv
import shutil
from pathlib import Path

import pytest
from conftest import tiny_flags, unexpected, without_idle, write_telemanom

import eval_smap_timestep
import main
from runs.rows import scale_row
from runs.scores import open_scores
from runtime.files import file_name

LINE = ("--layout", "line", "--head", "gaussian", "--no-report")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_telemanom(tmp_path_factory.mktemp("scores") / "telemetry", {"P-1": (300, 400), "S-1": (200, 260)})


def scored(data: Path, *flags: str) -> Path:
    """The scores folder of a run of its own."""
    runs = data.parent / file_name(" ".join(flags))
    assert main.main([*without_idle(tiny_flags(data, runs), flags), *flags]) == 0
    (scores,) = runs.rglob("scores")
    return scores


def alone(scores: Path, tmp_path: Path, *names: str) -> Path:
    """A folder with nothing but the arrays."""
    folder = tmp_path / "alone"
    folder.mkdir()
    for name in ("filenames.npy", "labels.npy", "anomaly_score.npy", *names):
        copy = shutil.copytree if (scores / name).is_dir() else shutil.copy
        copy(scores / name, folder / name)
    return folder


def printed(capsys: pytest.CaptureFixture, *command: str) -> list[str]:
    capsys.readouterr()
    assert eval_smap_timestep.main([*command, "--no-report"]) == 0
    output = capsys.readouterr()
    assert unexpected(output.err) == []
    return output.out.splitlines()


@pytest.mark.parametrize(
    ("flags", "names", "settings"),
    [
        (LINE, ["maps"], []),
        (("--no-report",), ["anomaly_score_map_add.npy", "anomaly_score_map_mul.npy"], []),
    ],
    ids=["rows", "maps"],
)
def test_arrays_alone_are_judged_with_the_settings_given(
    flags: tuple[str, ...],
    names: list[str],
    settings: list[str],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    scores = scored(data, *flags)
    folder = alone(scores, tmp_path, *names)
    lines = printed(capsys, "--scores-dir", str(folder), "--data-path", str(data), *settings)
    assert f"{folder}: has no config.json, so the scores are judged with the settings given here." in lines
    assert any("no training scores, so no threshold can be learnt" in line for line in lines)
    model = next(line for line in printed(capsys, "--scores-dir", str(scores)) if line.startswith("model"))
    assert model in lines, "the ranks are those of the whole run"
    assert (folder / "alarms.csv").read_text().count("\n") == 1
    if "maps" in names:
        assert printed(capsys, "--scores-dir", str(folder), "--data-path", str(data), "--smooth", "9") != lines
        command = ["--scores-dir", str(folder), "--data-path", str(data), "--calibration", "center"]
        assert eval_smap_timestep.main(command) == 2
        assert "there are no training scores to learn it from" in capsys.readouterr().err
    with_number = printed(
        capsys, "--scores-dir", str(folder), "--data-path", str(data), *settings, "--threshold", "0.01"
    )
    assert not any("no training scores" in line for line in with_number)
    assert (folder / "alarms.csv").read_text().count("\n") > 1


def test_a_folder_with_a_part_of_the_arrays_names_what_is_missing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = alone(scored(data, *LINE), tmp_path)
    assert eval_smap_timestep.main(["--scores-dir", str(folder), "--data-path", str(data)]) == 2
    assert "anomaly_score_map_add.npy: missing" in capsys.readouterr().err


def test_rows_are_named_and_of_old_runs_by_their_number(data: Path) -> None:
    scores = scored(data, *LINE, "--time-scales", "1", "4")
    expected = [scale_row(scale, f"level {level}") for scale in (1, 4) for level in (1, 2, 3)]
    assert open_scores(scores).rows == expected
    (scores / "config.json").unlink()
    found = open_scores(scores)
    assert len(found.rows) == 6 and found.rows[4].endswith("level 2")
    assert found.channels == ["P-1", "S-1"] and found.config is None


@pytest.mark.parametrize(
    "name", ["P-1", "a/b", "..", ".", "", "x" * 250, "ü" * 200, 'c:\\d*?"<>|', "%41", "a\x00b"], ids=repr
)
def test_names_become_files_that_stay_where_they_are(name: str, tmp_path: Path) -> None:
    path = tmp_path / f".{file_name(name)}.npy.12345678"
    path.touch()
    assert path.parent == tmp_path and list(tmp_path.iterdir()) == [path]


def test_different_names_become_different_files() -> None:
    names = ["a/b", "a%2Fb", "a\\b", "x" * 250, "x" * 251, "x" * 249 + "y", "..", "%2E%2E", "A", "a"]
    assert len({file_name(name) for name in names}) == len(names)


def test_names_that_spreadsheets_would_run_are_escaped_and_long_ones_are_kept(tmp_path: Path) -> None:
    names = ["=1+1", "@SUM(A1)", "L" * 242]
    data = write_telemanom(tmp_path / "telemetry", dict.fromkeys(names, (200, 260)))
    scores = scored(data, *LINE)
    with (scores / "scores.csv").open(newline="") as file:
        written = {row["chan_id"] for row in csv.DictReader(file)}
    assert written == {"'=1+1", "'@SUM(A1)", "L" * 242}
    assert open_scores(scores).channels == names
