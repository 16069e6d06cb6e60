"""Runs of main.py on tiny data with an edited default.py, and all that they left."""

import contextlib
import hashlib
import io
import json
import re
import shutil
import typing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from conftest import write_telemanom
from PIL import Image

import main
from runtime import errors
from settings import read

DEFAULT_TEXT = read.DEFAULT_FILE.read_text(encoding="utf-8")
LENGTHS = {"P-1": (120, 200), "S-1": (90, 140), "E-1": (150, 180)}
RUN = Path("work_dirs/msflow_resnet18_avgpool_pl111/smap/SMAP")
UNTOLD = ("config", "filenames")  # files that hold paths


@dataclass(frozen=True)
class Outcome:
    """What a run did, but for times, the place of the temporary folder and config.json.

    `log` holds the course of the training, `scores` the hashes of the score files by name, `files` where files lie.
    """

    code: int
    output: str
    files: tuple[str, ...]
    log: tuple[str, ...]
    scores: dict[str, str]

    @property
    def alarms(self) -> str:
        """Of alarms.csv."""
        return self.scores["alarms.csv"]


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
    errors.warn.cache_clear()  # they print each message once per process
    errors.note.cache_clear()
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


def losses(run: Outcome) -> list[float]:
    return [json.loads(line)["loss"] for line in run.log]


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


def write_table(folder: Path) -> None:
    """An hourly table of two sensors over ten days, an anomaly labelled in it, and other labels in a file of theirs."""
    rng = np.random.default_rng(0)
    rows = ["time;température;b;anomaly"]
    for hour in range(240):
        stamp = f"{1 + hour // 24:02d}/02/2026 {hour % 24:02d}:00"
        values = f"{np.sin(hour / 5) + rng.normal() / 9:.3f}".replace(".", ",")
        rows.append(f"{stamp};{values};{hour % 9};{int(150 <= hour < 170)}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "labels.csv").write_text("start,end\n10,20\n")


def make_place(folder: Path) -> Place:
    """Telemetry of two kinds, pictures, foreign extractor weights, and the base default.py."""
    for name, seed in (("telemetry", 0), ("other_telemetry", 1)):
        write_telemanom(folder / name, LENGTHS, seed=seed)
    for split in ("train", "test"):
        shutil.copy(folder / "other_telemetry" / split / "P-1.npy", folder / "telemetry" / split / "M-1.npy")
    with (folder / "telemetry" / "labeled_anomalies.csv").open("a") as file:
        file.write('M-1,MSL,"[[20, 40]]",[point],200\nP-1,SMAP,"[[60, 80], [84, 90]]",[point],200\n')
    write_table(folder)
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
