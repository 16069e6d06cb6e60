"""Which setting counts when, and what must agree between runs."""

import json
from typing import Any

from runtime.errors import InputError
from settings.load import Config

JUDGED_BY = (
    "timestep_map", "levels", "calibration", "smooth", "duplicate_rows", "labels", "merge_gap", "widen", "drop",
    "threshold", "vus_window", "bootstrap", "point_adjust",
)  # fmt: skip

# what a test must have in common with the training
DRAWN_BY = (
    "smap_used_dims", "layout", "colours", "colour_window", "colour_gains", "clip", "time_scales", "window",
    "fold_width", "mtf_bins", "extractor", "pool_type", "head", "standardise", "gaussian_floor", "memory_size",
    "fleet_size", "fleet_offset",
)  # fmt: skip
# what a continued training must have in common with the stopped one besides
TRAINED_BY = (
    "dataset", "seed", "input_size", "img_mean", "img_std", "weights", "condition", "c_conds", "parallel_blocks",
    "clamp_alpha", "batch_size", "sub_epochs", "lr", "lr_warmup_epochs", "lr_warmup_from", "lr_decay_milestones",
    "lr_decay_gamma", "grad_clip", "train_window", "feature_noise", "amp",
)  # fmt: skip

# what MSFlow's own maps go with; anything else needs the raw -log p
PICTURE_ONLY = {
    "layout": "stretch", "head": "flow", "condition": "position", "time_scales": (1,), "fleet_size": 0,
    "standardise": False, "feature_noise": 0.0, "calibration": "none", "levels": (1, 2, 3), "smooth": 1,
}  # fmt: skip


def score_name(config: Config) -> str:
    """What is read back as time-step scores: add, mul or nll.

    Raises InputError where the settings ask for what only the raw -log p of a channel has (nll), or the other way.
    """
    name = config.timestep_map
    if name == "auto":
        name = "add" if config.layout == "stretch" else "nll"
    if name != "nll":
        for setting, plain in PICTURE_ONLY.items():
            if getattr(config, setting) != plain:
                raise InputError(
                    f"{setting} = {getattr(config, setting)} needs timestep_map = nll: the maps add and mul are "
                    f"MSFlow's, of one picture per channel ({setting} = {plain})."
                )
    return name


def course_settings(config: Config) -> dict[str, Any]:
    """The settings that shape a model, as a checkpoint keeps them."""
    return json.loads(json.dumps({name: getattr(config, name) for name in (*DRAWN_BY, *TRAINED_BY)}))
