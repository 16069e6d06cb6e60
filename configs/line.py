"""Telemetry drawn as lines, in seconds on a CPU; benchmarks/how_chosen.md says why. A base of other recipes."""

layout = "line"
extractor = "resnet18"
smap_used_dims = [0, 0, 0]  # the telemetry value in all three colours
clip = 4.0  # M-6 of MSL reaches 258
img_mean = [0.0, 0.0, 0.0]
time_scales = [1, 2, 4]
head = "gaussian"
gaussian_floor = 0.05
fleet_size = 3000
fleet_offset = 0.35
smooth = 64
# what --head flow trains with
condition = "channel"
standardise = True
parallel_blocks = [1, 2, 2]
batch_size = 32
train_window = 256
feature_noise = 0.3
lr = 1e-4
lr_warmup_epochs = 1
lr_decay_milestones = [1000]
meta_epochs = 10
sub_epochs = 1
