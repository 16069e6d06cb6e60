"""What would grow faster than the data is bounded, and the bound is said."""

import time
from pathlib import Path

import numpy as np
import pytest
from conftest import plain_policy, tiny_flags, without_idle, write_telemanom

import eval_smap_timestep
import main
from evaluation import baselines, evaluate, judge, shown
from evaluation.baselines import nearest_window
from evaluation.judge import Scoring
from metrics.metric import Options
from runtime import progress, threads
from runtime.errors import note
from runtime.threads import mapped


@pytest.mark.parametrize("steps", [500, 5000])
def test_no_more_than_so_many_training_windows_are_looked_up(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up, plain = [], baselines._to_nearest
    monkeypatch.setattr(baselines, "MOST_WINDOWS", 200)
    monkeypatch.setattr(
        baselines, "_to_nearest", lambda known, *more: looked_up.append(len(known)) or plain(known, *more)
    )
    train, test = (np.random.default_rng(n).normal(size=(steps, 1)) for n in (0, 1))
    first, again = nearest_window(train, test), nearest_window(train, test)
    assert all(100 < number <= 200 for number in looked_up) and len(looked_up) == 4
    for split in (0, 1):
        np.testing.assert_array_equal(first[split], again[split])


def test_bounds_are_said_on_the_terminal_and_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    data = write_telemanom(tmp_path / "data", {"P-1": (300, 400), "S-1": (200, 260)})
    flags = ("--layout", "line", "--head", "gaussian")
    assert main.main([*without_idle(tiny_flags(data, tmp_path / "runs"), flags), *flags, "--no-report"]) == 0
    (scores,) = (tmp_path / "runs").rglob("scores")
    assert "looked up, equally far apart" not in capsys.readouterr().out
    monkeypatch.setattr(evaluate, "MOST_WINDOWS", 250)
    monkeypatch.setattr(shown, "MOST_SHOWN", 1)
    note.cache_clear()
    assert eval_smap_timestep.main(["--scores-dir", str(scores), "--report"]) == 0
    told = (
        "nearest train window: of 300 training steps of a channel the windows at 250 are looked up, equally far apart."
    )
    assert told in capsys.readouterr().out
    page = (scores / "report.html").read_text(encoding="utf-8")
    assert "1 channel with lower scores is not shown here" in page
    assert page.count('<script type="application/json" id="channel-') == 1


def test_what_channels_without_training_share_is_learnt_from_once(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt, plain = [], judge.learn
    monkeypatch.setattr(judge, "learn", lambda *given: learnt.append(given) or plain(*given))
    rng = np.random.default_rng(0)
    shared, own = rng.gamma(2.0, size=3000), rng.gamma(2.0, size=300)
    names, test = [f"{n}" for n in range(30)], [rng.gamma(2.0, size=100) for _ in range(30)]
    labels = [(np.arange(100) > 90).astype(np.uint8)] * 30
    result = judge.judge(
        Scoring("model", names, test, [own, *[shared] * 29]), labels, plain_policy("q0.99"), Options(0, 0, False)
    )
    assert len(learnt) == 2
    assert [known.threshold for known in result.learnt] == [np.quantile(own, 0.99), *[np.quantile(shared, 0.99)] * 29]


def test_a_long_piece_of_work_is_no_silence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.0)
    monkeypatch.setattr(threads, "BEAT", 0.01)
    assert mapped(lambda item: time.sleep(0.1), [0, 1], desc="Judge", unit="score") == [None, None]
    assert capsys.readouterr().err.startswith("Judge: 0 of 2 scores, 00:00\n")
