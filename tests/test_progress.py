"""What a phase says of itself where there is no terminal: nothing for a short one, few lines for a long one."""

import pytest

from runtime import progress
from runtime.progress import progress_bar


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "FIRST", 2.0)
    monkeypatch.delenv("RANK", raising=False)
    return clock


def run(clock: Clock, units: int, seconds: float, initial: int = 0) -> None:
    with progress_bar(units, initial, desc="Score test", unit="channel", smoothing=0.1) as bar:
        assert bar.disable
        for _ in range(units - initial):
            clock.now += seconds
            bar.update()
            bar.set_postfix(loss=1.0, refresh=False)


def test_a_short_phase_says_nothing(clock: Clock, capsys: pytest.CaptureFixture) -> None:
    run(clock, 100, 0.0199)
    assert capsys.readouterr() == ("", "")


def test_a_long_phase_says_where_it_is_in_ever_longer_intervals_and_that_it_is_over(
    clock: Clock, capsys: pytest.CaptureFixture
) -> None:
    run(clock, 60, 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "Score test: 4 of 60 channels, 00:02, 00:28 left",
        "Score test: 8 of 60 channels, 00:04, 00:26 left",
        "Score test: 16 of 60 channels, 00:08, 00:22 left",
        "Score test: 32 of 60 channels, 00:16, 00:14 left",
        "Score test: 60 of 60 channels, 00:30",
    ]


def test_what_was_done_before_does_not_make_the_rest_look_quick(clock: Clock, capsys: pytest.CaptureFixture) -> None:
    run(clock, 10, 3.0, initial=8)
    assert capsys.readouterr().err.splitlines() == [
        "Score test: 9 of 10 channels, 00:03, 00:03 left",
        "Score test: 10 of 10 channels, 00:06",
    ]


def test_only_one_of_several_processes_speaks(
    clock: Clock, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    run(clock, 60, 0.5)
    assert capsys.readouterr() == ("", "")
