"""Principal components of windows of what is measured: what --detector pca begins with."""

detector = "pca"
columns = ["measured"]
scaling = "auto"
combine = "max"
