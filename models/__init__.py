"""Extractors of features, and densities of what they give: which there are."""

from runtime.registry import Registry

# builders: (name, weights, seed) -> Extractor (models/extractors.py); other names are asked of timm
EXTRACTORS = Registry(
    "extractor",
    dict.fromkeys(
        ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2"), "models.extractors:timm_extractor"
    ),
)
# builders: (settings, DensityShape) -> Density (models/densities/base.py)
DENSITIES = Registry(
    "head",
    {
        "flow": "models.densities.flow:flow",
        "gaussian": "models.densities.gaussian:gaussian",
        "memory": "models.densities.memory:memory",
    },
)
