"""The density `flow`: MSFlow's parallel flows and fusion flow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.checkpoints import flow_state, load_flow
from models.densities.base import Batch, Density, DensityShape, Levels, Origins
from models.densities.gaussian import GaussianDensity
from models.flows import MSFlow, log_likelihood_maps, negative_log_likelihood
from runtime.errors import InputError


class FlowDensity(Density):
    """The flow's energies, 1/2 mean_c z^2 per place, of features that `gaussian` standardises where there is one."""

    def __init__(self, flow: MSFlow, gaussian: GaussianDensity | None = None) -> None:
        super().__init__()
        self.flow, self.gaussian = flow, gaussian
        blocks = max(len(parallel.module_list) for parallel in flow.parallel_flows)
        # two convolutions per block, and those of the fusion flow's two subnets with what lies between them
        self.reach = 2 * blocks + 10
        self.knows_channels = gaussian is not None or flow.parallel_flows[0].condition.embedding is not None

    @property
    def needs_fit(self) -> bool:
        """Whether there is anything that standardises."""
        return self.gaussian is not None

    def fit(self, pyramids: Sequence[Sequence[Tensor]], seed: int, origins: Origins | None = None) -> None:
        """Learn what standardises the features."""
        if self.gaussian is not None:
            self.gaussian.fit(pyramids)

    def prepared(self, levels: Levels, channels: Tensor) -> Levels:
        """Features (B, C_l, H_l, W_l) of channels (B,), standardised where they are to be."""
        return levels if self.gaussian is None else self.gaussian.standardised(levels, channels)

    def loss(self, batch: Batch) -> Tensor:
        """The mean negative log-likelihood of prepared features, a scalar."""
        return negative_log_likelihood(
            *self.flow.transform(batch.levels, batch.channels, batch.offsets, batch.rows_alike)
        )

    def forward(
        self, levels: Levels, channels: Tensor, offsets: Levels | None = None, rows_alike: bool = False
    ) -> Levels:
        """Pooled pyramid (B, C_l, H_l, W_l) of channels (B,) -> energies (B, H_l, W_l)."""
        z, _ = self.flow.transform(self.prepared(levels, channels), channels, offsets, rows_alike)
        return [-log_likelihood for log_likelihood in log_likelihood_maps(z)]

    def parts(self) -> dict[str, nn.Module]:
        """What standardises the features."""
        return {} if self.gaussian is None else {"gaussian": self.gaussian}

    def state(self) -> dict[str, Any]:
        """The flows under the names of the original, and what standardises the features."""
        return flow_state(self.flow) | super().state()

    def load_state(self, path: Path, content: dict[str, Any]) -> None:
        """Take the flows of a checkpoint, the original's too. Raises InputError where they are of another make."""
        load_flow(path, content, self.flow)
        super().load_state(path, content)


def flow(config: Any, shape: DensityShape) -> FlowDensity:
    """The density that the settings describe. Raises InputError for another number of levels than they are for."""
    if len(shape.num_features) != len(config.parallel_blocks):
        raise InputError(
            f"head = flow reads the {len(config.parallel_blocks)} levels of one extractor; {config.extractor} gives "
            f"{len(shape.num_features)}. Name one of them, or choose --head gaussian, memory or combined."
        )
    made = MSFlow(
        shape.num_features,
        config.c_conds,
        config.parallel_blocks,
        config.clamp_alpha,
        config.pool_type,
        config.condition,
        shape.num_channels,
        shape.line,
        config.amp,
        config.recompute,
    )
    standardising = GaussianDensity(shape.num_channels, shape.num_features, config.gaussian_floor)
    return FlowDensity(made, standardising if config.standardise else None)
