"""Metrics of pictures: detection, localisation, per-region overlap (PRO)."""

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


def picture_metrics(
    labels: list[int], scores: NDArray, masks: NDArray, score_maps: NDArray, with_pro: bool
) -> dict[str, float | None]:
    """Detection AUROC over pictures, localisation AUROC over pixels and, `with_pro`, the per-region overlap.

    Labels and scores (N,), masks and score maps (N, H, W). None stands for undefined.
    """
    metrics = {"detection": auroc(labels, scores), "localisation": auroc(masks, score_maps)}
    if with_pro:
        metrics["pro"] = per_region_overlap(masks, score_maps)
    return metrics


def format_metrics(metrics: dict[str, float | None]) -> str:
    """One line: names and values of picture metrics."""
    names = {"detection": "detection AUROC", "localisation": "localisation AUROC", "pro": "PRO"}
    shown = {name: "undefined (one class only)" if value is None else f"{value:.4f}" for name, value in metrics.items()}
    return "  ".join(f"{names[name]} {value}" for name, value in shown.items())
