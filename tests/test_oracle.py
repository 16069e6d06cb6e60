"""Agreement with the original MSFlow, number for number: its checkpoints load and give what it computed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import plain, shared_file

from data.source import Labels
from data.telemanom import TelemanomSource
from datasets import SMAPDataset
from models.checkpoints import load_flow, read_checkpoint
from models.extractors import build_extractor
from models.flows import MSFlow, log_likelihood_maps, negative_log_likelihood
from post_process import add_score_map, mul_score_map, picture_scores

TINY = Path(__file__).with_name("oracle")
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def load(checkpoint: Path) -> tuple[MSFlow, dict[str, np.ndarray]]:
    with np.load(checkpoint.with_suffix(".npz"), allow_pickle=False) as arrays:
        oracle = dict(arrays)
    make = [oracle[name].tolist() for name in ("feats", "conds", "blocks", "clamp")]
    flow = MSFlow(*make, pool_type="avg")
    load_flow(checkpoint, read_checkpoint(checkpoint), flow)
    return flow, oracle


def assert_same_maps(z: list[torch.Tensor], oracle: dict[str, np.ndarray]) -> None:
    size = tuple(oracle["input_size"].tolist())
    logp = log_likelihood_maps(z)
    for level, found in enumerate(logp):
        np.testing.assert_allclose(found, oracle[f"logp{level}"], **CLOSE)
    mul_map = mul_score_map(logp, size)
    np.testing.assert_allclose(add_score_map(logp, size), oracle["anomaly_score_map_add"], **CLOSE)
    np.testing.assert_allclose(mul_map, oracle["anomaly_score_map_mul"], **CLOSE)
    np.testing.assert_allclose(picture_scores(mul_map, float(oracle["top_k"])), oracle["anomaly_score"], **CLOSE)


@pytest.mark.parametrize("name", ["flow-tiny-a", "flow-tiny-b"])
def test_flows_and_score_maps(name: str) -> None:
    flow, oracle = load(TINY / f"{name}.pt")
    with torch.inference_mode():
        z, log_det = flow([torch.from_numpy(oracle[f"feature{level}"]) for level in range(3)])
        for level in range(3):
            np.testing.assert_allclose(z[level], oracle[f"z{level}"], **CLOSE)
        np.testing.assert_allclose(log_det, oracle["jac"], rtol=1e-4)
        np.testing.assert_allclose(negative_log_likelihood(z, log_det), oracle["loss"], rtol=1e-4)
        assert_same_maps(z, oracle)


@pytest.mark.parametrize("name", ["flow-tiny-a", "flow-tiny-b"])
def test_five_training_steps(name: str) -> None:
    flow, oracle = load(TINY / f"{name}.pt")
    pyramid = [torch.from_numpy(oracle[f"train_feature{level}"]) for level in range(3)]
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-4)
    losses = []
    for _ in range(5):
        loss = negative_log_likelihood(*flow(pyramid))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 2)
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(losses, oracle["train_losses"], rtol=1e-4)
    with torch.no_grad():
        after = negative_log_likelihood(*flow([torch.from_numpy(oracle[f"feature{level}"]) for level in range(3)]))
    np.testing.assert_allclose(after, oracle["loss_after_training"], rtol=1e-4)


def test_the_whole_way_on_two_real_channels(tmp_path: Path) -> None:
    flow, oracle = load(shared_file("oracle/smap-resnet18.pt"))
    weights = shared_file("weights/resnet18-stem-layer1-3.bnfolded-approx.fp32.safetensors")
    channels = oracle["channels"].tolist()
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "labeled_anomalies.csv").write_bytes(shared_file("data/smap/labeled_anomalies.csv").read_bytes())
    with np.load(shared_file("data/smap/smap_test.npz"), allow_pickle=False) as arrays:
        for channel in channels:
            np.save(tmp_path / "test" / f"{channel}.npy", arrays[channel])
    pictures = SMAPDataset(
        Labels(TelemanomSource(tmp_path, "SMAP")),
        channels,
        "test",
        tuple(oracle["input_size"].tolist()),
        plain(tuple(oracle["smap_used_dims"].tolist())),
        tuple(oracle["img_mean"].tolist()),
        tuple(oracle["img_std"].tolist()),
    )
    images = torch.stack([torch.from_numpy(pictures[index][0]) for index in range(len(channels))])
    np.testing.assert_allclose(images[:, :, 100], oracle["image_row"], **CLOSE)
    pyramid = build_extractor("resnet18", str(weights), seed=0)(images)
    for level, features in enumerate(pyramid):
        np.testing.assert_allclose(features[:, :, 3], oracle[f"feature{level}_row"], **CLOSE)
    with torch.inference_mode():
        z, log_det = flow(pyramid)
        np.testing.assert_allclose(log_det, oracle["jac"], rtol=1e-4)
        np.testing.assert_allclose(negative_log_likelihood(z, log_det), oracle["loss"], rtol=1e-4)
        assert_same_maps(z, oracle)
