"""The runs that are timed: ours, and the plain way to measure them against.

Plain: the extractor in every step at full height, FrEIA 0.2's blocks with their dense permutations, float32, no cache.
"""

import warnings

import torch
from torch import Tensor, nn

from datasets import DATASETS
from detectors.run import Run, open_run
from models.extractors.backbone import Backbone
from models.flows import MSFlow
from models.parallel import ParallelFlow
from runtime.malloc import M_MMAP_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, set_malloc
from settings.flags import make_parser
from settings.load import load_config

Flags = tuple[str, ...]


class PlainParallelFlow(nn.Module):
    """A parallel flow of FrEIA's blocks that shares names, parameters and permutations with one of ours."""

    def __init__(self, ours: ParallelFlow, clamp: float) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # FrEIA 0.2 imports what newer SciPy and Python deprecate
            from FrEIA.modules import AllInOneBlock
        self.condition, self.module_list = ours.condition, ours.module_list
        self._blocks = []  # a plain list: what is in it stands in module_list already
        for block in ours.module_list:
            size, planes = block.active + block.passive, self.condition.num_planes
            plain = AllInOneBlock(
                [(size, 2, 2)], dims_c=[(planes, 2, 2)], subnet_constructor=lambda *_: None, affine_clamping=clamp
            )
            subnet = block.subnet
            plain.subnet = nn.Sequential(subnet.conv1, subnet.ln, nn.ReLU(), subnet.conv2)
            plain.global_scale, plain.global_offset = block.global_scale, block.global_offset
            matrix = torch.eye(size, device=block.perm.device)[block.perm][:, :, None, None]
            plain.w_perm.data, plain.w_perm_inv.data = matrix, matrix.transpose(0, 1).contiguous()
            self._blocks.append(plain)

    def forward(
        self, x: Tensor, channels: Tensor | None = None, offsets: Tensor | None = None, rows_alike: bool = False
    ) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> z (B, C, H, W), log|det dz/dx| (B,)."""
        condition = self.condition(x, channels, offsets).expand(len(x), -1, -1, -1)
        log_det = x.new_zeros(len(x))
        for block in self._blocks:
            (x,), block_log_det = block((x,), c=[condition])
            log_det = log_det + block_log_det
        return x, log_det


class PlainExtractor(Backbone):
    """The same network in PyTorch's default memory format."""

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Normalised pictures (B, 3, H, W) -> pyramid, level l (B, C_l, H / s_l, W / s_l)."""
        return self.network(pictures)


def flow_of(run: Run) -> MSFlow:
    """The flow of a run whose head it is."""
    return run.detector.density.flow


def return_freed_memory() -> None:
    """Undo `malloc.keep_freed_memory`: large blocks go back to the system, from the size on that glibc ends up with."""
    set_malloc({M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**26})


def open_variant(flags: Flags, plain: bool = False) -> Run:
    """The run that `main.py` would open for these flags, of untrained features and one sub-epoch, ours or plain."""
    few = ("--weights", "random", "--meta-epochs", "1", "--sub-epochs", "1")
    given = vars(make_parser("").parse_args([*few, *flags, *(("--no-feature-cache",) if plain else ())]))
    config = load_config(given.pop("config"), given)
    (task,) = DATASETS[config.dataset].tasks(config)
    run = open_run(config, task)
    if plain:
        model = run.detector
        model.extractor = PlainExtractor(model.extractor.network, model.extractor.weights)
        for (
            parameter
        ) in model.extractor.parameters():  # .to(memory_format) leaves the strides of 1x1 kernels as they are
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
        parallel = [PlainParallelFlow(flow, config.clamp_alpha) for flow in flow_of(run).parallel_flows]
        flow_of(run).parallel_flows = nn.ModuleList(parallel)
    return run
