"""Telemetry of your own, a table of sensors: every column in its own units, a line of its own. In seconds on a CPU.

benchmarks/how_chosen.md says why, benchmarks/tables.py makes its numbers.
"""

dataset = "table"
layout = "line"
extractor = "resnet18"
columns = ["all"]
scaling = "quantile"
clip = 2.0  # twice as far as 98 % of the training values reach
colours = ["value", "value", "spread"]  # a sensor that stands still has none of the latter
img_mean = [0.0, 0.0, 0.0]
img_std = [0.25, 0.25, 0.25]
time_scales = [1, 2, 4]
head = "gaussian"
gaussian_floor = 0.05
combine = "max"
smooth = 16
risk = 4.0  # who watches a plant is not to be woken for nothing
contrast = 0.1  # .. but for a small fault beside a large one, too
drift = 350
