"""Series drawn as lines, in seconds on a CPU: one recipe for SMAP, MSL, the sample and tables of your own.

benchmarks/how_chosen.md says why. A base of other recipes, which name the data set.
"""

layout = "line"
extractor = "telemetry"
columns = ["measured"]
scaling = "auto"
clip = 4.0  # M-6 of MSL reaches 258
img_mean = [0.0, 0.0, 0.0]
time_scales = [1, 2, 4]
head = "combined"
gaussian_floor = 0.05
fleet_size = 3000
fleet_offset = 2.0
combine = "max"
smooth = 32
risk = 7.0
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
