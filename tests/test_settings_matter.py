"""Editing any one line of default.py changes the run: every setting, with the real entry point on tiny data."""

import contextlib
import hashlib
import io
import json
import re
import shutil
import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from conftest import write_telemanom
from PIL import Image
from torch.utils.data import DataLoader

import main
from detectors import DETECTORS, run
from detectors.msflow import features
from models import parallel
from runtime import errors
from settings import read
from settings.read import read_settings

DEFAULT_TEXT = read.DEFAULT_FILE.read_text(encoding="utf-8")
SETTINGS = read_settings()
LENGTHS = {"P-1": (120, 200), "S-1": (90, 140), "E-1": (150, 180)}
RUN = Path("work_dirs/msflow_resnet18_avgpool_pl111/smap/SMAP")


UNTOLD = ("config", "filenames")  # files that hold paths


@dataclass(frozen=True)
class Outcome:
    """What a run did, but for times, the place of the temporary folder and config.json.

    `log` holds the course of the training, `scores` the score files by name, `files` where files lie.
    """

    code: int
    output: str
    files: tuple[str, ...]
    log: tuple[str, ...]
    scores: dict[str, str]


@dataclass(frozen=True)
class Place:
    """The data, and a default.py whose run takes about a second."""

    folder: Path
    text: str


def edited(text: str, **values: typing.Any) -> str:
    """default.py with other values in the lines of some settings."""
    for name, value in values.items():
        changed, count = re.subn(
            rf"(?m)^({name}: [^=]+ = ).*?(  #.*)$", lambda line, value=value: f"{line[1]}{value!r}{line[2]}", text
        )
        assert count == 1 and changed != text, f"the edit of {name} changes nothing"
        text = changed
    return text


def outcome(text: str, here: Path) -> Outcome:
    """Run main.py, in the folder `here`, with `text` for default.py."""
    here.mkdir(parents=True, exist_ok=True)
    default_file = here.parent / f"default of {here.name}.py"
    default_file.write_text(text, encoding="utf-8")
    errors.warn.cache_clear()  # it prints each warning once per process
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read, "DEFAULT_FILE", default_file)
        patch.chdir(here)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = main.main([])
    output = re.sub(r"[\d.]+ s  left [\d:]+", "SECONDS", printed.getvalue())
    files = sorted(path for path in here.rglob("*") if path.is_file())
    log = [line for path in files if path.name == "log.jsonl" for line in path.read_text().splitlines()]
    timeless = [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in log]
    scores = [path for path in files if path.parent.name in ("scores", "maps") and path.stem not in UNTOLD]
    return Outcome(
        code,
        output.replace(str(here.parent), "TMP"),
        tuple(str(path.relative_to(here)) for path in files if path.name != "config.json"),
        tuple(json.dumps(record) for record in timeless),
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in scores},
    )


def write_pictures(folder: Path) -> None:
    """Two classes of tiny pictures in the layout of MVTec AD."""
    rng = np.random.default_rng(0)
    for class_name in ("bolt", "nut"):
        for part in ("train/good/0", "train/good/1", "test/good/0", "test/crack/0"):
            path = folder / class_name / f"{part}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(path)
        mask = np.zeros((40, 48), dtype=np.uint8)
        mask[10:20, 10:20] = 255
        (folder / class_name / "ground_truth" / "crack").mkdir(parents=True)
        Image.fromarray(mask).save(folder / class_name / "ground_truth" / "crack" / "0_mask.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Telemetry of two kinds, pictures, foreign extractor weights, and the base default.py."""
    folder = tmp_path_factory.mktemp("settings")
    for name, seed in (("telemetry", 0), ("other_telemetry", 1)):
        write_telemanom(folder / name, LENGTHS, seed=seed)
    for split in ("train", "test"):
        shutil.copy(folder / "other_telemetry" / split / "P-1.npy", folder / "telemetry" / split / "M-1.npy")
    with (folder / "telemetry" / "labeled_anomalies.csv").open("a") as file:
        file.write('M-1,MSL,"[[20, 40]]",[point],200\nP-1,SMAP,"[[60, 80], [84, 90]]",[point],200\n')
    write_pictures(folder / "pictures")
    torch.manual_seed(99)
    torch.save(timm.create_model("resnet18").state_dict(), folder / "foreign.pth")
    text = edited(
        DEFAULT_TEXT,
        data_path=str(folder / "telemetry"),
        device="cpu",
        input_size=(32, 64),
        extractor="resnet18",
        weights="random",
        c_conds=[4, 4, 4],
        parallel_blocks=[1, 1, 1],
        batch_size=2,
        meta_epochs=2,
        sub_epochs=2,
        lr=1e-3,
        lr_warmup_epochs=1,
        lr_decay_milestones=[2, 3],
        vis_top_k=0,
        report=False,
    )
    return Place(folder, text)


@pytest.fixture(scope="module")
def base(place: Place) -> Outcome:
    """The run nothing is edited in."""
    return outcome(place.text, place.folder / "base")


@pytest.fixture(scope="module")
def half(place: Place) -> Path:
    """The folder of a run that ended after the first of two meta epochs."""
    assert outcome(edited(place.text, meta_epochs=1), place.folder / "half").code == 0
    return place.folder / "half"


LINE = {"layout": "line", "condition": "channel", "train_window": 64}
# Settings that count in special circumstances only: what else must be set, in the run edited and in the other
UNDER: dict[str, dict[str, typing.Any]] = {
    "colour_window": {"colours": ["value", "residual", "spread"]},
    "colour_gains": {"img_mean": [0.0, 0.0, 0.0], "img_std": [1.0, 1.0, 1.0]},  # auto would undo them
    "window": {"layout": "gasf", "window": 32},
    "fold_width": {"layout": "fold", "fold_width": 32},
    "mtf_bins": {"layout": "mtf", "window": 32},
    "standardise": LINE,
    "gaussian_floor": {**LINE, "head": "gaussian"},
    "memory_size": {**LINE, "head": "memory"},
    "fleet_offset": {**LINE, "fleet_size": 20},
    **dict.fromkeys(
        ("time_scales", "condition", "head", "fleet_size", "train_window", "feature_noise", "levels", "smooth"), LINE
    ),
    "calibration": LINE,
}
# Setting -> another value, and what must differ. LEARNT is for what shapes the trained model.
LEARNT = ("log", "scores")
EDITS: dict[str, tuple[typing.Any, tuple[str, ...]]] = {
    "dataset": ("msl", ("output", "files", *LEARNT)),
    "data_path": ("other_telemetry", LEARNT),
    "class_names": (["P-1", "E-1"], ("output", "files", *LEARNT)),
    "mode": ("train", ("output", "files", "scores")),
    "work_dir": ("elsewhere", ("output", "files")),
    "seed": (1, ("output", *LEARNT)),
    "input_size": ((32, 96), LEARNT),
    "smap_used_dims": ([0, 3, 3], LEARNT),
    "img_mean": ([0.5, 0.25, 0.0], LEARNT),
    "amp": (True, LEARNT),
    "img_std": ([2.0, 1.0, 0.5], LEARNT),
    "layout": ("line", ("output", "files", *LEARNT)),
    "colours": (["value", "residual", "difference"], LEARNT),
    "colour_window": (9, LEARNT),
    "colour_gains": ([1.0, 0.5, 2.0], LEARNT),
    "clip": (0.5, LEARNT),
    "time_scales": ([1, 2], LEARNT),
    "window": (40, LEARNT),
    "fold_width": (40, LEARNT),
    "mtf_bins": (4, LEARNT),
    "head": ("gaussian", ("output", "log", "scores")),
    "condition": ("both", LEARNT),
    "standardise": (True, LEARNT),
    "gaussian_floor": (0.1, ("scores",)),
    "memory_size": (5, ("scores",)),
    "fleet_size": (20, ("scores",)),
    "fleet_offset": (2.0, ("scores",)),
    "train_window": (128, LEARNT),
    "feature_noise": (0.5, LEARNT),
    "levels": ([1], ("output", "scores")),
    "calibration": ("quantile", ("output",)),
    "smooth": (9, ("output", "scores")),
    "extractor": ("resnet34", ("files", *LEARNT)),
    "weights": ("foreign.pth", ("output", *LEARNT)),
    "pool_type": ("max", ("files", *LEARNT)),
    "c_conds": ([4, 4, 8], LEARNT),
    "parallel_blocks": ([1, 1, 2], ("files", *LEARNT)),
    "clamp_alpha": (0.5, LEARNT),
    "batch_size": (1, LEARNT),
    "meta_epochs": (1, ("output", *LEARNT)),
    "sub_epochs": (1, ("output", *LEARNT)),
    "lr": (2e-3, LEARNT),
    "lr_warmup_epochs": (0, LEARNT),
    "lr_warmup_from": (0.5, LEARNT),
    "lr_decay_milestones": ([3], LEARNT),
    "lr_decay_gamma": (0.5, LEARNT),
    "grad_clip": (1e9, LEARNT),
    "top_k": (0.5, ("scores",)),
    "timestep_map": ("mul", ("output",)),
    "vis_top_k": (1, ("files",)),
    "save_npy": (True, ("files", "scores")),
    "duplicate_rows": ("first", ("output",)),
    "interval_ends": ("exclusive", ("output",)),
    "merge_gap": (4, ("output",)),
    "widen": (2, ("output",)),
    "drop": (["E-1"], ("output",)),
    "threshold": ("q0.5", ("output", "scores")),
    "vus_window": (10, ("output",)),
    "bootstrap": (0, ("output",)),
    "point_adjust": (True, ("output",)),
    "report": (True, ("files",)),
}
# Their effect shows only in special circumstances: each has a test of its own, test_<name>, below
ALONE = {
    "detector",
    "feature_cache",
    "max_columns",
    "eval_ckpt",
    "resume",
    "device",
    "num_workers",
    "recompute",
    "pro_eval",
    "tensorboard",
    "wandb",
}
IN_FOLDER = {"data_path", "weights"}  # values that are files of the fixture `place`


def test_every_setting_is_covered() -> None:
    assert not set(EDITS) & ALONE
    assert set(EDITS) | ALONE == set(SETTINGS)
    assert all(callable(globals().get(f"test_{name}")) for name in ALONE)


def test_the_same_settings_give_the_same_run(place: Place, base: Outcome) -> None:
    assert base.code == 0
    assert len(base.log) == 4
    assert {"anomaly_score.npy", "anomaly_score_map_add.npy", "scores.csv"} <= set(base.scores)
    assert str(RUN / "last.pt") in base.files
    assert outcome(place.text, place.folder / "again") == base


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in ALONE])
def test_editing_a_line_changes_the_run(name: str, place: Place, base: Outcome) -> None:
    value, parts = EDITS[name]
    value = str(place.folder / value) if name in IN_FOLDER else value
    text = edited(place.text, **UNDER.get(name, {}))
    before = outcome(text, place.folder / f"before {name}") if name in UNDER else base
    now = outcome(edited(text, **{name: value}), place.folder / name)
    assert before.code == now.code == 0, now.output
    for part in parts:
        assert getattr(now, part) != getattr(before, part), part
    if name != "mode":
        assert "anomaly_score.npy" in now.scores
    if "log" not in parts:
        assert now.log == before.log, "it should not have touched the training"


def test_only_the_scores_of_top_k_differ(place: Place, base: Outcome) -> None:
    now = outcome(edited(place.text, top_k=1.0), place.folder / "top_k_1")
    differing = {name for name in base.scores if now.scores[name] != base.scores[name]}
    assert differing == {"anomaly_score.npy", "scores.csv"}
    folder = place.folder / "top_k_1" / RUN / "scores"
    maps = np.load(folder / "anomaly_score_map_mul.npy")
    np.testing.assert_allclose(np.load(folder / "anomaly_score.npy"), maps.mean(axis=(1, 2)), rtol=1e-5)


def test_only_the_chosen_channels_are_used(place: Place) -> None:
    outcome(edited(place.text, class_names=["E-1", "P-1"], meta_epochs=1), place.folder / "two_channels")
    (names,) = (place.folder / "two_channels").rglob("scores/filenames.npy")
    assert [Path(name).stem for name in np.load(names)] == ["P-1", "E-1"], "in the order of the label file"


# Settings whose effect shows only in special circumstances


class Constant:
    """A detector to which every step is alike."""

    def __init__(self, *made_for: typing.Any) -> None:
        self.channels, self.rows = made_for[2], ["score"]

    def fit(self, train: typing.Any, course: typing.Any) -> None:
        pass

    def scores(self, channel: str, series: np.ndarray) -> np.ndarray:
        return np.full((1, len(series)), 0.5, dtype=np.float32)

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
    for folder in ("own", "given", "missing"):
        shutil.copytree(place.folder / "base", place.folder / folder)
    text = edited(place.text, mode="test")
    own = outcome(text, place.folder / "own")
    assert own.code == 0
    maps = {"anomaly_score.npy", "anomaly_score_map_add.npy", "anomaly_score_map_mul.npy"}
    assert {name: own.scores[name] for name in maps} == {name: base.scores[name] for name in maps}
    given = outcome(edited(text, eval_ckpt=str(half / RUN / "last.pt")), place.folder / "given")
    assert given.code == 0
    assert all(given.scores[name] != own.scores[name] for name in maps)
    missing = outcome(edited(text, eval_ckpt="nowhere/my.pt"), place.folder / "missing")
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
    assert without.scores == with_pro.scores, "it only evaluates more"
    # for pictures, `all` stands for every class with a model each
    both = outcome(edited(pictures, meta_epochs=1), place.folder / "both")
    assert {Path(name).parts[3] for name in both.files} == {"bolt", "nut"}


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


def losses(run: Outcome) -> list[float]:
    return [json.loads(line)["loss"] for line in run.log]


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
