"""USAD's equations on numbers worked out by hand, and its training from end to end."""

import json
from pathlib import Path

import pytest
import torch
from conftest import write_telemanom
from torch import nn

import main
from detectors.loop import objectives_of
from detectors.usad import USAD
from detectors.windowed import WindowBatch
from settings.load import load_config


class Plus(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values + 1


class Twice(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return 2 * values


def by_hand(first_share: float = 0.5) -> USAD:
    """E(w) = w, D1(c) = c + 1, D2(c) = 2 c: of w = (1, 2), w1 = (2, 3), w2 = (2, 4) and w3 = 2 (w + 1) = (4, 6)."""
    network = USAD(1, 2, 1, first_share)
    network.encoder, network.decoders = nn.Identity(), nn.ModuleList([Plus(), Twice()])
    return network


WINDOW = torch.tensor([[[1.0], [2.0]]])


@pytest.mark.parametrize(("epoch", "first", "second"), [(1, 1.0, 2.5), (4, 0.25 + 9.375, 0.625 - 9.375)])
def test_both_losses_and_the_weights_of_an_epoch(epoch: int, first: float, second: float) -> None:
    """|w - w1|^2 = 1, |w - w2|^2 = (1 + 4) / 2 and |w - w3|^2 = (9 + 16) / 2, means over the window."""
    network = by_hand()
    network.epoch = epoch
    assert network.first_loss(WindowBatch(WINDOW)).item() == pytest.approx(first)
    assert network.second_loss(WindowBatch(WINDOW)).item() == pytest.approx(second)


@pytest.mark.parametrize(("share", "expected"), [(1.0, 1.0), (0.0, 12.5), (0.2, 0.2 + 0.8 * 12.5)])
def test_a_window_scores_alpha_of_the_first_and_the_rest_of_the_second(share: float, expected: float) -> None:
    found = by_hand(share).errors(WINDOW, 2)
    torch.testing.assert_close(found, torch.full((1, 2, 1), expected))


def test_each_loss_lowers_the_encoder_and_its_own_decoder() -> None:
    torch.manual_seed(0)
    network = USAD(3, 8, 24, 0.5)
    objectives = objectives_of(network, load_config(flags={"detector": "usad"}))
    windows = WindowBatch(torch.rand(64, 8, 3))
    network.epoch = 2
    for objective, decoder in zip(objectives, network.decoders, strict=True):
        network.zero_grad()
        objective.loss(windows).backward()
        own = {id(parameter) for group in objective.optimizer.param_groups for parameter in group["params"]}
        assert own == {id(parameter) for part in (network.encoder, decoder) for parameter in part.parameters()}
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters() if id(p) in own)


def flags(data: Path, folder: Path, epochs: int, *more: str) -> list[str]:
    named = ("--detector", "usad", "--dataset", "smap", "--data-path", str(data), "--work-dir", str(folder))
    tiny = ("--window", "8", "--latent", "6", "--batch-size", "64", "--meta-epochs", str(epochs), "--no-report")
    return [*named, *tiny, *more]


def test_the_loss_falls_and_a_continued_training_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_telemanom(tmp_path / "telemetry", {"P-1": (300, 300), "S-1": (280, 260)})
    assert main.main(flags(data, tmp_path / "whole", 4)) == 0
    told = "detector = usad begins with the settings of configs/usad.py; set otherwise: window = 8, latent = 6, "
    assert f"{told}batch_size = 64, meta_epochs = 4." in capsys.readouterr().out
    assert main.main(flags(data, tmp_path / "parts", 2)) == 0
    assert main.main(flags(data, tmp_path / "parts", 4, "--resume")) == 0
    assert "Continues after meta epoch 2" in capsys.readouterr().out
    kept = [torch.load(tmp_path / f / "usad/smap/SMAP/last.pt", weights_only=True) for f in ("whole", "parts")]
    torch.testing.assert_close(kept[1]["network"], kept[0]["network"], rtol=0, atol=0)
    torch.testing.assert_close(kept[1]["optimizer"], kept[0]["optimizer"], rtol=0, atol=0)
    assert len(kept[0]["optimizer"]) == 2
    lines = (tmp_path / "whole" / "usad" / "smap" / "SMAP" / "log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0] / 2
