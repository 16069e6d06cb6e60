"""Reversible ways to draw a series as a picture: which layouts, colours and scalings there are."""

from runtime.registry import Registry

# a builder of each layout: what default.py is set to -> Layout (drawing/layouts.py)
LAYOUTS = Registry(
    "layout",
    {
        "stretch": "drawing.stretch:stretch",
        "line": "drawing.line:line",
        "fold": "drawing.fold:fold",
        "gasf": "drawing.pairwise:gasf",
        "gadf": "drawing.pairwise:gadf",
        "mtf": "drawing.pairwise:mtf",
    },
)
# transforms of a column, (values (T,), window in steps) -> (T,)
COLOURS = Registry(
    "colour",
    {
        "value": "drawing.colours:value",
        "residual": "drawing.colours:residual",
        "spread": "drawing.colours:spread",
        "difference": "drawing.colours:difference",
    },
)
# estimators of a column's unit: measured training values (N,) -> centre and spread
SCALINGS = Registry(
    "scaling",
    {
        "none": "drawing.scaling:none",
        "range": "drawing.scaling:span",
        "quantile": "drawing.scaling:quantile",
        "deviation": "drawing.scaling:deviation",
    },
)
