"""A folder has one run at a time, and what killed processes have left half-written goes with the next."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_flags, tiny_folder

import eval_smap_timestep
import export_smap_scores
import main
from runtime.errors import InputError
from runtime.files import atomic_file, atomic_folder, remove_leftovers, writing
from runtime.locks import owned, read

ROOT = Path(main.__file__).parent
# owns or writes in a process of its own, says so, and waits for the end of its input
OWNS = "import sys; from pathlib import Path; from runtime.locks import owned\nwith owned(Path(sys.argv[1])):"
WRITES = (
    "import sys; from pathlib import Path; from runtime.files import atomic_file, atomic_folder\n"
    "F = Path(sys.argv[1])\n"
    "with atomic_file(F / 'file') as file, atomic_folder(F / 'folder') as folder:\n"
    " file.write_text('half'); (folder / 'part').touch();"
)


def other(script: str, folder: Path) -> subprocess.Popen:
    """Another process at work in a folder."""
    command = [sys.executable, "-c", f"{script} print(flush=True); sys.stdin.read()", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"\n"
    return process


def end(process: subprocess.Popen, kill: bool = False) -> None:
    if kill:
        process.kill()
    process.communicate()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_has_one_owner_whom_the_error_names(tmp_path: Path) -> None:
    owner = other(OWNS, tmp_path / "run")
    with (
        pytest.raises(InputError, match=rf"run: another run .*process {owner.pid} on .*--work-dir"),
        owned(tmp_path / "run"),
    ):
        pass
    end(owner)
    with owned(tmp_path / "run"):
        assert names(tmp_path / "run") == [".lock"]
    assert not names(tmp_path), "a run that wrote nothing leaves nothing"


def test_a_killed_owner_leaves_no_lock(tmp_path: Path) -> None:
    end(other(OWNS, tmp_path), kill=True)
    with owned(tmp_path):
        (tmp_path / "kept").touch()
    assert names(tmp_path) == ["kept"]


def test_several_read_what_nobody_may_then_write(tmp_path: Path) -> None:
    reader = other(OWNS.replace("owned", "read"), tmp_path)
    with read(tmp_path):
        pass
    assert names(tmp_path) == [".lock"], "the other still reads"
    with pytest.raises(InputError, match=r"another run reads what is in this folder \(process \d+ on"), owned(tmp_path):
        pass
    end(reader)
    assert not names(tmp_path)
    with owned(tmp_path), pytest.raises(InputError, match="another run writes into"), read(tmp_path):
        pass
    end(other(OWNS.replace("owned", "read"), tmp_path), kill=True)
    with owned(tmp_path):
        pass
    with read(tmp_path / "nowhere"):
        assert not names(tmp_path)


def test_parts_of_a_folder_have_owners_of_their_own(tmp_path: Path) -> None:
    with owned(tmp_path, "one"), owned(tmp_path, "other"), pytest.raises(InputError), owned(tmp_path, "one"):
        pass


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    dead, living = other(WRITES, tmp_path), other(WRITES, tmp_path)
    (tmp_path / ".hidden").touch()
    of_both = names(tmp_path)
    assert len(of_both) == 5
    remove_leftovers(tmp_path)
    assert names(tmp_path) == of_both
    end(dead, kill=True)
    with owned(tmp_path):
        assert len(names(tmp_path)) == 4, "the lock, what is hidden, a file and a folder"
    end(living)
    assert names(tmp_path) == [".hidden", "file", "folder"]
    assert (tmp_path / "file").read_text() == "half"


def test_a_folder_killed_between_its_two_names_gets_the_old_one_back(tmp_path: Path) -> None:
    for name in (".scores.01234567", ".scores.01234567.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    remove_leftovers(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")] == ["scores/.scores.01234567.old"]


def test_leftovers_are_not_looked_for_beyond_the_folder(tmp_path: Path) -> None:
    precious, run = tmp_path / "precious", tmp_path / "run"
    precious.mkdir(), run.mkdir()
    (precious / ".file.01234567").touch()
    (run / "link").symlink_to(precious)
    (run / ".link.01234567").symlink_to(precious / ".file.01234567")
    os.mkfifo(run / ".fifo.01234567")
    remove_leftovers(run)
    assert names(precious) == [".file.01234567"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the names of files in /proc")
def test_files_are_on_the_disk_before_they_have_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), names(tmp_path)))

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_file(tmp_path / "file") as file:
        file.write_text("whole")
    assert [(name, "file" in known) for name, known in synced] == [(str(file), False), (str(tmp_path), True)]
    synced.clear()
    with atomic_folder(tmp_path / "folder") as folder, atomic_file(folder / "part") as part:
        part.write_text("whole")
    assert (str(folder / "part"), [folder.name, "file"]) in synced and len(synced) == 3


def test_a_full_disk_and_a_folder_that_vanishes_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file: cannot be written .*Make room"), atomic_file(tmp_path / "file"):
        raise OSError(28, "No space left on device")
    with pytest.raises(InputError, match="folder: cannot be written .*Make room"), atomic_folder(tmp_path / "folder"):
        raise OSError("4352 requested and 2032 written")  # as NumPy says it
    with pytest.raises(InputError, match="log: cannot be written .*Make room"), writing(tmp_path / "log"):
        raise OSError(27, "File too large")
    with pytest.raises(InputError, match="log: has vanished"), writing(tmp_path / "log"):
        (tmp_path / "log").open("r+")
    with (
        pytest.raises(InputError, match=r"copy: cannot be copied to \(No space left"),
        atomic_folder(tmp_path / "copy"),
    ):
        raise shutil.Error([("from", "to", "No space left on device")])
    with pytest.raises(InputError, match="gone: has vanished"), atomic_file(tmp_path / "gone" / "file") as file:
        file.unlink()
        file.parent.rmdir()
        file.write_text("nowhere")
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "file"):
        (tmp_path / "another").open()


def test_a_second_run_is_refused_by_every_command(
    telemetry: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    flags = [*tiny_flags(telemetry, tmp_path / "work"), "--no-report"]
    assert main.main(flags) == 0
    folder = tiny_folder(tmp_path / "work")
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    scores = ["--scores-dir", str(folder / "scores"), "--data-path", str(telemetry)]
    score = ["--mode", "score", "--run", str(folder), "--data-path", str(telemetry)]
    capsys.readouterr()
    with owned(folder):
        for run, argv in (
            (main.main, flags),
            (main.main, [*flags, "--mode", "test"]),
            (main.main, score),
            (export_smap_scores.main, scores),
            (eval_smap_timestep.main, scores),
        ):
            assert run(argv) == 2
            assert f"error: {folder}: another run writes into this folder" in capsys.readouterr().err
        assert eval_smap_timestep.main([*scores, "--check-labels"]) == 0, "reads only"
    assert {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == before
    assert main.main([*flags, "--work-dir", str(tmp_path / "another")]) == 0
    assert np.load(folder / "scores" / "labels.npy").tolist() == [1, 1, 1]
