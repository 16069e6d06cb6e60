"""Pretraining: its energies are those of the heads, its labels those of the steps, and what it writes can be used."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data.synthetic.fleet import PRETRAINING, VALIDATION
from models import pretrain
from models.densities.gaussian import GaussianDensity
from models.densities.memory import MemoryDensity
from models.extractors import build_extractor
from models.extractors.telemetry import TelemetryNetwork


def test_energies_are_those_of_the_heads() -> None:
    random = torch.Generator().manual_seed(0)
    context, query = (torch.randn(3, 5, width, generator=random) for width in (40, 24))
    densities = GaussianDensity(3, [5], pretrain.FLOOR), MemoryDensity(3, [5], 1000)
    for found, density in zip(pretrain.energies(context, query), densities, strict=True):
        density.fit([[features[None, :, None]] for features in context], 0)
        expected = density([query[:, :, None]], torch.arange(3))[0][:, 0]
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-4)  # variance of N or of N - 1


def test_labels_of_cells_against_a_slow_reference() -> None:
    odd = torch.zeros(2, 96)
    odd[0, 30:47] = 1
    odd[1, 0:3] = 1
    anomalous, counts = pretrain.cell_labels(odd, 8)
    for row in range(2):
        for cell in range(12):
            inside = odd[row, 8 * cell : 8 * cell + 8]
            around = odd[row, max(8 * (cell - 2), 0) : 8 * (cell + 3)]
            assert anomalous[row, cell] == float(inside.mean() >= 0.5)
            assert counts[row, cell] == float(inside.mean() >= 0.5 or not around.any())


def test_the_loss_falls_where_energies_tell_anomalies(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = pretrain.Judge(1)
    odd = torch.zeros(4, 64)
    odd[:, 24:40] = 1
    right = torch.where(odd[:, ::8] > 0, 50.0, 0.1).expand(2, 4, 8)
    wrong = torch.where(odd[:, ::8] > 0, 0.1, 50.0).expand(2, 4, 8)
    assert judge(0, right, odd) < judge(0, torch.ones(2, 4, 8), odd) < judge(0, wrong, odd)


def test_episodes_are_reproducible_and_of_two_parts() -> None:
    first, again = (pretrain.make_episodes(PRETRAINING, 0, 3, 4) for _ in range(2))
    for part, same in zip(first, again, strict=True):
        assert torch.equal(part, same)
    assert [tuple(part.shape) for part in first] == [(4, pretrain.CONTEXT), (4, pretrain.QUERY), (4, pretrain.QUERY)]
    assert not torch.equal(first[0], pretrain.make_episodes(VALIDATION, 0, 3, 4)[0])


@pytest.mark.parametrize("network", pretrain.NETWORKS)
def test_a_short_pretraining_gives_the_same_file_twice_which_loads(
    network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name, value in {"CONTEXT": 256, "QUERY": 128, "CHANNELS": 3, "CHECK_CHANNELS": 6, "CHECK_EVERY": 2}.items():
        monkeypatch.setattr(pretrain, name, value)
    for folder in ("one", "two"):
        assert pretrain.main([network, "--steps", "3", "--folder", str(tmp_path / folder)]) == 0
    files = [(tmp_path / folder / f"{network}.safetensors").read_bytes() for folder in ("one", "two")]
    assert files[0] == files[1]
    log = (tmp_path / "one" / f"{network}.csv").read_text().splitlines()
    assert log[0] == "step,loss 1,loss 2,loss 3,validation ROC AUC,validation AP"
    assert [line.split(",")[0] for line in log[1:]] == ["2", "3"]
    assert "sha256" in capsys.readouterr().out
    extractor = build_extractor(network, str(tmp_path / "one" / f"{network}.safetensors"), 0)
    assert all(level.isfinite().all() for level in extractor(torch.randn(1, 3, 1, 200)))


def test_what_is_written_is_the_trained_network_in_half_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = TelemetryNetwork(fused=False)
    for _ in range(3):  # statistics of the batch normalisation that are not the first
        network(torch.randn(8, 1, 128))
    pretrain.save(network, tmp_path / "telemetry.safetensors")
    extractor = build_extractor("telemetry", str(tmp_path / "telemetry.safetensors"), 0)
    line = torch.randn(2, 1, 320)
    with torch.no_grad():
        expected = network.eval()(line)
    for found, level in zip(extractor(line[:, :, None].expand(-1, 3, -1, -1)), expected, strict=True):
        assert (found[:, :, 0] - level).abs().max() < 0.02 * level.abs().max()


def test_a_wrong_name_is_one_line(capsys: pytest.CaptureFixture) -> None:
    assert pretrain.main(["telemetri"]) == 2
    assert "unknown network 'telemetri'. Did you mean 'telemetry'?" in capsys.readouterr().err


def test_the_weights_that_come_with_it_beat_untrained_ones_on_the_validation_fleet() -> None:
    found = {}
    for weights in ("auto", "random"):
        network = build_extractor("telemetry", weights, 0).network
        found[weights] = np.array(pretrain.check(network))
    assert (found["auto"] > found["random"] + 0.05).all()
