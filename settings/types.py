"""What the settings of default.py may be: types with their bounds.

`Positive[int]` is a whole number above 0, `PerLevel[Positive[int]]` three of them, `LayoutName` a name
that is registered as one. Bounds are data in `typing.Annotated`: settings/check.py reads them.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, TypeVar

from runtime.registry import Registry

T = TypeVar("T")


@dataclass(frozen=True)
class Bound:
    """What must hold of a value beside its type: `allowed` says it in words."""

    allowed: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Registered:
    """The value is a name of the registry at `place`, "module:attribute"."""

    place: str

    @property
    def registry(self) -> Registry:
        """The registry, imported now: reading default.py imports nothing that it configures."""
        module, attribute = self.place.split(":")
        return getattr(import_module(module), attribute)


def _length(number: int) -> Bound:
    return Bound(f"{number} values (a value may stand twice)", lambda values: len(values) == number)


def _is_infinite(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:  # a rule
        return False


_POSITIVE = Bound("numbers above 0", lambda value: value > 0)
_FROM_ZERO = Bound("numbers from 0 on", lambda value: value >= 0)
_UP_TO_ONE = Bound("numbers up to 1", lambda value: value <= 1)
_STEPS = Bound("numbers up to 1000000", lambda value: value <= 1_000_000)
_NAMED = Bound("at least one name", lambda value: len(value) > 0)
_RULE = r"maxima|pot|q(0(\.\d+)?|1(\.0+)?)|[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"

Positive = Annotated[T, _POSITIVE]
FromZero = Annotated[T, _FROM_ZERO]
Steps = Annotated[int, _POSITIVE, _STEPS]  # of what is laid out in memory, however short the series are
StepsOrNone = Annotated[int, _FROM_ZERO, _STEPS]
Size = Annotated[
    float,
    _POSITIVE,
    Bound("numbers from 1e-12 to 1e12", lambda value: 1e-12 <= value <= 1e12),  # squared, still of 32 bits,
]
VusWindow = Annotated[int, _FROM_ZERO, Bound("numbers up to 10000", lambda value: value <= 10_000)]
Resamples = Annotated[int, _FROM_ZERO, Bound("numbers up to 100000", lambda value: value <= 100_000)]
Share = Annotated[float, _POSITIVE, _UP_TO_ONE]
ShareOrNone = Annotated[float, _FROM_ZERO, _UP_TO_ONE]
Fraction = Annotated[float, _FROM_ZERO, Bound("numbers below 1", lambda value: value < 1)]
Seed = Annotated[int, _FROM_ZERO, Bound(f"numbers up to {2**32 - 1}", lambda value: value < 2**32)]
Word = Annotated[str, _NAMED]
Some = Annotated[list[T], _NAMED]
PerLevel = Annotated[list[T], _length(3)]
PerColour = Annotated[list[T], _length(3)]
Pixels = Annotated[
    int, Bound("at least 32 pixels each way, or the deepest feature map is too small to pad", lambda value: value >= 32)
]
Planes = Annotated[int, _POSITIVE, Bound("multiples of 4", lambda value: value % 4 == 0)]
Levels = Annotated[
    list[int],
    Bound("each of 1 2 3 once, in order", lambda values: values and list(values) == sorted({1, 2, 3} & set(values))),
]
ThresholdRule = Annotated[
    str,
    Bound(
        "maxima, pot, a quantile of the training scores such as q0.99, or a number",
        lambda value: re.fullmatch(_RULE, value) is not None and not _is_infinite(value),
    ),
]
DatasetName = Annotated[str, Registered("datasets:DATASETS")]
DetectorName = Annotated[str, Registered("detectors:DETECTORS")]
LayoutName = Annotated[str, Registered("drawing:LAYOUTS")]
ColourName = Annotated[str, Registered("drawing:COLOURS")]
DensityName = Annotated[str, Registered("models:DENSITIES")]
ScalingName = Annotated[str, Registered("drawing:SCALINGS")]
