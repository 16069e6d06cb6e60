"""The NASA series of the TSB-AD benchmark, each learnt by itself from its first steps, with the benchmark's windows."""

base = "line"
dataset = "tsb-nasa"
vus_window = "auto"
fleet_size = 0  # every series by itself: the benchmark knows no fleet
