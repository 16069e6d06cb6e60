"""What a run has learnt as one ONNX file, from pixels or values to scores, checked against the run itself."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from data.pictures import PictureFile
from detectors.msflow.graphs import FULL, LineGraph, NotExported, PictureGraph, Reading
from detectors.msflow.pictures import PictureMSFlow
from detectors.msflow.series import SeriesMSFlow
from detectors.run import Run, reopened
from evaluation.learnt import LearntScores
from runs.folder import CONFIG_FILE, TRAIN_SCORES
from runs.scores import read_array
from runtime.errors import InputError, unknown_name
from runtime.files import atomic_file
from serving.pictures import FittedPictures
from settings.effects import picture_score_name
from settings.load import recorded_config

NEEDED = ("onnx", "onnxscript")
INSTALL = "uv sync --extra onnx"
CLOSE = 1e-4  # how far scores of the file may be from those of the run; of scores above 1, the share of them
PICTURES, SERIES = 20, 5  # that are compared
FEWEST_STEPS = 2


Pairs = Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]


@dataclass(frozen=True, eq=False)
class Exported:
    """A network to write: an example of its input, names, facts to keep with it, and what it is compared with.

    The first axis of the input may have any length where `any_number`. `pairs` makes inputs and the scores that the run
    gives them; `compared` says what they are.
    """

    network: nn.Module
    example: Tensor
    given: str
    results: list[str]
    any_number: bool
    facts: dict[str, str]
    pairs: Callable[[], Pairs]
    compared: str


class Judging(nn.Module):
    """A network of pictures with verdicts: whether each score is above the threshold."""

    def __init__(self, network: PictureGraph, threshold: float) -> None:
        super().__init__()
        self.network, self.threshold = network, threshold

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (N,), verdicts (N,) and maps (N, H, W)."""
        scores, maps = self.network(pictures)
        return scores, scores > self.threshold, maps


def export(folder: Path, path: Path | None = None, steps: int | None = None, channel: str | None = None) -> Path:
    """Write what the run in a folder has learnt to an .onnx file, by default `model.onnx` in it; returns the file.

    Of series: of one `channel`, for series of so many `steps`. Where onnxruntime is installed, the file is run and its
    scores compared with those of the run; it is not written where they differ. Raises InputError for what cannot be
    exported.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"an export needs {' and '.join(missing)}, not installed here: {INSTALL}.")
    run = reopened(folder, replace(recorded_config(folder / CONFIG_FILE), device="cpu"))
    path = path or folder / "model.onnx"
    try:
        of_kind = network_of_pictures if run.task.kind == "pictures" else network_of_series
        made = of_kind(run, steps, channel)
        with atomic_file(path) as temporary:
            _write(made, temporary)
            told = _compared(made, temporary)
    except NotExported as error:
        raise InputError(f"{folder}: cannot be exported: {error}") from error
    length, *others = made.example.shape
    shape = " x ".join(map(str, ("any number" if made.any_number else length, *others)))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB. {made.given} ({shape}) -> {', '.join(made.results)}")
    print(told)
    return path


def network_of_pictures(run: Run, steps: int | None, channel: str | None) -> Exported:
    """The scores of pictures. Raises NotExported where there is no such network."""
    if steps is not None or channel is not None:
        raise InputError(f"{run.folder}: is a run of pictures, which have neither steps nor channels.")
    if not isinstance(run.detector, PictureMSFlow):
        raise NotExported(f"detector = {run.config.detector}: only msflow can be.")
    network, config = PictureGraph(run.detector), run.config
    facts = {
        "class": run.task.class_name,
        "white": f"{network.white:g}",
        "score": f"mean of the highest {config.top_k:g} of the map",
        "map": picture_score_name(config),
    }
    example = torch.linspace(0, network.white, 2 * 3 * int(np.prod(network.size))).reshape(2, *network.size, 3)
    threshold, judging, results = FittedPictures(run).threshold, network, ["score", "map"]
    if threshold is not None:
        facts["threshold"], judging, results = repr(threshold), Judging(network, threshold), ["score", "bad", "map"]
    pairs = partial(_pairs_of_pictures, run, network.white)
    return Exported(judging, example, "pictures", results, True, facts, pairs, f"{PICTURES} pictures")


def network_of_series(run: Run, steps: int | None, channel: str | None) -> Exported:
    """The scores of a channel's series of so many steps. Raises NotExported where there is no such network."""
    if not isinstance(run.detector, SeriesMSFlow):
        raise NotExported(f"detector = {run.config.detector}: only msflow can be.")
    if steps is None or steps < FEWEST_STEPS:
        raise InputError(f"{run.folder}: is a run of series, and a network is for one length. Set --steps, 2 or more.")
    channel = _channel(run, channel)
    learnt = LearntScores(run.folder / "scores" / TRAIN_SCORES, run.config, run.known)
    reading = Reading(learnt.chosen, *learnt.calibration(channel))
    facts = {"channel": channel, "columns": json.dumps(run.known[channel])}
    if (threshold := learnt.learnt(channel).threshold) is not None:
        facts["threshold"] = repr(threshold)
    network = LineGraph(run.detector, channel, steps, reading)
    example = torch.from_numpy(next(_made_up(run.detector, channel, steps)))
    pairs = partial(_pairs_of_series, run.detector, learnt, channel, steps)
    return Exported(network, example, "series", ["score"], False, facts, pairs, f"{SERIES} made-up series")


def _channel(run: Run, channel: str | None) -> str:
    known = list(run.known)
    if channel is None and len(known) > 1:
        raise InputError(f"{run.folder}: which channel is the network for? Set --channel: {', '.join(known)}.")
    if channel not in (None, *known):
        raise unknown_name("channel", channel or "", known)
    return channel or known[0]


@torch.no_grad()
def _write(made: Exported, path: Path) -> None:
    """Write the file. Raises NotExported where a part of the network has no counterpart in ONNX."""
    made.network.eval()(made.example)  # what is worked out once and kept must not be worked out while it is traced
    free = {0: torch.export.Dim(made.given)} if made.any_number else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch and onnxscript about parts of their own
            program = torch.onnx.export(
                nn.Sequential(made.network),  # else its numbers might be called as what torch computes from them
                (made.example,),
                input_names=[made.given],
                output_names=made.results,
                dynamic_shapes=(free,),
                verbose=False,
            )
    except Exception as error:  # torch raises dozens of types, some of them private
        raise NotExported(f"torch finds no ONNX for a part of it ({_cause(error)}).") from error
    proto = program.model_proto
    proto.producer_name = "msflow"
    for name, value in made.facts.items():
        proto.metadata_props.add(key=name, value=value)
    path.write_bytes(proto.SerializeToString())


def _cause(error: BaseException) -> str:
    """The first line of what went wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _compared(made: Exported, path: Path) -> str:
    """What to say of a comparison of the file with the run. Raises NotExported where their scores differ."""
    if find_spec("onnxruntime") is None:
        return f"Not compared with the run: that needs onnxruntime, {INSTALL}."
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found, expected = [], []
    for given, scores in made.pairs():
        found.append(session.run(made.results[:1], {made.given: given})[0])
        expected.append(scores)
    scores = np.concatenate(expected)
    differ = float((np.abs(np.concatenate(found) - scores) / np.maximum(np.abs(scores), 1)).max())
    if not differ <= CLOSE:
        raise NotExported(f"the scores of {made.compared} by the file differ from those by the run, by {differ:.1e}.")
    return f"Compared with the run on {made.compared}: scores differ by {differ:.1e} at the most."


def _pairs_of_pictures(run: Run, white: float) -> Pairs:
    """Pictures (1, H, W, 3) and their scores (1,): those of the run, as far as they are still there, or noise."""
    fitted, (height, width) = FittedPictures(run), run.config.input_size
    paths, rng = _scored_files(run.folder / "scores"), np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="msflow-") as scratch:
        for number in range(len(paths), PICTURES):
            paths.append(Path(scratch) / f"{number}.png")
            Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(paths[-1])
        files = [PictureFile(path) for path in paths]
        reader = run.task.reading(files).pictures(run.config, "test", *run.detector.normalisation()).reader
        for path in paths:
            colours = reader.colours(path, (width, height))[None]
            yield colours * np.float32(white / FULL), fitted.score(path)["score"].to_numpy()


def _scored_files(folder: Path) -> list[Path]:
    """Pictures that the run has scored and that are still there, PICTURES at the most, evenly spaced."""
    lists = [place / "filenames.npy" for place in (folder, folder / TRAIN_SCORES)]
    names = [name for names in lists if names.is_file() for name in read_array(names).tolist()]
    there = [Path(name) for name in names if Path(name).is_file()]
    return there[:: max(1, -(-len(there) // PICTURES))][:PICTURES]


def _pairs_of_series(detector: SeriesMSFlow, learnt: LearntScores, channel: str, steps: int) -> Pairs:
    """Made-up series (T, D) and their scores (T,)."""
    for series in _made_up(detector, channel, steps):
        yield series, learnt.steps(channel, detector.scores(channel, series).rows)


def _made_up(detector: SeriesMSFlow, channel: str, steps: int) -> Iterator[NDArray[np.float64]]:
    """Waves with noise and a jump, in the units of a channel's columns, (T, D)."""
    rng, scaling = np.random.default_rng(0), detector.drawings.scaling_of(channel)
    columns = len(detector.drawings.known[channel])
    for _ in range(SERIES):
        waves = np.sin(np.arange(steps)[:, None] / rng.uniform(3, 60, columns) + rng.uniform(0, 6, columns))
        series = 0.7 * waves + 0.1 * rng.normal(size=waves.shape)
        series[int(rng.integers(steps)) :] += 0.5
        yield series if scaling is None else series * scaling.spread + scaling.centre
