"""Series scored by the raw -log p of their features: training pyramids, heads, and the scores of every time step.

Every channel is drawn at each of the time scales, and each drawing is a channel of its own to flow and heads:
with K channels, number k + K s is channel k at the s-th scale.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data.telemanom import TelemanomSource
from datasets import SeriesData
from detectors.msflow.pyramids import PyramidMaker, TrainingPyramids
from drawing.colours import Drawing
from drawing.layouts import Line, make_layout
from drawing.steps import coarsen, refine
from models.densities import Fleet, FlowHead, GaussianHead, MemoryHead
from models.extractors import Extractor
from models.flows import MSFlow, make_pool
from runtime.errors import InputError
from settings.load import Config

STEP_SHARE = 4  # pictures of a window begin a quarter of it apart
MAPS_SHARE = 2  # .. in a test, half of it


class SeriesModel:
    """Extractor, head and fleet of the channels of a data set; `flow` is None where the head needs none.

    `trained` names the channels that the head knows, in the order of their numbers. `memories` are the parts that
    need no training, by the name they have in a checkpoint.
    """

    def __init__(
        self, config: Config, data: SeriesData, extractor: Extractor, flow: MSFlow | None, trained: list[str]
    ) -> None:
        self.config, self.flow = config, flow
        self.source: TelemanomSource = data.open(config)
        self.channels = data.channels(config)
        self.trained = trained
        self.drawing = Drawing.of(config)
        self.extractor = extractor
        self.device = next(extractor.parameters()).device
        numbers = len(trained) * len(config.time_scales)
        self.memories: dict[str, nn.Module] = {}
        if config.head == "gaussian" or config.standardise:
            self.memories["gaussian"] = GaussianHead(numbers, extractor.num_features, config.gaussian_floor)
        if config.head == "memory":
            self.memories["memory"] = MemoryHead(numbers, extractor.num_features, config.memory_size)
        self.head = self.memories[config.head] if flow is None else FlowHead(flow, self.memories.get("gaussian"))
        if config.fleet_size:
            self.memories["fleet"] = Fleet(extractor.num_features, config.fleet_size, config.fleet_offset)
        for module in self.memories.values():
            module.to(self.device)

    def maker(self, share: int) -> PyramidMaker:
        """What makes the pyramids, with pictures a `share` of their window apart."""
        layout = make_layout(self.config)
        pool = make_pool(self.config.pool_type, isinstance(layout, Line))
        # two convolutions per block, and those of the fusion flow's two subnets with what lies between them
        reach = 2 * max(self.config.parallel_blocks) + 10 if self.flow is not None else 1
        step = max((layout.window or share) // share, 1)
        return PyramidMaker(self.extractor, pool, layout, reach, self.config.max_columns, step)

    def drawn(self, channel: str, split: str, scale: int, mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray:
        """A channel's normalised colours at a time scale, (T / scale, 3)."""
        return coarsen((self.drawing(self.source, channel, split) - mean) / std, scale)

    def training_pyramids(self, mean: tuple[float, ...], std: tuple[float, ...]) -> TrainingPyramids:
        """The pooled pyramids of all training series, in the order of their numbers."""
        scales = self.config.time_scales
        series = [self.drawn(channel, "train", scale, mean, std) for scale in scales for channel in self.channels]
        config = self.config
        maker = self.maker(STEP_SHARE)
        return TrainingPyramids(maker, series, config.batch_size, config.train_window, config.feature_noise)

    def fit_memories(self, pyramids: TrainingPyramids) -> None:
        """Learn the parts that need no training, and standardise what the flow is trained on."""
        for name, module in self.memories.items():
            if name == "gaussian":
                module.fit(pyramids.channels)
            else:
                module.fit(pyramids.channels, self.config.seed)
        if self.flow is not None and "gaussian" in self.memories:
            pyramids.standardise(self.memories["gaussian"])

    def number(self, channel: str, scale: int) -> int:
        """The number of a channel at the `scale`-th time scale. Raises InputError where the head does not know it."""
        if channel in self.trained:
            return self.trained.index(channel) + len(self.trained) * scale
        if self.config.head == "flow" and self.config.condition in ("position", "none") and not self.config.standardise:
            return 0
        known = " ".join(self.trained[:10]) + (" .." if len(self.trained) > 10 else "")
        raise InputError(
            f"channel {channel} was not in training ({known} were), but head = {self.config.head}, condition = "
            f"{self.config.condition}, standardise = {self.config.standardise} knows each channel by itself. Train "
            "with it, or with head = flow, condition = position or none, standardise = False."
        )

    @torch.inference_mode()
    def energies(
        self, channel: str, split: str, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> NDArray[np.float32]:
        """The raw -log p of every step of a channel, by time scale and level: (scales * levels, T)."""
        maker, rows = self.maker(MAPS_SHARE), []
        num_steps = self.source.num_steps(channel, split)
        for place, scale in enumerate(self.config.time_scales):
            drawn = self.drawn(channel, split, scale, mean, std)
            number = self.number(channel, place)
            found, kept = [], []
            for piece in maker.pieces(drawn):
                channels = torch.full((len(piece.levels[0]),), number, device=self.device)
                energies: list[Tensor] = self.head(piece.levels, channels, piece.offsets())
                if "fleet" in self.memories:
                    energies = self.memories["fleet"].temper(energies, piece.levels)
                found.append(energies)
                kept.append(piece.keep)
            by_level = [list(maps) for maps in zip(*found, strict=True)]
            rows.append(refine(maker.to_series(by_level, kept, len(drawn)), scale, num_steps))
        return np.concatenate(rows).astype(np.float32)
