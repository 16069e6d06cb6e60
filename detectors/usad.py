"""USAD: two autoencoders that share an encoder, the second trained to tell what the first makes from the real.

Audibert et al., "USAD: UnSupervised Anomaly Detection on Multivariate Time Series", KDD 2020, sections 3.2 to 3.4 and
algorithms 1 and 2. Written from a specification of the paper, not from the authors' code, which agrees with it but for
the settings: the paper has windows of 5 steps, codes of 55 numbers for SMAP (33 for MSL) and 250 epochs, as
configs/usad.py does; the code has 12 steps, codes of 100 numbers a step and 100 epochs (`--window 12 --latent 1200
--meta-epochs 100`). The paper also takes medians of 5 steps, which this does not: it scores every step.

The second loss rewards a bad reconstruction. What the decoders give lies between 0 and 1, as the training does, so it
stays above -1; a later epoch weighs it more, and more epochs are not always better.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from datasets import SeriesTask
from detectors.loop import Objective
from detectors.windowed import WindowBatch, WindowDetector, WindowNetwork
from settings.config import Config


class USAD(WindowNetwork):
    """Encoder and two decoders of windows (B, K, D) as vectors of n = K D numbers; `latent` is the size of a code.

    n -> n/2 -> n/4 -> latent, a ReLU behind each, and back, a sigmoid at the end.
    """

    def __init__(self, num_columns: int, window: int, latent: int, first_share: float) -> None:
        super().__init__()
        self.first_share = first_share
        size = num_columns * window
        sizes = [size, max(size // 2, 1), max(size // 4, 1), latent]
        self.encoder = _layers(sizes, nn.ReLU())
        self.decoders = nn.ModuleList(_layers(sizes[::-1], nn.Sigmoid()) for _ in range(2))

    def reconstructions(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """D1(E(w)), D2(E(w)) and D2(E(D1(E(w)))) of windows as vectors w (B, n)."""
        first, second = self.decoders
        code = self.encoder(windows)
        return (made := first(code)), second(code), second(self.encoder(made))

    def first_loss(self, batch: WindowBatch) -> Tensor:
        """What encoder and first decoder lower: |w - w1|^2 / n + (1 - 1/n) |w - w3|^2 in epoch n."""
        windows = batch.windows.flatten(1)
        own, _, twice = self.reconstructions(windows)
        return _distance(windows, own) / self.epoch + (1 - 1 / self.epoch) * _distance(windows, twice)

    def second_loss(self, batch: WindowBatch) -> Tensor:
        """What encoder and second decoder lower: |w - w2|^2 / n - (1 - 1/n) |w - w3|^2 in epoch n."""
        windows = batch.windows.flatten(1)
        _, own, twice = self.reconstructions(windows)
        return _distance(windows, own) / self.epoch - (1 - 1 / self.epoch) * _distance(windows, twice)

    def objectives(self, config: Config) -> list[Objective]:
        """Both losses, each with an Adam of its own."""
        losses = (self.first_loss, self.second_loss)
        return [
            Objective(loss, torch.optim.Adam([*self.encoder.parameters(), *decoder.parameters()], lr=config.lr))
            for loss, decoder in zip(losses, self.decoders, strict=True)
        ]

    def errors(self, windows: Tensor, last: int) -> Tensor:
        """alpha |w - w1|^2 + beta |w - w3|^2 by column, the mean over the window, for its last steps alike.

        `first_share` is alpha, and beta the rest: the paper's sensitivity, section 3.4.
        """
        vectors = windows.flatten(1)
        own, _, twice = self.reconstructions(vectors)
        squares = self.first_share * (vectors - own).square() + (1 - self.first_share) * (vectors - twice).square()
        return squares.view_as(windows).mean(dim=1, keepdim=True).expand(-1, last, -1)


def _layers(sizes: list[int], last: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number_in, number_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(number_in, number_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1], last)


def _distance(windows: Tensor, made: Tensor) -> Tensor:
    return (windows - made).square().mean()


def usad(
    config: Config, task: SeriesTask, known: dict[str, list[str]], folder: Path, device: torch.device
) -> WindowDetector:
    """The detector that the settings describe."""
    return WindowDetector(
        config, known, device, lambda columns: USAD(columns, config.window, config.latent, config.first_share)
    )
