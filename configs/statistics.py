"""Nearest window statistics of what is measured: what --detector statistics begins with."""

detector = "statistics"
columns = ["measured"]
scaling = "auto"
combine = "max"
