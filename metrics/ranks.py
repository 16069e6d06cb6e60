"""Steps in the order of their scores, sorted once for all metrics that count at every threshold."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Ranks:
    """The distinct scores (K,), highest first, each a threshold, with the steps at or above it.

    `found` (K,) counts the labelled ones of these and `predicted` (K,) all. `order` (T,) are the numbers of the steps
    from the highest score down.
    """

    thresholds: NDArray[np.floating]
    found: NDArray[np.int64]
    predicted: NDArray[np.int64]
    order: NDArray[np.int64]

    @property
    def num_labelled(self) -> int:
        """Labelled steps in all."""
        return int(self.found[-1]) if len(self.found) else 0

    @property
    def num_normal(self) -> int:
        """All other steps."""
        return len(self.order) - self.num_labelled

    @property
    def is_one_class(self) -> bool:
        """Whether the labels are all alike, so that nothing can be ranked."""
        return not self.num_labelled or not self.num_normal

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """The number of the threshold that is each step's score, (T,)."""
        places = np.empty_like(self.order)
        places[self.order] = np.repeat(np.arange(len(self.predicted)), np.diff(self.predicted, prepend=0))
        return places


def ranks_of(labels: ArrayLike, scores: ArrayLike) -> Ranks:
    """The ranks of scores by labels, 0 or not; any equal shapes."""
    return _ranked(np.ravel(labels), np.ravel(scores), np.argsort(np.ravel(scores))[::-1])


def ranks_among(ranks: Ranks, chosen: NDArray[np.bool_], labels: NDArray, scores: NDArray) -> Ranks:
    """The ranks of some of the steps, `chosen` (T,), without sorting anew: their labels and scores, (K,) each."""
    number = np.cumsum(chosen) - 1
    return _ranked(labels, scores, number[ranks.order[chosen[ranks.order]]])


def _ranked(labels: NDArray, scores: NDArray, order: NDArray[np.intp]) -> Ranks:
    descending = scores[order]
    last = np.flatnonzero(np.append(descending[1:] != descending[:-1], True)[: len(scores)])
    found = np.cumsum(labels[order] != 0)[last]
    return Ranks(descending[last], found, last + 1, order)
