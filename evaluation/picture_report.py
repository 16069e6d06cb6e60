"""What is said of judged pictures: metrics.json, scores.csv and report.html of a class, and of all classes."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.pictures import PictureDataset, PictureFile
from evaluation.pictures import (
    PictureVerdict,
    finite,
    picture_threshold,
    read_verdicts,
    score_maps,
    shown_size,
    threshold_text,
    write_verdicts,
)
from metrics.ranking import auroc, average_precision, precision_points, roc_points
from metrics.ranks import ranks_of
from report.data import Curve
from report.overlays import heat_of, overlay
from report.pictures import MOST, KindTable, PictureReport, PictureView, thumbnail_size, write_picture_report
from runs.folder import CONFIG_FILE, TRAIN_SCORES
from runtime.errors import InputError
from runtime.files import atomic_file
from settings.config import Config
from settings.effects import picture_score_name
from settings.load import read_record

DEFINITIONS = {
    "detection": "ROC AUC of the pictures' scores: how often a defective picture scores higher than a good one.",
    "average precision": "Sum of precision times gain in recall over all thresholds, over the pictures.",
    "localisation": "ROC AUC over all pixels against the masks: of the energy map, or of add where mul is the score.",
    "pro": "Per-region overlap up to a false positive rate of 0.3: every defect weighs the same, whatever its size.",
    "threshold": "Learnt from good training pictures that the detector had not seen; never from the test pictures.",
    "found": "Defective pictures judged bad.",
    "false alarms": "Good pictures judged bad.",
}
KIND_COLUMNS = ["kind", "pictures", "found", "detection AUROC"]
SHOWN = {"detection": "detection AUROC", "localisation": "localisation AUROC", "pro": "PRO"}


@dataclass(frozen=True, eq=False)
class JudgedClass:
    """A tested class: the folder of its run's scores, its settings and picture metrics, and what follows from them."""

    name: str
    folder: Path
    config: Config
    threshold: float | None
    metrics: dict[str, Any]
    verdicts: list[PictureVerdict]

    @property
    def has_page(self) -> bool:
        """Whether there is a report of it."""
        return self.config.report and bool(self.verdicts)


def judge_class(name: str, folder: Path, config: Config, measured: dict[str, float | None]) -> JudgedClass:
    """Judge the score files of a class: scores.csv, metrics.json and, where the settings say so, report.html."""
    threshold = picture_threshold(folder / TRAIN_SCORES, config)
    facts = read_record(folder / TRAIN_SCORES / CONFIG_FILE)
    tested = (folder / CONFIG_FILE).is_file()  # good pictures alone have no test
    verdicts = list(read_verdicts(folder, config, threshold)) if tested else []
    metrics = _metrics(verdicts, threshold, measured) | {
        "definitions": DEFINITIONS,
        "checkpoint": facts.get("checkpoint", ""),
        "weights": facts.get("weights", ""),
        "settings": {key: getattr(config, key) for key in ("threshold", "risk", "top_k")}
        | {"picture_score": picture_score_name(config)},
    }
    judged = JudgedClass(name, folder, config, threshold, metrics, verdicts)
    _write_json(folder / "metrics.json", metrics)
    if tested:
        write_verdicts(folder / "scores.csv", verdicts, labelled=True)
    if judged.has_page:
        write_picture_report(folder, _report(judged, facts))
    return judged


def judge_classes(folder: Path, dataset: str, classes: Sequence[JudgedClass]) -> Path | None:
    """Write metrics.json and report.html of several classes and of their means beside their runs; returns the page."""
    if len(classes) < 2:
        return None
    names = ["detection", "average precision", "localisation", "pro"]
    names = [name for name in names if any(name in judged.metrics for judged in classes)]
    by_class = {judged.name: {name: judged.metrics.get(name) for name in names} for judged in classes}
    mean = {name: _mean(values[name] for values in by_class.values()) for name in names}
    counted = ["pictures", "defective", "found", "false alarms"]
    rows: list[list[Any]] = [
        [
            judged.name,
            *(by_class[judged.name][n] for n in names),
            judged.threshold,
            *(judged.metrics[c] for c in counted),
        ]
        for judged in classes
    ]
    totals = [sum(judged.metrics[name] or 0 for judged in classes) for name in counted]
    rows.append(["mean", *mean.values(), None, *totals])
    columns = ["class", *(SHOWN.get(name, name) for name in names), "threshold", *counted]
    pages = [f"{judged.folder.parent.name}/{judged.folder.name}/report.html" for judged in classes]
    links = [page if judged.has_page else "" for page, judged in zip(pages, classes, strict=True)]
    _write_json(folder / "metrics.json", {"mean": mean, "classes": by_class, "definitions": DEFINITIONS})
    if not classes[0].config.report:
        return None
    lead = "A detector for every class. The last row has the means of the metrics, and sums of the counts."
    summary = {SHOWN.get(name, name): _number(value) for name, value in mean.items()}
    said = f"{len(classes)} classes, the means of which are below."
    table = KindTable("Classes", lead, columns, rows, links, mean=True)
    return write_picture_report(folder, PictureReport(dataset, said, summary, classes=table, notes=DEFINITIONS))


def score_report(folder: Path, title: str, views: list[PictureView], threshold: float | None) -> Path:
    """Write the report of pictures that nobody has labelled; returns the page."""
    bad = sum(view.verdict == "bad" for view in views)
    said = f"{bad} of {len(views)} judged bad." if threshold is not None else "No threshold: ranked, but not judged."
    summary = {"pictures": str(len(views)), "threshold": threshold_text(threshold)}
    if threshold is not None:
        summary |= {"bad": str(bad)}
    views = sorted(views, key=lambda view: -view.score)
    shown, left_out = views[:MOST], max(0, len(views) - MOST)
    return write_picture_report(folder, PictureReport(title, said, summary, shown, left_out))


def picture_view(
    path: Path, name: str, verdict: PictureVerdict, score_map: NDArray[np.floating], *depth: float | None
) -> PictureView:
    """A picture as the page shows it, small; `depth` as in `as_shown`."""
    size = shown_size(path)
    small = thumbnail_size(size)
    plain = as_shown(path, small, *depth)
    heat = heat_of(finite(score_map), small, verdict.threshold)
    scale = (small[0] / size[0], small[1] / size[1]) * 2
    box = tuple(round(edge * factor) for edge, factor in zip(verdict.box, scale, strict=True))
    over = overlay(plain, heat, box if verdict.bad else None)
    told = (verdict.score, verdict.threshold, verdict.verdict, verdict.label)
    return PictureView(name, *told, Image.fromarray(plain), over)


def as_shown(path: Path, size: tuple[int, int], *depth: float | None) -> NDArray[np.uint8]:
    """A picture (H, W, 3) as it was learnt from, in a `size`, width and height; `depth`: of deep ones, the white."""
    dataset = PictureDataset([PictureFile(path)], size[::-1], (0.0,) * 3, (1.0,) * 3, *depth)
    return (dataset[0][0].transpose(1, 2, 0) * 255).clip(0, 255).round().astype(np.uint8)


def _metrics(
    verdicts: list[PictureVerdict], threshold: float | None, measured: dict[str, float | None]
) -> dict[str, Any]:
    known = [verdict for verdict in verdicts if verdict.label >= 0]
    labels, scores = _arrays(known)
    defective = [verdict for verdict in known if verdict.label == 1]
    good = [verdict for verdict in known if verdict.label == 0]
    return {
        **measured,
        "average precision": average_precision(labels, scores) if len(known) else None,
        "threshold": threshold,
        "pictures": len(verdicts),
        "defective": len(defective),
        "judged bad": None if threshold is None else sum(verdict.bad is True for verdict in verdicts),
        "found": None if threshold is None else sum(verdict.bad is True for verdict in defective),
        "false alarms": None if threshold is None else sum(verdict.bad is True for verdict in good),
        "by defect": {kind: _of_kind(chosen, good) for kind, chosen in _kinds(defective).items()},
    }


def _arrays(verdicts: Sequence[PictureVerdict]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.array([v.label for v in verdicts], dtype=int), np.array([v.score for v in verdicts], dtype=float)


def _kinds(defective: list[PictureVerdict]) -> dict[str, list[PictureVerdict]]:
    """The defective pictures by the folder they lie in."""
    kinds: dict[str, list[PictureVerdict]] = {}
    for verdict in defective:
        kinds.setdefault(Path(verdict.file).parent.name, []).append(verdict)
    return kinds


def _of_kind(chosen: list[PictureVerdict], good: list[PictureVerdict]) -> dict[str, Any]:
    found = None if chosen[0].threshold is None else sum(verdict.bad is True for verdict in chosen)
    return {"pictures": len(chosen), "found": found, "detection": auroc(*_arrays([*chosen, *good]))}


def _report(judged: JudgedClass, facts: dict[str, Any]) -> PictureReport:
    metrics, verdicts = judged.metrics, judged.verdicts
    worst = sorted(range(len(verdicts)), key=lambda number: -verdicts[number].score)
    maps, views = score_maps(judged.folder, judged.config), []
    white = [facts["picture_white"]] if "picture_white" in facts else []
    for number in worst[:MOST]:
        path = Path(verdicts[number].file)
        try:
            name = f"{path.parent.name}/{path.name}"
            views.append(picture_view(path, name, verdicts[number], maps[number], *white))
        except (InputError, OSError):  # moved since it was scored: the others are shown
            continue
    known = [verdict for verdict in verdicts if verdict.label >= 0]
    labels, scores = _arrays(known)
    both = len(set(labels.tolist())) == 2
    summary = {
        SHOWN.get(name, name): _number(metrics[name]) for name in (*SHOWN, "average precision") if name in metrics
    }
    summary |= {"threshold": _number(judged.threshold), "pictures": str(len(verdicts))}
    if judged.threshold is None:
        said = f"No threshold. {threshold_text(None).capitalize()}."
    else:
        said = f"{metrics['found']} of {metrics['defective']} defective pictures are judged bad, and "
        said += f"{metrics['false alarms']} of {len(known) - metrics['defective']} good ones."
    chosen = metrics["checkpoint"].startswith("best_")
    warnings = [f"{metrics['checkpoint']} was chosen by these very pictures: its metrics flatter it."] if chosen else []
    kinds = [[kind, *row.values()] for kind, row in metrics["by defect"].items()]
    return PictureReport(
        title=f"{judged.config.dataset}: {judged.name}",
        verdict=said,
        summary=summary,
        pictures=views,
        left_out=len(verdicts) - len(views),
        kinds=KindTable("Kinds of defects", "By the folder they lie in.", KIND_COLUMNS, kinds),
        roc=[Curve("scores", *roc_points(ranks_of(labels, scores)), metrics["detection"])] if both else [],
        pr=[Curve("scores", *precision_points(ranks_of(labels, scores)), metrics["average precision"])] if both else [],
        prevalence=float(labels.mean()) if both else None,
        warnings=warnings,
        notes=DEFINITIONS,
        facts=_facts(facts),
    )


def _facts(facts: dict[str, Any]) -> dict[str, str]:
    """The content of config.json, one line a value, without where things lie."""
    flat = {key: value for key, value in facts.items() if key not in ("settings", "versions")}
    flat |= facts.get("versions", {}) | facts.get("settings", {})
    hidden = ("data_path", "work_dir", "run", "eval_ckpt")
    return {key: str(value) for key, value in flat.items() if key not in hidden}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
