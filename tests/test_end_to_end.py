"""The real commands with a tiny budget: train, test, export, evaluate, kill and continue, bad input."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_flags, tiny_folder, unexpected, without_idle
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score
from torch.nn import functional as F

import eval_smap_timestep
import export_smap_scores
import main
from detectors.loop import learning_rate
from detectors.msflow import pictures
from models.densities import flow

ROOT = Path(main.__file__).parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an empty one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def failure(command: list[str], capsys: pytest.CaptureFixture, entry=main.main) -> str:
    """The one line that a failing command prints; it must end with exit code 2."""
    capsys.readouterr()
    assert entry(command) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert "Traceback" not in captured.out + captured.err
    return lines[0]


def test_the_whole_way_on_series(telemetry: Path, here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main.main([*tiny_flags(telemetry, Path("runs")), "--save-npy", "--vis-top-k", "2"]) == 0
    output = capsys.readouterr()
    assert unexpected(output.err) == []
    assert "nan" not in output.out
    folder = tiny_folder(Path("runs"))
    scores = folder / "scores"
    assert {path.name for path in folder.iterdir()} == {"last.pt", "config.json", "log.jsonl", "features", "scores"}
    names = {"anomaly_score.npy", "anomaly_score_map_add.npy", "anomaly_score_map_mul.npy", "config.json"}
    names |= {"filenames.npy", "labels.npy"}
    assert {path.name for path in (scores / "train").iterdir()} == names
    names |= {"train", "timestep_scores.npy", "timestep_labels.npy", "scores.csv", "vis", "alarms.csv", "metrics.json"}
    assert {path.name for path in scores.iterdir()} == names | {"report.html", "channels", "roc.png", "pr.png"}

    maps = {name: np.load(scores / f"anomaly_score_map_{name}.npy") for name in ("add", "mul")}
    assert all(m.shape == (3, 32, 64) and m.dtype == np.float32 for m in maps.values())
    names = np.load(scores / "filenames.npy", allow_pickle=False)
    assert [Path(name).name for name in names] == ["P-1.npy", "S-1.npy", "E-1.npy"]
    assert np.load(scores / "labels.npy").tolist() == [1, 1, 1]

    # by another road: torch's interpolation of the mean over the height, scikit-learn on intervals by hand
    expected_scores, expected_labels = [], []
    for score_map, steps in zip(maps["add"], (200, 260, 180), strict=True):
        collapsed = torch.from_numpy(score_map).double().mean(dim=0)[None, None]
        expected_scores.append(F.interpolate(collapsed, size=steps, mode="linear", align_corners=False)[0, 0].numpy())
        expected_labels.append([steps // 2 <= step <= steps // 2 + steps // 8 for step in range(steps)])
    expected, labels = np.concatenate(expected_scores), np.concatenate(expected_labels)
    np.testing.assert_allclose(np.load(scores / "timestep_scores.npy"), expected, rtol=1e-6)
    assert np.load(scores / "timestep_labels.npy").tolist() == labels.tolist()
    lines = output.out.splitlines()
    assert f"Time steps: 640, anomalous: {labels.sum()}, normal: {640 - labels.sum()}" in lines
    assert lines[-4] == f"Report: {scores / 'report.html'}"
    assert lines[-3].startswith(f"Time-step ROC AUC: {roc_auc_score(labels, expected):.4f}  (95 % interval")
    assert lines[-2].startswith(f"Time-step Average Precision (AP): {average_precision_score(labels, expected):.4f}  (")
    assert lines[-1] == f"Files: {scores}"
    positions = np.concatenate([np.arange(steps) / steps for steps in (200, 260, 180)])
    assert f"{roc_auc_score(labels, positions):.3f}" in next(line for line in lines if line.startswith("position t/T"))

    with (scores / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["rank", "chan_id", "anomaly_score", "label", "num_steps", "num_anomalous_steps"]
    picture_scores = dict(zip(("P-1", "S-1", "E-1"), np.load(scores / "anomaly_score.npy"), strict=True))
    assert [row["chan_id"] for row in rows] == sorted(picture_scores, key=picture_scores.get, reverse=True)
    assert {row["chan_id"]: (row["num_steps"], row["num_anomalous_steps"]) for row in rows} == {
        "P-1": ("200", "26"), "S-1": ("260", "33"), "E-1": ("180", "23"),
    }  # fmt: skip
    pictures = sorted(path.name for path in (scores / "vis").iterdir())
    assert pictures == [f"rank0{rank}_{rows[rank - 1]['chan_id']}.npy.png" for rank in (1, 2)]
    for picture in pictures:
        with Image.open(scores / "vis" / picture) as image:
            assert len(set(image.convert("RGB").resize((200, 80)).get_flattened_data())) > 100  # it is not blank

    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [(r["epoch"], r["sub_epoch"]) for r in log] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert log[-1]["loss"] < log[0]["loss"]
    recorded = json.loads((folder / "config.json").read_text())
    assert recorded["settings"]["input_size"] == [32, 64]
    assert recorded["weights"] == "random (seed 0)"
    assert recorded["versions"]["torch"] == torch.__version__
    steps = np.concatenate([np.load(telemetry / "train" / f"{name}.npy")[:, :3] for name in picture_scores])
    np.testing.assert_allclose(recorded["img_mean"], steps.mean(axis=0))


def result_lines(capsys: pytest.CaptureFixture) -> list[str]:
    """What the evaluation printed, without the places of its files."""
    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Weights: "))
    return [line for line in lines[start:] if not line.startswith(("Report: ", "Files: "))]


def test_the_scripts_alone_repeat_what_main_printed(
    telemetry: Path, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = tiny_flags(telemetry, Path("runs"))
    assert main.main([*flags, "--timestep-map", "mul"]) == 0
    lines = result_lines(capsys)
    monkeypatch.chdir(tmp_path)
    scores = here / tiny_folder(Path("runs")) / "scores"
    by_folder = ["--scores-dir", str(scores), "--save-npy"]
    by_settings = [*("--root-dir", "here", "--data-path", str(telemetry), "--work-dir", "runs"), *flags[6:8]]
    by_settings += ["--parallel-blocks", "1", "1", "1", "--timestep-map", "mul"]
    for command in (by_folder, by_settings):
        assert eval_smap_timestep.main(command) == 0
        assert result_lines(capsys) == lines
    assert np.load(scores / "timestep_scores.npy").shape == (640,)
    (scores / "scores.csv").unlink()
    assert export_smap_scores.main(["--scores-dir", str(scores), "--vis-top-k", "1"]) == 0
    assert (scores / "scores.csv").exists() and len(list((scores / "vis").iterdir())) == 1


def test_a_single_class_has_no_auroc(telemetry: Path, here: Path, capsys: pytest.CaptureFixture) -> None:
    table = telemetry / "labeled_anomalies.csv"
    rows = [line.split(",", 2)[:2] for line in table.read_text().splitlines()[1:]]
    table.write_text(
        "chan_id,spacecraft,anomaly_sequences\n" + "".join(f"{channel},{craft},[]\n" for channel, craft in rows)
    )
    assert main.main(tiny_flags(telemetry, Path("runs"))) == 0
    output = capsys.readouterr()
    assert "Time steps: 640, anomalous: 0, normal: 640" in output.out
    assert "average precision are not defined: all 640 time steps are normal." in output.out
    assert "nan" not in output.out and unexpected(output.err) == []


def wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


def test_killed_and_continued_ends_with_the_same_weights(
    telemetry: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def command(work_dir: str) -> list[str]:
        return [*tiny_flags(telemetry, tmp_path / work_dir), "--mode", "train", "--meta-epochs", "16"]

    # threads change the order of sums, and with it last bits: both runs get the same number
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    start = [sys.executable, str(ROOT / "main.py")]
    last = tiny_folder(tmp_path / "killed") / "last.pt"
    process = subprocess.Popen([*start, *command("killed")], env=environment, stdout=subprocess.DEVNULL)
    wait_for(last, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed_after = torch.load(last, weights_only=True)["epoch"]
    assert 1 <= killed_after < 16

    assert torch.get_num_threads() == 1  # see conftest.py
    for work_dir, more in (("killed", ["--resume"]), ("whole", [])):
        capsys.readouterr()
        assert main.main([*command(work_dir), *more]) == 0
        assert ("Continues after meta epoch" in capsys.readouterr().out) == bool(more)
    killed, whole = (torch.load(tiny_folder(tmp_path / d) / "last.pt", weights_only=True) for d in ("killed", "whole"))
    assert killed["step"] == whole["step"] == 64
    assert killed.keys() == whole.keys()
    for name, part in whole.items():
        if name in ("fusion_flow", "parallel_flows", "optimizer"):
            torch.testing.assert_close(killed[name], part, rtol=0, atol=0)
        else:
            assert killed[name] == part, name
    logs = []
    for work_dir in ("killed", "whole"):
        lines = (tiny_folder(tmp_path / work_dir) / "log.jsonl").read_text().splitlines()
        logs.append([{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines])
    assert logs[0] == logs[1] and len(logs[0]) == 32


def test_resume_with_other_settings_is_refused(telemetry: Path, here: Path, capsys: pytest.CaptureFixture) -> None:
    flags = [*tiny_flags(telemetry, Path("runs")), "--mode", "train"]
    assert main.main(flags) == 0
    before = (tiny_folder(Path("runs")) / "last.pt").read_bytes()
    message = failure([*flags, "--resume", "--lr", "0.5"], capsys)
    assert "--resume with other settings: lr was 0.0001, now 0.5" in message
    assert (tiny_folder(Path("runs")) / "last.pt").read_bytes() == before
    assert main.main([*flags, "--resume", "--meta-epochs", "3"]) == 0
    assert torch.load(tiny_folder(Path("runs")) / "last.pt", weights_only=True)["epoch"] == 3


def test_resume_without_a_checkpoint_starts_anew(telemetry: Path, here: Path, capsys: pytest.CaptureFixture) -> None:
    assert main.main([*tiny_flags(telemetry, Path("runs")), "--mode", "train", "--resume"]) == 0
    assert (tiny_folder(Path("runs")) / "last.pt").exists()


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(
    telemetry: Path, here: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*tiny_flags(telemetry, Path("runs")), "--mode", "train"]
    loss, calls = flow.negative_log_likelihood, []

    def breaks_in_the_second_epoch(z, log_det):
        calls.append(1)
        return loss(z, log_det) * (float("nan") if len(calls) == 6 else 1)

    monkeypatch.setattr(flow, "negative_log_likelihood", breaks_in_the_second_epoch)
    message = failure(flags, capsys)
    last = tiny_folder(Path("runs")) / "last.pt"
    assert "the loss is nan" in message
    assert "meta epoch 2, sub-epoch 1, batch 2" in message
    assert f"last good checkpoint is kept: {last}" in message
    content = torch.load(last, weights_only=True)
    assert content["epoch"] == 1
    assert all(tensor.isfinite().all() for tensor in content["fusion_flow"].values())


def test_checkpoints_that_cannot_be_tested(telemetry: Path, here: Path, capsys: pytest.CaptureFixture) -> None:
    flags = [*tiny_flags(telemetry, Path("runs")), "--mode", "test"]
    last = tiny_folder(Path("runs")) / "last.pt"
    assert f"{last}: no such checkpoint. Train first" in failure(flags, capsys)
    assert main.main([*flags[:-1], "train"]) == 0
    assert "is of another architecture" in failure([*flags, "--c-conds", "4", "4", "8"], capsys)
    assert "other settings: clamp_alpha was 1.9, now 1.0" in failure([*flags, "--clamp-alpha", "1"], capsys)
    assert "other settings: img_mean was (" in failure([*flags, "--img-mean", "0", "0", "0"], capsys)
    assert "was trained on other extractor weights" in failure([*flags, "--seed", "1"], capsys)
    last.write_bytes(last.read_bytes()[:5000])
    assert "cannot be read as a checkpoint: damaged" in failure(flags, capsys)
    assert not (last.parent / "scores").exists()


def test_bad_series_stop_before_anything_is_trained(telemetry: Path, here: Path, capsys: pytest.CaptureFixture) -> None:
    flags = tiny_flags(telemetry, Path("runs"))
    assert "asks for column 9" in failure([*flags, "--smap-used-dims", "0", "0", "9"], capsys)
    assert "unknown channel" in failure([*flags, "--class-names", "P-1", "X-1"], capsys)
    assert "nowhere: does not exist" in failure([*flags, "--data-path", "nowhere"], capsys)
    assert "unknown extractor 'resnet19'" in failure([*flags, "--extractor", "resnet19"], capsys)
    whole = np.load(telemetry / "test" / "S-1.npy")
    np.save(telemetry / "test" / "S-1.npy", whole[:, :2])
    message = failure([*without_idle(flags, ["--layout", "line"]), "--layout", "line"], capsys)
    assert "S-1.npy: channel S-1 has 2 columns, but 4 in training" in message
    (telemetry / "test" / "S-1.npy").write_bytes(b"no array")
    assert "S-1.npy: cannot be read as" in failure(flags, capsys)
    (telemetry / "test" / "S-1.npy").unlink()
    assert "S-1.npy: missing. Put it there, as S-1 has a label row" in failure(flags, capsys)
    assert not tiny_folder(Path("runs")).joinpath("last.pt").exists()


def test_an_unwritable_work_dir(
    telemetry: Path, here: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").touch()
    message = failure(tiny_flags(telemetry, Path("file") / "runs"), capsys)
    assert "cannot create this folder (Not a directory). Choose another one." in message
    if os.geteuid() == 0:  # the superuser may write anywhere: the answer is what an ordinary owner would get
        monkeypatch.setattr(os, "access", lambda path, mode: os.stat(path).st_mode >> 6 & mode == mode)
    closed = tiny_folder(Path("closed"))
    closed.mkdir(parents=True)
    closed.chmod(0o500)
    message = failure(tiny_flags(telemetry, Path("closed")), capsys)
    assert f"{closed}: no permission to write into this folder. Choose another one." in message
    assert not list(closed.iterdir())


def test_score_files_of_another_run(telemetry: Path, here: Path, capsys: pytest.CaptureFixture) -> None:
    flags = [*tiny_flags(telemetry, Path("runs")), "--mode", "all"]
    assert main.main(flags) == 0
    scores = tiny_folder(Path("runs")) / "scores"
    record = json.loads((scores / "config.json").read_text())  # as of a run that kept no checksums
    (scores / "config.json").write_text(json.dumps({k: v for k, v in record.items() if k not in ("checksum", "files")}))
    script = ["--scores-dir", str(scores)]
    whole = {path: path.read_bytes() for path in scores.glob("*.npy")}

    def damaged(name: str, content: bytes | None) -> list[str]:
        for path, original in whole.items():
            path.write_bytes(original)
        if content is None:
            (scores / name).unlink()
        else:
            (scores / name).write_bytes(content)
        return [failure(script, capsys, entry) for entry in (eval_smap_timestep.main, export_smap_scores.main)]

    np.save(scores / "other.npy", np.array(["x/P-1.npy", "x/Z-9.npy", "x/E-1.npy"]))
    for message in damaged("filenames.npy", (scores / "other.npy").read_bytes()):
        assert "score files of another data set: 1 of 3 channels unknown here, first 'Z-9'" in message
    np.save(scores / "other.npy", np.zeros(4))
    for message in damaged("anomaly_score.npy", (scores / "other.npy").read_bytes()):
        assert "score files of different runs: samples per file filenames 3, labels 3, anomaly_score 4" in message
    for message in damaged("anomaly_score_map_add.npy", None):
        assert "missing. Make the scores first: python main.py --mode test." in message
    for message in damaged("anomaly_score_map_add.npy", whole[scores / "anomaly_score_map_add.npy"][:500]):
        assert "anomaly_score_map_add.npy: cannot be read as an array" in message
    assert "missing. Make the scores" in failure(["--scores-dir", "nowhere"], capsys, eval_smap_timestep.main)


def test_a_failed_test_leaves_the_old_scores(
    telemetry: Path, here: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = tiny_flags(telemetry, Path("runs"))
    assert main.main(flags) == 0
    scores = tiny_folder(Path("runs")) / "scores"
    before = {path: path.read_bytes() for path in scores.rglob("*") if path.is_file()}

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "picture_scores", interrupt)
    assert main.main([*flags, "--mode", "test"]) == 130
    assert {path: path.read_bytes() for path in scores.rglob("*") if path.is_file()} == before
    assert {path.name for path in scores.parent.iterdir()} == {
        "last.pt",
        "config.json",
        "log.jsonl",
        "features",
        "scores",
    }


def test_the_sample_needs_no_data(here: Path, capsys: pytest.CaptureFixture) -> None:
    flags = ["--config", str(ROOT / "configs" / "sample.py"), "--meta-epochs", "1", "--sub-epochs", "1"]
    assert main.main([*flags, "--vis-top-k", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].startswith("Time-step ROC AUC: 0.")
    assert lines[-2].startswith("Time-step Average Precision (AP): 0.")
    assert lines[-1] == "Files: work_dirs/msflow_telemetry_avgpool_line_combined/sample/SAMPLE/scores"
    assert Path("data/sample/labeled_anomalies.csv").exists()


def test_the_learning_rate_warms_up_and_decays() -> None:
    class Settings:
        lr, lr_warmup_epochs, lr_warmup_from, sub_epochs = 1e-3, 3, 0.1, 4
        lr_decay_milestones, lr_decay_gamma = (70, 90), 0.33

    steps = 5
    rates = [learning_rate(Settings, step, steps) for step in range(100 * steps)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[30] == pytest.approx(1e-3 * (0.1 + 0.9 * 30 / 60))
    assert np.allclose(np.diff(rates[:61]), rates[1] - rates[0])
    assert rates[60 : 70 * steps] == pytest.approx([1e-3] * (70 * steps - 60))
    assert rates[70 * steps] == rates[90 * steps - 1] == pytest.approx(0.33e-3)
    assert rates[90 * steps] == rates[-1] == pytest.approx(0.33**2 * 1e-3)
