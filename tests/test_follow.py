"""A csv that grows is scored as the finished one would be, whenever the program is stopped and started again."""

import io
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import main
import msflow
from evaluation.details import MOVED
from evaluation.frames import ALARM_COLUMNS, STEP_COLUMNS
from runtime.errors import InputError
from serving import follow as following
from serving.follow import follow

NAN = np.nan
JOIN = 60


def sensors(seed: int, steps: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(steps)[:, None] / [7, 12]) + 0.2 * rng.normal(size=(steps, 2))
    times = pd.date_range("2026-02-10 20:00", periods=steps, freq="min", name="when")
    return pd.DataFrame((wave * [1, 50] + [0, 20]).round(4), columns=["current", "heat"], index=times)


def november() -> pd.DataFrame:
    new = sensors(1, 1500)
    for start in (200, 600, 1250):  # the last is told at the end of the input only
        new.loc[new.index[start : start + 40], "heat"] += 300
    new.iloc[300:304, 0], new.iloc[620:623], new.iloc[700:800, 1] = NAN, NAN, NAN
    return new.drop(index=new.index[900:930])


def learnt(seed: int) -> msflow.Fitted:
    settings = {"weights": "random", "time_scales": [1], "smooth": 8, "threshold": "q0.999"}
    settings |= {"causal": True, "join": JOIN, "least_length": 2}
    return msflow.fit(sensors(seed, 1200), name="pump", **settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learnt(0).save(tmp_path_factory.mktemp("runs") / "pump")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def text_of(frame: pd.DataFrame, **form) -> bytes:
    return frame.to_csv(**form, lineterminator="\n").encode()


def batch(run: Path, path: Path) -> Path:
    assert main.main(["--mode", "score", "--run", str(run), "--no-report", "--data-path", str(path)]) == 0
    return run / "scored" / path.stem


def grown(run: Path, path: Path, text: bytes, seed: int, most: int = 9000) -> Path:
    """The file written in random pieces, and followed by a new program after each."""
    random = np.random.default_rng(seed)
    start = 0
    while start < len(text):
        stop = start + int(random.integers(1, most))
        with path.open("ab") as file:
            file.write(text[start:stop])
        folder = follow(msflow.load(run), str(path), forever=False)
        start = stop
    return folder


def close(found: str, expected: str) -> None:
    """The same lines, but for the last of six digits, which floats of another order of sums may round otherwise."""
    for one, other in zip(found.splitlines(), expected.splitlines(), strict=True):
        if one != other:
            cells, others = one.split(","), other.split(",")
            assert cells[:3] + cells[4:] == others[:3] + others[4:]
            assert float(cells[3]) == pytest.approx(float(others[3]), rel=2e-5)


def end_of(run: Path) -> int:
    return msflow.load(run).stream().latency


@pytest.mark.parametrize("seed", [0, 1])
def test_a_file_that_grows_is_scored_like_the_whole(seed: int, run: Path, tmp_path: Path) -> None:
    path, text = tmp_path / "november.csv", text_of(november())
    folder = grown(run, path, text, seed)
    assert folder == run / "followed" / "november"
    found = (folder / "scores.csv").read_text()
    expected = (batch(run, path) / "scores.csv").read_text().splitlines(keepends=True)
    assert len(november()) - end_of(run) == found.count("\n") - 1
    close(found, "".join(expected[: found.count("\n")]))


def test_alarms_are_those_of_the_whole(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path, text = tmp_path / "november.csv", text_of(november())
    found = pd.read_csv(grown(run, path, text, 2) / "alarms.csv")
    told = capsys.readouterr().out
    expected = pd.read_csv(batch(run, path) / "alarms.csv")
    assert tuple(found.columns) == ALARM_COLUMNS
    ended = expected[expected["end"] < 1500 - end_of(run) - JOIN]
    assert 0 < len(ended) < len(expected)
    for name in ("channel", "start", "end", "start_time", "end_time", "peak", "peak_time"):
        assert found[name].tolist() == ended[name].tolist(), name
    np.testing.assert_allclose(found[["peak_score", "threshold"]], ended[["peak_score", "threshold"]], rtol=2e-5)
    first, wanted = ([text.split(" ")[0] for text in frame["columns"]] for frame in (found, ended))
    assert first == wanted and "heat" in first and found["columns"].str.endswith(" %").all()
    assert told.count("ALARM pump from 2026-02-1") in (len(ended), len(ended) + 1)
    assert told.count("  until 2026-02-1") == len(ended)


class Pipe(io.RawIOBase):
    """What arrives in pieces of these sizes."""

    def __init__(self, text: bytes, sizes: list[int]) -> None:
        self._text, self._sizes = text, sizes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        piece, self._text = self._text[: self._sizes[0]], self._text[self._sizes[0] :]
        self._sizes = self._sizes[1:] + self._sizes[:1]
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_pipe_is_scored_to_its_end(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, text = tmp_path / "november.csv", text_of(november())
    path.write_bytes(text)
    pipe = io.BufferedReader(Pipe(text[:-1], [10, 900, 4000, 1]), buffer_size=8192)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
    assert main.main(["--mode", "score", "--run", str(run), "--follow", "--data-path", "-"]) == 0
    expected, folder = batch(run, path), run / "followed" / "stdin"
    close((folder / "scores.csv").read_text(), (expected / "scores.csv").read_text())
    found, wanted = (pd.read_csv(place / "alarms.csv") for place in (folder, expected))
    for name in ("start", "end", "start_time", "end_time", "peak", "peak_time"):
        assert found[name].tolist() == wanted[name].tolist(), name
    assert len(wanted) > 1 and (wanted["end"] - wanted["start"]).min() >= 1


def test_an_alarm_may_last_to_the_end(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(november()[:500])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text))))
    flags = ["--mode", "score", "--run", str(run), "--follow", "--data-path", "-", "--threshold=-1"]
    assert main.main(flags) == 0
    (alarm,) = pd.read_csv(run / "followed" / "stdin" / "alarms.csv").itertuples()
    scores = pd.read_csv(run / "followed" / "stdin" / "scores.csv")
    assert (alarm.start, alarm.end, alarm.peak_score) == (0, 499, scores["score"].max())
    assert (alarm.start_time, alarm.end_time) == (scores["time"].iloc[0], scores["time"].iloc[-1])


def test_a_level_that_moves_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    fitted = msflow.load(run, replace(msflow.load(run).config, moved_after=20, contrast=0.0))
    path, new = tmp_path / "november.csv", november()
    text = text_of(new)
    for stop in range(4000, len(text) + 4000, 4000):  # in one piece some end, and others begin and end
        path.write_bytes(text[:stop])
        folder = follow(fitted, str(path), forever=False)
    found = pd.read_csv(folder / "alarms.csv", keep_default_na=False)
    expected = fitted.alarms(new)[: len(found)]
    assert found[["start", "end"]].to_numpy().tolist() == expected[["start", "end"]].to_numpy().tolist()
    moved = (expected["kind"] == MOVED).tolist()
    assert True in moved and found["kind"].tolist() == [MOVED if was else "" for was in moved]
    said = capsys.readouterr().out
    assert said.count("; the level has moved, and is usual from now on\n") == moved.count(True)
    assert said.count("  until ") == len(found) and said.count("ALARM pump from ") - len(found) in (0, 1)


def test_what_is_too_short_for_an_alarm_is_not_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Nor is a long one before it is long enough; it is told with its start."""
    fitted = msflow.load(run, replace(msflow.load(run).config, least_length=100))
    lengths = msflow.load(run).alarms(november()).eval("end - start + 1")
    assert lengths.min() < 100 <= lengths.max()
    path, text = tmp_path / "november.csv", text_of(november())
    for stop in range(1000, len(text) + 1000, 1000):
        path.write_bytes(text[:stop])
        folder = follow(fitted, str(path), forever=False)
    (alarm,) = pd.read_csv(folder / "alarms.csv").itertuples()
    scores = pd.read_csv(folder / "scores.csv").set_index("step")
    assert alarm.start_time == scores["time"][alarm.start] and scores["alarm"][alarm.start] == 0
    said = capsys.readouterr().out
    assert said.count("ALARM") == said.count(f"ALARM pump from {alarm.start_time}: heat\n") == 1


@pytest.mark.parametrize("kill", ["after appending", "while appending", "before the first state"])
def test_what_was_killed_loses_no_row_and_has_none_twice(kill: str, run: Path, tmp_path: Path) -> None:
    path, text = tmp_path / "november.csv", text_of(november())
    path.write_bytes(text)
    whole = follow(msflow.load(run), str(path), forever=False)
    expected = {name: (whole / f"{name}.csv").read_text() for name in ("scores", "alarms")}
    shutil.rmtree(whole)
    if kill == "before the first state":
        whole.mkdir()
        (whole / "scores.csv").write_text("channel,step\npump,0,half a li")
    else:
        path.write_bytes(text[:20_000])
        follow(msflow.load(run), str(path), forever=False)
        state = (whole / "state.npz").read_bytes()
        path.write_bytes(text[:35_000])
        follow(msflow.load(run), str(path), forever=False)
        (whole / "state.npz").write_bytes(state)  # the second was not written yet
        if kill == "while appending":
            for name in expected:
                content = (whole / f"{name}.csv").read_bytes()
                (whole / f"{name}.csv").write_bytes(content[:-5])
    path.write_bytes(text)
    follow(msflow.load(run), str(path), forever=False)
    close((whole / "scores.csv").read_text(), expected["scores"])
    assert (whole / "alarms.csv").read_text().count("\n") == expected["alarms"].count("\n") > 1
    found, wanted = (pd.read_csv(text) for text in (whole / "alarms.csv", io.StringIO(expected["alarms"])))
    pd.testing.assert_frame_equal(found, wanted, rtol=2e-5)


def test_a_file_that_was_replaced_is_an_error(run: Path, tmp_path: Path) -> None:
    path, text = tmp_path / "november.csv", text_of(november())
    path.write_bytes(text)
    folder = follow(msflow.load(run), str(path), forever=False)
    path.write_bytes(text[:1000])
    with pytest.raises(InputError, match="november.csv: is shorter than what was read of it: it was replaced. Remove "):
        follow(msflow.load(run), str(path), forever=False)
    path.write_bytes(text)
    (folder / "scores.csv").write_text("channel\n")
    with pytest.raises(InputError, match="scores.csv: is shorter than when .*state.npz was written"):
        follow(msflow.load(run), str(path), forever=False)


def test_it_waits_until_it_is_interrupted(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, text = tmp_path / "november.csv", text_of(november())
    path.write_bytes(text[:20_000])
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            raise KeyboardInterrupt
        with path.open("ab") as file:
            file.write(text[20_000:] if len(slept) == 2 else b"")

    monkeypatch.setattr(following.time, "sleep", sleep)
    flags = ["--mode", "score", "--run", str(run), "--follow", "--data-path", str(path)]
    assert main.main(flags) == 130
    assert (run / "followed" / "november" / "scores.csv").read_text().count("\n") == 1 + 1470 - end_of(run)
    assert slept == [following.POLL] * 3


@pytest.mark.parametrize(
    ("path", "message"), [("", "which file"), ("none.csv", "does not exist, or is no file"), (".", "is no file")]
)
def test_what_cannot_be_followed_is_an_error(path: str, message: str, run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        follow(msflow.load(run), path and str(tmp_path / path), forever=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="heat"), "lacks the column heat"),
        (lambda frame: frame.assign(flow=1.5), "has, as was not so in training, the column flow"),
    ],
)
def test_other_columns_are_an_error(change, message: str, run: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_bytes(text_of(change(november())))
    with pytest.raises(InputError, match=message):
        follow(msflow.load(run), str(path), forever=False)


def test_lines_that_come_again_or_late_are_left_out(run: Path, tmp_path: Path) -> None:
    lines = text_of(november()).splitlines(keepends=True)
    clean, path = tmp_path / "clean.csv", tmp_path / "new.csv"
    clean.write_bytes(b"".join(lines))
    expected = (follow(msflow.load(run), str(clean), forever=False) / "scores.csv").read_text()
    for block in (
        lines[:500],
        lines[499:500],
        lines[499:500] * 2,
        lines[10:12],
        [b",1.0,2.0\n"],
        lines[500:501],
        lines[498:],
    ):
        with path.open("ab") as file:
            file.write(b"".join(block))
        folder = follow(msflow.load(run), str(path), forever=False)
    close((folder / "scores.csv").read_text(), expected)


def test_lines_are_whole_whatever_the_pieces() -> None:
    text = b"a,b\n1,2\n\n3,4\n5,6"
    for size in (1, 2, 3, 7, 100):
        blocks = list(following._whole_lines(io.BufferedReader(Pipe(text, [size]), buffer_size=16)))
        assert b"".join(blocks).split() == text.split() and all(block.endswith(b"\n") for block in blocks)


def test_scores_of_a_followed_file_have_their_header_at_once(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(b"")
    folder = follow(msflow.load(run), str(path), forever=False)
    assert (folder / "scores.csv").read_text() == ",".join(STEP_COLUMNS) + "\n"
    assert (folder / "alarms.csv").read_text() == ",".join(ALARM_COLUMNS) + "\n"


def test_scores_of_columns_that_were_removed_are_an_error(run: Path) -> None:
    shutil.rmtree(run / "scores" / "train" / "columns")
    with pytest.raises(InputError, match=r"columns.pump\.npy: missing"):
        msflow.load(run).score(november())


def test_what_another_training_has_begun_is_not_gone_on_with(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "november.csv"
    path.write_bytes(text_of(november()[:50]))
    folder = follow(msflow.load(run), str(path), forever=False)
    other = learnt(2).save(tmp_path / "other")
    shutil.copytree(folder, other / "followed" / folder.name)
    with pytest.raises(InputError, match=r"state\.npz: was begun with another training"):
        follow(msflow.load(other), str(path), forever=False)
