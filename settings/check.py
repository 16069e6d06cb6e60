"""Whether a value is of its setting's type and within the bounds that stand there (settings/types.py)."""

import math
import types
import typing

from runtime.errors import InputError, unknown_name
from runtime.reading import quoted
from settings.read import Setting
from settings.types import Bound, Registered

LARGEST = 2**32  # whole number; more than that of anything fits into no memory


class _Mismatch(ValueError):
    """The value is of another type."""


class _OutOfBounds(ValueError):
    """The value is of the type but not allowed; the text says what is."""


class _UnknownName(ValueError):
    """The value is no name of its registry; the text says so."""


def bare(kind: typing.Any) -> typing.Any:
    """The type without its bounds."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return bare(arguments[0])
    if _is_union(kind):
        return typing.Union[tuple(bare(option) for option in arguments)]  # noqa: UP007
    return origin[tuple(bare(item) for item in arguments)] if origin in (list, tuple) else kind


def is_choice(kind: typing.Any) -> bool:
    """Whether the type lists its values."""
    return typing.get_origin(bare(kind)) is typing.Literal


def _is_union(kind: typing.Any) -> bool:
    return isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union


def _type_name(kind: typing.Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(typing.get_args(kind))
    if _is_union(kind):
        return " | ".join(_type_name(k) for k in typing.get_args(kind))
    return str(kind) if typing.get_args(kind) else kind.__name__


def _converted(value: typing.Any, kind: typing.Any) -> typing.Any:
    """`value` as an instance of the annotation `kind`, sequences as tuples."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        converted = _converted(value, arguments[0])
        for condition in kind.__metadata__:
            _hold(condition, converted)
        return converted
    if origin is typing.Literal:
        if value in arguments:
            return value
    elif _is_union(kind):
        for option in arguments:
            try:
                return _converted(value, option)
            except _Mismatch:
                continue
    elif origin in (list, tuple):
        if isinstance(value, list | tuple):
            items = arguments if origin is tuple else arguments * len(value)
            if len(items) == len(value):
                return tuple(_converted(v, k) for v, k in zip(value, items, strict=True))
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
            return float(value)
    elif type(value) is kind:
        return value
    raise _Mismatch(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float can hold
        return False


def _hold(condition: Bound | Registered, value: typing.Any) -> None:
    if isinstance(condition, Registered):
        registry = condition.registry
        if value not in registry:
            raise _UnknownName(str(registry.unknown(value)))
    elif not condition.holds(value):
        raise _OutOfBounds(condition.allowed)


def checked_value(setting: Setting, value: typing.Any, where: str) -> typing.Any:
    """The value in its type, within its bounds. Raises InputError that says what is allowed."""
    try:
        converted = _converted(value, setting.type)
        parts = converted if isinstance(converted, tuple) else (converted,)
        if any(type(part) is int and abs(part) > LARGEST for part in parts):  # what has no bound of its own
            raise _OutOfBounds(f"whole numbers up to {LARGEST}")
        return converted
    except _UnknownName as error:
        raise InputError(f"{where}: {setting.name}: {error}") from None
    except _OutOfBounds as error:
        allowed = str(error)
    except _Mismatch:
        if is_choice(setting.type) and isinstance(value, str):
            choices = [str(choice) for choice in typing.get_args(bare(setting.type))]
            raise InputError(f"{where}: {unknown_name(setting.name, value, choices)}") from None
        allowed = _type_name(bare(setting.type))
    raise InputError(f"{where}: {setting.name} = {quoted(value)} is not allowed. Allowed: {allowed}.")


def registry_of(setting: Setting) -> typing.Any:
    """The registry of which the setting is a name. Raises ValueError for another kind of setting."""
    for condition in getattr(setting.type, "__metadata__", ()):
        if isinstance(condition, Registered):
            return condition.registry
    raise ValueError(f"{setting.name} is no name of a registry.")
