"""OmniAnomaly: a recurrent variational autoencoder of windows, whose codes of a step depend on the code before.

Su et al., "Robust Anomaly Detection for Multivariate Time Series through Stochastic Recurrent Neural Network", KDD
2019, section 3; planar flows: Rezende & Mohamed, "Variational Inference with Normalizing Flows", ICML 2015, section 4.1
and appendix A.1. Written from a specification of the paper and of what the authors' code (NetManAIOps/OmniAnomaly) does
otherwise, not from that code. Where the two differ, `variant` says which is followed:

- "paper", the default: the loss is the whole negative evidence bound, -(log p(x|z) + log p(z) - log q(z|x)), with
  gradients through the recurrence of the codes. It is the model that the name stands for, and a bound of a likelihood.
- "code": the loss lacks log p(z), which the code computes and throws away, and the code before (z_(t-1)) is a constant
  to the gradient, since the code's scan over the steps has none. Nothing holds the codes then: log q(z|x) falls for
  ever where they spread, and the longer it trains the less they tell of x. Read strictly, a scan without gradients
  makes the whole draw a constant, so that the encoder learns next to nothing; this was not followed.

In both, as in the code: the two dense layers have no activation, and a code depends on the draw before it as it was
before the planar flows, which bend the whole sequence afterwards. In neither, unlike the code: it scales the test by
the least and the greatest of the test itself, which nobody knows beforehand; here they are those of the training, and
what is beyond is cut off, since the code's model never meets a value beyond 0 and 1. Nor is there an early stopping:
the last part of the training (`held_out`) is kept for thresholds alone.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datasets import SeriesTask
from detectors.loop import Objective
from detectors.windowed import WindowBatch, WindowDetector, WindowNetwork
from settings.config import Config

LEAST_DEVIATION = 1e-4
SAME = math.log(math.e - 1)  # softplus(SAME) = 1: a planar flow with w u = SAME along w is the identity


class PlanarFlows(nn.Module):
    """Some maps f(z) = z + v tanh(w z + b) of vectors (.., D), one behind the other; near the identity at first.

    v = u + (softplus(w u) - 1 - w u) w / |w|^2, so that w v > -1 and f can be inverted; the log-determinant is
    log(1 + w v (1 - tanh^2)).
    """

    def __init__(self, number: int, size: int) -> None:
        super().__init__()
        weight = torch.randn(number, size)
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(torch.zeros(number))
        along = SAME * weight / weight.square().sum(dim=1, keepdim=True)
        self.shift = nn.Parameter(along + 0.1 * torch.randn(number, size))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors (.., D) bent, and the log-determinants (..)."""
        inner = (self.weight * self.shift).sum(dim=1, keepdim=True)
        slopes = F.softplus(inner) - 1
        shifts = self.shift + (slopes - inner) * self.weight / self.weight.square().sum(dim=1, keepdim=True)
        bends = [z[..., :0]]
        for weight, bias, shift in zip(self.weight[:, None], self.bias[:, None], shifts, strict=True):
            bends.append(torch.tanh(F.linear(z, weight, bias)))
            z = torch.addcmul(z, bends[-1], shift)
        log_det = torch.log1p(slopes.T * (1 - torch.cat(bends, dim=-1).square())).sum(dim=-1)
        return z, log_det


class RandomWalk(nn.Module):
    """The prior of codes (B, T, D): a hidden walk of unit steps from a standard normal, seen with unit noise.

    Every dimension is normal by itself, the covariance of steps s and t, from 1, being min(s, t) + [s = t].
    """

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        steps = torch.arange(1, num_steps + 1, dtype=torch.float64)
        factor = torch.linalg.cholesky(torch.minimum(steps, steps[:, None]) + torch.eye(num_steps, dtype=torch.float64))
        whitening = torch.linalg.inv(factor)
        self.log_scale = factor.diagonal().log().sum().item()
        self.register_buffer("whitening", whitening.float(), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """The log density (B,) of codes (B, T, D)."""
        _, num_steps, size = z.shape
        constant = size * (self.log_scale + num_steps * math.log(2 * math.pi) / 2)
        return -(self.whitening @ z).square().sum(dim=(1, 2)) / 2 - constant


class Recurrent(nn.Module):
    """A GRU over (B, T, num_in), two dense layers, and what a diagonal normal of `num_out` is made of at every step.

    `beside` numbers more are told to the last layer alone.
    """

    def __init__(self, num_in: int, hidden: int, num_out: int, beside: int = 0) -> None:
        super().__init__()
        self.gru = nn.GRU(num_in, hidden, batch_first=True)
        self.dense = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(2))
        self.out = nn.Linear(hidden + beside, 2 * num_out)

    @property
    def told(self) -> Tensor:
        """The weights (2 num_out, beside) of what is told besides."""
        return self.out.weight[:, self.gru.hidden_size :]

    def forward(self, x: Tensor, last: int) -> Tensor:
        """Means and raw deviations (B, last, 2 num_out) of the `last` steps, without what is told besides.

        Without activations the layers are one map: multiplied from the narrow end, they cost next to nothing.
        """
        found, _ = self.gru(x)
        weight, bias = self.out.weight[:, : self.gru.hidden_size], self.out.bias
        for dense in reversed(self.dense):
            weight, bias = weight @ dense.weight, bias + weight @ dense.bias
        return F.linear(found[:, -last:], weight, bias)


class OmniAnomaly(WindowNetwork):
    """Codes z of `latent` numbers for every step of windows x (B, T, D), and normals of x given z.

    q: z_t ~ N(mean, deviation), both linear in [h_t, z_(t-1)], z_0 = 0, h from a GRU over x; then planar flows.
    p: x_t ~ N(mean, deviation), both linear in g_t, from a GRU over z. Deviations are softplus(.) + 1e-4.
    """

    clipped = True  # the authors' code fits its range to the test again, so that there never is anything beyond

    def __init__(
        self, num_columns: int, window: int, hidden: int, latent: int, planar_flows: int, variant: str
    ) -> None:
        super().__init__()
        self.variant = variant
        self.encoder = Recurrent(num_columns, hidden, latent, beside=latent)
        self.flows = PlanarFlows(planar_flows, latent)
        self.prior = RandomWalk(window)
        self.decoder = Recurrent(latent, hidden, num_columns)
        self.register_buffer("noise", torch.randn(window, latent))

    def codes(self, windows: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (B, T, latent) drawn by standard normal `noise` alike, or (1, T, latent), and log q(z|x) (B,)."""
        steps = self.encoder(windows, windows.shape[1])
        told, z = self.encoder.told.T, steps.new_zeros(len(steps), noise.shape[-1])
        drawn, deviations = [], []
        for step, deviates in zip(steps.unbind(1), noise.unbind(1), strict=True):
            before = z.detach() if self.variant == "code" else z
            mean, raw = torch.addmm(step, before, told).chunk(2, dim=-1)
            deviation = F.softplus(raw) + LEAST_DEVIATION
            z = torch.addcmul(mean, deviation, deviates)
            drawn.append(z)
            deviations.append(deviation)
        log_q = _log_normal(noise, torch.stack(deviations, dim=1)).sum(dim=(1, 2))
        z, log_det = self.flows(torch.stack(drawn, dim=1))
        return z, log_q - log_det.sum(dim=1)

    def log_likelihood(self, windows: Tensor, z: Tensor, last: int) -> Tensor:
        """log p(x|z) (B, last, D) of the `last` steps by column."""
        mean, raw = self.decoder(z, last).chunk(2, dim=-1)
        deviation = F.softplus(raw) + LEAST_DEVIATION
        return _log_normal((windows[:, -last:] - mean) / deviation, deviation)

    def terms(self, windows: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log p(x|z), log p(z) and log q(z|x) of codes drawn by `noise`, (B,) each."""
        z, log_q = self.codes(windows, noise)
        return self.log_likelihood(windows, z, windows.shape[1]).sum(dim=(1, 2)), self.prior(z), log_q

    def loss(self, batch: WindowBatch) -> Tensor:
        """The negative evidence bound of a window by one draw, the mean over the batch; see above for the variants."""
        noise = torch.randn(*batch.windows.shape[:2], self.noise.shape[-1], device=batch.windows.device)
        likelihood, prior, log_q = self.terms(batch.windows, noise)
        bound = likelihood - log_q
        return -(bound + prior if self.variant == "paper" else bound).mean()

    def objectives(self, config: Config) -> list[Objective]:
        """The loss, by Adam with `weight_decay` added to the gradient, as an l2 penalty is."""
        parameters = self.parameters()
        adam = torch.optim.Adam(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
        return [Objective(self.loss, adam)]

    def errors(self, windows: Tensor, last: int) -> Tensor:
        """-log p(x_t|z) of the `last` steps by column, by one draw of z.

        As published, `last` is 1; more makes scoring cheaper by that factor, and then the earlier of the steps are
        judged by codes of less of what was before. The draw is the same for all windows and was made with the network:
        what a step scores does not depend on what is scored beside it, so that a stream gives what the whole gives.
        """
        z, _ = self.codes(windows, self.noise[None])
        return -self.log_likelihood(windows, z, last)


def _log_normal(deviates: Tensor, deviation: Tensor) -> Tensor:
    """The log density of a normal that many deviations from its mean."""
    return -deviates.square() / 2 - deviation.log() - math.log(2 * math.pi) / 2


def omnianomaly(
    config: Config, task: SeriesTask, known: dict[str, list[str]], folder: Path, device: torch.device
) -> WindowDetector:
    """The detector that the settings describe."""

    def network(num_columns: int) -> OmniAnomaly:
        return OmniAnomaly(
            num_columns, config.window, config.hidden, config.latent, config.planar_flows, config.variant
        )

    return WindowDetector(config, known, device, network)
