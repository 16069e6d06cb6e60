"""Principal components of windows: what they leave unexplained of a window is how odd it is.

Shyu et al., "A Novel Anomaly Detection Scheme Based on Principal Component Classifier", ICDM Workshops 2003, on windows
of a series as in Paparrizos et al., "TSB-UAD", VLDB 2022, section 3. scikit-learn finds the components.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA

from datasets import SeriesTask
from detectors.columnwise import MIN_SPREAD, Array, ColumnDetector, Learnt
from drawing.steps import cut_windows, join_windows
from settings.config import Config

MOST = 10_000  # training windows that are learnt from; of more, as many at equal distances
SHARE = 4  # windows that are scored begin a quarter of their length apart


class WindowPCA(ColumnDetector):
    """The mean squared residual of every step over the windows that hold it, in units of that in training."""

    def __init__(self, config: Config, known: dict[str, list[str]]) -> None:
        self._hop = max(config.window // SHARE, 1)
        super().__init__(config, known, config.window, self._hop)

    def learn(self, pieces: list[Array]) -> Learnt:
        """Mean (window,) and components (K, window) of the training windows, and their mean squared residual."""
        window = self.config.window
        step = min(-(-sum(map(len, pieces)) // MOST), window)
        windows = np.concatenate([cut_windows(piece, window, step)[0] for piece in pieces])
        mean, components = windows.mean(axis=0), np.zeros((0, window))
        if windows.std(axis=0).max() > 0:
            share = self.config.explained if self.config.explained < 1 else None
            components = PCA(share, svd_solver="full").fit(windows).components_
        learnt = {"mean": mean, "components": components}
        return {**learnt, "usual": np.square(_residuals(learnt, windows)).mean(keepdims=True)[0]}

    def errors(self, learnt: Learnt, values: Array) -> Array:
        """The mean squared residual of every step (T,) in units of that in training."""
        windows, starts = cut_windows(values, self.config.window, self._hop)
        squares = np.square(_residuals(learnt, windows))
        return join_windows(squares, starts, len(values)) / (learnt["usual"] + MIN_SPREAD**2)


def _residuals(learnt: Learnt, windows: Array) -> Array:
    centred = windows - learnt["mean"]
    return centred - centred @ learnt["components"].T @ learnt["components"]


def pca(config: Config, task: SeriesTask, known: dict[str, list[str]], folder: Path, device: torch.device) -> WindowPCA:
    """The detector that the settings describe."""
    return WindowPCA(config, known)
