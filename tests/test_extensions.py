"""Every seam, from this file alone: toy parts register themselves, and the real commands run with them."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import tiny_flags, unexpected, without_idle
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import eval_smap_timestep
import export_smap_scores
import main
from data.labels import LabelRow
from data.pictures import PictureFile
from datasets import DATASETS, PictureData, SeriesData
from detectors import DETECTORS
from detectors.columns import ChannelScores
from drawing import COLOURS, LAYOUTS
from drawing.layouts import map_at_pixels, padded
from evaluation import BASELINES
from metrics import METRICS
from metrics.metric import Column, Metric
from models import DENSITIES, EXTRACTORS
from models.densities.base import Batch, Density, LeftOut, Levels, places
from models.extractors.backbone import Extractor, timm_extractor
from runtime.registry import Registry


class Sensors:
    """A source of two sensors in memory; nobody has labelled the second, and its name is no file's."""

    name, channels, origin, untrained = "SENSORS", ["bath/temp", "../pump"], "memory", []

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.values = {(c, s): rng.normal(size=(300, 2)) for c in self.channels for s in ("train", "test")}
        self.values["bath/temp", "test"][150:180] += 4

    def series(self, channel: str, split: str) -> NDArray[np.float64]:
        return self.values[channel, split]

    def num_steps(self, channel: str, split: str) -> int:
        return len(self.values[channel, split])

    def columns(self, channel: str) -> list[str]:
        return ["temperature in $^\\circ$C", "pressure"]

    def times(self, channel: str, split: str) -> None:
        return None

    def rows(self, channel: str, split: str) -> None:
        return None

    def step(self, channel: str) -> None:
        return None

    def label_rows(self, channel: str) -> list[LabelRow] | None:
        return [LabelRow(channel, ((150, 179),))] if channel == "bath/temp" else None

    def unlabelled(self) -> list[str]:
        return ["../pump"]

    def place(self, channel: str, split: str) -> str:
        return f"memory of {channel}, {split}"


class Snake:
    """Rows of 32 steps, every other one backwards."""

    window, rows_alike, cuttable = 32 * 32, False, False

    def to_image(self, series: NDArray[np.floating]) -> NDArray[np.float32]:
        rows = padded(series, self.window).reshape(-1, 32, 32)
        rows[:, 1::2] = rows[:, 1::2, ::-1]
        return rows.astype(np.float32)

    def to_series(self, score_map: NDArray[np.floating], num_steps: int, stride: int = 1) -> NDArray[np.float64]:
        rows = map_at_pixels(score_map, (32, 32), stride)
        rows[1::2] = rows[1::2, ::-1]
        return rows.ravel()[:num_steps]


class Middle(Density):
    """The squared distance to the mean feature of the channel; it can leave a part of the training out."""

    def __init__(self, num_channels: int, num_features: list[int]) -> None:
        super().__init__()
        self.num_features = num_features
        for level, features in enumerate(num_features):  # sums, and behind them how many
            self.register_buffer(f"sum_{level}", torch.ones(num_channels, features + 1))

    def fit(self, pyramids: list[Levels], seed: int, origins: Any = None) -> None:
        for channel, levels in enumerate(pyramids):
            for level, features in enumerate(map(places, levels)):
                self.get_buffer(f"sum_{level}")[channel] = sums(features)

    def without(self, channel: int, left_out: Sequence[LeftOut]) -> "Middle":
        rest = Middle(len(left_out), self.num_features)
        for number, (levels, _) in enumerate(left_out):
            for level, x in enumerate(map(places, levels)):
                rest.get_buffer(f"sum_{level}")[number] = self.get_buffer(f"sum_{level}")[channel] - sums(x)
        return rest

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        known = [self.get_buffer(f"sum_{level}")[channels, :, None, None] for level in range(len(levels))]
        return [(x - k[:, :-1] / k[:, -1:]).square().mean(dim=1) for x, k in zip(levels, known, strict=True)]


def sums(features: Tensor) -> Tensor:
    return torch.cat([features, torch.ones_like(features[:, :1])], dim=1).sum(dim=0)


class Centre(Middle):
    """The same, shifted by an offset that is trained."""

    def __init__(self, num_channels: int, num_features: list[int]) -> None:
        super().__init__(num_channels, num_features)
        self.shift = nn.Parameter(torch.zeros(()))

    def loss(self, batch: Any) -> Tensor:
        return (self.shift - 1).square()

    def forward(self, *asked: Any) -> Levels:
        return [energies + self.shift.square() for energies in super().forward(*asked)]


class Magnitude:
    """A detector without torch: how far every column is from its training mean, a row a column."""

    def __init__(self, config: Any, task: Any, known: dict[str, list[str]], folder: Path, device: torch.device) -> None:
        self.channels, self.means, self.weights = list(known), {}, "none"
        self.rows, self.reach, self.grid, self.at_once = ["first column", "second column"], 0, 1, 2

    def fit(self, train: Mapping[str, NDArray[np.float64]], course: Any) -> None:
        self.means = {name: series.mean(axis=0).tolist() for name, series in train.items()}

    def scores(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        return ChannelScores(np.abs(series - self.means[channel]).T.astype(np.float32))

    def held_out(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        found = np.empty(series.T.shape, dtype=np.float32)
        for part in np.array_split(np.arange(len(series)), 5):
            found[:, part] = np.abs(series[part] - np.delete(series, part, axis=0).mean(axis=0)).T
        return ChannelScores(found)

    def facts(self) -> dict[str, Any]:
        return {}

    def state(self) -> dict[str, Any]:
        return {"means": self.means, "channels": self.channels}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        self.means = content["means"]


class Learnt(Magnitude):
    """The same about a mean that is learnt by gradient, through the shared course; the last part is left out."""

    def __init__(self, *made_for: Any) -> None:
        super().__init__(*made_for)
        self.module, self.share = Mean(2), 1 - made_for[0].held_out

    def fit(self, train: Mapping[str, NDArray[np.float64]], course: Any) -> None:
        course.train(self.module, Steps(np.concatenate([x[: int(self.share * len(x))] for x in train.values()])))

    def scores(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        return ChannelScores(np.abs(series - self.module.mean.detach().numpy()).T.astype(np.float32))

    def held_out(self, channel: str, series: NDArray[np.float64]) -> ChannelScores:
        found = self.scores(channel, series)
        found.rows[:, : int(self.share * len(series))] = np.nan
        return found

    def state(self) -> dict[str, Any]:
        return {"learnt": self.module.state_dict(), "channels": self.channels}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        self.module.load_state_dict(content["learnt"])


class Mean(nn.Module):
    """A mean per column."""

    def __init__(self, num_columns: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.full((num_columns,), 5.0))

    def loss(self, batch: Any) -> Tensor:
        return (batch.levels[0] - self.mean).square().mean()


class Steps:
    """All steps (T, D) in batches of 100."""

    def __init__(self, steps: NDArray[np.float64]) -> None:
        self.steps, self.num_batches = torch.from_numpy(steps).float(), -(-len(steps) // 100)

    def batches(self, seed: int) -> Iterator[Batch]:
        random = torch.Generator().manual_seed(seed)
        for numbers in torch.randperm(len(self.steps), generator=random).split(100):
            yield Batch([self.steps[numbers]], torch.zeros(len(numbers), dtype=torch.long))


def read_flat(folder: Path, class_name: str, split: str) -> list[PictureFile]:
    """Pictures named after their split; those with `bad` in the name have a mask beside them."""
    files = sorted((folder / class_name).glob(f"{split}-*.png"))
    return [PictureFile(path, path.with_suffix(".bmp") if "bad" in path.stem else None) for path in files]


MEAN_SCORE = Metric(
    (Column("mean_score", "mean of all scores", printed="mean", headline="mean score", channels="mean score"),),
    lambda steps: (float(steps.scores.mean()),),
    needs_labels=False,
)
TOYS: list[tuple[Registry, str, Any]] = [
    (DATASETS, "sensors", SeriesData(Sensors, (".",))),
    (DATASETS, "flat", PictureData("flat", read_flat)),
    (LAYOUTS, "snake", lambda config: Snake()),
    (COLOURS, "sign", lambda values, window: np.sign(values)),
    (EXTRACTORS, "small", lambda name, weights, seed: timm_extractor("resnet18", weights, seed)),
    (DENSITIES, "centre", lambda config, shape: Centre(shape.num_channels, shape.num_features)),
    (DENSITIES, "middle", lambda config, shape: Middle(shape.num_channels, shape.num_features)),
    (DETECTORS, "magnitude", Magnitude),
    (DETECTORS, "learnt", Learnt),
    (METRICS, "mean_score", MEAN_SCORE),
    (BASELINES, "square", lambda train, test: (train[:, 0] ** 2, test[:, 0] ** 2)),
]


@pytest.fixture(autouse=True)
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All toys registered, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for registry, name, toy in TOYS:
        registry.register(name, toy)
    yield
    for registry, name, _ in TOYS:
        registry.remove(name)


def run(*flags: str) -> Path:
    """main.py with a tiny model; returns the folder of the only run."""
    tiny = tiny_flags(Path("."), Path("runs"))
    assert main.main([*without_idle(tiny, flags), *flags]) == 0
    (scores,) = Path("runs").rglob("scores")
    return scores.parent


def test_a_source_with_an_unlabelled_channel_goes_the_whole_way(capsys: pytest.CaptureFixture) -> None:
    folder = run("--dataset", "sensors", "--layout", "line", "--smap-used-dims", "0", "1", "1")
    output = capsys.readouterr()
    assert unexpected(output.err) == []
    assert "Channels that nobody has labelled, which count in no metric: 1." in output.out
    assert "Time steps: 300, anomalous: 30, normal: 270" in output.out
    scores = folder / "scores"
    assert sorted(path.name for path in (scores / "maps").iterdir()) == ["..%2Fpump.npy", "bath%2Ftemp.npy"]
    assert {path.name for path in Path().iterdir()} == {"runs"}, "a name that is a path leads nowhere else"
    assert np.load(scores / "labels.npy").tolist() == [1, -1]
    metrics = json.loads((scores / "metrics.json").read_text())
    assert metrics["unlabelled_channels"] == ["../pump"]
    channels = metrics["scores"]["model"]["channels"]
    assert channels["../pump"]["roc_auc"] is None and channels["../pump"]["alarmed_share"] is not None
    with (scores / "scores.csv").open(newline="") as file:
        rows = {row["chan_id"]: (row["label"], row["num_anomalous_steps"]) for row in csv.DictReader(file)}
    assert rows == {"bath/temp": ("1", "30"), "../pump": ("", "")}
    assert "not labelled" in (scores / "report.html").read_text()
    for script in (eval_smap_timestep, export_smap_scores):
        assert script.main(["--scores-dir", str(scores)]) == 0
    assert eval_smap_timestep.main(["--dataset", "sensors", "--check-labels"]) == 0
    assert "series without a label row:\n  ../pump" in capsys.readouterr().out


def test_a_source_that_nobody_has_labelled_has_alarms_and_no_verdict(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sensors, "label_rows", lambda self, channel: None)
    folder = run("--dataset", "sensors", "--detector", "magnitude", "--threshold", "4", "--save-npy")
    output = capsys.readouterr().out
    assert re.search(r"Scored: 2 channel\(s\), 600 steps. Alarms: \d+", output) and "AUROC" not in output
    scores = folder / "scores"
    metrics = json.loads((scores / "metrics.json").read_text())
    assert re.fullmatch(r"\d+ alarms? in 2 channels\.", metrics["verdict"])
    assert "roc_auc" not in json.dumps(metrics)
    assert metrics["num_alarms"] > 0 and "num_steps" not in metrics
    assert (scores / "alarms.csv").read_text().count("bath/temp") >= 1
    assert (np.load(scores / "timestep_labels.npy") == -1).all()


def test_a_layout_a_colour_and_an_extractor() -> None:
    flags = ("--dataset", "sensors", "--smap-used-dims", "0", "1", "1", "--extractor", "small")
    folder = run(*flags, "--layout", "snake", "--colours", "value", "value", "sign", "--no-report")
    assert folder.parts[1] == "msflow_small_avgpool_pl111_snake"
    assert np.load(folder / "scores" / "maps" / "bath%2Ftemp.npy").shape == (3, 300)


@pytest.mark.parametrize("layout", ["line", "stretch"])
def test_a_density_is_trained_kept_and_tested_again(layout: str, capsys: pytest.CaptureFixture) -> None:
    flags = ("--dataset", "sensors", "--smap-used-dims", "0", "1", "1", "--layout", layout, "--head", "centre")
    folder = run(*flags, "--lr", "0.1", "--no-report")
    assert folder.parts[1] == f"msflow_resnet18_avgpool{'_line' if layout == 'line' else ''}_centre"
    assert len((folder / "log.jsonl").read_text().splitlines()) == 4
    kept = torch.load(folder / "last.pt", weights_only=True)["density"]
    assert kept["shift"] > 0.05 and kept["sum_2"].abs().sum() > 0
    before = np.load(folder / "scores" / "anomaly_score.npy")
    run(*flags, "--no-report", "--mode", "test")
    np.testing.assert_array_equal(np.load(folder / "scores" / "anomaly_score.npy"), before)


@pytest.mark.parametrize("head", ["centre", "middle"])
def test_a_density_has_held_out_scores_of_its_training(head: str) -> None:
    """Of what is trained, of the last part, which it did not see; of what is not, of all parts, each without it."""
    folder = run("--dataset", "sensors", "--smap-used-dims", "0", "1", "1", "--layout", "line", "--head", head)
    scores = np.load(folder / "scores" / "train" / "maps" / "bath%2Ftemp.npy")
    first = 240 if head == "centre" else 0
    assert np.isnan(scores[:, :first]).all() and (scores[:, first:] >= 0).all()


def test_nothing_held_out_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.delattr(Middle, "without")
    folder = run("--dataset", "sensors", "--smap-used-dims", "0", "1", "1", "--layout", "line", "--head", "middle")
    assert np.isnan(np.load(folder / "scores" / "train" / "maps" / "bath%2Ftemp.npy")).all()
    assert "no step of training was held out, so no threshold is learnt" in capsys.readouterr().err
    alarms = folder / "scores" / "alarms.csv"
    assert alarms.read_text().count("\n") == 1
    assert eval_smap_timestep.main(["--scores-dir", str(alarms.parent), "--threshold", "0.01"]) == 0
    assert alarms.read_text().count("\n") > 1


def test_a_detector_names_its_rows(capsys: pytest.CaptureFixture) -> None:
    folder = run("--dataset", "sensors", "--detector", "magnitude")
    scores = folder / "scores"
    assert folder.parts[1] == "magnitude"
    assert json.loads((scores / "config.json").read_text())["rows"] == ["first column", "second column"]
    metrics = json.loads((scores / "metrics.json").read_text())["scores"]["model"]["parts"]["pooled"]
    assert metrics["roc_auc"] > 0.95, "the toy anomaly is four deviations high"
    capsys.readouterr()
    assert eval_smap_timestep.main(["--scores-dir", str(scores), "--levels", "2"]) == 2
    assert "these scores have the rows first column, second column; none is of level 2" in capsys.readouterr().err


def test_a_detector_that_learns_by_gradient_takes_the_shared_course(capsys: pytest.CaptureFixture) -> None:
    flags = ("--dataset", "sensors", "--detector", "learnt", "--lr", "0.5", "--lr-warmup-epochs", "0", "--no-report")
    folder = run(*flags, "--meta-epochs", "2")
    output = capsys.readouterr()
    assert unexpected(output.err) == [], "the settings of the training count for it"
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert len(log) == 4 and log[-1]["loss"] < log[0]["loss"] / 2 and log[0]["lr"] == 0.5
    held_out = np.load(folder / "scores" / "train" / "maps" / "bath%2Ftemp.npy")
    assert np.isnan(held_out[:, :240]).all() and np.isfinite(held_out[:, 240:]).all()
    run(*flags, "--meta-epochs", "3", "--resume")
    assert "Continues after meta epoch 2" in capsys.readouterr().out
    assert len((folder / "log.jsonl").read_text().splitlines()) == 6
    tiny = without_idle(tiny_flags(Path("."), Path("runs")), flags)
    assert main.main([*tiny, *flags, "--lr", "0.25", "--meta-epochs", "4", "--resume"]) == 2
    assert "--resume with other settings: lr was 0.5, now 0.25" in capsys.readouterr().err


def test_a_metric_and_a_baseline_are_shown_everywhere(capsys: pytest.CaptureFixture) -> None:
    folder = run("--dataset", "sensors", "--detector", "magnitude")
    metrics = json.loads((folder / "scores" / "metrics.json").read_text())
    assert metrics["definitions"]["mean_score"] == "mean of all scores"
    values = np.load(folder / "scores" / "maps" / "bath%2Ftemp.npy").sum(axis=0)
    assert metrics["scores"]["model"]["parts"]["pooled"]["mean_score"] == pytest.approx(values.mean(), rel=1e-6)
    assert "square" in metrics["scores"]
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("pooled") and line.endswith("mean") for line in lines)
    assert sum(line.startswith("square") for line in lines) == 3, "parts of the steps, ranking and alarms"
    assert (folder / "scores" / "report.html").read_text().count("mean score") >= 2


def test_a_data_set_of_pictures(capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(0)
    Path("nut").mkdir()
    for name in ("train-1", "train-2", "test-good", "test-bad"):
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(f"nut/{name}.png")
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[5:20, 5:20] = 255
    Image.fromarray(mask).save("nut/test-bad.bmp")
    for head in ("flow", "gaussian", "memory", "centre", "middle"):
        flags = ("--dataset", "flat", "--data-path", ".", "--work-dir", f"runs/{head}", "--head", head)
        assert main.main([*without_idle(tiny_flags(Path("."), Path("runs")), flags), *flags]) == 0
        assert "nut  detection AUROC " in capsys.readouterr().out
        (scores,) = Path(f"runs/{head}").rglob("scores")
        assert np.load(scores / "anomaly_score_map_add.npy").shape == (2, 32, 64)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="there is a layout 'snake' already"):
        LAYOUTS.register("snake", Snake)
    assert isinstance(EXTRACTORS["small"]("small", "random", 0), Extractor)
