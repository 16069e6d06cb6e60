"""Which setting counts when, and what must agree between runs.

When a setting counts stands in its line of default.py. From that follow the warning about one that is given in vain,
the name of a run's folder and what a checkpoint is compared by.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runtime.errors import InputError, warn
from settings.check import registry_of
from settings.config import Config
from settings.read import Condition, Setting, read_settings, recipe_values

# how given scores are judged: what may differ between evaluations of one test run
JUDGED_BY = (
    "timestep_map", "levels", "calibration", "smooth", "trailing", "duplicate_rows", "interval_ends", "merge_gap",
    "widen", "drop", "threshold", "risk", "contrast", "prune", "release", "join", "least_length", "cool_down",
    "moved_after", "drift", "causal", "vus_window", "bootstrap", "point_adjust",
)  # fmt: skip
# what a test must have in common with the training
DRAWN_BY = (
    "detector", "columns", "smap_used_dims", "scaling", "shared_density", "layout", "colours", "colour_window",
    "colour_gains", "clip", "time_scales", "window", "fold_width", "mtf_bins", "picture_depth", "extractor",
    "pool_type", "head", "standardise", "gaussian_floor", "memory_size", "coreset", "fleet_size", "fleet_offset",
    "clamp_alpha", "held_out", "stride", "variant", "latent", "hidden", "planar_flows", "first_share", "widths",
    "explained",
)  # fmt: skip
# what shapes scores besides: a test may have it otherwise, and says so
SCORED_BY = ("dataset", "train_until", "input_size", "condition", "c_conds", "parallel_blocks", "amp")
# what counts in training only, or is known from the checkpoint: a test leaves it as it was there
LEARNT_BY = (
    "seed", "img_mean", "img_std", "weights", "batch_size", "sub_epochs", "lr", "lr_warmup_epochs", "lr_warmup_from",
    "lr_decay_milestones", "lr_decay_gamma", "grad_clip", "train_window", "feature_noise", "weight_decay",
)  # fmt: skip
# what a continued training must have in common with the stopped one besides DRAWN_BY
TRAINED_BY = (*SCORED_BY, *LEARNT_BY)


def score_name(config: Config) -> str:
    """What is read back as time-step scores: MSFlow's maps add or mul, or the raw -log p, nll.

    Raises InputError where the settings ask for MSFlow's maps of what has none.
    """
    name = config.timestep_map
    stretched = config.layout == "stretch" and config.detector == "msflow"
    if name == "auto":
        name = "add" if stretched else "nll"
    if name != "nll" and not stretched:
        drawn = f"layout = {config.layout}" if config.detector == "msflow" else f"detector = {config.detector}"
        raise InputError(
            f"timestep_map = {name}: the maps add and mul are MSFlow's, of one picture per channel (layout = stretch); "
            f"{drawn} needs timestep_map = nll."
        )
    return name


def scaling_name(config: Config) -> str:
    """The estimator of the columns' units: `auto` leaves data sets as they are that were published in one unit."""
    if config.scaling != "auto":
        return config.scaling
    one_unit = getattr(registry_of(read_settings()["dataset"])[config.dataset], "one_unit", False)
    return "none" if one_unit else "quantile"


def picture_score_name(config: Config) -> str:
    """The map whose highest places are the score of a picture: MSFlow's mul, or the energy.

    `mul` is relative to the likeliest place of the same picture, so that no threshold parts the good from the bad; it
    is what was published, and how its own data sets are scored with the flow. Channels drawn as pictures have it too.
    """
    data = registry_of(read_settings()["dataset"])[config.dataset]
    if data.kind != "pictures":
        return "mul"
    if config.picture_score != "auto":
        return config.picture_score
    return "mul" if config.head == "flow" and getattr(data, "published", False) else "energy"


def counting(config: Config, names: Iterable[str]) -> list[str]:
    """Those of the settings that count with the values that the others have."""
    settings = read_settings()
    return [name for name in names if _counts(settings[name], config, settings)]


def idle(config: Config, names: Iterable[str]) -> dict[str, str]:
    """Those of the settings that do not count, with what stands in the brackets of their lines."""
    counts, settings = set(counting(config, names := set(names))), read_settings()
    return {
        name: setting.help.partition("]")[0].lstrip("[")
        for name, setting in settings.items()
        if name in names and name not in counts
    }


def warn_of_idle(config: Config, flags: Iterable[str]) -> None:
    """Warn of flags that have no effect with the other settings."""
    for name, counts_with in idle(config, flags).items():
        warn(f"--{name.replace('_', '-')} has no effect here: it counts with {counts_with}.")


def idle_in_recipe(config: Config, recipe: Path, flags: Iterable[str]) -> list[str]:
    """What a recipe sets itself, and no flag sets anew, that has no effect with the other settings.

    What it builds on may serve several heads, and is not told of.
    """
    values = recipe_values(recipe, read_settings())
    return list(idle(config, {name for name, (_, file) in values.items() if file == str(recipe)} - set(flags)))


def _counts(setting: Setting, config: Config, settings: Mapping[str, Setting]) -> bool:
    return all(any(_holds(condition, config, settings) for condition in term) for term in setting.counts_with)


def _holds(condition: Condition, config: Config, settings: Mapping[str, Setting]) -> bool:
    """A setting that does not count itself has no value here, so it is none of those that a condition names."""
    if not condition.name:
        (kind,) = condition.values
        return registry_of(settings["dataset"])[config.dataset].kind == kind
    if condition.name == "timestep_map":  # pictures have no choice of it, but they have their maps
        return (score_name(config) in condition.values) == condition.equal
    value = getattr(config, condition.name)
    values = {str(item) for item in (value if isinstance(value, tuple) else (value,))}
    named = bool(values & set(condition.values)) and _counts(settings[condition.name], config, settings)
    return named == condition.equal


def course_settings(config: Config) -> dict[str, Any]:
    """The settings that shape a model, of those that count, as a checkpoint keeps them."""
    counts = counting(config, (*DRAWN_BY, *TRAINED_BY))
    values = {name: getattr(config, name) for name in counts}
    if "scaling" in values:
        values["scaling"] = scaling_name(config)
    return json.loads(json.dumps(values))


def changed_settings(before: Mapping[str, Any], config: Config, names: Sequence[str]) -> str:
    """Which of the settings `names`, where they count, are others than `before`; empty where none or unknown."""
    now = course_settings(config)
    differ = [name for name in names if name in before and name in now and before[name] != now[name]]
    return "; ".join(f"{name} was {before[name]}, now {now[name]}" for name in differ)
