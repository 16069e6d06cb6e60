"""Series drawn as lines with ImageNet's features, the recipe before those of our own: better on SMAP, and a download.

--dataset smap, msl, sample or table; benchmarks/how_chosen.md says how it was chosen.
"""

base = "line"
extractor = "resnet18"
head = "gaussian"
fleet_offset = 0.35
smooth = 64
risk = 20.0
