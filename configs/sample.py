"""Synthetic telemetry, made on first use: the whole way in under a minute on two cores, nothing to download."""

base = "line"
dataset = "sample"
risk = 20.0  # of so little training the fit leaves a wide margin
save_npy = True
