"""What makes a result worse than it looks."""

from collections.abc import Iterator

import numpy as np

from datasets import SeriesTask
from drawing.colours import TOGETHER
from drawing.scaling import learn_scaling
from evaluation.frames import Scored
from settings.config import Config

CLIPPED = 0.01  # share of the values of a column from which on it is said that they are cut off
OUTSIDE = 0.1  # share of the test steps far beyond the training range
FAR = 0.5  # of that range
MASKED = 0.2  # share of the steps at which nothing was measured
ALARMED = 0.5  # share of the steps under alarm
FEWEST_CELLS = 20  # cells of the coarsest pyramid level that a density can learn anything from
COARSEST = 32  # steps between the cells of that level, of the series drawn with one step per column
NAMED = 5  # channels or columns that are named; of the others their number is


def cautions(task: SeriesTask, scored: list[Scored], config: Config) -> list[str]:
    """Sentences about values cut off, ranges never seen, short training, gaps and alarms everywhere, for warnings."""
    found: dict[str, list[str]] = {}
    for channel in scored:
        for kind, what in _of_channel(task, channel, config):
            found.setdefault(kind, []).append(what)
    return [kind.format(_listed(what)) for kind, what in found.items()]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _of_channel(task: SeriesTask, scored: Scored, config: Config) -> Iterator[tuple[str, str]]:
    """(kind of caution with a place for those it is about, what is to be said of this channel)."""
    name = scored.channel
    test = task.source.series(name, "test")
    trained = name not in task.source.untrained
    train = task.source.series(name, "train") if trained else test[:0]
    masked = float(np.isnan(scored.scores).mean())
    if masked > MASKED:
        yield "nothing was measured, and nothing is scored, at a large share of the steps: {}", f"{name} {masked:.0%}"
    coarsest = COARSEST * max(config.time_scales)
    if config.detector == "msflow" and config.layout == "line" and 0 < len(train) < FEWEST_CELLS * coarsest:
        yield (
            f"short training: the coarsest features are {coarsest} steps apart, and of less than "
            f"{FEWEST_CELLS * coarsest} training steps little can be learnt about them (--time-scales 1 helps): {{}}",
            f"{name} {len(train)} steps",
        )
    if (above := float(scored.alarmed.mean())) > ALARMED:
        yield "more than half of the steps are under alarm; the threshold means little there: {}", f"{name} {above:.0%}"
    if trained:
        yield from _of_columns(task, name, train, test, config)


def _of_columns(
    task: SeriesTask, name: str, train: np.ndarray, test: np.ndarray, config: Config
) -> Iterator[tuple[str, str]]:
    names = task.source.columns(name)
    used = sorted(set(config.smap_used_dims)) if config.columns == TOGETHER else range(len(names))
    for number in (n for n in used if n < len(names)):
        known, asked = (values[np.isfinite(values)] for values in (train[:, number], test[:, number]))
        if not len(asked):
            continue
        where = name if len(names) == 1 or config.columns == TOGETHER else f"{name} {names[number]}"
        if not len(known):
            yield "columns without any value in training: what they hold is not learnt: {}", where
            continue
        if config.clip:
            cut = float((np.abs(learn_scaling(config.scaling, [known])(asked[:, None])) > config.clip).mean())
            if cut > CLIPPED:
                yield f"values beyond clip = {config.clip:g} are cut off: {{}}", f"{where} {cut:.1%}"
        margin = FAR * np.ptp(known)
        outside = float(((asked < known.min() - margin) | (asked > known.max() + margin)).mean())
        if outside > OUTSIDE:
            yield "values far outside everything seen in training (has the level moved?): {}", f"{where} {outside:.0%}"
