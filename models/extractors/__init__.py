"""Extractors: what turns a picture into a pyramid of three feature maps."""

from models.extractors.base import Extractor, build_extractor

__all__ = ["Extractor", "build_extractor"]
