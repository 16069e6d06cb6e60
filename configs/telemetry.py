"""Telemetry of your own, a table of sensors: every column in its own units, a line of its own. In seconds on a CPU."""

base = "line"
dataset = "table"
contrast = 0.1  # a small fault beside a large one counts
drift = 350  # slow trends of a plant are no events
