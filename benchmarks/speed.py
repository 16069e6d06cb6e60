"""How fast: the plain way against ours, the same work side by side in one process, in turn, medians over rounds.

    uv run python -m benchmarks.speed                                    wide_resnet50_2, 512x512, batches of 8
    uv run python -m benchmarks.speed --extractor resnet18 --rounds 5

Plain: the extractor in every step at full height, FrEIA 0.2's blocks with their dense permutation, float32, no cache.
Ours: features once, permutations by index; in float32, and with amp. Random weights, synthetic pictures with equal
rows. Losses must agree before a ratio is printed. Adds its table to benchmarks/speed.md.
"""

import argparse
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from atomic import atomic_file
from config import load_config
from errors import exit_code
from models.extractors import Extractor, build_extractor
from models.flows import MSFlow, ParallelFlow, Subnet, negative_log_likelihood
from post_process import add_score_map, log_likelihood_maps, mul_score_map

TABLE = Path(__file__).with_name("speed.md")
HEAD = (
    "# Speed\n\nMade by `uv run python -m benchmarks.speed`; what is compared stands on top of benchmarks/speed.py.\n"
)


class PlainParallelFlow(nn.Module):
    """A parallel flow of FrEIA's blocks, with the parameters and permutations of one of ours."""

    def __init__(self, ours: ParallelFlow, clamp: float) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # FrEIA 0.2 imports what newer SciPy and Python deprecate
            from FrEIA.modules import AllInOneBlock
        self.condition = ours.condition
        self.blocks = nn.ModuleList()
        for block in ours.module_list:
            size, planes = block.active + block.passive, self.condition.num_planes
            plain = AllInOneBlock(
                [(size, 2, 2)], dims_c=[(planes, 2, 2)], subnet_constructor=Subnet, affine_clamping=clamp
            )
            plain.subnet.load_state_dict(block.subnet.state_dict())
            plain.global_scale.data, plain.global_offset.data = block.global_scale.data, block.global_offset.data
            matrix = torch.eye(size)[block.perm][:, :, None, None]
            plain.w_perm.data, plain.w_perm_inv.data = matrix, matrix.transpose(0, 1).contiguous()
            self.blocks.append(plain)

    def forward(self, x: Tensor, channels: None = None, offsets: None = None) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> z (B, C, H, W), log|det dz/dx| (B,)."""
        condition, log_det = self.condition(x, None, None), x.new_zeros(len(x))
        for block in self.blocks:
            (x,), block_log_det = block((x,), c=[condition])
            log_det = log_det + block_log_det
        return x, log_det


def make_flow(extractor: Extractor, amp: bool, plain: bool) -> MSFlow:
    """Our flow, or the plain one with the same parameters."""
    config = load_config()
    torch.manual_seed(0)
    make = (extractor.num_features, config.c_conds, config.parallel_blocks, config.clamp_alpha, config.pool_type)
    flow = MSFlow(*make, amp=amp)
    if plain:
        parallel = [PlainParallelFlow(ours, config.clamp_alpha) for ours in flow.parallel_flows]
        flow.parallel_flows = nn.ModuleList(parallel)
    return flow


def training_step(flow: MSFlow, levels: Callable[[], list[Tensor]]) -> float:
    """One forward and backward pass; returns the loss."""
    flow.zero_grad(set_to_none=True)
    loss = negative_log_likelihood(*flow.transform(levels()))
    loss.backward()
    return loss.item()


@torch.inference_mode()
def test_step(flow: MSFlow, levels: Callable[[], list[Tensor]], size: tuple[int, int]) -> float:
    """Score maps of a batch; returns their mean."""
    logp = log_likelihood_maps(flow.transform(levels())[0])
    return float(add_score_map(logp, size).mean() + mul_score_map(logp, size).mean())


def measure(variants: dict[str, Callable[[], float]], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds, and the first value, of every variant, run in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    values = {name: variant() for name, variant in variants.items()}  # warms up
    for _ in range(rounds):
        for name, variant in variants.items():
            started = time.perf_counter()
            variant()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}, values


def gemm_rate() -> float:
    """Floating-point operations per second that torch.matmul reaches on this machine, in float32."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    times = []
    for _ in range(6):
        started = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - started)
    return 2 * 2048**3 / min(times)


def _run(argv: list[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extractor", default="wide_resnet50_2", help="backbone (default: wide_resnet50_2)")
    parser.add_argument("--size", type=int, default=512, help="height and width in pixels (default: 512)")
    parser.add_argument("--batch-size", type=int, default=8, help="pictures per step (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds behind each median (default: 3)")
    given = parser.parse_args(argv)
    extractor = build_extractor(given.extractor, "random", seed=0)
    row = np.random.default_rng(0).normal(size=(given.batch_size, 3, 1, given.size)).astype(np.float32)
    pictures = torch.from_numpy(row).expand(-1, -1, given.size, -1).contiguous()
    flows = {"plain": make_flow(extractor, False, True), "float32": make_flow(extractor, False, False)}
    flows["amp"] = make_flow(extractor, True, False)
    pool = flows["float32"].pool
    kept = [pool(level).clone() for level in extractor(pictures)]

    def levels_of(name: str) -> Callable[[], list[Tensor]]:
        return (lambda: [pool(level) for level in extractor(pictures)]) if name == "plain" else (lambda: kept)

    size = (given.size, given.size)
    work = {
        "training step": {n: (lambda n=n: training_step(flows[n], levels_of(n))) for n in flows},
        "test step, features kept": {n: (lambda n=n: test_step(flows[n], levels_of(n), size)) for n in flows},
    }
    machine = (
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    lines = [f"\n## {given.extractor}, {given.size}x{given.size}, batches of {given.batch_size} ({machine})\n"]
    lines += ["| work | plain | ours, float32 | ours, amp | ratio, float32 | ratio, amp |", "|---|---|---|---|---|---|"]
    for title, variants in work.items():
        seconds, values = measure(variants, given.rounds)
        np.testing.assert_allclose(values["float32"], values["plain"], rtol=1e-4)
        np.testing.assert_allclose(values["amp"], values["plain"], rtol=2e-2)
        cells = [f"{seconds[n]:.2f} s" for n in flows] + [
            f"{seconds['plain'] / seconds[n]:.2f}" for n in ("float32", "amp")
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
        if title == "training step":
            with FlopCounterMode(display=False) as counter:
                training_step(flows["float32"], levels_of("float32"))
            rate = counter.get_total_flops() / seconds["float32"]
            share = rate / gemm_rate()
    lines.append(
        f"\nThe flows' training step in float32: {rate / 1e9:.0f} GFLOP/s, {share:.0%} of what torch.matmul reaches."
    )
    before = TABLE.read_text(encoding="utf-8") if TABLE.exists() else HEAD
    with atomic_file(TABLE) as temporary:
        temporary.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
