"""Series by their raw -log p, through the real commands: every layout, head and condition, and bad settings."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import tiny_flags, unexpected, without_idle, write_telemanom

import eval_smap_timestep
import main
import msflow
from detectors.loop import Course
from detectors.series import SeriesWay
from drawing import LAYOUTS
from runs.rows import chosen_rows, time_step_scores, unnamed_rows
from runtime.errors import InputError

VERSION = "msflow_resnet18_avgpool"
SIZES = {
    "stretch": ("--input-size", "32", "64"),
    "line": (),
    "fold": ("--window", "32", "--fold-width", "32"),
    **dict.fromkeys(("gasf", "gadf", "mtf"), ("--window", "32")),
}
LENGTHS = {"P-1": (420, 500), "S-1": (90, 1100), "E-1": (600, 800)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_telemanom(tmp_path / "telemetry", LENGTHS)


def run(data: Path, *flags: str) -> int:
    """main.py with a tiny model, one meta epoch; files go beside the data."""
    few = ("--meta-epochs", "1", "--sub-epochs", "1", "--no-report", "--bootstrap", "0", "--vus-window", "4")
    tiny = [*tiny_flags(data, data.parent / "runs"), *few]
    return main.main([*without_idle(tiny, flags), *flags])


def scores_folder(data: Path, layout: str, name: str = "SMAP", head: str = "flow") -> Path:
    version = f"{VERSION}_pl111_{layout}" if head == "flow" else f"{VERSION}_{layout}_{head}"
    return data.parent / "runs" / version / "smap" / name / "scores"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_goes_the_whole_way(layout: str, data: Path, capsys: pytest.CaptureFixture) -> None:
    flags = ("--layout", layout, "--timestep-map", "nll", "--condition", "channel", *SIZES[layout])
    assert run(data, *flags) == 0
    output = capsys.readouterr()
    assert unexpected(output.err) == [] and "nan" not in output.out
    assert "Time steps: 2400," in output.out
    folder = scores_folder(data, "nll" if layout == "stretch" else layout)
    for split, place in ((1, folder), (0, folder / "train")):
        for channel, lengths in LENGTHS.items():
            rows = np.load(place / "maps" / f"{channel}.npy")
            assert rows.shape == (3, lengths[split]) and rows.dtype == np.float32
            learnt = 0 if split or layout == "stretch" else lengths[0] - int(0.2 * lengths[0])  # not held out
            assert np.isnan(rows[:, :learnt]).all()
            assert np.isfinite(rows[:, learnt:]).all() and (rows[:, learnt:] >= 0).all()
    assert np.load(folder / "anomaly_score.npy").shape == (3,)


@pytest.mark.parametrize("head", ["flow", "gaussian", "memory"])
@pytest.mark.parametrize("fleet", ["0", "50"])
def test_every_head_can_be_tested_again_from_its_checkpoint(head: str, fleet: str, data: Path) -> None:
    flags = ["--layout", "line", "--head", head, "--fleet-size", fleet, "--time-scales", "1", "2"]
    flags += ["--condition", "channel"] if head == "flow" else []
    assert run(data, *flags) == 0
    folder = scores_folder(data, "line", head=head)
    before = {path.name: np.load(path) for path in (folder / "maps").iterdir()}
    assert before["P-1.npy"].shape == (6, 500)
    assert run(data, *flags, "--mode", "test") == 0
    for path in (folder / "maps").iterdir():
        np.testing.assert_array_equal(np.load(path), before[path.name])


@pytest.mark.parametrize("condition", ["position", "channel", "both", "none"])
def test_some_channels_can_be_tested_with_a_model_of_all(
    condition: str, data: Path, capsys: pytest.CaptureFixture
) -> None:
    flags = ["--layout", "line", "--condition", condition]
    assert run(data, *flags) == 0
    whole = np.load(scores_folder(data, "line") / "maps" / "E-1.npy")
    checkpoint = scores_folder(data, "line").parent / "last.pt"
    assert torch.load(checkpoint, weights_only=True)["channels"] == list(LENGTHS)
    assert run(data, *flags, "--mode", "test", "--class-names", "E-1", "--eval-ckpt", str(checkpoint)) == 0
    np.testing.assert_array_equal(np.load(scores_folder(data, "line", "E-1") / "maps" / "E-1.npy"), whole)


@pytest.mark.parametrize(
    ("flags", "known"),
    [
        (["--condition", "channel"], False),
        (["--condition", "both"], False),
        (["--head", "gaussian"], False),
        (["--head", "memory"], False),
        (["--condition", "none", "--standardise"], False),
        (["--condition", "position"], True),
        (["--condition", "none"], True),
    ],
    ids=str,
)
def test_an_unknown_channel(flags: list[str], known: bool, data: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(data, "--layout", "line", *flags, "--class-names", "P-1", "S-1") == 0
    head = flags[1] if flags[0] == "--head" else "flow"
    checkpoint = scores_folder(data, "line", "P-1_S-1", head).parent / "last.pt"
    capsys.readouterr()
    code = run(
        data, "--layout", "line", *flags, "--mode", "test", "--class-names", "E-1", "--eval-ckpt", str(checkpoint)
    )
    assert code == (0 if known else 2)
    if not known:
        message = capsys.readouterr().err
        assert message.startswith("error: channel E-1 was not in training (P-1 S-1 were)")
        assert "--shared-density" in message and message.count("\n") == 1


def test_msflows_maps_are_refused_for_what_has_none(data: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(data, "--layout", "line", "--timestep-map", "add") == 2
    assert "layout = line needs timestep_map = nll" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--time-scales", "2"], ["--smooth", "5"], ["--levels", "1"]], ids=str)
def test_what_only_raw_scores_have_is_warned_of_beside_msflows_maps(
    flags: list[str], data: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(data, *flags) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "has no effect" in line]
    assert told == [f"warning: {flags[0]} has no effect here: it counts with timestep_map=nll."]


@pytest.mark.parametrize("head", ["gaussian", "memory"])
def test_stretched_channels_have_maps_of_every_head(head: str, data: Path) -> None:
    assert run(data, "--head", head) == 0
    folder = data.parent / "runs" / f"{VERSION}_{head}" / "smap" / "SMAP" / "scores"
    maps = np.load(folder / "anomaly_score_map_add.npy")
    assert maps.shape == (3, 32, 64) and np.isfinite(maps).all() and np.ptp(maps) > 0


def test_checkpoints_of_another_head(data: Path, capsys: pytest.CaptureFixture) -> None:
    flags = ["--layout", "line", "--head", "gaussian"]
    assert run(data, *flags) == 0
    checkpoint = ["--mode", "test", "--eval-ckpt", str(scores_folder(data, "line", head="gaussian").parent / "last.pt")]
    capsys.readouterr()
    for wanted, told in (
        (("--layout", "line"), "head was gaussian, now flow"),
        ((*flags, "--fleet-size", "5"), "fleet_size was 0, now 5"),
        ((*flags, "--time-scales", "1", "2"), "time_scales was [1], now [1, 2]"),
    ):
        assert run(data, *wanted, *checkpoint) == 2
        assert f"was made with other settings: {told}" in capsys.readouterr().err
    with_all = [*flags, "--class-names", "S-1", "P-1", "--eval-ckpt", checkpoint[-1]]
    assert run(data, *with_all) == 2
    assert "knows the channels P-1 S-1 E-1, each by itself, but this run is of P-1 S-1" in capsys.readouterr().err


def test_levels_calibration_and_smoothing_can_be_changed_without_the_model(
    data: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(data, "--layout", "line", "--head", "gaussian") == 0
    folder = scores_folder(data, "line", head="gaussian")
    (folder.parent / "last.pt").unlink()
    flags = ["--scores-dir", str(folder), "--save-npy", "--no-report"]
    assert eval_smap_timestep.main([*flags, "--levels", "2", "--smooth", "3", "--calibration", "center"]) == 0
    expected = []
    for channel in LENGTHS:
        test, train = (np.load(place / "maps" / f"{channel}.npy")[1] for place in (folder, folder / "train"))
        centred = test.astype(float) - np.median(train.astype(float))
        expected.append([centred[max(step - 1, 0) : step + 2].mean() for step in range(len(test))])
    np.testing.assert_allclose(np.load(folder / "timestep_scores.npy"), np.concatenate(expected), rtol=1e-9)
    assert eval_smap_timestep.main([*flags, "--timestep-map", "mul"]) == 2
    assert "needs timestep_map = nll" in capsys.readouterr().err


def test_rows_that_are_added_up_by_hand() -> None:
    test, train = np.arange(12.0).reshape(6, 2), np.array([[1.0, 2, 3, 4, 100]] * 6)
    rows = chosen_rows(unnamed_rows(6), (1, 3))
    np.testing.assert_allclose(time_step_scores(test[rows], train[rows], "none", 1), test[[0, 2, 3, 5]].sum(axis=0))
    np.testing.assert_allclose(time_step_scores(train[rows], train[rows], "none", 1), 4 * train[0])
    rows = chosen_rows(unnamed_rows(6), (2,))
    scaled = time_step_scores(test[rows], train[rows], "quantile", 1)
    tail = np.quantile(train[0], 0.99) - 3
    np.testing.assert_allclose(scaled, ((test[[1, 4]] - 3) / tail).sum(axis=0))


def test_a_level_that_no_row_is_of_is_an_error() -> None:
    assert chosen_rows(["score"], (1, 2, 3)) == chosen_rows(unnamed_rows(1), (1, 2, 3)) == [0]
    with pytest.raises(InputError, match="levels = 2: these scores have the rows score; none is of level 2"):
        chosen_rows(["score"], (2,))
    with pytest.raises(InputError, match="none is of level 3"):
        chosen_rows(["scale 1 level 1", "scale 1 level 2"], (2, 3))


def test_a_killed_line_run_continues_with_the_same_weights(data: Path) -> None:
    flags = ["--layout", "line", "--condition", "channel", "--feature-noise", "0.1", "--mode", "train"]
    assert run(data, *flags, "--meta-epochs", "2") == 0
    whole = torch.load(scores_folder(data, "line").parent / "last.pt", weights_only=True)
    assert run(data, *flags, "--meta-epochs", "1") == 0
    assert run(data, *flags, "--meta-epochs", "2", "--resume") == 0
    continued = torch.load(scores_folder(data, "line").parent / "last.pt", weights_only=True)
    for part in ("fusion_flow", "optimizer"):
        torch.testing.assert_close(continued[part], whole[part], rtol=0, atol=0)
    log = (scores_folder(data, "line").parent / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in log] == [1, 2]


@pytest.mark.parametrize("flags", [["--clip", "0.5"], ["--colours", "value", "residual", "value"]], ids=str)
def test_a_checkpoint_of_another_drawing_is_refused(
    flags: list[str], data: Path, capsys: pytest.CaptureFixture
) -> None:
    line = ["--layout", "line", "--head", "gaussian"]
    assert run(data, *line) == 0
    capsys.readouterr()
    assert run(data, *line, *flags, "--mode", "test") == 2
    assert "last.pt: was made with other settings: " in capsys.readouterr().err
    assert run(data, *line, *flags) == 0
    assert "this training replaces one with other settings: " in capsys.readouterr().err


def test_a_resumed_run_is_that_of_its_checkpoint_and_not_of_a_later_start(
    data: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--layout", "line", "--mode", "train"]
    assert run(data, *flags) == 0

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Course, "_sub_epoch", interrupt)
        assert run(data, *flags, "--lr", "1e-5") == 130
    capsys.readouterr()
    assert run(data, *flags, "--lr", "1e-5", "--meta-epochs", "2", "--resume") == 2
    assert "--resume with other settings: lr was 0.0001, now 1e-05" in capsys.readouterr().err


@pytest.mark.parametrize("split", ["test", "train"])
def test_channels_scored_on_threads_have_the_scores_of_one_after_the_other(split: str, tmp_path: Path) -> None:
    """The source, which keeps what it has read, is asked by one thread at a time."""
    rng = np.random.default_rng(0)
    series = {f"c{n}": np.cumsum(rng.normal(size=(400, 2)), axis=0) for n in range(6)}
    fitted = msflow.fit(series, columns=["all"], time_scales=[1, 2])
    detector, asked = fitted._run.detector, []

    class Slow:
        def series(self, channel: str, of: str) -> np.ndarray:
            asked.append(channel)
            assert len(asked) == 1
            time.sleep(0.01)
            asked.remove(channel)
            return series[channel]

        def place(self, channel: str, of: str) -> str:
            return channel

    task = SimpleNamespace(source=Slow(), channels=list(series), trained=list(series), splits=["test", "train"])
    task.labels = SimpleNamespace(has_anomaly=lambda channel: False)
    found = []
    for number in (1, 4):
        folder = tmp_path / str(number)
        (folder / "maps").mkdir(parents=True)
        (folder / "columns").mkdir()
        detector.at_once = number
        SeriesWay(fitted._run.config, task, detector, {}).write(split, folder)
        found.append({path.name: np.load(path) for path in sorted(folder.rglob("*.npy")) if path.stem != "filenames"})
    assert found[0].keys() == found[1].keys() and len(found[0]) == 6 + 2
    for name, array in found[0].items():
        np.testing.assert_allclose(found[1][name], array, rtol=1e-5, atol=1e-6)
