"""What MSFlow is made of, on pictures as on series: extractor, pooling and a density of the pooled features."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.pictures import Colours
from models import DENSITIES
from models.densities.base import Density, DensityShape
from models.densities.calibrated import Calibrated
from models.densities.fleet import Fleet, Tempered
from models.extractors import build_extractor
from models.extractors.several import Several
from models.flows import make_pool
from runtime.errors import InputError, warn
from settings.config import Config
from settings.effects import DRAWN_BY, changed_settings, scaling_name


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 by instructions of its own; where it emulates them, float32 is faster."""
    if device.type != "cpu":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.cpu._is_avx512_bf16_supported()  # oneDNN says yes where it only emulates them
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Model:
    """Extractor, pooling and density of one class, and what they were trained on.

    `channels` are those that it was trained on; the density knows `num_drawings` drawings, one or several of each
    channel; `line` is for pictures of one row; `statistics` computes mean and deviation of the colours where neither
    settings nor a checkpoint give them.
    """

    def __init__(
        self,
        config: Config,
        channels: list[str],
        num_drawings: int,
        line: bool,
        statistics: Callable[[], tuple[Colours, Colours]],
        device: torch.device,
    ) -> None:
        if config.amp and not has_bfloat16(device):
            warn("amp = True: there are no bfloat16 instructions here, so the flows work in float32.")
            config = replace(config, amp=False)
        self.config, self.channels, self.device = config, channels, device
        extractor = build_extractor(config.extractor, config.weights, config.seed)
        if extractor.lines_only and not line:
            raise InputError(
                f"extractor = {config.extractor} reads lines, pictures of one row. Set --layout line for series; "
                "choose --extractor resnet18, or another of timm's, for other layouts and for pictures."
            )
        self.weights, self.extractor_sha256 = extractor.weights, extractor.fingerprint()
        self.extractor = (extractor.as_line() if line else extractor).to(device)
        self.pool = make_pool(config.pool_type, line)
        torch.manual_seed(config.seed)
        shape = DensityShape(self.extractor.num_features, num_drawings, line)
        density: Density = DENSITIES[config.head](config, shape)
        if isinstance(self.extractor, Several):
            density = Calibrated([density], len(shape.num_features))
        if config.fleet_size:
            density = Tempered(density, Fleet(shape.num_features, config.fleet_size, config.fleet_offset))
        self.density = density.to(device)
        self._statistics = statistics
        self._recorded: tuple[Colours, Colours] | None = None

    def normalisation(self) -> tuple[Colours, Colours]:
        """Mean and deviation per colour: as set, or as recorded in training."""
        mean, std = self.config.img_mean, self.config.img_std
        if "auto" in (mean, std) and self._recorded is None:
            self._recorded = self._statistics()
        return (
            self._recorded[0] if mean == "auto" else mean,
            self._recorded[1] if std == "auto" else std,
        )

    def record(self, statistics: tuple[Colours, Colours]) -> None:
        """Take mean and deviation per colour as those of the training, unless they are known already."""
        self._recorded = self._recorded or statistics

    def place(self, channel: str) -> int:
        """The place of a channel among those of the training. InputError where the density would have to know it."""
        if channel in self.channels:
            return self.channels.index(channel)
        own_units = scaling_name(self.config) != "none"
        if self.config.shared_density or not (self.density.knows_channels or own_units):
            return 0
        known = " ".join(self.channels[:10]) + (" .." if len(self.channels) > 10 else "")
        raise InputError(
            f"channel {channel} was not in training ({known} were), and head = {self.config.head}, condition = "
            f"{self.config.condition}, standardise = {self.config.standardise}, scaling = {scaling_name(self.config)} "
            "knows each channel by itself. Train with it; or, where all are recordings of the same thing, with "
            "--shared-density: others can then be scored too."
        )

    def numbers(self, number: int, pictures: Tensor) -> Tensor:
        """A channel's number for each of some pictures (B, ..): (B,)."""
        return torch.full((len(pictures),), number, device=self.device)

    def facts(self) -> dict[str, Any]:
        """Which extractor it has, and the normalisation."""
        mean, std, *_ = self.normalisation()
        return {"extractor_sha256": self.extractor_sha256, "img_mean": mean, "img_std": std}

    def state(self) -> dict[str, Any]:
        """The density's content of a checkpoint, and what it stands on."""
        return {**self.density.state(), **self.facts()}

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the content of a checkpoint, the original's too.

        Raises InputError where it does not fit, or was trained with other settings, channels or extractor weights.
        """
        changed = changed_settings(content.get("settings", {}), self.config, DRAWN_BY)
        for name in ("img_mean", "img_std"):
            wanted, trained = getattr(self.config, name), tuple(content.get(name, ()))
            if trained and wanted not in ("auto", trained):
                changed += f"{'; ' if changed else ''}{name} was {trained}, now {wanted}"
        if changed:
            raise InputError(f"{path}: was made with other settings: {changed}. Set them back, or train anew.")
        if content.get("extractor_sha256", "") not in ("", self.extractor_sha256):
            raise InputError(
                f"{path}: was trained on other extractor weights than {self.weights}. "
                "Set weights and seed as in the config.json beside it."
            )
        channels = content.get("channels") or self.channels
        if self.density.knows_channels and channels != self.channels:
            raise InputError(
                f"{path}: knows the channels {' '.join(channels[:10])}, each by itself, but this run is of "
                f"{' '.join(self.channels[:10])}. Train with these, or name --mode test."
            )
        self.density.load_state(path, content)
        if content.get("img_mean"):
            self._recorded = tuple(content["img_mean"]), tuple(content["img_std"])
