"""MSL drawn as lines, in seconds on a CPU. The same settings for SMAP and MSL."""

base = "line"
dataset = "msl"
