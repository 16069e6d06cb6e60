"""Pictures drawn on first use, two textures and an object: under a minute on two cores, nothing to download."""

base = "pictures"
dataset = "sample_pictures"
input_size = (192, 192)
memory_size = 1500
pro_eval = True
