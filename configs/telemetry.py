"""Telemetry of your own, a table of sensors: every column in its own units, a line of its own. In seconds on a CPU."""

dataset = "table"
layout = "line"
extractor = "resnet18"
columns = ["all"]
scaling = "quantile"
clip = 2.0  # twice what 98 % of the training values span
combine = "highest"
img_mean = [0.0, 0.0, 0.0]
img_std = [0.25, 0.25, 0.25]
time_scales = [1, 2, 4]
head = "gaussian"
gaussian_floor = 0.05
smooth = 32
