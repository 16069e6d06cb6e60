"""Detectors, their training and their scores: which there are."""

from runtime.registry import Registry

# builders: (settings, task, columns by channel trained on, folder of the run, device) -> Detector or PictureDetector
# (detectors/base.py), the latter where what is scored are MSFlow's maps
DETECTORS = Registry(
    "detector",
    {
        "msflow": "detectors.msflow.detector:msflow",
        "usad": "detectors.usad:usad",
        "tranad": "detectors.tranad:tranad",
        "omnianomaly": "detectors.omnianomaly:omnianomaly",
        "statistics": "detectors.statistics:statistics",
        "pca": "detectors.pca:pca",
    },
)
