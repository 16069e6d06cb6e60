"""TranAD: a transformer estimates a window twice, the second time told where it erred, and trained as an adversary.

Tuli et al., "TranAD: Deep Transformer Networks for Anomaly Detection in Multivariate Time Series Data", VLDB 2022,
section 3. Written from the paper and a specification of the authors' code, which differ:

- Target. The paper rebuilds the whole window from itself behind a mask that hides what follows a step, and shows its
  encoder everything; the code rebuilds the last step alone, and its decoders ask with that very step. Either way the
  answer is in the question. Here `variant` = "paper" moves the window on by one step and puts the mask everywhere: the
  first estimate of a step knows those before it in the window only. "code" leaks as the code does.
- Losses. The paper's second decoder raises what the first lowers. In the code the minus is missing: both decoders, in
  one optimizer, lower the same sum.
- Layers. In the code they have no LayerNorm, and "LeakyReLU(True)" has slope 1: it does nothing. Sine and cosine are
  added up in its positional code instead of taking turns.
- Score. The paper takes both estimates, half and half (`first_share`), the code the second alone.

"paper" is the default, for what leaks can learn to hand on what it is given. It differs from the paper in this, too:
the weights of the losses are the code's 1/n and 1 - 1/n in epoch n, not eps^-n with an eps "close to one" that nobody
tells; and the encoder sees the window without the series before it, as in the code. Its second loss rewards a bad
estimate: O2' can be far from every step from the third epoch on, so more epochs are not always better.

Neither has the paper's meta learning (MAML), which the code leaves out as well. Both have D heads for 2 D numbers a
step, an output layer that the decoders share, and a gradient through the focus. Unlike the code's, windows come in
random order, in float32, and one network learns all channels. Units are those of windowed.py: the code's, whose width
is 1e-4 more, multiply a column that was constant in training by 10,000.

With `stride` > 1 each of the last steps of a window is estimated from what its window has of it, fewer steps before
for the earlier ones. "code" then asks once for each, with the step itself, but is trained to rebuild the last.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from datasets import SeriesTask
from detectors.loop import Objective
from detectors.windowed import WindowBatch, WindowDetector, WindowNetwork
from settings.config import Config

DROPOUT = 0.1


class Layer(nn.Module):
    """Attention of a sequence (B, K, size) to itself, to another where `crossed`, and two linear layers.

    Each is added to what went in, and normalised where `normed`, which also puts a ReLU between the linear layers.
    """

    def __init__(self, size: int, heads: int, hidden: int, crossed: bool, normed: bool) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(
            nn.MultiheadAttention(size, heads, dropout=DROPOUT, batch_first=True) for _ in range(1 + crossed)
        )
        between = nn.ReLU() if normed else nn.Identity()
        self.linear = nn.Sequential(nn.Linear(size, hidden), between, nn.Dropout(DROPOUT), nn.Linear(hidden, size))
        self.norms = nn.ModuleList(nn.LayerNorm(size) if normed else nn.Identity() for _ in range(2 + crossed))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, values: Tensor, *memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, K, size); `mask` is true where a step must not look."""
        *norms, last_norm = self.norms
        for attention, norm, seen in zip(self.attentions, norms, (None, *memory), strict=True):
            seen = values if seen is None else seen
            found, _ = attention(values, seen, seen, attn_mask=mask, need_weights=False)
            values = norm(values + self.dropout(found))
        return last_norm(values + self.dropout(self.linear(values)))


class TranAD(WindowNetwork):
    """An encoder layer and two decoder layers of windows (B, K, D), as the paper means them; `hidden`: linear units."""

    normed = True

    def __init__(self, num_columns: int, hidden: int, first_share: float) -> None:
        super().__init__()
        self.first_share = first_share
        size = 2 * num_columns
        self.encoder = Layer(size, num_columns, hidden, crossed=False, normed=self.normed)
        self.decoders = nn.ModuleList(
            Layer(size, num_columns, hidden, crossed=True, normed=self.normed) for _ in range(2)
        )
        self.output = nn.Sequential(nn.Linear(size, num_columns), nn.Sigmoid())
        self.dropout = nn.Dropout(DROPOUT)

    def positions(self, length: int, size: int) -> Tensor:
        """Sines and cosines in turn (length, size): Vaswani et al., "Attention Is All You Need", section 3.5."""
        angles = torch.arange(length)[:, None] / 10_000 ** (torch.arange(0, size, 2) / size)
        return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)

    def embedded(self, values: Tensor, focus: Tensor) -> Tensor:
        """Values and focus (B, K, D) as one sequence (B, K, 2 D), times sqrt(D), with the code of the positions."""
        joined = torch.cat([values, focus], dim=2) * math.sqrt(values.shape[2])
        return self.dropout(joined + self.positions(*joined.shape[1:]).to(joined))

    def estimates(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """O1, O2 and O2' of windows, (B, K, D) each: of both decoders, and of the second with the focus (O1 - W)^2.

        O1 and O2 of a step know nothing of it, nor of later ones; O2' knows of it how far O1 is from it.
        """
        past = nn.functional.pad(windows[:, :-1], (0, 0, 1, 0))
        mask = torch.ones(windows.shape[1], windows.shape[1], dtype=torch.bool, device=windows.device).triu(1)
        query, (first, second) = self.embedded(past, past), self.decoders
        memory = self.encoder(self.embedded(past, torch.zeros_like(past)), mask=mask)
        own = self.output(first(query, memory, mask=mask))
        other = self.output(second(query, memory, mask=mask))
        memory = self.encoder(self.embedded(past, (own - windows).square()), mask=mask)
        return own, other, self.output(second(query, memory, mask=mask))

    def first_loss(self, batch: WindowBatch) -> Tensor:
        """What encoder and first decoder lower: |O1 - W|^2 / n + (1 - 1/n) |O2' - W|^2 in epoch n."""
        own, _, focused = self.estimates(batch.windows)
        return self.weighed(_distance(own, batch.windows), _distance(focused, batch.windows))

    def second_loss(self, batch: WindowBatch) -> Tensor:
        """What encoder and second decoder lower: |O2 - W|^2 / n - (1 - 1/n) |O2' - W|^2 in epoch n."""
        _, own, focused = self.estimates(batch.windows)
        return self.weighed(_distance(own, batch.windows), -_distance(focused, batch.windows))

    def weighed(self, first: Tensor, second: Tensor) -> Tensor:
        """The first by 1/n, the second by the rest, in epoch n."""
        return first / self.epoch + (1 - 1 / self.epoch) * second

    def objectives(self, config: Config) -> list[Objective]:
        """Both losses, each with an optimizer of its own; they share the encoder and the output."""
        shared = [*self.encoder.parameters(), *self.output.parameters()]
        losses = (self.first_loss, self.second_loss)
        return [
            _objective(loss, [*shared, *decoder.parameters()], config)
            for loss, decoder in zip(losses, self.decoders, strict=True)
        ]

    def errors(self, windows: Tensor, last: int) -> Tensor:
        """Of each of the last steps |O1 - W|^2, by `first_share`, and |O2' - W|^2; published half and half."""
        own, _, focused = (found[:, -last:] for found in self.estimates(windows))
        steps = windows[:, -last:]
        return self.first_share * (own - steps).square() + (1 - self.first_share) * (focused - steps).square()


class PublicCode(TranAD):
    """What the authors' code has of it: the last step (B, 1, D) of a window from that very step; no norm, no ReLU."""

    normed = False

    def positions(self, length: int, size: int) -> Tensor:
        """A sine and a cosine added up, (length, size)."""
        angles = torch.arange(length)[:, None] / 10_000 ** (torch.arange(size) / size)
        return angles.sin() + angles.cos()

    def rebuilt(self, windows: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """x1 and x2 of steps (B, 1, D): of the first decoder, and of the second with the focus (x1 - W)^2."""
        query, (first, second) = steps.repeat(1, 1, 2), self.decoders
        own = self.output(first(query, self.encoder(self.embedded(windows, torch.zeros_like(windows)))))
        return own, self.output(second(query, self.encoder(self.embedded(windows, (own - windows).square()))))

    def loss(self, batch: WindowBatch) -> Tensor:
        """|x1 - y|^2 / n + (1 - 1/n) |x2 - y|^2 in epoch n, of the last steps y."""
        steps = batch.windows[:, -1:]
        own, focused = self.rebuilt(batch.windows, steps)
        return self.weighed(_distance(own, steps), _distance(focused, steps))

    def objectives(self, config: Config) -> list[Objective]:
        """One loss for all."""
        return [_objective(self.loss, self.parameters(), config)]

    def errors(self, windows: Tensor, last: int) -> Tensor:
        """|x2 - y|^2 of each of the last steps y."""
        steps = windows[:, -last:]
        focused = [self.rebuilt(windows, step)[1] for step in steps.split(1, dim=1)]
        return (torch.cat(focused, dim=1) - steps).square()


def _objective(loss: Callable[[WindowBatch], Tensor], lowering: Iterable[nn.Parameter], config: Config) -> Objective:
    return Objective(loss, torch.optim.AdamW(lowering, lr=config.lr, weight_decay=config.weight_decay, fused=True))


def _distance(made: Tensor, real: Tensor) -> Tensor:
    return (made - real).square().mean()


def tranad(
    config: Config, task: SeriesTask, known: dict[str, list[str]], folder: Path, device: torch.device
) -> WindowDetector:
    """The detector that the settings describe."""
    network = {"paper": TranAD, "code": PublicCode}[config.variant]
    return WindowDetector(config, known, device, lambda columns: network(columns, config.hidden, config.first_share))
