"""What runs leave: checkpoints, weights, and folders of scores."""

import io
import json
import os
import pickle
import random
import shutil
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data.telemanom import TelemanomSource
from evaluation.learnt import LearntScores
from evaluation.time_steps import scores_of_steps
from models.checkpoints import (
    Progress,
    fitting,
    flow_state,
    load_flow,
    load_optimizers,
    read_checkpoint,
    write_checkpoint,
)
from models.flows import MSFlow
from models.weights import load_file
from runs.fingerprints import of_files, of_series
from runs.scores import check_data, open_scores, write_samples
from settings.load import load_config, save_config

from .harness import Case
from .mutations import VALUES, as_json, damaged, displaced, other_json

SETTINGS = {"dataset": "smap", "layout": "line", "head": "gaussian", "calibration": "quantile", "smooth": 5}
STEPS = {"A": (70, 90), "B": (60, 50)}


class Harmful:
    """A pickle that leaves a file behind where it is loaded the careless way."""

    def __reduce__(self) -> Any:
        return (os.mkdir, ("harmed",))


class Checkpoints:
    """Checkpoints of small flows, damaged, and with contents that are none."""

    def __init__(self, place: Path) -> None:
        torch.manual_seed(0)
        self._flow = MSFlow([4, 6, 8], [4, 4, 4], [1, 1, 1], 1.9, "avg")
        self._optimizer = torch.optim.Adam(self._flow.parameters())
        self._path = place / "last.pt"
        state = {
            "optimizer": self._optimizer.state_dict(),
            "channels": ["A"],
            "columns": {"A": ["x"]},
            "data": {"A": "0"},
        }
        write_checkpoint(self._path, Progress(2, 9, {"x": 0.5}, {"lr": 1e-3}), flow_state(self._flow), state)
        self._content = read_checkpoint(self._path)

    def case(self, rng: random.Random, folder: Path) -> Case:
        path, whole = folder / "last.pt", rng.random() < 0.6
        if whole:
            path.write_bytes(damaged(rng, self._path.read_bytes()))
        else:
            _write_odd(rng, path, self._content)
        displaced(rng, path)

        def read() -> dict[str, Any]:
            content = read_checkpoint(path)
            with fitting(path):
                load_flow(path, content, self._flow)
                load_optimizers(path, content, [self._optimizer])
                Progress.of(content)
            return content

        def check(found: dict[str, Any]) -> None:
            if whole:
                assert_same(found, self._content)
            assert all(tensor.isfinite().all() for tensor in self._flow.state_dict().values())

        return Case("damaged" if whole else "odd", read, check, ("last.pt",))


def assert_same(found: Any, expected: Any) -> None:
    """Two contents of checkpoints are equal."""
    if isinstance(expected, Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        assert_same(list(found.values()), list(expected.values()))
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    else:
        assert found == expected


def _odd_tensor(rng: random.Random, tensor: Tensor) -> Any:
    kind = rng.randrange(11)
    if kind == 0 and tensor.is_floating_point():
        return tensor.clone().fill_(rng.choice([np.nan, np.inf]))
    if kind == 1:
        return torch.zeros(1).expand(10 ** rng.choice([1, 6, 10, 12]))
    if kind == 2:
        return torch.zeros(3, 3).to_sparse()
    if kind == 3:
        return tensor.to(rng.choice([torch.float64, torch.int64, torch.bool, torch.complex64, torch.bfloat16]))
    if kind == 4:
        return torch.empty(5, device="meta")
    if kind == 5:
        return torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)
    if kind == 6:
        return torch.zeros(rng.choice([(), (0,), (1, 2, 3)]))
    if kind == 7:
        return tensor.reshape(-1)[:-1] if tensor.numel() > 1 else tensor[None]
    return rng.choice(VALUES)


def _odd_content(rng: random.Random, content: Any, depth: int = 0) -> Any:
    """A content with one of its parts replaced, lost or added."""
    if isinstance(content, dict | list) and content and rng.random() < 0.9:
        changed = content.copy()
        key = rng.choice(list(changed)) if isinstance(changed, dict) else rng.randrange(len(changed))
        if rng.random() < 0.15:
            del changed[key]
        elif rng.random() < 0.1 and isinstance(changed, dict):
            changed[rng.choice(["x", "a.b", "module_list.9.perm", 7])] = rng.choice([torch.zeros(2), *VALUES[:9]])
        else:
            changed[key] = _odd_content(rng, changed[key], depth + 1)
        return changed
    return _odd_tensor(rng, content) if isinstance(content, Tensor) else rng.choice([*VALUES, torch.ones(2)])


def _write_odd(rng: random.Random, path: Path, content: Any) -> None:
    choice = rng.random()
    if choice < 0.05:
        path.write_bytes(pickle.dumps(Harmful()))
    elif choice < 0.1:
        torch.save({**content, "x": Harmful()}, path)
    elif choice < 0.2:
        file = io.BytesIO()
        torch.save(content | {"x": torch.zeros(rng.choice([1, 10**7]))}, file)
        with zipfile.ZipFile(file) as whole, zipfile.ZipFile(path, "w", rng.choice([0, zipfile.ZIP_DEFLATED])) as other:
            for name in whole.namelist():
                if rng.random() < 0.97:
                    other.writestr(name, whole.read(name))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about sparse and quantized tensors
            torch.save(_odd_content(rng, content), path, _use_new_zipfile_serialization=rng.random() < 0.7)


class Weights:
    """Weights of a small network as .pth and .safetensors, damaged, and with other tensors."""

    def __init__(self, place: Path) -> None:
        torch.manual_seed(0)
        self._network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self._tensors = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}
        torch.save(self._tensors, place / "w.pth")
        safetensors.torch.save_file(self._tensors, place / "w.safetensors")
        self._place = place

    def case(self, rng: random.Random, folder: Path) -> Case:
        name = rng.choice(["w.pth", "w.safetensors"])
        path, whole = folder / name, rng.random() < 0.6
        if whole:
            path.write_bytes(damaged(rng, (self._place / name).read_bytes()))
        elif name == "w.pth":
            _write_odd(rng, path, rng.choice([self._tensors, {"state_dict": self._tensors}]))
        else:
            odd = _odd_content(rng, dict(self._tensors))
            odd = odd if isinstance(odd, dict) else {}
            plain = {str(name): value for name, value in odd.items() if isinstance(value, Tensor)}
            plain = {k: v for k, v in plain.items() if v.layout is torch.strided and not (v.is_quantized or v.is_meta)}
            small = {name: value.contiguous().clone() for name, value in plain.items() if value.numel() < 10**4}
            safetensors.torch.save_file(small, path)
        displaced(rng, path)

        def check(found: dict[str, Tensor]) -> None:
            assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in self._tensors.items()}
            assert all(tensor.isfinite().all() for tensor in found.values())
            if whole and name == "w.pth":
                assert_same(found, self._tensors)

        def read() -> dict[str, Tensor]:
            load_file(self._network, path)
            return self._network.state_dict()

        return Case(f"{'damaged' if whole else 'odd'} {name}", read, check, (name,))


class Scores:
    """Folders of scores: of a run, where every file has a checksum, and arrays alone."""

    def __init__(self, place: Path) -> None:
        rng = np.random.default_rng(0)
        for channel, steps in STEPS.items():
            for split, length in zip(("train", "test"), steps, strict=True):
                (place / "data" / split).mkdir(parents=True, exist_ok=True)
                np.save(place / "data" / split / f"{channel}.npy", rng.normal(size=(length, 2)))
        rows = "".join(f'{channel},SMAP,"[[5, 9]]"\n' for channel in STEPS)
        (place / "data" / "labeled_anomalies.csv").write_text(f"chan_id,spacecraft,anomaly_sequences\n{rows}")
        self._source = TelemanomSource(place / "data", "SMAP")
        self._config = load_config(keywords={**SETTINGS, "data_path": str(place / "data")})
        self._scores = place / "scores"
        for number, split in enumerate(("train", "test")):
            self._write(self._scores / "train" if split == "train" else self._scores, split, number, rng)
        self._known = self._read(self._scores)
        self._files = [path.relative_to(self._scores) for path in self._scores.rglob("*") if path.is_file()]

    def _write(self, folder: Path, split: str, number: int, rng: np.random.Generator) -> None:
        (folder / "maps").mkdir(parents=True)
        (folder / "columns").mkdir()
        for channel, steps in STEPS.items():
            np.save(folder / "maps" / f"{channel}.npy", rng.gamma(2.0, size=(3, steps[number])).astype(np.float32))
            np.save(folder / "columns" / f"{channel}.npy", rng.random((2, -(-steps[number] // 8)), np.float32))
        names = [self._source.place(channel, split) for channel in STEPS]
        write_samples(folder, names, list(STEPS), [1, 0], {0: 0.5, 1: 0.25})
        data = {channel: of_series(self._source, channel, split) for channel in STEPS}
        facts = {"rows": ["level 1", "level 2", "level 3"], "data": data, "files": of_files(folder, without="train")}
        save_config(folder / "config.json", self._config, facts)

    def _read(self, folder: Path) -> tuple[list[str], list[NDArray[Any]]]:
        test = open_scores(folder)
        train = open_scores(folder / "train") if test.config is not None else None
        check_data(test, self._source)
        config = test.config or self._config
        config = config if train else replace(config, calibration="none")
        steps = scores_of_steps(test, train, self._source, config)
        columns = [test.of_columns(channel, 2) for channel in test.channels]
        if train is not None:
            known = {channel: self._source.columns(channel) for channel in STEPS}
            learnt = LearntScores(folder / "train", config, known)
            for channel in test.channels:
                learnt.learnt(channel)
        return test.channels, [*steps[0], *(steps[1] or []), test.labels, test.picture_scores, *filter(_there, columns)]

    def case(self, rng: random.Random, folder: Path) -> Case:
        scores = folder / "scores"
        shutil.copytree(self._scores, scores)
        choice, chosen = rng.random(), scores / rng.choice(self._files)
        if choice < 0.35:
            kind = "damaged"
            chosen.write_bytes(damaged(rng, chosen.read_bytes()))
        elif choice < 0.5:
            kind, other = "swapped", scores / rng.choice(self._files)
            content, theirs = chosen.read_bytes(), other.read_bytes()
            chosen.write_bytes(theirs)
            other.write_bytes(content)
        elif choice < 0.7:
            kind = "other facts"
            chosen = rng.choice([scores, scores / "train"]) / "config.json"
            content = json.loads(chosen.read_bytes())
            del content["checksum"]
            chosen.write_bytes(as_json(rng, other_json(rng, content)))
        else:
            kind = "arrays alone"
            for path in (scores / "config.json", scores / "train" / "config.json"):
                path.unlink()
            chosen = scores / rng.choice([name for name in self._files if name.suffix == ".npy"])
            _other_array(rng, chosen)
        if displaced(rng, chosen):
            kind = "displaced"

        def check(found: tuple[list[str], list[NDArray[Any]]]) -> None:
            if kind in ("damaged", "swapped") and (scores / "config.json").exists():
                assert found[0] == self._known[0]
                for array, known in zip(found[1], self._known[1], strict=True):
                    np.testing.assert_array_equal(array, known)
            assert set(found[0]) <= set(STEPS)
            for channel, array in zip(found[0], found[1], strict=False):
                assert array.shape == (STEPS[channel][1],)

        return Case(f"{kind} {chosen.name}", lambda: self._read(scores), check, ("scores", "calibration", "levels"))


def _there(columns: NDArray[Any] | None) -> bool:
    return columns is not None


def _other_array(rng: random.Random, path: Path) -> None:
    array = np.load(path)
    kind = rng.randrange(6)
    if kind == 0:
        path.write_bytes(damaged(rng, path.read_bytes()))
        return
    if kind == 1:
        array = array.astype(rng.choice(["f8", "i8", "?", "U9", "S3", "c16"]) if array.dtype.kind != "U" else "S40")
    elif kind == 2:
        array = array[..., : rng.randrange(array.shape[-1] + 1)]
    elif kind == 3:
        array = array[: rng.randrange(len(array) + 1)]
    elif kind == 4:
        array = array.reshape(rng.choice([(-1,), (1, *array.shape), (*array.shape, 1)]))
    elif array.dtype.kind == "f":
        array.flat[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, -1e38])
    np.save(path, array)
