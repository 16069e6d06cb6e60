"""Two processes under torchrun on gloo do what one does, and continue after the death of a worker."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_flags, write_telemanom

import main
from runtime.distributed import folder_of_all, gathered, mean_of_all, session, share_of, world_size
from runtime.errors import InputError
from runtime.locks import owned

ROOT = Path(main.__file__).parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LINE = ["--layout", "line", "--condition", "channel", "--train-window", "64", "--feature-noise", "0.1"]
FLAGS = ["--device", "cpu", "--no-report", "--vis-top-k", "1", "--batch-size", "3"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four channels: the last batch of three holds one, so that a process has nothing to do."""
    lengths = {"P-1": (120, 200), "S-1": (90, 260), "E-1": (150, 180), "D-1": (200, 100)}
    return write_telemanom(tmp_path_factory.mktemp("distributed") / "telemetry", lengths)


def command(data: Path, name: str, *flags: str) -> list[str]:
    return [str(ROOT / "main.py"), *tiny_flags(data, data.parent / name), *FLAGS, *flags]


def finished(launch: list[str], arguments: list[str]) -> subprocess.CompletedProcess:
    done = subprocess.run([*launch, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done


def folder(data: Path, name: str) -> Path:
    (log,) = (data.parent / name).rglob("log.jsonl")
    return log.parent


def losses(data: Path, name: str) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder(data, name) / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("flags", [LINE, []], ids=["line", "stretch"])
def test_two_processes_do_what_one_does(flags: list[str], data: Path, capsys: pytest.CaptureFixture) -> None:
    kind = "line" if flags else "stretch"
    assert main.main(command(data, f"{kind}1", *flags)[1:]) == 0
    printed = capsys.readouterr().out.splitlines()
    two = finished(LAUNCH, command(data, f"{kind}2", *flags))
    np.testing.assert_allclose(losses(data, f"{kind}2"), losses(data, f"{kind}1"), rtol=1e-4)
    assert len(losses(data, f"{kind}1")) == 4
    scores = [folder(data, f"{kind}{n}") / "scores" for n in (1, 2)]
    names = [sorted(str(path.relative_to(place)) for path in place.rglob("*")) for place in scores]
    assert names[0] == names[1] and "scores.csv" in names[0]
    for name in names[0]:
        if name.endswith(".npy") and Path(name).name != "filenames.npy":
            found, expected = np.load(scores[1] / name), np.load(scores[0] / name)
            np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4, err_msg=name)
    assert len(two.stdout.splitlines()) == len(printed), "one process prints"


def workers(launcher: subprocess.Popen) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
def test_a_run_continues_after_one_worker_was_killed(data: Path) -> None:
    flags = [*LINE, "--mode", "train", "--meta-epochs", "8"]
    launcher = subprocess.Popen([*LAUNCH, *command(data, "killed", *flags)], env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((data.parent / "killed").rglob("last.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(workers(launcher)[-1], signal.SIGKILL)
    assert launcher.wait(timeout=60) != 0
    last = folder(data, "killed") / "last.pt"
    assert 1 <= torch.load(last, weights_only=True)["epoch"] < 8
    done = finished(LAUNCH, command(data, "killed", *flags, "--resume"))
    assert "Continues after meta epoch" in done.stdout
    assert main.main(command(data, "whole", *flags)[1:]) == 0
    assert len(losses(data, "killed")) == 16
    np.testing.assert_allclose(losses(data, "killed"), losses(data, "whole"), rtol=1e-4)


def errors_of(arguments: list[str], launch: list[str] = LAUNCH, **variables: str) -> str:
    """What a run that ends in an error prints to the standard error."""
    environment = {**ENVIRONMENT, **variables}
    done = subprocess.run([*launch, *arguments], env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode != 0
    assert 'main.py", line' not in done.stderr, "no traceback but torchrun's own"
    return done.stderr


def test_bad_input_ends_all_processes_with_one_message(data: Path) -> None:
    for flags in (["--class-names", "X-1"], ["--lr", "fast"]):  # met in the session, and before it
        assert errors_of(command(data, "bad", *flags)).count("error: ") == 1


def test_what_one_process_meets_ends_all_with_its_message(data: Path, tmp_path: Path) -> None:
    folder = write_telemanom(tmp_path / "data", {"P-1": (120, 200), "S-1": (90, 260)})
    run = [*command(data, "one"), "--data-path", str(folder), *LINE, "--mode"]
    finished(LAUNCH, [*run, "train"])
    np.save(folder / "test" / "S-1.npy", np.zeros((50, 1)))  # the second process is to score it
    told = errors_of([*run, "test"])
    assert told.count("error: ") == 1 and "S-1" in told


def test_a_folder_in_use_refuses_all_processes(data: Path) -> None:
    run = command(data, "used", *LINE, "--mode", "train")
    assert main.main(run[1:]) == 0
    with owned(folder(data, "used")):
        told = errors_of(run)
    assert told.count("error: ") == 1 and "another run writes into this folder" in told


@pytest.mark.parametrize("half", [{"RANK": "0"}, {"RANK": "1", "WORLD_SIZE": "2"}])
def test_half_of_the_variables_of_torchrun_is_one_process_alone(
    half: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name, value in half.items():
        monkeypatch.setenv(name, value)
    with session("cpu"):
        assert world_size() == 1
    warned = capsys.readouterr().err
    assert warned.startswith("warning: RANK is set, but not ") and "MASTER_PORT: this process works alone" in warned


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"RANK": "x"}, "must be numbers"), ({"RANK": "2"}, "RANK = 2"), ({"MASTER_PORT": "99999"}, "MASTER_PORT")],
)
def test_wrong_variables_of_torchrun_are_named(
    changed: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in {**right, **changed}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"{told}.*torchrun"), session("cpu"):
        pass


def test_a_port_in_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": port}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(InputError, match=f"the processes cannot meet at localhost:{port}"), session("cpu"):
            pass


def test_alone_nothing_is_shared(tmp_path: Path) -> None:
    assert world_size() == 1
    assert share_of([1, 2, 3]) == [1, 2, 3]
    assert gathered({1: 2}) == {1: 2}
    assert mean_of_all(torch.tensor(3.0)) == 3
    with folder_of_all(tmp_path / "made") as temporary:
        (temporary / "file").touch()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["file"]
