"""Whether a value is of its setting's type and within its bounds."""

import math
import re
import types
import typing

from runtime.errors import InputError, unknown_name
from settings.read import Setting

POSITIVE = {
    "input_size", "img_std", "c_conds", "parallel_blocks", "clamp_alpha", "batch_size", "meta_epochs",
    "sub_epochs", "lr", "lr_warmup_from", "lr_decay_milestones", "lr_decay_gamma", "grad_clip", "top_k",
    "colour_window", "time_scales", "window", "fold_width", "mtf_bins", "max_columns", "gaussian_floor", "memory_size",
    "train_window", "levels", "smooth",
}  # fmt: skip

NOT_NEGATIVE = {
    "seed", "num_workers", "smap_used_dims", "lr_warmup_epochs", "vis_top_k", "merge_gap", "widen", "vus_window",
    "bootstrap", "clip", "fleet_size", "fleet_offset", "feature_noise",
}  # fmt: skip

AT_MOST = {"top_k": 1, "lr_warmup_from": 1, "lr_decay_gamma": 1, "seed": 2**32 - 1, "levels": 3}

LENGTHS = {
    "smap_used_dims": 3, "img_mean": 3, "img_std": 3, "c_conds": 3, "parallel_blocks": 3, "colours": 3,
    "colour_gains": 3,
}  # fmt: skip

PATTERNS = {
    "threshold": (
        r"pot|q(0(\.\d+)?|1(\.0+)?)|[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?",
        "pot, a quantile of the training scores such as q0.99, or a number",
    )
}

NOT_EMPTY = {"class_names", "dataset", "extractor", "weights", "work_dir", "time_scales", "levels", "layout", "colours"}


def _type_name(kind: typing.Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(typing.get_args(kind))
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " | ".join(_type_name(k) for k in typing.get_args(kind))
    return str(kind) if typing.get_args(kind) else kind.__name__


def _converted(value: typing.Any, kind: typing.Any) -> typing.Any:
    """`value` as an instance of the annotation `kind`, sequences as tuples. Raises ValueError where it is none."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        if value in arguments:
            return value
    elif isinstance(kind, types.UnionType) or origin is typing.Union:
        for option in arguments:
            try:
                return _converted(value, option)
            except ValueError:
                continue
    elif origin in (list, tuple):
        if isinstance(value, list | tuple):
            items = arguments if origin is tuple else arguments * len(value)
            if len(items) == len(value):
                return tuple(_converted(v, k) for v, k in zip(value, items, strict=True))
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif type(value) is kind:
        return value
    raise ValueError(value)


def checked_value(setting: Setting, value: typing.Any, where: str) -> typing.Any:
    """The value in its type, within its bounds. Raises InputError that says what is allowed."""

    def wrong(allowed: str) -> InputError:
        return InputError(f"{where}: {setting.name} = {value!r} is not allowed. Allowed: {allowed}.")

    try:
        checked = _converted(value, setting.type)
    except ValueError:
        if typing.get_origin(setting.type) is typing.Literal and isinstance(value, str):
            choices = [str(choice) for choice in typing.get_args(setting.type)]
            raise InputError(f"{where}: {unknown_name(setting.name, value, choices)}") from None
        raise wrong(_type_name(setting.type)) from None
    values = checked if isinstance(checked, tuple) else (checked,)
    if isinstance(checked, tuple) and len(checked) != LENGTHS.get(setting.name, len(checked)):
        raise wrong(f"{LENGTHS[setting.name]} values (a value may stand twice)")
    if setting.name in NOT_EMPTY and (not values or "" in values):
        raise wrong("at least one name")
    numbers = [v for v in values if isinstance(v, int | float)]
    if setting.name in POSITIVE and any(v <= 0 for v in numbers):
        raise wrong("numbers above 0")
    if setting.name in NOT_NEGATIVE and any(v < 0 for v in numbers):
        raise wrong("numbers from 0 on")
    if any(v > AT_MOST.get(setting.name, math.inf) for v in numbers):
        raise wrong(f"numbers up to {AT_MOST[setting.name]}")
    pattern, meaning = PATTERNS.get(setting.name, ("", ""))
    if pattern and not re.fullmatch(pattern, checked):
        raise wrong(meaning)
    if setting.name == "c_conds" and any(v % 4 for v in numbers):
        raise wrong("multiples of 4")
    if setting.name == "input_size" and any(v < 32 for v in numbers):
        raise wrong("at least 32 pixels each way, or the deepest feature map is too small to pad")
    return checked
