"""Synthetic telemetry, made on first use: the whole way in about a minute on two cores, nothing to download."""

dataset = "sample"
weights = "random"  # needs no download; ImageNet's (--weights imagenet) are what MSFlow is meant for
extractor = "resnet18"
# all rows of a stretched channel are alike, so a low picture loses nothing
input_size = (32, 512)
parallel_blocks = [1, 1, 1]
batch_size = 5
meta_epochs = 10
lr = 1e-3
lr_warmup_epochs = 1
lr_decay_milestones = [28, 36]
save_npy = True
