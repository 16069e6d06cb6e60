"""For every setting another value, and what of a run it must change."""

import typing

from settings.read import read_settings

SETTINGS = read_settings()
LINE = {"layout": "line", "condition": "channel", "train_window": 64}
# Settings that count in special circumstances only: what else must be set, in the run edited and in the other
UNDER: dict[str, dict[str, typing.Any]] = {
    "colour_window": {"colours": ["value", "residual", "spread"]},
    "colour_gains": {"img_mean": [0.0, 0.0, 0.0], "img_std": [1.0, 1.0, 1.0]},  # auto would undo them
    "window": {"layout": "gasf", "window": 32},
    "fold_width": {"layout": "fold", "fold_width": 32},
    "mtf_bins": {"layout": "mtf", "window": 32},
    "standardise": LINE,
    "gaussian_floor": {**LINE, "head": "gaussian"},
    "memory_size": {**LINE, "head": "memory"},
    "fleet_offset": {**LINE, "fleet_size": 20},
    **dict.fromkeys(
        ("time_scales", "condition", "head", "fleet_size", "train_window", "feature_noise", "levels", "smooth"), LINE
    ),
    "calibration": LINE,
}
# Setting -> another value, and what must differ. LEARNT is for what shapes the trained model.
LEARNT = ("log", "scores")
EDITS: dict[str, tuple[typing.Any, tuple[str, ...]]] = {
    "dataset": ("msl", ("output", "files", *LEARNT)),
    "data_path": ("other_telemetry", LEARNT),
    "class_names": (["P-1", "E-1"], ("output", "files", *LEARNT)),
    "mode": ("train", ("output", "files", "scores")),
    "work_dir": ("elsewhere", ("output", "files")),
    "seed": (1, ("output", *LEARNT)),
    "input_size": ((32, 96), LEARNT),
    "smap_used_dims": ([0, 3, 3], LEARNT),
    "img_mean": ([0.5, 0.25, 0.0], LEARNT),
    "amp": (True, LEARNT),
    "img_std": ([2.0, 1.0, 0.5], LEARNT),
    "layout": ("line", ("output", "files", *LEARNT)),
    "colours": (["value", "residual", "difference"], LEARNT),
    "colour_window": (9, LEARNT),
    "colour_gains": ([1.0, 0.5, 2.0], LEARNT),
    "clip": (0.5, LEARNT),
    "time_scales": ([1, 2], LEARNT),
    "window": (40, LEARNT),
    "fold_width": (40, LEARNT),
    "mtf_bins": (4, LEARNT),
    "head": ("gaussian", ("output", "log", "scores")),
    "condition": ("both", LEARNT),
    "standardise": (True, LEARNT),
    "gaussian_floor": (0.1, ("scores",)),
    "memory_size": (5, ("scores",)),
    "fleet_size": (20, ("scores",)),
    "fleet_offset": (2.0, ("scores",)),
    "train_window": (128, LEARNT),
    "feature_noise": (0.5, LEARNT),
    "levels": ([1], ("output", "scores")),
    "calibration": ("quantile", ("output",)),
    "smooth": (9, ("output", "scores")),
    "extractor": ("resnet34", ("files", *LEARNT)),
    "weights": ("foreign.pth", ("output", *LEARNT)),
    "pool_type": ("max", ("files", *LEARNT)),
    "c_conds": ([4, 4, 8], LEARNT),
    "parallel_blocks": ([1, 1, 2], ("files", *LEARNT)),
    "clamp_alpha": (0.5, LEARNT),
    "batch_size": (1, LEARNT),
    "meta_epochs": (1, ("output", *LEARNT)),
    "sub_epochs": (1, ("output", *LEARNT)),
    "lr": (2e-3, LEARNT),
    "lr_warmup_epochs": (0, LEARNT),
    "lr_warmup_from": (0.5, LEARNT),
    "lr_decay_milestones": ([3], LEARNT),
    "lr_decay_gamma": (0.5, LEARNT),
    "grad_clip": (1e9, LEARNT),
    "top_k": (0.5, ("scores",)),
    "timestep_map": ("mul", ("output",)),
    "vis_top_k": (1, ("files",)),
    "save_npy": (True, ("files", "scores")),
    "duplicate_rows": ("first", ("output",)),
    "interval_ends": ("exclusive", ("output",)),
    "merge_gap": (4, ("output",)),
    "widen": (2, ("output",)),
    "drop": (["E-1"], ("output",)),
    "threshold": ("q0.5", ("output", "scores")),
    "vus_window": (10, ("output",)),
    "bootstrap": (0, ("output",)),
    "point_adjust": (True, ("output",)),
    "report": (True, ("files",)),
}
# Their effect shows only in special circumstances: each has a test of its own, test_<name>, in test_settings_matter.py
ALONE = {
    "detector",
    "feature_cache",
    "max_columns",
    "eval_ckpt",
    "resume",
    "device",
    "num_workers",
    "recompute",
    "pro_eval",
    "tensorboard",
    "wandb",
}
IN_FOLDER = {"data_path", "weights"}  # values that are files of the fixture `place`
