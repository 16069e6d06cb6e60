"""Which points of a long series or curve are worth drawing, and which spans of steps a mask holds."""

import numpy as np
from numpy.typing import NDArray


def bin_width(steps: int, limit: int) -> int:
    """How many steps share a bin when `steps` are drawn as about `limit` points, two per bin; 1 where all are drawn."""
    return 1 if steps <= limit else -(-steps // max(limit // 2, 1))


def extremes(values: NDArray, limit: int) -> NDArray[np.intp]:
    """Ascending indices of the lowest and highest value in each of `limit` / 2 bins of equal width, and of both ends.

    Values (T,) -> (K,), K <= limit + 2; all T where T <= limit. Where NaN lies between two of them, its first step is
    kept as well, so that a gap stays a gap.
    """
    steps = len(values)
    if steps <= limit:
        return np.arange(steps)
    width = bin_width(steps, limit)
    values = np.asarray(values, dtype=float)
    # padding repeats the last value: its first occurrence, the one argmin and argmax return, is a real step
    bins = np.pad(values, (0, -steps % width), mode="edge").reshape(-1, width)
    gaps = np.isnan(bins)
    offsets = np.arange(len(bins)) * width
    kept = np.unique(
        np.concatenate(
            [
                np.argmin(np.where(gaps, np.inf, bins), axis=1) + offsets,
                np.argmax(np.where(gaps, -np.inf, bins), axis=1) + offsets,
                [0, steps - 1],
            ]
        )
    )
    missing = np.flatnonzero(np.isnan(values))
    first = np.searchsorted(missing, kept[:-1], side="right")
    between = first < np.searchsorted(missing, kept[1:], side="left")
    return np.union1d(kept, missing[first[between]])


def decimate(values: NDArray, limit: int) -> NDArray[np.intp]:
    """`extremes` without the inside of flat runs and of gaps: a line through what is left looks the same.

    (T,) -> (K,).
    """
    kept = extremes(values, limit)
    drawn = np.asarray(values)[kept]
    same = (drawn[1:] == drawn[:-1]) | (np.isnan(drawn[1:]) & np.isnan(drawn[:-1]))
    inside = np.zeros(len(kept), dtype=bool)
    inside[1:-1] = same[1:] & same[:-1]
    return kept[~inside]


def with_breaks(kept: NDArray[np.intp], breaks: NDArray[np.intp]) -> NDArray[np.intp]:
    """Kept steps (K,) and, wherever a line between two of them is broken after some steps, the ends of both parts.

    Without them a flat run, of which only the ends are kept, would vanish as a whole.
    """
    first = np.searchsorted(breaks, kept[:-1], side="left")
    last = np.searchsorted(breaks, kept[1:], side="left") - 1
    broken = first <= last
    return np.unique(np.concatenate([kept, breaks[first[broken]], breaks[last[broken]] + 1]))


def is_switch(values: NDArray) -> bool:
    """Whether a column has at most two values, as a command does; such a column needs little height."""
    finite = np.asarray(values)[np.isfinite(values)]
    return len(finite) == 0 or bool(np.isin(finite, (finite.min(), finite.max())).all())


def alone(values: NDArray) -> NDArray[np.bool_]:
    """Whether a value has NaN or nothing on both sides, so that no line reaches it, (T,)."""
    known = np.pad(np.isfinite(values), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def fair_limit(lengths: list[int], total: int) -> int:
    """How many points every series may have at most, so that all together have about `total`.

    What short series leave over is shared among the long ones. The longest length where all fit.
    """
    left = total
    for number, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - number)
        if length > share:
            return share
        left -= length
    return max(lengths, default=0)


def spans_of(mask: NDArray[np.bool_], most: int) -> list[tuple[int, int]]:
    """Runs of True in a mask (T,), inclusive at both ends; about `most` of them, as near ones are joined."""
    edges = np.flatnonzero(np.diff(np.pad(np.asarray(mask, dtype=bool), 1).astype(np.int8))).reshape(-1, 2)
    if len(edges) > most:
        apart = edges[1:, 0] - edges[:-1, 1] > len(mask) / most
        edges = np.column_stack([edges[np.insert(apart, 0, True), 0], edges[np.append(apart, True), 1]])
    return [(start, stop - 1) for start, stop in edges.tolist()]
