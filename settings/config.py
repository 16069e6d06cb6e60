"""What a run is set to: the fields of default.py, for type checkers and editors. Defaults and help stand there."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """All settings of a run, checked and frozen; what each means stands in its line of default.py."""

    dataset: str
    data_path: str
    class_names: tuple[str, ...]
    detector: str
    mode: Literal["all", "train", "test", "score"]
    run: str
    follow: bool
    eval_ckpt: str
    resume: bool
    work_dir: str
    seed: int
    device: Literal["auto", "cpu", "cuda"]
    amp: bool
    recompute: bool
    num_workers: int
    train_until: str
    time_column: str
    time_format: str
    label_column: str
    label_file: str
    series_column: str
    missing: tuple[str, ...]
    delimiter: str
    decimal: str
    encoding: str
    input_size: tuple[int, int]
    picture_depth: float | Literal["auto"]
    layout: str
    columns: tuple[str, ...]
    smap_used_dims: tuple[int, ...]
    scaling: str
    colours: tuple[str, ...]
    colour_window: int
    colour_gains: tuple[float, ...]
    clip: float
    time_scales: tuple[int, ...]
    window: int
    fold_width: int
    mtf_bins: int
    max_columns: int
    img_mean: tuple[float, ...] | Literal["auto"]
    img_std: tuple[float, ...] | Literal["auto"]
    extractor: str
    weights: str
    feature_cache: bool
    keep_features: bool
    pool_type: Literal["avg", "max", "none"]
    head: str
    condition: Literal["position", "channel", "both", "none"]
    c_conds: tuple[int, ...]
    standardise: bool
    parallel_blocks: tuple[int, ...]
    clamp_alpha: float
    gaussian_floor: float
    memory_size: int
    coreset: Literal["random", "greedy"]
    shared_density: bool
    fleet_size: int
    fleet_offset: float
    stride: int
    variant: Literal["paper", "code"]
    latent: int
    hidden: int
    planar_flows: int
    first_share: float
    weight_decay: float
    widths: tuple[int, ...]
    explained: float
    batch_size: int
    meta_epochs: int
    sub_epochs: int
    lr: float
    lr_warmup_epochs: int
    lr_warmup_from: float
    lr_decay_milestones: tuple[int, ...]
    lr_decay_gamma: float
    grad_clip: float
    train_window: int
    held_out: float
    feature_noise: float
    top_k: float
    picture_score: Literal["auto", "mul", "energy"]
    pro_eval: bool
    timestep_map: Literal["auto", "add", "mul", "nll"]
    combine: Literal["mean", "max", "highest", "logs"]
    combine_highest: int
    levels: tuple[int, ...]
    calibration: Literal["none", "center", "quantile"]
    smooth: int
    trailing: bool
    deep_maps: bool
    vis_top_k: int
    save_npy: bool
    duplicate_rows: Literal["last", "first", "union"]
    interval_ends: Literal["inclusive", "exclusive"]
    merge_gap: int
    widen: int
    drop: tuple[str, ...]
    threshold: str
    risk: float
    contrast: float
    prune: float
    release: float
    join: int
    least_length: int
    cool_down: int
    moved_after: int
    drift: int
    causal: bool
    vus_window: int | Literal["auto"]
    bootstrap: int
    point_adjust: bool
    report: bool
    tensorboard: bool
    wandb: bool
