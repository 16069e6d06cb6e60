"""Reversible ways to draw a series as a picture."""
