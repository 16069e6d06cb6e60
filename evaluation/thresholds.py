"""The score above which a step is worth an alarm: learnt from held-out training scores, never from test labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POT_START = 0.98  # quantile of the training scores from which on the tail is fitted (Siffer et al., section 4.3)
POT_RISK = 1e-4  # probability of a higher score on normal data
POT_FEWEST = 10  # scores in the tail, below which none is fitted
BLOCK = 64  # steps whose highest score is one of the maxima that a Gumbel distribution is fitted to
PER_STEPS = 10_000  # `risk` is told per so many
LEAST_DEVIATION = 1e-3  # of the maxima, in their mean: training scores may all be alike
SAFE = 2.5  # standard errors
FEWEST_PICTURES = 3  # held out, below which nothing is learnt of them


@dataclass(frozen=True)
class Learnt:
    """What the training scores of a channel say: the `threshold` of an alarm, and the `usual` score, their median.

    Either is None where there are no scores to learn it from.
    """

    threshold: float | None
    usual: float | None


def is_number(rule: str) -> bool:
    """Whether the rule is a threshold itself, and nothing is learnt."""
    return not (rule in ("maxima", "pot") or rule.startswith("q"))


def learn(rule: str, risk: float, train_scores: NDArray[np.floating] | None) -> Learnt:
    """The threshold that `rule` makes of training scores (T,), NaN where there are none; scores above it are alarms.

    `rule` is a number, taken as it is; maxima, exceeded by `risk` maxima in 10,000 normal steps; pot, peaks over
    threshold; or q and a number such as q0.99, that quantile of the training scores.
    """
    known = np.zeros(0) if train_scores is None else train_scores[np.isfinite(train_scores)]
    return Learnt(threshold_of(rule, risk, known), float(np.median(known)) if len(known) else None)


def threshold_of(rule: str, risk: float, known: NDArray[np.floating]) -> float | None:
    """The threshold of `learn` from finite training scores (N,); None where there are none to learn it from."""
    if is_number(rule):
        return float(rule)
    if not len(known):
        return None
    if rule == "maxima":
        return exceeded_by_maxima(known, risk)
    if rule == "pot":
        return peaks_over_threshold(known)
    return float(np.quantile(known, float(rule[1:])))


def root(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores as distances: an energy is half a squared one. Scores below 0 keep their sign."""
    return np.sign(scores) * np.sqrt(np.abs(scores))


def squared(distances: NDArray[np.floating]) -> NDArray[np.float64]:
    """The scores of distances."""
    return np.sign(distances) * np.square(distances)


def learn_of_pictures(rule: str, risk: float, scores: NDArray[np.floating], highest: float = np.inf) -> float | None:
    """The threshold that `rule` makes of scores (N,) of good pictures that were held out; None where they are too few.

    As `learn`, but every picture is a block of its own for `maxima`, exceeded by `risk` of 10,000 good pictures, and
    without the margin: of few pictures it would be wide, and a defect missed costs more than a look at a good part.
    A score that cannot be above `highest` has the highest of `scores` for the most.
    """
    if is_number(rule):
        return float(rule)
    known = scores[np.isfinite(scores)].astype(np.float64)
    if len(known) < FEWEST_PICTURES:
        return None
    if rule == "maxima":
        found = exceeded_by_maxima(known, risk, block=1, safe=0.0)
    else:
        found = learn(rule, risk, known).threshold
    return found if found is None or found < highest else float(known.max())


def exceeded_by_maxima(
    train_scores: NDArray[np.floating], risk: float, block: int = BLOCK, safe: float = SAFE
) -> float:
    """The score that the highest of `block` steps exceeds `risk` times in 10,000 normal steps, or less often.

    Neighbouring scores are alike, so not steps are counted but blocks. Their maxima follow a Gumbel distribution
    (Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, section 3.1), here of the scores' roots,
    whose tail is lighter; mean m and deviation s give its scale b = s sqrt(6) / pi and place m - 0.5772 b. With p the
    probability for a block its quantile is m + K s, K = (-ln(-ln(1 - p)) - 0.5772) sqrt(6) / pi. What few maxima say is
    uncertain, so `safe` standard errors are added, s sqrt((1 + 1.1396 K + 1.1 K^2) / n) each for n maxima (Kite,
    "Frequency and Risk Analyses in Hydrology", 1977).
    """
    starts = np.linspace(0, len(train_scores), max(len(train_scores) // block, 1), endpoint=False).astype(int)
    maxima = root(np.maximum.reduceat(train_scores, starts))
    middle = float(maxima.mean())
    deviation = float(maxima.std(ddof=1)) if len(maxima) > 1 else 0.0
    deviation = max(deviation, LEAST_DEVIATION * abs(middle))
    probability = min(risk * block / PER_STEPS, 0.999)
    factor = (-np.log(-np.log1p(-probability)) - np.euler_gamma) * np.sqrt(6) / np.pi
    error = np.sqrt((1 + 1.1396 * factor + 1.1 * factor**2) / len(maxima))
    return float(squared(np.array(middle + deviation * (factor + safe * error))))


def peaks_over_threshold(train_scores: NDArray[np.floating], risk: float = POT_RISK) -> float:
    """The score that normal data exceed with probability `risk`.

    Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017, section 3.2: a generalised
    Pareto distribution (shape g, scale s) is fitted to the excesses over a high quantile t, and
    z = t + s / g ((risk n / n_t)^-g - 1), n scores in all, n_t of them above t. With too few different scores above t
    to fit anything it is the highest training score.
    """
    from scipy.stats import genpareto  # takes a second to import

    start = float(np.quantile(train_scores, POT_START))
    excesses = train_scores[train_scores > start] - start
    if len(np.unique(excesses)) < POT_FEWEST:
        return float(train_scores.max())
    scale = float(excesses.mean())  # fitted in units of their mean, so that the size of the scores does not matter
    shape, _, spread = genpareto.fit(excesses / scale, floc=0)
    tail = len(excesses) / len(train_scores)
    return start + scale * float(genpareto.isf(min(risk / tail, 1), shape, scale=spread))
