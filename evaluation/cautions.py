"""What makes a result worse than it looks."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from datasets import SeriesTask
from drawing.colours import TOGETHER
from drawing.ranges import Ranges
from drawing.scaling import SHARED
from evaluation.alarms import under_alarm
from evaluation.frames import Scored
from evaluation.thresholds import is_number
from settings.config import Config

CLIPPED = 0.01  # share of the values of a column from which on it is said that they are cut off
OUTSIDE = 0.1  # share of the test steps far beyond the training range
FAR = 0.5  # of that range
MASKED = 0.2  # share of the steps at which nothing was measured
ALARMED = 0.5  # share of the steps under alarm
FEWEST_CELLS = 20  # cells of the coarsest pyramid level that a density can learn anything from
COARSEST = 32  # steps between the cells of that level, of the series drawn with one step per column
NAMED = 5  # channels or columns that are named; of the others their number is
SEEN = (
    "thresholds are learnt from scores of the very steps that the model has learnt, and are too low: of one picture of "
    "a whole series (layout = stretch) nothing can be held out. Expect alarms on normal data; --layout line holds out"
)


def cautions(
    task: SeriesTask, scored: list[Scored], config: Config, training: dict[str, Ranges], held_out: bool = True
) -> list[str]:
    """Sentences about values cut off, ranges never seen, short training, gaps and alarms everywhere, for warnings.

    `training` is what the training series of the channels hold, as far as it is known; under SHARED, of all together.
    `held_out`: whether their scores are those of steps that were not learnt.
    """
    found: dict[str, list[str]] = {}
    for channel in scored:
        for kind, what in _of_channel(task, channel, config, training.get(channel.channel, training.get(SHARED))):
            found.setdefault(kind, []).append(what)
    told = [kind.format(_listed(what)) for kind, what in found.items()]
    lacking = [channel.channel for channel in scored if channel.learnt.threshold is None]
    # without any threshold of any channel there may be no training scores at all, which is said elsewhere
    if lacking and (training or len(lacking) < len(scored)):
        told.append(
            "no step of training was held out, so no threshold is learnt and no alarm raised (--threshold X), in "
            f"{len(lacking)} of {len(scored)} channel(s), which no figure of alarms counts: {_listed(lacking)}"
        )
    if not held_out and not is_number(config.threshold) and len(lacking) < len(scored):
        told.append(SEEN)
    return told


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _of_channel(task: SeriesTask, scored: Scored, config: Config, training: Ranges | None) -> Iterator[tuple[str, str]]:
    """(kind of caution with a place for those it is about, what is to be said of this channel)."""
    name = scored.channel
    masked = float(np.isnan(scored.scores).mean())
    if masked > MASKED:
        yield "nothing was measured, and nothing is scored, at a large share of the steps: {}", f"{name} {masked:.0%}"
    coarsest = COARSEST * max(config.time_scales)
    lined = config.detector == "msflow" and config.layout == "line"
    if lined and training is not None and 0 < training.steps < FEWEST_CELLS * coarsest:
        yield (
            f"short training: the coarsest features are {coarsest} steps apart, and of less than "
            f"{FEWEST_CELLS * coarsest} training steps little can be learnt about them (--time-scales 1 leaves most of "
            "them out): {}",
            f"{name} {training.steps} steps",
        )
    if (above := float(under_alarm(scored.alarms, len(scored.scores)).mean())) > ALARMED:
        yield "more than half of the steps are under alarm; the threshold means little there: {}", f"{name} {above:.0%}"
    for alarm in scored.alarms:
        if alarm.moved:
            length = alarm.end - alarm.start + 1
            yield (
                "the level has moved since training; after an alarm of so many steps the new one is taken for usual, "
                "and what is odd since then is less certain: {}",
                f"{name} at step {alarm.start} ({length} steps)",
            )
    if training is not None:
        yield from _of_columns(name, task.source.columns(name), task.source.series(name, "test"), config, training)


def _of_columns(
    name: str, columns: list[str], test: NDArray[np.floating], config: Config, training: Ranges
) -> Iterator[tuple[str, str]]:
    together = config.columns == TOGETHER
    for number in sorted(set(config.smap_used_dims)) if together else range(len(columns)):
        asked = test[np.isfinite(test[:, number]), number] if number < len(columns) else test[:0, 0]
        if not len(asked):
            continue
        where = name if len(columns) == 1 or together else f"{name} {columns[number]}"
        if number >= len(training.low) or training.low[number] is None:
            yield "columns without any value in training: what they hold is not learnt: {}", where
            continue
        low, high, centre, spread = (
            values[number] for values in (training.low, training.high, training.centre, training.spread)
        )
        if config.clip:
            cut = float((np.abs((asked - centre) / spread) > config.clip).mean())
            if cut > CLIPPED:
                yield f"values beyond clip = {config.clip:g} are cut off: {{}}", f"{where} {cut:.1%}"
        margin = FAR * (high - low)
        outside = float(((asked < low - margin) | (asked > high + margin)).mean())
        if outside > OUTSIDE:
            yield "values far outside everything seen in training (has the level moved?): {}", f"{where} {outside:.0%}"
