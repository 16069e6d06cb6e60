"""What every detector of series can do, whatever it is: a contract, by the registry's names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_flags, without_idle, write_telemanom

from datasets import DATASETS
from detectors import DETECTORS, run
from detectors.loop import LAST, Course
from detectors.msflow import model
from detectors.run import Run, open_run
from models.checkpoints import read_checkpoint
from settings.flags import make_parser
from settings.load import load_config
from train import train

EVENT = slice(300, 340)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = write_telemanom(tmp_path / "telemetry", {"P-1": (600, 600), "S-1": (700, 500)})
    series = np.load(folder / "test" / "P-1.npy")
    series[EVENT, 0] += 3
    np.save(folder / "test" / "P-1.npy", series)
    return folder


def opened(data: Path, *flags: str) -> Run:
    wanted = ("--timestep-map", "nll", "--smap-used-dims", "0", "0", "0", *flags)
    tiny = without_idle(tiny_flags(data, data.parent / "runs"), wanted)
    given = vars(make_parser("").parse_args([*tiny, *wanted]))
    config = load_config(given.pop("config"), given)
    (task,) = DATASETS[config.dataset].tasks(config)
    return open_run(config, task)


# what makes a detector small, and what else one is to be tried with: flags
SMALL: dict[str, tuple[str, ...]] = {
    "omnianomaly": ("--window", "12", "--hidden", "16", "--planar-flows", "2", "--stride", "6", "--lr", "0.01"),
    "pca": ("--window", "16"),
    "statistics": ("--widths", "16", "32"),
    "tranad": ("--batch-size", "64"),
    "usad": ("--batch-size", "64", "--meta-epochs", "20"),
}
VARIANTS = [(name, SMALL.get(name, ())) for name in DETECTORS] + [
    ("tranad", (*SMALL["tranad"], "--variant", "code")),
    ("msflow", ("--layout", "line")),
    ("msflow", ("--layout", "line", "--head", "gaussian", "--time-scales", "1", "4", "--fleet-size", "20")),
    ("msflow", ("--layout", "fold", "--fold-width", "32", "--head", "memory")),
]
every_detector = pytest.mark.parametrize(("name", "flags"), VARIANTS, ids=str)


@every_detector
def test_scores_have_named_rows_and_one_column_per_step(name: str, flags: tuple[str, ...], data: Path) -> None:
    run = opened(data, "--detector", name, *flags)
    train(run)
    assert run.detector.channels == ["P-1", "S-1"]
    assert len(set(run.detector.rows)) == len(run.detector.rows) > 0
    for channel in run.detector.channels:
        series = run.task.source.series(channel, "test")
        scores = run.detector.scores(channel, series).rows
        assert scores.shape == (len(run.detector.rows), len(series)) and scores.dtype == np.float32
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(run.detector.scores(channel, series).rows, scores)


@every_detector
def test_an_event_scores_above_the_rest(name: str, flags: tuple[str, ...], data: Path) -> None:
    run = opened(data, "--detector", name, *flags)
    train(run)
    scores = run.detector.scores("P-1", run.task.source.series("P-1", "test")).rows.sum(axis=0)
    rest = np.delete(scores, np.r_[EVENT.start - 64 : EVENT.stop + 64])
    assert scores[EVENT].mean() > rest.mean()


@every_detector
def test_a_checkpoint_brings_it_back(name: str, flags: tuple[str, ...], data: Path) -> None:
    run = opened(data, "--detector", name, *flags)
    train(run)
    series = run.task.source.series("S-1", "test")
    expected = run.detector.scores("S-1", series).rows
    other = opened(data, "--detector", name, *flags)
    other.detector.load_state(run.folder / LAST, read_checkpoint(run.folder / LAST))
    np.testing.assert_array_equal(other.detector.scores("S-1", series).rows, expected)


@every_detector
def test_fit_asks_for_an_array_once(name: str, flags: tuple[str, ...], data: Path) -> None:
    run, asked = opened(data, "--detector", name, *flags), []

    class Arrays(dict):
        def __getitem__(self, channel: str) -> np.ndarray:
            asked.append(channel)
            return super().__getitem__(channel)

        def items(self):
            return ((channel, self[channel]) for channel in self)

    arrays = Arrays((channel, run.task.source.series(channel, "train")) for channel in run.task.channels)
    run.detector.fit(arrays, Course(run.config, "any", run.folder, run.detector.state, run.facts))
    assert sorted(asked) == ["P-1", "S-1"]


def test_a_run_is_described_without_git(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert opened(data).facts()["git_commit"] is None


def test_the_hardware_is_asked_for_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert isinstance(model.has_bfloat16(cpu), bool)
    for machine, asked in (("x86_64", "_is_avx512_bf16_supported"), ("AMD64", "_is_avx512_bf16_supported")):
        for has in (True, False):
            monkeypatch.setattr(model.platform, "machine", lambda machine=machine: machine)
            monkeypatch.setattr(torch.cpu, asked, lambda has=has: has)
            assert model.has_bfloat16(cpu) is has


def test_there_are_no_more_threads_than_processors(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        for asked, there, expected in ((1, 8, 1), (6, 2, 2), (6, 1, 1)):
            torch.set_num_threads(asked)
            monkeypatch.setattr(run, "processors", lambda there=there: there)
            opened(data, "--device", "cpu")
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
