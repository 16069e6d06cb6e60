"""Every setting of MSFlow, one line each: edit this file, or override a line by a recipe or a flag.

A recipe (`--config configs/NAME.py`) holds only the lines that differ; a flag (`--batch-size 4`) wins over both.
These defaults are the reference recipe for SMAP. The comment behind a setting is its help text.
"""

from typing import Literal

# What to run
dataset: str = "smap"  # smap, msl, sample (synthetic telemetry), mvtec or visa
data_path: str = ""  # folder of the data set; empty: its own folder under data/ (smap, msl: else ./1)
class_names: list[str] = ["all"]  # mvtec, visa: classes, one model each; series: channels, one model for all
mode: Literal["all", "train", "test"] = "all"  # train, test, or both; a test of series ends with export and evaluation
eval_ckpt: str = ""  # checkpoint to test, the original MSFlow's included; empty: last.pt of the run
resume: bool = False  # continue a stopped training where its last checkpoint left it
work_dir: str = "work_dirs"  # folder for everything a run writes
seed: int = 0  # of initial weights, permutations and the order of the pictures
device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: cuda where there is one
amp: bool = False  # flows in bfloat16 where they can be: faster where the hardware has it, slightly rounded
recompute: bool = False  # compute the flows' blocks twice per training step: slower, less memory
num_workers: int = 0  # processes that load pictures; 0: load in the main process

# Pictures
input_size: tuple[int, int] = (512, 512)  # height and width in pixels; time runs along the width
layout: str = "stretch"  # how a channel is drawn: stretch, line, fold, gasf, gadf or mtf
smap_used_dims: list[int] = [0, 1, 2]  # columns of a channel drawn as the three colours; 0 is the telemetry value
colours: list[str] = ["value", "value", "value"]  # what each shows: value, residual, spread or difference
colour_window: int = 65  # steps of the moving mean behind residual and spread
colour_gains: list[float] = [1.0, 1.0, 1.0]  # factors on the three colours
clip: float = 0.0  # limit of the telemetry values either way, before they are drawn; 0: none
time_scales: list[int] = [1]  # steps averaged per column; of several each is scored, and their scores are added
window: int = 64  # steps per picture of fold, gasf, gadf and mtf (fold: 32 rows at least)
fold_width: int = 64  # steps per row of fold
mtf_bins: int = 8  # quantile bins of mtf
max_columns: int = 65536  # longest line that is scored in one piece; longer ones in overlapping pieces
img_mean: list[float] | Literal["auto"] = "auto"  # per colour; auto: of the training split (pictures: of ImageNet)
img_std: list[float] | Literal["auto"] = "auto"  # per colour; auto: of the training split (pictures: of ImageNet)

# Model
extractor: str = "wide_resnet50_2"  # resnet18, resnet34, resnet50, resnext50_32x4d, wide_resnet50_2, or timm's
weights: str = "auto"  # imagenet, random, a .pth / .safetensors file; auto: imagenet where it can be had, else random
feature_cache: bool = True  # keep features in the run's folder (pictures: 7 MB each at 512x512, wide_resnet50_2)
pool_type: Literal["avg", "max", "none"] = "avg"  # 3x3 pooling of the pyramid, stride 2
c_conds: list[int] = [64, 64, 64]  # planes of the condition per pyramid level, multiples of 4
head: Literal["flow", "gaussian", "memory"] = "flow"  # density of the features; the last two need no training
condition: Literal["position", "channel", "both", "none"] = "position"  # what the flow is told beside the features
standardise: bool = False  # nll: give the flow a channel's features by their own mean and deviation in training
parallel_blocks: list[int] = [2, 5, 8]  # coupling blocks per pyramid level
clamp_alpha: float = 1.9  # bound on the log-scale of a coupling
gaussian_floor: float = 0.3  # least deviation of a feature (gaussian, standardise), in root mean variances of the fleet
memory_size: int = 3000  # features per channel and level that the memory head keeps
fleet_size: int = 0  # features of all channels that are kept to temper alarms at what the fleet knows; 0: none
fleet_offset: float = 0.5  # energy of what only the fleet knows

# Training
batch_size: int = 8  # pictures per step
meta_epochs: int = 25  # rounds of training; each ends with a checkpoint, for mvtec / visa with an evaluation
sub_epochs: int = 4  # passes over the training pictures per meta epoch
lr: float = 1e-4  # learning rate of Adam
lr_warmup_epochs: int = 3  # meta epochs over which the learning rate rises linearly
lr_warmup_from: float = 0.1  # share of lr at which the warm-up starts
lr_decay_milestones: list[int] = [70, 90]  # finished sub-epochs after which the learning rate decays
lr_decay_gamma: float = 0.33  # factor on the learning rate at each milestone
grad_clip: float = 2.0  # largest norm of the gradient
train_window: int = 512  # columns of a training window of layout line
feature_noise: float = 0.0  # Gaussian noise on the features in training, in their standard deviations

# Scores
top_k: float = 0.03  # share of a picture's pixels, the highest, whose mean is the picture's score
pro_eval: bool = False  # mvtec / visa: also compute the per-region overlap (PRO), slower
timestep_map: Literal["auto", "add", "mul", "nll"] = "auto"  # MSFlow's maps, or -log p; auto: add for stretch, else nll
levels: list[int] = [1, 2, 3]  # nll: pyramid levels whose scores are added up
calibration: Literal["none", "center", "quantile"] = "none"  # nll: by median, or median and 99 %, of training scores
smooth: int = 1  # nll: steps of the moving mean over the time-step scores
vis_top_k: int = 10  # heat maps to draw, of the channels with the highest scores
save_npy: bool = False  # keep timestep_scores.npy and timestep_labels.npy beside the score maps

# Labels of time steps
duplicate_rows: Literal["last", "first", "union"] = "last"  # which label row of a channel counts, or all of them
labels: Literal["inclusive", "exclusive"] = "inclusive"  # whether the last step of an interval is labelled
merge_gap: int = 0  # join labelled intervals with fewer normal steps than this between them
widen: int = 0  # steps by which every labelled interval grows on both sides
drop: list[str] = []  # channels to leave out of the evaluation, such as P-2

# Evaluation of time steps
threshold: str = "pot"  # alarms: pot (peaks over threshold), a quantile of the training scores (q0.99), or a number
vus_window: int = 100  # largest window of range-AUC and VUS, in steps
bootstrap: int = 1000  # resamples of the channels behind the confidence intervals; 0: none
point_adjust: bool = False  # also print the point-adjusted F1, beside that of the random score
report: bool = True  # write pictures, report.html and metrics.json beside the scores

# Logging, beside log.jsonl
tensorboard: bool = False  # write TensorBoard events (needs the extra tensorboard)
wandb: bool = False  # log to Weights & Biases (needs the extra wandb)
