"""Metrics of pictures: detection, localisation, per-region overlap (PRO)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from metrics.ranking import auroc


def per_region_overlap(masks: NDArray, score_maps: NDArray, max_fpr: float = 0.3) -> float | None:
    """Area under the per-region overlap curve up to a false positive rate of `max_fpr`, divided by `max_fpr`.

    Bergmann et al., "Uninformed Students", CVPR 2020, section 4.2: at every threshold the share of each connected
    anomalous region (8-neighbourhood) that is found, averaged over the regions, against the false positive rate
    of the normal pixels. It is the ROC curve of the pixels in which every region weighs the same, whatever its size.

    Masks and score maps (N, H, W) -> in [0, 1], or None where there is no anomalous or no normal pixel.
    """
    from sklearn.metrics import roc_curve  # takes seconds to load, and series need none

    anomalous = np.asarray(masks) > 0
    if anomalous.all() or not anomalous.any():
        return None
    weights = np.ones(anomalous.shape)
    for mask, weight in zip(anomalous, weights, strict=True):
        regions, _ = ndimage.label(mask, structure=np.ones((3, 3)))
        weight[mask] = 1 / np.bincount(regions.ravel())[regions[mask]]
    fpr, overlap, _ = roc_curve(anomalous.ravel(), np.ravel(score_maps), sample_weight=weights.ravel())
    inside = fpr <= max_fpr
    fpr_inside = np.append(fpr[inside], max_fpr)
    overlap_inside = np.append(overlap[inside], np.interp(max_fpr, fpr, overlap))
    return float(np.trapezoid(overlap_inside, fpr_inside) / max_fpr)


class Measured(dict[str, float | None]):
    """Picture metrics by name; None stands for undefined, for which `reasons` has the reason in words."""

    def __init__(self, values: dict[str, float | None], reasons: dict[str, str]) -> None:
        super().__init__(values)
        self.reasons = reasons


def picture_metrics(
    labels: Sequence[int],
    scores: NDArray,
    masks: NDArray,
    score_maps: NDArray,
    with_pro: bool,
    masked: Sequence[bool] | None = None,
) -> Measured:
    """Detection AUROC over pictures, localisation AUROC over pixels and, `with_pro`, the per-region overlap.

    Labels (1 anomalous, 0 normal, -1 unknown) and scores (N,), masks and score maps (N, H, W); `masked` (N,): whether
    the mask of a picture is known, all by default. Detection is over what is labelled, the others over what is masked.
    """
    labels = np.asarray(labels)
    labelled, known = labels >= 0, np.ones(len(labels), bool) if masked is None else np.asarray(masked, bool)
    if not known.all():
        masks, score_maps = masks[known], score_maps[known]
    metrics = {"detection": auroc(labels[labelled], scores[labelled])}
    metrics["localisation"] = auroc(masks, score_maps) if known.any() else None
    if with_pro:
        metrics["pro"] = per_region_overlap(masks, score_maps) if known.any() else None
    missed = not known.any() or (not np.any(masks) and (labels[~known] == 1).any())
    where = "no masks" if missed else "one class only"
    of_pictures = "one class only" if labelled.any() else "no labels"
    return Measured(metrics, {"detection": of_pictures, "localisation": where, "pro": where})


def format_metrics(metrics: dict[str, float | None]) -> str:
    """One line: names and values of picture metrics."""
    names = {"detection": "detection AUROC", "localisation": "localisation AUROC", "pro": "PRO"}
    why = getattr(metrics, "reasons", {})
    shown = {
        name: f"undefined ({why.get(name, 'one class only')})" if value is None else f"{value:.4f}"
        for name, value in metrics.items()
    }
    return "  ".join(f"{names[name]} {value}" for name, value in shown.items())
