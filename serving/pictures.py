"""A detector of pictures that has learnt, as Python programs and `--mode score` use it."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from data.pictures import PictureFile
from detectors.run import Run
from evaluation.picture_report import as_shown, picture_view, score_report
from evaluation.pictures import (
    BAD,
    COLUMNS,
    PictureVerdict,
    finite,
    judged,
    picture_threshold,
    shown_size,
    threshold_text,
    write_verdicts,
)
from report.overlays import deep_picture, heat_of, heat_picture, overlay
from runs.folder import TRAIN_SCORES
from runtime.errors import InputError, warn
from runtime.files import atomic_folder, file_name, writing
from settings.config import Config
from settings.effects import picture_score_name

ENDINGS = {"png", "jpg", "jpeg", "jpe", "jfif", "bmp", "tif", "tiff", "webp", "gif", "pgm", "ppm", "pnm"}
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")  # others are kept as TIFF
Picture = str | Path | Image.Image | NDArray[Any]


@dataclass(frozen=True, eq=False)
class JudgedPicture:
    """A verdict with the map (H, W) that it comes from, in the size that the detector looks at."""

    path: Path
    verdict: PictureVerdict
    score_map: NDArray[np.float32]


class FittedPictures:
    """What a run has learnt of good pictures: it scores new ones, and says where they are unlike.

    A picture is a path, a PIL image, or an array: (H, W) or (H, W, 3) of 8 bits, (H, W) of 16, or floats from 0 to 1.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.config: Config = run.config
        self.threshold = picture_threshold(run.folder / "scores" / TRAIN_SCORES, run.config)

    def __repr__(self) -> str:
        threshold = "no threshold" if self.threshold is None else f"threshold {self.threshold:.4g}"
        return f"<msflow.FittedPictures: {self._run.task.class_name}, {threshold}, {self._run.detector.weights}>"

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self._run.folder

    @property
    def _depth(self) -> tuple[float | None, ...]:
        """What tells, beside mean and deviation, how pictures are to be read."""
        return self._run.detector.normalisation()[2:]

    def score(self, pictures: Picture | Sequence[Picture]) -> pd.DataFrame:
        """One row per picture: file, score, threshold, verdict (good or bad), x0, y0, x1, y1 and peak.

        The box is that of the highest region, in pixels of the picture, its end exclusive; a path of a folder stands
        for all pictures in it. Raises InputError for what is no readable picture.
        """
        rows = [judged.verdict.row() for judged in self._judged_all(pictures)]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def score_map(self, picture: Picture) -> NDArray[np.float32]:
        """How unlike the good ones every place of a picture is, (H, W), in the size that the detector looks at."""
        (found,) = self._judged_all([picture])
        return found.score_map

    def overlay(self, picture: Picture) -> Image.Image:
        """A picture with its heat over it, framed where it is bad."""
        with tempfile.TemporaryDirectory(prefix="msflow-") as scratch:
            ((path, name),) = _as_files([picture], Path(scratch))
            return self._drawn(self._judged(path, name))[0]

    def save(self, folder: str | Path) -> Path:
        """Write all that is needed to load it again into a folder, whole or not at all; returns the folder."""
        with atomic_folder(Path(folder)) as temporary, writing(self.folder):
            shutil.copytree(self.folder, temporary, dirs_exist_ok=True)
        return Path(folder)

    def score_files(self, path: Path) -> Path:
        """Judge a picture, or all in a folder, into `scored/` of the run: scores.csv, overlays/ and maps/.

        Returns the folder. Files that cannot be read are named and left out; raises InputError where none can.
        """
        files = _pictures_at(path)
        name = path.stem if path.is_file() else path.resolve().name
        folder, found, unreadable, views = self.folder / "scored" / file_name(name), [], [], []
        names = _names(files, path)
        with atomic_folder(folder) as temporary:
            for file, drawn in zip(files, names, strict=True):
                try:
                    one = self._judged(file, str(file))
                except InputError as error:
                    unreadable.append(str(error))
                    continue
                self._write(one, temporary, drawn)
                found.append(one.verdict)
                if self.config.report:
                    views.append(picture_view(file, _below(file, path), one.verdict, one.score_map, *self._depth))
                print(_line(one.verdict))
            if not found:
                more = f" So are {len(unreadable) - 1} more." if len(unreadable) > 1 else ""
                raise InputError(f"{unreadable[0]}{more}")
            write_verdicts(temporary / "scores.csv", found)
            if views:
                score_report(temporary, f"{self._run.task.class_name}: {name}", views, self.threshold)
        for message in unreadable:
            warn(message)
        self._summary(found, len(unreadable), folder)
        return folder

    def _summary(self, found: list[PictureVerdict], unreadable: int, folder: Path) -> None:
        bad = sum(verdict.bad is True for verdict in found)
        says = "" if self.threshold is None else f", bad: {bad}"
        left_out = f", not readable: {unreadable}" if unreadable else ""
        print(f"Pictures: {len(found)}{says}{left_out}. Threshold: {threshold_text(self.threshold)}")
        print(f"Scores: {folder / 'scores.csv'}  Overlays: {folder / 'overlays'}  Maps: {folder / 'maps'}")
        if self.config.report:
            print(f"Report: {folder / 'report.html'}")

    def _judged_all(self, pictures: Picture | Sequence[Picture]) -> Iterator[JudgedPicture]:
        several = [pictures] if isinstance(pictures, str | Path | Image.Image | np.ndarray) else list(pictures)
        with tempfile.TemporaryDirectory(prefix="msflow-") as scratch:
            for path, name in _as_files(several, Path(scratch)):
                yield self._judged(path, name)

    def _judged(self, path: Path, name: str) -> JudgedPicture:
        run, config = self._run, self.config
        dataset = run.task.reading([PictureFile(path)]).pictures(config, "test", *run.detector.normalisation())
        which = picture_score_name(config)
        maps = {which: np.empty((1, *config.input_size), np.float32)}
        (score,) = run.detector.score(run.detector.opened(dataset, "new"), [0], maps).values()
        score = float(np.float32(score))  # as score files keep it
        verdict = judged(name, score, self.threshold, maps[which][0], shown_size(path), -1)
        return JudgedPicture(path, verdict, finite(maps[which][0]))

    def _drawn(self, one: JudgedPicture) -> tuple[Image.Image, Image.Image]:
        """Overlay and heat map of a picture, in its own size."""
        size = shown_size(one.path)
        heat = heat_of(one.score_map, size, self.threshold)
        box = one.verdict.box if one.verdict.bad else None
        return overlay(as_shown(one.path, size, *self._depth), heat, box), heat_picture(heat)

    def _write(self, one: JudgedPicture, folder: Path, name: str) -> None:
        for kind, picture in zip(("overlays", "maps"), self._drawn(one), strict=True):
            (folder / kind).mkdir(exist_ok=True)
            picture.save(folder / kind / f"{name}.png")
        if self.config.deep_maps:
            (folder / "deep_maps").mkdir(exist_ok=True)
            deep_picture(one.score_map, shown_size(one.path)).save(folder / "deep_maps" / f"{name}.png")


def _line(verdict: PictureVerdict) -> str:
    told = f"{verdict.verdict or 'score':>5} {verdict.score:9.4g}"
    if verdict.threshold:
        told += f"  {verdict.score / verdict.threshold:6.2f} x threshold"
    box = "highest at {}, {} to {}, {}".format(*verdict.box) if verdict.verdict in (BAD, "") else ""
    return f"{told}  {verdict.file}  {box}".rstrip()


def _pictures_at(path: Path) -> list[Path]:
    """The picture at a path, or those in a folder and its folders; hidden files are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: does not exist. Set --data-path to a picture or a folder of pictures.")
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    pictures = [file for file in files if file.suffix[1:].lower() in ENDINGS]
    if not pictures:
        raise InputError(f"{path}: holds no pictures. Set --data-path to a picture or a folder of pictures.")
    if len(pictures) < len(files):
        others = [file.name for file in files if file not in set(pictures)]
        print(f"Not looked at, as they are no pictures: {', '.join(others[:5])}{' ..' if len(others) > 5 else ''}")
    return pictures


def _below(file: Path, root: Path) -> str:
    """The name of a file, below the folder that was given where it was one."""
    return file.name if file == root else str(file.relative_to(root))


def _names(files: list[Path], root: Path) -> list[str]:
    """A name for what is drawn of each file: its stem, with its folder and ending where two have the same."""
    stems = Counter(file.stem.lower() for file in files)
    told = [file.stem if stems[file.stem.lower()] == 1 else _below(file, root) for file in files]
    return [file_name(name) for name in told]


def _as_files(pictures: list[Picture], scratch: Path) -> Iterator[tuple[Path, str]]:
    """A file and a name for each picture: what is in memory is read in the same way as what is on disk."""
    for number, picture in enumerate(pictures):
        if isinstance(picture, str | Path):
            for file in _pictures_at(Path(picture)):
                yield file, str(file)
            continue
        image = picture if isinstance(picture, Image.Image) else _image(picture, number)
        path = scratch / f"{number}{'.png' if image.mode in PNG_MODES else '.tiff'}"
        image.save(path, **({"exif": image.getexif()} if image.mode in PNG_MODES else {}))
        yield path, f"picture {number}"


def _image(values: NDArray[Any], number: int) -> Image.Image:
    """An array as an image of the same depth."""
    fits: dict[tuple[str, int], Callable[[NDArray[Any]], NDArray[Any]]] = {
        ("b", 2): lambda x: x.astype(np.uint8) * 255,
        ("f", 2): lambda x: x.astype(np.float32),
        ("f", 3): lambda x: (x.clip(0, 1) * 255).round().astype(np.uint8),
    }
    values = np.asarray(values)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    colours = values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))
    if colours and (values.dtype == np.uint8 or (values.dtype == np.uint16 and values.ndim == 2)):
        return Image.fromarray(values)
    if not colours or (values.dtype.kind, values.ndim) not in fits or not values.size:
        raise InputError(
            f"picture {number}: an array {values.shape} of {values.dtype}, expected (H, W) or (H, W, 3) of uint8, "
            "(H, W) of uint16, or floats from 0 to 1."
        )
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise InputError(f"picture {number}: floats from {values.min():g} to {values.max():g}, expected 0 to 1.")
    return Image.fromarray(fits[values.dtype.kind, values.ndim](values))
