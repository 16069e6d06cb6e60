"""Extractors of features, and densities of what they give: which there are."""

from runtime.registry import Registry

RESNETS = ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2")
# builders: (name, weights, seed) -> Extractor (models/extractors/base.py); other names are asked of timm
EXTRACTORS = Registry(
    "extractor",
    {
        "telemetry": "models.extractors.telemetry:telemetry",
        "transformer": "models.extractors.transformer:transformer",
        "recurrent": "models.extractors.recurrent:recurrent",
        **dict.fromkeys(RESNETS, "models.extractors.backbone:timm_extractor"),
        "efficientnet_lite0": "models.extractors.lite:efficientnet_lite0",
    },
)
# builders: (settings, DensityShape) -> Density (models/densities/base.py)
DENSITIES = Registry(
    "head",
    {
        "flow": "models.densities.flow:flow",
        "gaussian": "models.densities.gaussian:gaussian",
        "memory": "models.densities.memory:memory",
        "combined": "models.densities.calibrated:combined",
    },
)
