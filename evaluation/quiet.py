"""Alarms where there is nothing: on training scores that were held out, by thresholds learnt from the others."""

import numpy as np
from numpy.typing import NDArray

from drawing.layouts import make_layout
from drawing.steps import PARTS, training_parts
from evaluation.alarms import Policy, raise_alarms
from evaluation.thresholds import learn, threshold_of
from settings.config import Config


def holds_out(config: Config) -> bool:
    """Whether training scores are those of steps that were held out, as far as the settings tell.

    They are not where one picture holds a whole series.
    """
    if config.detector != "msflow":  # others give no score of what they cannot hold out
        return True
    layout = make_layout(config)
    return layout.window is not None or layout.cuttable


def quiet_alarms(train_scores: NDArray[np.floating], policy: Policy) -> tuple[int, int]:
    """How many alarms a policy raises in training scores (T,), and of how many steps, NaN left out.

    Every part of the series is judged by a threshold that was learnt from the other parts.
    """
    known = train_scores[np.isfinite(train_scores)]
    if len(known) < PARTS:
        return 0, 0
    thresholds = np.empty(len(known))
    for start, stop in training_parts(len(known)):
        others = np.concatenate([known[:start], known[stop:]])
        thresholds[start:stop] = threshold_of(policy.threshold, policy.risk, others)
    alarms, _ = raise_alarms(known, learn(policy.threshold, policy.risk, known), policy, thresholds)
    return len(alarms), len(known)
