"""Every setting of MSFlow, one line each: edit this file, or override a line by a recipe or a flag.

A recipe (`--config configs/NAME.py`) holds only the lines that differ, and may build on another recipe beside it
(`base = "line"`); a flag (`--batch-size 4`) wins over both. These defaults are the reference recipe for SMAP.
The comment behind a setting is its help text. What stands in brackets before it says when the setting counts:
[head=memory] with that head, [layout=fold gasf] with either layout, [series] or [pictures] with data sets of that kind.
"""

from typing import Literal

from settings.types import (
    ColourName,
    DatasetName,
    DensityName,
    DetectorName,
    Fraction,
    FromZero,
    LayoutName,
    Levels,
    PerColour,
    PerLevel,
    Pixels,
    Planes,
    Positive,
    Resamples,
    ScalingName,
    Seed,
    Share,
    ShareOrNone,
    Size,
    Some,
    Steps,
    StepsOrNone,
    ThresholdRule,
    VusWindow,
    Word,
)

# What to run
dataset: DatasetName = "smap"  # smap, msl, tsb-nasa, mvtec, visa; made up: sample, sample_pictures; own: table, folder
data_path: str = ""  # file or folder of the data; empty: the data set's own folder in data/ (SMAP, MSL: else ./1)
class_names: Some[Word] = ["all"]  # pictures, tsb-nasa: one model each; other series: channels, one model for all
detector: DetectorName = "msflow"  # what learns and scores: msflow; series: usad, tranad, omnianomaly, statistics, pca
mode: Literal["all", "train", "test", "score"] = "all"  # train, test or both; score: new data by the detector of `run`
run: str = ""  # [mode=score] folder of the run whose detector, settings and thresholds score what is in data_path
follow: bool = False  # [mode=score, series] go on as the csv of data_path grows; data_path - is the standard input
eval_ckpt: str = ""  # [mode=all test] checkpoint to test, the original MSFlow's included; empty: last.pt of the run
resume: bool = False  # [mode=all train, head!=gaussian memory combined] go on with a stopped training
work_dir: Word = "work_dirs"  # folder for everything a run writes
seed: Seed = 0  # of initial weights, permutations and the order of the pictures
device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: cuda where there is one
amp: bool = False  # [head=flow] flows in bfloat16 where they can be: faster where the hardware has it, slightly rounded
recompute: bool = False  # [head=flow] compute the flows' blocks twice per training step: slower, less memory
num_workers: FromZero[int] = 0  # [timestep_map=add mul, feature_cache=True] processes that load pictures; 0: none

# Tables: data of your own, dataset = table; what is "auto" is found, and said
train_until: Word = "0.5"  # [dataset=table] what of a file trains: a share, a number of rows, or all before a time
time_column: Word = "auto"  # [dataset=table] the column of time stamps, or none
time_format: Word = "auto"  # [dataset=table] day-first, month-first, s, ms, us, ns (since 1970), or as %d.%m.%Y %H:%M
label_column: Word = "auto"  # [dataset=table] the column that says which rows are anomalous, or none
label_file: str = ""  # [dataset=table] csv with channel, start, end (times or rows), or as SMAP's; empty: none
series_column: Word = "auto"  # [dataset=table] the column that names the series of each row (long form), or none
missing: list[str] = []  # [dataset=table] further words that say that nothing was measured, such as Bad
delimiter: Word = "auto"  # [dataset=table] between the columns of a text file: , ; | or tab
decimal: Word = "auto"  # [dataset=table] the decimal sign of a text file: . or ,
encoding: Word = "auto"  # [dataset=table] of a text file, such as cp1252

# Pictures
input_size: tuple[Pixels, Pixels] = (512, 512)  # [layout=stretch] height and width in pixels; time runs along the width
picture_depth: Positive[float] | Literal["auto"] = "auto"  # [pictures] white of 16-bit and float ones; auto: found
layout: LayoutName = "stretch"  # [detector=msflow] how a channel is drawn: stretch, line, fold, gasf, gadf or mtf
columns: Some[Word] = ["colours"]  # [timestep_map=nll] names, all or measured (no commands), each alone; or colours
smap_used_dims: PerColour[FromZero[int]] = [0, 1, 2]  # [series, columns=colours] columns drawn as the three colours
scaling: Literal["auto"] | ScalingName = "none"  # [timestep_map=nll] units: range, quantile, deviation; auto: as needed
colours: PerColour[ColourName] = ["value", "value", "value"]  # [series] each a value, residual, spread or difference
colour_window: Steps = 65  # [series, colours=residual spread] steps of the moving mean behind these two
colour_gains: PerColour[float] = [1.0, 1.0, 1.0]  # [series] factors on the three colours
clip: FromZero[float] = 0.0  # [series] limit of the telemetry values either way, before they are drawn; 0: none
time_scales: Some[Steps] = [1]  # [timestep_map=nll] steps averaged per column; the scores of several are added
window: Steps = 64  # [layout=fold gasf gadf mtf or detector!=msflow statistics] steps per picture or window
fold_width: Steps = 64  # [layout=fold] steps per row
mtf_bins: Steps = 8  # [layout=mtf] quantile bins
max_columns: Positive[int] = 65536  # [layout=line] longest line scored in one piece; longer ones in overlapping pieces
img_mean: PerColour[float] | Literal["auto"] = "auto"  # per colour; auto: of the training split (pictures: of ImageNet)
img_std: PerColour[Size] | Literal["auto"] = "auto"  # per colour; auto: as img_mean

# Model
extractor: Word = "wide_resnet50_2"  # [detector=msflow] resnet18, 34 or 50, resnext50_32x4d, wide_.., or any of timm's
weights: Word = "auto"  # [detector=msflow] imagenet, random, or a .pth / .safetensors file; auto: imagenet, else random
feature_cache: bool = True  # [timestep_map=add mul] keep features in the run's folder (7 MB a picture of 512x512)
keep_features: bool = False  # [pictures, feature_cache=True] keep them after the run, for the next one
pool_type: Literal["avg", "max", "none"] = "avg"  # [detector=msflow] 3x3 pooling of the pyramid, stride 2
head: DensityName = "flow"  # [detector=msflow] density of the features: flow; untrained: gaussian, memory
condition: Literal["position", "channel", "both", "none"] = "position"  # [head=flow] told beside the features
c_conds: PerLevel[Planes] = [64, 64, 64]  # [head=flow, condition!=none] planes of the condition, multiples of 4
standardise: bool = False  # [head=flow] features by their channel's mean and deviation in training
parallel_blocks: PerLevel[Positive[int]] = [2, 5, 8]  # [head=flow] coupling blocks per pyramid level
clamp_alpha: Size = 1.9  # [head=flow] bound on the log-scale of a coupling
gaussian_floor: Size = 0.3  # [head=gaussian combined or standardise=True] a feature's least deviation
memory_size: Positive[int] = 3000  # [head=memory combined] features per channel and level that are kept
coreset: Literal["random", "greedy"] = "random"  # [head=memory combined] any, or PatchCore's: none far from all
shared_density: bool = False  # [timestep_map=nll] one density for all channels: recordings of one thing, new ones too
fleet_size: FromZero[int] = 0  # [detector=msflow] features of all channels kept to temper what the fleet knows; 0: none
fleet_offset: FromZero[float] = 0.5  # [detector=msflow, fleet_size!=0] energy of what only the fleet knows

# Detectors of windows of steps; configs/usad.py, tranad.py and omnianomaly.py hold what was published with each
stride: Steps = 1  # [detector=usad tranad omnianomaly] steps between windows: each scores its last so many
variant: Literal["paper", "code"] = "paper"  # [detector=tranad omnianomaly] follow which, where the two differ
latent: Steps = 8  # [detector=usad omnianomaly] size of the code of a window, or of a step
hidden: Steps = 64  # [detector=tranad omnianomaly] units of the layers between
planar_flows: FromZero[int] = 20  # [detector=omnianomaly] planar flows on the code
first_share: ShareOrNone = 0.5  # [detector=usad tranad, variant!=code] weight in a score of the first of two estimates
weight_decay: FromZero[float] = 0.0  # [detector=tranad omnianomaly] of all parameters
widths: Some[Steps] = [16, 32, 64, 128, 256, 512]  # [detector=statistics] steps of windows, each compared
explained: Share = 0.9  # [detector=pca] share of the windows' variance that the principal components keep

# Training
batch_size: Positive[int] = 8  # [head!=gaussian memory combined or timestep_map=add mul] pictures per step
meta_epochs: Positive[int] = 25  # [head!=gaussian memory combined] rounds, each with a checkpoint
sub_epochs: Positive[int] = 4  # [head!=gaussian memory combined] passes per meta epoch over what trains
lr: Size = 1e-4  # [head!=gaussian memory combined] learning rate of Adam
lr_warmup_epochs: FromZero[int] = 3  # [head!=gaussian memory combined] meta epochs in which lr rises
lr_warmup_from: Share = 0.1  # [head!=gaussian memory combined, lr_warmup_epochs!=0] share of lr at its start
lr_decay_milestones: list[Positive[int]] = [70, 90]  # [head!=gaussian memory combined] sub-epochs after which lr falls
lr_decay_gamma: Share = 0.33  # [head!=gaussian memory combined] factor on lr at each milestone
grad_clip: Size = 2.0  # [head!=gaussian memory combined] largest norm of the gradient
train_window: Steps = 512  # [layout=line] columns of a training window; shorter series are continued to it
held_out: Fraction = 0.2  # [head!=gaussian memory combined, timestep_map=nll or pictures] kept out, for thresholds
feature_noise: FromZero[float] = 0.0  # [detector=msflow, head!=gaussian memory combined] noise, in deviations

# Scores
top_k: Share = 0.03  # share of a picture's pixels, the highest, whose mean is the picture's score
picture_score: Literal["auto", "mul", "energy"] = "auto"  # [pictures] auto: energy; mvtec, visa by flow: mul
pro_eval: bool = False  # [pictures] also compute the per-region overlap (PRO), slower
timestep_map: Literal["auto", "add", "mul", "nll"] = "auto"  # [series] MSFlow's maps or -log p; auto: add or nll
combine: Literal["mean", "max", "highest", "logs"] = "mean"  # [columns!=colours] columns: as their mean, maximum, ..
combine_highest: Positive[int] = 3  # [columns!=colours, combine=highest] how many of the highest columns are averaged
levels: Levels = [1, 2, 3]  # [timestep_map=nll] pyramid levels whose scores are added up
calibration: Literal["none", "center", "quantile"] = "none"  # [timestep_map=nll] by median (and 99 %) of training
smooth: Steps = 1  # [timestep_map=nll] steps of the moving mean over the time-step scores
trailing: bool = False  # [timestep_map=nll] moving mean over the steps before only: alarms later, but no look ahead
deep_maps: bool = False  # [mode=score, pictures] write the maps of new pictures as PNG of 16 bits too
vis_top_k: FromZero[int] = 10  # [series] channels drawn as pictures, the highest scores first; the page shows all
save_npy: bool = False  # [series] keep timestep_scores.npy and timestep_labels.npy beside the score maps

# Labels of time steps
duplicate_rows: Literal["last", "first", "union"] = "last"  # [series] which label row of a channel counts, or all
interval_ends: Literal["inclusive", "exclusive"] = "inclusive"  # [series] whether an interval's last step is labelled
merge_gap: StepsOrNone = 0  # [series] join labelled intervals with fewer normal steps than this between them
widen: StepsOrNone = 0  # [series] steps by which every labelled interval grows on both sides
drop: list[str] = []  # [series] channels to leave out of the evaluation, such as P-2

# Alarms: what starts one, and when it ends
threshold: ThresholdRule = "maxima"  # maxima, pot, q0.99: learnt; a number, without contrast, prune and drift
risk: Positive[float] = 20.0  # [threshold=maxima] alarms per 10,000 steps by the fit, or good pictures above it
contrast: Fraction = 0.4  # [series] an alarm rises so far from the median to the maximum of the scored series
prune: Fraction = 0.05  # [series, causal=False] alarms whose peaks stand out by less than this share are dropped
release: ShareOrNone = 0.5  # [contrast!=0] share of that way below which an alarm ends
join: FromZero[int] = 200  # [series] steps: alarms that lie closer are one
least_length: Positive[int] = 1  # [series] steps below which an alarm is dropped
cool_down: FromZero[int] = 0  # [series] steps after an alarm in which only a higher peak starts another
moved_after: FromZero[int] = 2000  # [series] steps after which an alarm is a change of level, then usual; 0: never
drift: FromZero[int] = 0  # [series] steps: what changes more slowly raises no alarm, and keeps none going; 0: it does
causal: bool = False  # [series] alarms that look at no later score, as a stream has to

# Evaluation of time steps
vus_window: VusWindow | Literal["auto"] = 100  # [series] largest window of VUS, in steps; auto: the period, or 125
bootstrap: Resamples = 1000  # [series] resamples of the channels behind the confidence intervals; 0: none
point_adjust: bool = False  # [series] also print the point-adjusted F1, beside that of the random score
report: bool = True  # write pictures, report.html and metrics.json beside the scores

# Logging, beside log.jsonl
tensorboard: bool = False  # [head!=gaussian memory combined] write TensorBoard events (extra tensorboard)
wandb: bool = False  # [head!=gaussian memory combined] log to Weights & Biases (extra wandb)
