"""default.py, a recipe and flags become one checked, frozen Config."""
