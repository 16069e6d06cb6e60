"""Pretrain an extractor of lines on made-up telemetry, so that what one sensor normally does has narrow features.

    uv run python -m models.pretrain telemetry               writes models/pretrained/telemetry.safetensors and .csv
    uv run python -m models.pretrain transformer --steps 100 --folder trial          a short one, elsewhere

Each step draws channels of random processes (data/synthetic) that nothing else sees: a stretch that is normal, the
context, and the steps behind it, the query, in most of which something goes wrong. The features of the context make a
Gaussian and a memory per channel, as the heads of these names do, and each place of the query has an energy by either;
whether it is anomalous is told from the logarithm of that energy, by one threshold for all channels. What learns is the
network, through the context too. That is learning to compare a query with its context (Vinyals et al., "Matching
Networks for One Shot Learning", NeurIPS 2016, section 2.2; Snell et al., "Prototypical Networks", NeurIPS 2017), the
label being that of each place.
"""

import argparse
import csv
import hashlib
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from data.synthetic.fleet import PRETRAINING, VALIDATION, episode_rng, make_channel
from models.extractors.pretrained import FOLDER
from models.extractors.recurrent import RecurrentNetwork
from models.extractors.telemetry import TelemetryNetwork
from models.extractors.transformer import TransformerNetwork
from runtime.errors import exit_code, unknown_name
from runtime.files import atomic_file

NETWORKS = {"telemetry": TelemetryNetwork, "transformer": TransformerNetwork, "recurrent": RecurrentNetwork}
CONTEXT, QUERY = 896, 640  # steps
CHANNELS = 16  # per step
FAULTY = 0.8  # share of the channels whose query has something wrong
GAIN = (0.8, 2.5)  # range of the factor on a channel: recipes draw values of about unit variance
FLOOR = 0.05  # as the setting gaussian_floor
RATE, DECAY = 3e-3, 1e-4  # learning rate and weight decay
WARM_UP, CLIP = 0.1, 5.0  # share of the steps until the rate is reached; norm of the gradient
AVERAGED = 0.995  # memory of the averaged weights, which are those that are kept
MARGIN = 2  # cells on either side of a fault that are neither
CHECK_CHANNELS, CHECK_EVERY = 64, 500  # of the validation fleet, and steps


def pooled(level: Tensor) -> Tensor:
    """A level (B, C, W) as pool_type = avg makes it: (B, C, ceil(W / 2)); at the ends without the zeros."""
    return F.avg_pool1d(level, 3, 2, 1, count_include_pad=False)


def make_episodes(part: int, seed: int, step: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Contexts (count, CONTEXT) and queries (count, QUERY) of channels, and where the latter are anomalous, 0 or 1."""
    rng = episode_rng(part, seed, step)
    made = []
    for _ in range(count):
        context, query, odd = make_channel(rng, CONTEXT, QUERY, FAULTY)
        gain = np.exp(rng.uniform(*np.log(GAIN)))
        made.append((context * gain, query * gain, odd))
    return tuple(torch.tensor(np.array(arrays), dtype=torch.float32) for arrays in zip(*made, strict=True))


def energies(context: Tensor, query: Tensor) -> Tensor:
    """Pooled features (B, C, W) of contexts and (B, C, V) of queries -> energies (2, B, V), Gaussian and memory."""
    variance, mean = torch.var_mean(context, dim=-1, keepdim=True, correction=0)
    unit = context.transpose(0, 1).flatten(1).var(dim=1).mean()
    of_gaussian = 0.5 * ((query - mean).square() / (variance + FLOOR**2 * unit)).mean(dim=1)
    nearest = torch.cdist(query.transpose(1, 2), context.transpose(1, 2)).amin(dim=-1).square()
    return torch.stack([of_gaussian, 0.5 * nearest / unit / context.shape[1]])


def cell_labels(odd: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Which cells of queries (B, V) are anomalous, and which are so or far from what is: 0 or 1, (B, V / stride)."""
    anomalous = (F.avg_pool1d(odd[:, None], stride)[:, 0] >= 0.5).float()
    near = F.max_pool1d(F.pad(odd, (MARGIN * stride, MARGIN * stride))[:, None], (2 * MARGIN + 1) * stride, stride)[
        :, 0
    ]
    return anomalous, torch.maximum(anomalous, (near == 0).float())


class Judge(nn.Module):
    """Tells anomalous cells by the logarithm of their energy: a threshold and a steepness per level and density."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.steepness, self.threshold = (nn.Parameter(torch.ones(levels, 2, 1, 1)) for _ in range(2))

    def forward(self, level: int, energy: Tensor, odd: Tensor) -> Tensor:
        """The loss, a scalar, of energies (2, B, V): cross-entropy, anomalous and normal cells weighed alike."""
        anomalous, counts = cell_labels(odd, odd.shape[-1] // energy.shape[-1])
        logits = self.steepness[level] * torch.log(energy + 1e-6) - self.threshold[level]
        loss = F.binary_cross_entropy_with_logits(logits, anomalous.expand_as(logits), reduction="none")
        kinds = (anomalous, counts * (1 - anomalous))
        return sum((loss.sum(dim=0) * kind).sum() / kind.sum().clamp_min(1) for kind in kinds) / 2


def train(network: nn.Module, steps: int, seed: int) -> Iterator[tuple[int, list[float], nn.Module]]:
    """Train a network in place; after every CHECK_EVERY steps: how many, mean losses by level since, averaged."""
    judge, averaged = Judge(len(network.num_features)), deepcopy(network)
    optimizer = torch.optim.AdamW(
        [{"params": network.parameters()}, {"params": judge.parameters()}], lr=RATE, weight_decay=DECAY
    )
    schedule = OneCycleLR(optimizer, [RATE, 5 * RATE], steps, pct_start=WARM_UP)
    losses = []
    for step in range(steps):
        context, query, odd = make_episodes(PRETRAINING, seed, step, CHANNELS)
        levels = zip(network(context[:, None]), network(query[:, None]), strict=True)
        of_levels = [judge(n, energies(pooled(c), pooled(q)), odd) for n, (c, q) in enumerate(levels)]
        optimizer.zero_grad()
        torch.stack(of_levels).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        memory = min(AVERAGED, 1 - 10 / (step + 10))
        for kept, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            kept.lerp_(new, 1 - memory) if kept.is_floating_point() else kept.copy_(new)
        losses.append([loss.item() for loss in of_levels])
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == steps:
            yield step + 1, np.mean(losses, axis=0).tolist(), averaged
            losses.clear()


@torch.no_grad()
def check(network: nn.Module) -> tuple[float, float]:
    """ROC AUC and average precision of the cells of the validation fleet, by the Gaussians' energies, added up."""
    network = deepcopy(network).eval()
    context, query, odd = make_episodes(VALIDATION, 0, 0, CHECK_CHANNELS)
    levels = zip(network(context[:, None]), network(query[:, None]), strict=True)
    found = [energies(pooled(c), pooled(q))[0] for c, q in levels]
    total = sum(energy.repeat_interleave(found[0].shape[-1] // energy.shape[-1], dim=-1) for energy in found)
    labels, _ = cell_labels(odd, odd.shape[-1] // total.shape[-1])
    return roc_auc_score(labels.flatten(), total.flatten()), average_precision_score(labels.flatten(), total.flatten())


def save(network: nn.Module, path: Path) -> str:
    """Write the weights as they are used, in half precision; returns the SHA-256 of the file."""
    network = deepcopy(network).eval()
    if hasattr(network, "fuse"):
        network.fuse()
    tensors = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    with atomic_file(path) as temporary:
        safetensors.torch.save_file(tensors, temporary)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(argv: list[str] | None) -> None:
    """Train one network and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", help=", ".join(NETWORKS))
    parser.add_argument("--steps", type=int, default=8000, help="(default: 8000)")
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: models/pretrained)")
    given = parser.parse_args(argv)
    if given.network not in NETWORKS:
        raise unknown_name("network", given.network, list(NETWORKS))
    torch.manual_seed(given.seed)
    made = NETWORKS[given.network]
    network = made(fused=False) if made is TelemetryNetwork else made()
    given.folder.mkdir(parents=True, exist_ok=True)
    began, rows = time.monotonic(), []
    print(
        f"{given.network}: {sum(p.numel() for p in network.parameters()):,} parameters, {given.steps} steps", flush=True
    )
    for step, losses, averaged in train(network, given.steps, given.seed):
        auroc, precision = check(averaged)
        rows.append([step, *(f"{value:.4f}" for value in (*losses, auroc, precision))])
        told = " ".join(f"{loss:.3f}" for loss in losses)
        print(
            f"step {step}: losses {told}, validation ROC AUC {auroc:.3f} AP {precision:.3f}, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
    path = given.folder / f"{given.network}.safetensors"
    print(f"{path}: sha256 {save(averaged, path)}")
    with atomic_file(given.folder / f"{given.network}.csv") as temporary, temporary.open("w", newline="") as file:
        log = csv.writer(file, lineterminator="\n")
        log.writerow(["step", *(f"loss {n + 1}" for n in range(len(losses))), "validation ROC AUC", "validation AP"])
        log.writerows(rows)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return exit_code(run, argv)


if __name__ == "__main__":
    sys.exit(main())
