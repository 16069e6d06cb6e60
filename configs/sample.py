"""Synthetic telemetry, made on first use: the whole way in under a minute on two cores, nothing to download."""

dataset = "sample"
layout = "line"
weights = "random"  # needs no download; ImageNet's (--weights imagenet) are what MSFlow is meant for
extractor = "resnet18"
smap_used_dims = [0, 0, 0]
condition = "channel"
parallel_blocks = [1, 2, 2]
batch_size = 8
meta_epochs = 5
sub_epochs = 4
lr = 1e-3
lr_warmup_epochs = 1
lr_decay_milestones = [14, 18]
feature_noise = 0.1
smooth = 16
save_npy = True
