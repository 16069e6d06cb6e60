"""The detector: extractor, flows and their checkpoints. Knows nothing of data sets."""
