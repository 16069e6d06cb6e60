"""Fixtures that several test modules share: data folders and short runs of the real entry point."""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from picture_folders import draw_mvtec_class, save, texture

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the fastest for such small work, and sums always in the same order

from drawing.colours import Drawing
from evaluation.alarms import Policy
from runtime import progress
from settings.effects import idle
from settings.flags import make_parser
from settings.load import load_config

if TYPE_CHECKING:
    from settings_runs import Outcome, Place

pytest.register_assert_rewrite("picture_runs", "settings_reading", "settings_runs")  # else failures show no values

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="session")
def no_lines_of_progress() -> Iterator[None]:
    """A phase that a busy machine makes long says nothing where a test knows what is printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "FIRST", math.inf)
        yield


def shared_file(name: str) -> Path:
    """A file of the developers' folder beside the repository; skips the test where there is none."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs ../shared/{name}, which only developers and CI have")
    return path


def write_telemanom(folder: Path, lengths: dict[str, tuple[int, int]], columns: int = 4, seed: int = 0) -> Path:
    """Random telemetry of spacecraft SMAP: channel -> (train, test) steps; an eighth of each test is labelled."""
    rng = np.random.default_rng(seed)
    rows = ["chan_id,spacecraft,anomaly_sequences,class,num_values"]
    for channel, steps in lengths.items():
        for split, length in zip(("train", "test"), steps, strict=True):
            (folder / split).mkdir(parents=True, exist_ok=True)
            series = rng.integers(0, 2, (length, columns)).astype(float)
            series[:, 0] = np.sin(np.arange(length) / 7) + 0.1 * rng.normal(size=length)
            np.save(folder / split / f"{channel}.npy", series)
        start, end = steps[1] // 2, steps[1] // 2 + steps[1] // 8
        rows.append(f'{channel},SMAP,"[[{start}, {end}]]",[point],{steps[1]}')
    (folder / "labeled_anomalies.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def telemetry(tmp_path: Path) -> Path:
    """A folder with three short channels."""
    return write_telemanom(tmp_path / "telemetry", {"P-1": (120, 200), "S-1": (90, 260), "E-1": (150, 180)})


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs in its temporary folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tile(tmp_path: Path) -> Path:
    """A folder with one class of pictures for a test to damage."""
    draw_mvtec_class(tmp_path / "data" / "tile")
    return tmp_path / "data" / "tile"


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> "Place":
    """Tiny data, and a default.py to edit."""
    from settings_runs import make_place  # here, because it loads torch and timm, which most tests do without

    return make_place(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="session")
def base(place: "Place") -> "Outcome":
    """The run nothing is edited in."""
    from settings_runs import outcome

    return outcome(place.text, place.folder / "base")


@pytest.fixture(scope="session")
def half(place: "Place") -> Path:
    """The folder of a run that ended after the first of two meta epochs."""
    from settings_runs import edited, outcome

    assert outcome(edited(place.text, meta_epochs=1), place.folder / "half").code == 0
    return place.folder / "half"


@pytest.fixture
def many(tile: Path) -> Path:
    """The same with twelve training pictures."""
    rng = np.random.default_rng(7)
    for number in range(12):
        save(tile / "train" / "good" / f"{number:03}.png", texture(rng, 64, 64))
    return tile


def tiny_flags(data_path: Path, work_dir: Path) -> list[str]:
    """Flags of a run on telemetry that takes about a second."""
    return [
        *("--dataset", "smap", "--data-path", str(data_path), "--work-dir", str(work_dir)),
        *("--extractor", "resnet18", "--weights", "random", "--input-size", "32", "64", "--batch-size", "2"),
        *("--parallel-blocks", "1", "1", "1", "--c-conds", "4", "4", "4", "--meta-epochs", "2", "--sub-epochs", "2"),
        *("--vis-top-k", "0"),  # heat maps take half of the time
    ]


def without_idle(tiny: list[str], flags: Sequence[str]) -> list[str]:
    """`tiny` without the flags that have no effect with `flags` behind them, and would be warned of."""
    given = vars(make_parser("").parse_args([*tiny, *flags]))
    config = load_config(given.pop("config"), given)
    idle_flags = {f"--{name.replace('_', '-')}" for name in idle(config, given)}
    kept, dropping = [], False
    for word in tiny:
        if word.startswith("--"):
            dropping = word in idle_flags
        if not dropping:
            kept.append(word)
    return kept


def unexpected(errors: str) -> list[str]:
    """What a tiny run printed to the standard error, but for the warnings that so little data, drawn so, deserve."""
    deserved = ("short training", "more than half", "values far outside", "thresholds are learnt from scores of")
    return [line for line in errors.splitlines() if not line.startswith(tuple(f"warning: {told}" for told in deserved))]


def tiny_folder(work_dir: Path) -> Path:
    """Where a run with `tiny_flags` lies."""
    return work_dir / "msflow_resnet18_avgpool_pl111" / "smap" / "SMAP"


def published_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real SMAP and MSL in their published layout, unpacked once per session; skips where they are missing."""
    folder = tmp_path_factory.getbasetemp() / "published"
    table = shared_file("data/smap/labeled_anomalies.csv")
    if not folder.exists():
        for split in ("train", "test"):
            (folder / split).mkdir(parents=True)
            for spacecraft in ("smap", "msl"):
                with np.load(table.with_name(f"{spacecraft}_{split}.npz"), allow_pickle=False) as arrays:
                    for channel in arrays.files:
                        np.save(folder / split / f"{channel}.npy", arrays[channel])
        (folder / table.name).write_bytes(table.read_bytes())
    return folder


def plain(dims: tuple[int, ...]) -> Drawing:
    """Columns as they are, one per colour."""
    return Drawing(dims, ("value",) * len(dims), window=1, gains=(1.0,) * len(dims), clip=0.0)


def plain_policy(threshold: str) -> Policy:
    """Every run of steps above a threshold is an alarm."""
    off = {"contrast": 0.0, "release": 0.0, "prune": 0.0, "cool_down": 0, "moved_after": 0, "drift": 0}
    return Policy(threshold, risk=6.0, join=1, least_length=1, causal=False, **off)
