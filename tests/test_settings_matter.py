"""No setting is without effect: one whose effect a plain edit cannot show has a test of its own, test_<name>."""

import io
import re
import shutil
import sys
import types
import typing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from settings_edits import ALONE, EDITS, LINE, SETTINGS, TABLE
from settings_runs import RUN, Outcome, Place, edited, losses, outcome
from torch.utils.data import DataLoader

import main
from detectors import DETECTORS, run
from detectors.columns import ChannelScores
from detectors.msflow import features, model
from models import parallel


def test_every_setting_is_covered() -> None:
    assert not set(EDITS) & ALONE
    assert set(EDITS) | ALONE == set(SETTINGS)
    assert all(callable(globals().get(f"test_{name}")) for name in ALONE)


class Constant:
    """A detector to which every step is alike."""

    at_once = 1

    def __init__(self, *made_for: typing.Any) -> None:
        self.channels, self.rows, self.weights = list(made_for[2]), ["score"], "none"

    def fit(self, train: typing.Any, course: typing.Any) -> None:
        pass

    def scores(self, channel: str, series: np.ndarray) -> ChannelScores:
        return ChannelScores(np.full((1, len(series)), 0.5, dtype=np.float32))

    held_out = scores

    def facts(self) -> dict[str, typing.Any]:
        return {}

    def state(self) -> dict[str, typing.Any]:
        return {"channels": self.channels}

    def load_state(self, path: Path, content: dict[str, typing.Any]) -> None:
        pass


def test_detector(place: Place, base: Outcome) -> None:
    DETECTORS.register("constant", Constant)
    try:
        now = outcome(edited(place.text, detector="constant"), place.folder / "constant")
    finally:
        DETECTORS.remove("constant")
    assert now.code == 0, now.output
    assert now.scores["anomaly_score.npy"] != base.scores["anomaly_score.npy"] and now.log == ()
    (scores,) = (place.folder / "constant").rglob("scores/maps/P-1.npy")
    assert (np.load(scores) == 0.5).all() and scores.parts[-6:-3] == ("constant", "smap", "SMAP")


def of_table(place: Place, name: str, **values: typing.Any) -> Outcome:
    """A run on the table of the fixture, with other values."""
    under = {**TABLE, "data_path": str(place.folder / "table.csv"), "meta_epochs": 1, "sub_epochs": 1}
    return outcome(edited(edited(place.text, **under), **values), place.folder / f"table {name}")


def test_delimiter(place: Place) -> None:
    assert of_table(place, "delimiter", delimiter=";").code == 0
    refused = of_table(place, "delimiter", delimiter=",")
    assert refused.code == 2 and "line 2: has 2 cells separated by ','" in refused.output


def test_decimal(place: Place) -> None:
    refused = of_table(place, "decimal", decimal=".")
    assert refused.code == 2 and "in column 'température' is no number" in refused.output


def test_encoding(place: Place) -> None:
    refused = of_table(place, "encoding", encoding="ascii")
    assert refused.code == 2 and "is not ascii (byte 0xc3 in line 1)" in refused.output


def test_series_column(place: Place) -> None:
    assert "long form, series named in 'b'" in of_table(place, "series_column", series_column="b").output


def test_run(place: Place) -> None:
    assert of_table(place, "run").code == 0
    (folder,) = (place.folder / "table run").rglob("last.pt")
    flags = ["--mode", "score", "--data-path", str(place.folder / "table.csv")]
    assert main.main([*flags, "--run", str(folder.parent)]) == 0
    assert (folder.parent / "scored" / "table" / "scores.csv").read_text().count("\n") == 241
    assert main.main([*flags, "--run", str(place.folder / "nowhere")]) == main.main(flags) == 2


def test_follow(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_table(place, "follow", condition="none").code == 0
    (last,) = (place.folder / "table follow").rglob("last.pt")
    arriving = io.BufferedReader(io.BytesIO((place.folder / "table.csv").read_bytes()))
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=arriving))
    assert main.main(["--mode", "score", "--run", str(last.parent), "--follow", "--data-path", "-"]) == 0
    assert (last.parent / "followed" / "stdin" / "scores.csv").read_text().count("\n") == 241


def test_amp(place: Place, base: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for has_instructions in (True, False):
        monkeypatch.setattr(model, "has_bfloat16", lambda device, has=has_instructions: has)
        runs.append(outcome(edited(place.text, amp=True), place.folder / f"amp {has_instructions}"))
        assert runs[-1].code == 0
        assert ("no bfloat16 instructions here" in runs[-1].output) == (not has_instructions)
    assert runs[0].scores["anomaly_score.npy"] != base.scores["anomaly_score.npy"] and losses(runs[0]) != losses(base)
    assert runs[1].scores == base.scores and losses(runs[1]) == losses(base)


def test_feature_cache(place: Place, base: Outcome) -> None:
    now = outcome(edited(place.text, feature_cache=False), place.folder / "no_cache")
    assert now.code == 0
    assert [name for name in base.files if "features" in name] != []
    assert [name for name in now.files if "features" in name] == []
    assert losses(now) == pytest.approx(losses(base), rel=1e-4)
    scores = [np.load(place.folder / d / RUN / "scores" / "anomaly_score.npy") for d in ("no_cache", "base")]
    np.testing.assert_allclose(*scores, rtol=1e-3)


def test_max_columns(place: Place) -> None:
    """Fewer columns at once take less memory and give the same scores."""
    text = edited(place.text, **LINE, meta_epochs=1)
    scores = []
    for columns in (4096, 32):
        folder = place.folder / f"{columns} columns"
        assert outcome(edited(text, max_columns=columns), folder).code == 0
        scores.append([np.load(path) for path in sorted(folder.rglob("scores/maps/*.npy"))])
    assert len(scores[0]) == 3
    for whole, in_pieces in zip(*scores, strict=True):
        np.testing.assert_allclose(in_pieces, whole, rtol=1e-3, atol=1e-4)


def test_resume(place: Place, base: Outcome, half: Path) -> None:
    for folder in ("anew", "continued"):
        shutil.copytree(half, place.folder / folder)
    anew = outcome(place.text, place.folder / "anew")
    continued = outcome(edited(place.text, resume=True), place.folder / "continued")
    assert f"Continues after meta epoch 1 of {RUN / 'last.pt'}." in continued.output
    assert "Continues" not in anew.output
    assert "meta epoch 1/2" in anew.output and "meta epoch 1/2" not in continued.output
    assert continued.log == anew.log == base.log, "stopped and continued, it is the same run"
    assert continued.scores == base.scores


def test_eval_ckpt(place: Place, base: Outcome, half: Path) -> None:
    for folder in ("own", "given", "no checkpoint"):
        shutil.copytree(place.folder / "base", place.folder / folder)
    text = edited(place.text, mode="test")
    own = outcome(text, place.folder / "own")
    assert own.code == 0
    maps = {"anomaly_score.npy", "anomaly_score_map_add.npy", "anomaly_score_map_mul.npy"}
    assert {name: own.scores[name] for name in maps} == {name: base.scores[name] for name in maps}
    given = outcome(edited(text, eval_ckpt=str(half / RUN / "last.pt")), place.folder / "given")
    assert given.code == 0
    assert all(given.scores[name] != own.scores[name] for name in maps)
    missing = outcome(edited(text, eval_ckpt="nowhere/my.pt"), place.folder / "no checkpoint")
    assert missing.code == 2
    assert missing.output.splitlines()[-1].startswith("error: nowhere/my.pt: no such checkpoint.")
    assert missing.scores == base.scores, "the scores that were there must stay"


def test_device(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    now = outcome(edited(place.text, device="cuda"), place.folder / "cuda")
    assert now.code == 2
    assert re.search(r"(?m)^error: device = cuda: .*--device cpu or auto", now.output)
    assert "Traceback" not in now.output
    assert run._device("auto") == run._device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert run._device("auto") == run._device("cuda") == torch.device("cuda")
    assert run._device("cpu") == torch.device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_device_cuda_is_used(place: Place) -> None:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.max_memory_allocated()
    assert outcome(edited(place.text, device="cuda", meta_epochs=1), place.folder / "on_cuda").code == 0
    assert torch.cuda.max_memory_allocated() > before


def test_num_workers(place: Place, base: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def spy(*args: typing.Any, num_workers: int = 0, **options: typing.Any) -> DataLoader:
        asked.append(num_workers)
        return DataLoader(*args, **options)

    monkeypatch.setattr(features, "DataLoader", spy)
    now = outcome(edited(place.text, num_workers=3), place.folder / "workers")
    assert asked == [3] * 2, "the features of both splits, once"
    assert (now.log, now.scores) == (base.log, base.scores)
    asked.clear()
    outcome(edited(place.text, meta_epochs=1), place.folder / "no_workers")
    assert asked == [0] * 2


def test_recompute(place: Place, base: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same course of the training, each block computed once more per step."""
    calls, forward = [], parallel.CouplingBlock.forward
    monkeypatch.setattr(parallel.CouplingBlock, "forward", lambda *args: (calls.append(1), forward(*args))[1])
    text = edited(place.text, mode="train")
    outcome(text, place.folder / "compute_once")
    once = len(calls)
    now = outcome(edited(text, recompute=True), place.folder / "recompute")
    assert len(calls) - once == 2 * once > 0
    assert losses(now) == pytest.approx(losses(base), rel=1e-6)


def test_pro_eval(place: Place) -> None:
    pictures = edited(place.text, dataset="mvtec", data_path=str(place.folder / "pictures"), sub_epochs=1)
    without = outcome(edited(pictures, class_names=["nut"]), place.folder / "without_pro")
    with_pro = outcome(edited(pictures, class_names=["nut"], pro_eval=True), place.folder / "with_pro")
    assert without.code == with_pro.code == 0
    assert "PRO" not in without.output and not any('"pro"' in line for line in without.log)
    assert "PRO 0." in with_pro.output and sum('"pro"' in line for line in with_pro.log) == 2
    differing = {name for name in with_pro.scores if with_pro.scores[name] != without.scores[name]}
    assert differing == {"metrics.json"}, "it only evaluates more"
    # for pictures, `all` stands for every class with a model each
    both = outcome(edited(pictures, meta_epochs=1), place.folder / "both")
    assert {Path(name).parts[3] for name in both.files} == {"bolt", "nut", "metrics.json"}


def test_picture_score(place: Place) -> None:
    pictures = edited(place.text, dataset="mvtec", data_path=str(place.folder / "pictures"), class_names=["nut"])
    by_mul = outcome(pictures, place.folder / "by_mul")
    by_energy = outcome(edited(pictures, picture_score="energy"), place.folder / "by_energy")
    assert by_mul.code == by_energy.code == 0
    differing = {name for name in by_energy.scores if by_mul.scores.get(name) != by_energy.scores[name]}
    told = {"scores.csv", "metrics.json"}
    assert differing == {"anomaly_score.npy", "anomaly_score_map_energy.npy"} | told


def test_keep_features(place: Place) -> None:
    text = edited(place.text, dataset="mvtec", data_path=str(place.folder / "pictures"), class_names=["nut"])
    removed = outcome(edited(text, meta_epochs=1), place.folder / "features removed")
    kept = outcome(edited(text, meta_epochs=1, keep_features=True), place.folder / "features kept")
    assert [name for name in removed.files if "features" in name] == []
    assert len([name for name in kept.files if "features" in name]) == 8
    assert removed.scores == kept.scores


def test_deep_maps(place: Place) -> None:
    text = edited(place.text, dataset="mvtec", data_path=str(place.folder / "pictures"), class_names=["nut"])
    assert outcome(edited(text, meta_epochs=1), place.folder / "to_score").code == 0
    (last,) = (place.folder / "to_score").rglob("last.pt")
    flags = ["--mode", "score", "--run", str(last.parent), "--data-path", str(place.folder / "pictures" / "bolt")]
    for more in ([], ["--deep-maps"]):
        assert main.main([*flags, *more]) == 0
        assert (last.parent / "scored" / "bolt" / "deep_maps").is_dir() == bool(more)


def test_picture_depth(place: Place) -> None:
    """The white of deep pictures: found it is as if set, another changes what is learnt."""
    rng = np.random.default_rng(0)
    for number, split in enumerate(("train", "train", "test")):
        path = place.folder / "deep" / split / "good" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 4096, (40, 40)).astype(np.uint16)).save(path)
    deep = edited(place.text, dataset="folder", data_path=str(place.folder / "deep"), meta_epochs=1)
    found = outcome(deep, place.folder / "white found")
    assert found.code == 0 and "their white is 4095, 12 bits" in found.output
    by_hand = outcome(edited(deep, picture_depth=4095.0), place.folder / "white set")
    other = outcome(edited(deep, picture_depth=65535.0), place.folder / "white of the format")
    assert by_hand.log == found.log and other.log != found.log
    assert "their white is" not in by_hand.output + other.output


# Loggers


class Recorder:
    """Stands in for a logger's module: keeps every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple, dict]] = []

    def __getattr__(self, name: str) -> typing.Any:
        def call(*args: typing.Any, **options: typing.Any) -> "Recorder":
            self.calls.append((name, args, options))
            return self

        return call

    def named(self, name: str) -> list[tuple[tuple, dict]]:
        return [(args, options) for called, args, options in self.calls if called == name]


def test_tensorboard(place: Place, base: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = recorder.SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    now = outcome(edited(place.text, tensorboard=True), place.folder / "tensorboard")
    assert now.code == 0
    assert recorder.named("SummaryWriter") == [((str(RUN / "tensorboard"),), {})]
    scalars = [args for args, _ in recorder.named("add_scalar")]
    assert [args[1:] for args in scalars if args[0] == "loss"] == list(zip(losses(now), range(1, 5), strict=True))
    assert {args[0] for args in scalars} >= {"loss", "lr"}
    assert recorder.calls[-1][0] == "close"
    assert losses(now) == losses(base), "looking on changes nothing"


def test_wandb(place: Place, base: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    fake = types.ModuleType("wandb")
    fake.init = recorder.init
    monkeypatch.setitem(sys.modules, "wandb", fake)
    now = outcome(edited(place.text, wandb=True), place.folder / "wandb")
    assert now.code == 0
    ((_, options),) = recorder.named("init")
    assert options["config"]["lr"] == 1e-3 and options["dir"] == str(RUN)
    logged = [(args[0]["loss"], options["step"]) for args, options in recorder.named("log")]
    assert logged == list(zip(losses(now), range(1, 5), strict=True))
    assert recorder.calls[-1][0] == "finish"
    assert losses(now) == losses(base), "looking on changes nothing"


@pytest.mark.parametrize(
    ("name", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")], ids=["tensorboard", "wandb"]
)
def test_a_logger_that_is_not_installed(name: str, module: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # importing it raises ImportError
    now = outcome(edited(place.text, **{name: True}), place.folder / f"no_{name}")
    assert now.code == 2
    last = now.output.splitlines()[-1]
    assert last.startswith(f"error: {name} = True")
    assert f"uv sync --extra {name}" in last and f"pip install {name}" in last and f"{name} = False" in last
    assert now.log == ()
