"""Whatever becomes of a program's output, and whoever tells it to stop, its work is done or in order."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_flags, tiny_folder, write_telemanom

import main
from detectors.tracking import Tracker
from runtime.errors import exit_code
from runtime.files import file_name, readable
from runtime.stopping import told_when_stopped
from settings.load import load_config

ROOT = Path(main.__file__).parent
PROGRAM = """
import sys, time
from pathlib import Path
from runtime.errors import InputError, exit_code
def run(argv):
    {body}
sys.exit(exit_code(run, sys.argv[1:]))
"""
PRINTS = PROGRAM.format(
    body="[print('line', number, 'ü中' + chr(0xdce4), flush=True) for number in range(9999)]; Path(argv[0]).touch()"
)
FAILS = PROGRAM.format(body="print('before'); raise InputError('after')")
WAITS = PROGRAM.format(
    body="""
    from runtime.files import atomic_file
    from runtime.stopping import told_when_stopped
    with told_when_stopped(lambda: 'Kept: all.'), atomic_file(Path(argv[0]) / 'file') as file:
        print('waits')
        time.sleep(60)
"""
)
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX shells and signals")


def shell(script: str, words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a program in a shell, `PROGRAM` in the words of its command."""
    values = {**os.environ, "PROGRAM": script, "DONE": str(folder / "done"), "PYTHON": sys.executable, **environment}
    command = ["bash", "-o", "pipefail", "-c", words.replace("RUN", '"$PYTHON" -c "$PROGRAM" "$DONE"')]
    return subprocess.run(command, cwd=ROOT, env=values, capture_output=True, timeout=60, check=False)


@posix
@pytest.mark.parametrize(
    "words", ["RUN | head -1", "RUN >&-", "RUN >&- 2>&-", "RUN 2>&- | head -1", "RUN <&- >/dev/null"]
)
def test_work_is_done_whoever_reads_of_it(words: str, tmp_path: Path) -> None:
    done = shell(PRINTS, words, tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "done").exists()


@posix
def test_a_full_disk_for_the_output_is_told_when_all_is_done(tmp_path: Path) -> None:
    done = shell(PRINTS, "RUN >/dev/full", tmp_path)
    assert done.returncode == 1 and (tmp_path / "done").exists()
    assert done.stderr.startswith(b"error: the standard output could not be written (No space left")


@posix
@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}]
)
def test_terminals_of_any_encoding_show_all_text(environment: dict[str, str], tmp_path: Path) -> None:
    if "LC_ALL" in environment and not str(ROOT).isascii():
        pytest.skip("Python itself cannot read by the locale C where the project lies")
    done = shell(PRINTS, "RUN", tmp_path, **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[-1].endswith(b"\\udce4")


@posix
def test_the_error_comes_last(tmp_path: Path) -> None:
    assert shell(FAILS, "RUN 2>&1", tmp_path).stdout == b"before\nerror: after\n"


@posix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_who_is_told_to_stop_says_what_is_kept_and_leaves_nothing_behind(
    number: int, code: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WAITS, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, **pipes, preexec_fn=lambda: signal.signal(number, usual[number]))
    assert process.stdout.readline() == b"waits\n", "output is written line by line"
    process.send_signal(number)
    told = process.communicate(timeout=30)[1].decode().splitlines()
    assert process.returncode == code
    assert told[0].startswith("interrupted") and told[1:] == ["Kept: all."]
    assert not list(tmp_path.iterdir())


# a test runner in the background may ignore SIGINT, and one under nohup SIGHUP
usual = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}


@posix
def test_nohup_is_respected_and_handlers_are_given_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert exit_code(lambda argv: os.kill(os.getpid(), signal.SIGHUP), None) == 0
        assert exit_code(lambda argv: os.kill(os.getpid(), signal.SIGTERM), None) == 143
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@posix
def test_a_stopped_training_says_how_to_go_on(tmp_path: Path) -> None:
    data = write_telemanom(tmp_path / "data", {"P-1": (120, 100)})
    flags = [*tiny_flags(data, tmp_path / "work"), "--meta-epochs", "5000", "--mode", "train"]
    process = subprocess.Popen([sys.executable, "main.py", *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    last = tiny_folder(tmp_path / "work") / "last.pt"
    while not last.exists() and process.poll() is None:
        time.sleep(0.05)
    process.terminate()
    told = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 143
    assert told[-2] == "interrupted by SIGTERM"
    assert told[-1].startswith("Kept after meta epoch ") and str(last) in told[-1] and "--resume" in told[-1]
    assert {path.name for path in last.parent.iterdir()} == {"last.pt", "config.json", "log.jsonl", "features"}


@posix
def test_the_innermost_word_is_said_where_several_blocks_are_stopped() -> None:
    with (
        pytest.raises(KeyboardInterrupt) as stopped,
        told_when_stopped(lambda: "outer"),
        told_when_stopped(lambda: "inner"),
    ):
        raise KeyboardInterrupt
    assert stopped.value.__notes__ == ["inner"]


@posix
@pytest.mark.parametrize(
    ("module", "name", "told"),
    [
        ("detectors.series", "SeriesWay.fit", "Nothing new was learnt: the same command begins anew."),
        ("datasets", "SeriesData.tasks", "The same command begins anew."),
        ("detectors.scoring", "write_scores", "last.pt is whole: --mode test scores with it."),
        ("evaluation.summary", "evaluate_all", "The scores are whole. Evaluate them: "),
    ],
)
def test_a_run_stopped_in_any_phase_says_how_to_go_on(
    module: str, name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    data = write_telemanom(tmp_path / "data", {"P-1": (120, 100)})
    flags = ["--layout", "line", "--head", "gaussian", "--extractor", "telemetry", "--no-report", "--bootstrap", "0"]
    monkeypatch.setattr(f"{module}.{name}", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert main.main(["--data-path", str(data), "--work-dir", str(tmp_path / "work"), *flags]) == 143
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2] == "interrupted by SIGTERM" and told in lines[-1]


@pytest.mark.parametrize("rest", ['{"epoch": 2, "lo', "\udcff\udcff", "7", "[" * 9999])
def test_half_a_line_of_the_log_does_not_end_resume(rest: str, tmp_path: Path) -> None:
    whole = json.dumps({"epoch": 1, "loss": 3.0})
    (tmp_path / "log.jsonl").write_bytes(f"{whole}\n{rest}".encode(errors="surrogateescape"))
    Tracker(tmp_path, load_config(), first_epoch=2).log(1, epoch=2)
    assert (tmp_path / "log.jsonl").read_text() == f'{whole}\n{{"epoch": 2}}\n'


def test_the_names_of_files_are_texts_that_can_be_written() -> None:
    name = os.fsdecode(b"d\xe4")
    assert readable(f"d\xe4{name}") == "d\xe4d\\xe4"
    assert file_name(name) == name
    assert len(file_name(name * 100).encode(errors="surrogateescape")) <= 160


@posix
@pytest.mark.parametrize("dataset", ["smap", "table"])
def test_a_run_in_folders_that_are_no_utf8(dataset: str, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xe4 \xfc")
    data = write_telemanom(odd / "data", {"P-1": (120, 100)})
    if dataset == "table":
        (data / "labeled_anomalies.csv").unlink()
        for split in ("train", "test"):
            (data / split / "P-1.npy").rename(data / split / os.fsdecode(b"P-\xe4.npy"))
    flags = ["--dataset", dataset, "--data-path", str(data), "--work-dir", str(odd / "work"), "--layout", "line"]
    flags += ["--head", "gaussian", "--extractor", "resnet18", "--weights", "random", "--bootstrap", "5"]
    assert main.main([*flags, "--report", "--smap-used-dims", "0", "0", "0"]) == 0
    assert list((odd / "work").rglob("report.html"))


@posix
def test_a_bare_machine_whose_folders_have_umlauts(tmp_path: Path) -> None:
    """The locale C, nothing on PATH, and a clone, a home, a table and its columns with letters that are not ASCII."""
    place = tmp_path / "Prüf stand"
    (place / "höme").mkdir(parents=True)
    (place / "klön").symlink_to(ROOT)
    hours = [f"{3 + n // 24:02d}.05.2026 {n % 24:02d}:00;{np.sin(n / 5):.3f};{n % 9}\n" for n in range(300)]
    (place / "größe.csv").write_text("Zeit;Vorlauf Kühlung [°C];Größe\n" + "".join(hours), encoding="utf-8")
    flags = ["--config", "klön/configs/telemetry.py", "--data-path", "größe.csv", "--time-scales", "1"]
    flags += ["--time-format", "day-first", "--head", "gaussian", "--no-report", "--vis-top-k", "1"]
    command = [sys.executable, "klön/main.py", *flags]
    environment = {"PATH": "", "HOME": str(place / "höme"), "LANG": "C", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    told = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0 and "Traceback" not in told, told
    assert "größe.csv:" in told
    (scores,) = place.rglob("work_dirs/*/table/größe/scores/timestep_scores.csv")
    assert "Vorlauf Kühlung [°C]" in scores.read_text(encoding="utf-8")
    facts = json.loads(scores.with_name("config.json").read_text(encoding="utf-8"))
    assert facts["git_commit"] is None and facts["settings"]["data_path"] == "größe.csv"
