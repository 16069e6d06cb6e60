"""Detectors, their training and their scores."""
