"""OmniAnomaly against slow references: a loop in numpy, autograd's Jacobian, a dense normal; and what it finds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_telemanom
from scipy.special import expit
from scipy.stats import multivariate_normal, norm
from torch import Tensor

import main
from detectors import windowed
from detectors.omnianomaly import OmniAnomaly, PlanarFlows, RandomWalk
from detectors.run import reopened
from detectors.windowed import WindowBatch
from models.checkpoints import read_checkpoint
from settings.load import load_config

STEPS, COLUMNS, LATENT = 7, 4, 3
BOTH = pytest.mark.parametrize("variant", ["paper", "code"])


def network(variant: str = "paper", planar_flows: int = 2) -> OmniAnomaly:
    """A tiny one in double precision, away from its start."""
    torch.manual_seed(0)
    made = OmniAnomaly(COLUMNS, STEPS, 5, LATENT, planar_flows, variant).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def windows(number: int = 6) -> Tensor:
    return torch.rand(number, STEPS, COLUMNS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def noise(number: int = 6) -> Tensor:
    return torch.randn(number, STEPS, LATENT, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_the_log_determinant_of_planar_flows_is_autograds() -> None:
    torch.manual_seed(0)
    flows, z = PlanarFlows(4, LATENT).double(), torch.randn(20, LATENT, dtype=torch.float64)
    for parameter in flows.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    assert (flows.weight * flows.shift).sum(dim=1).min() < -1, "without a correction there would be no inverse"
    bent, log_det = flows(z.requires_grad_())
    rows = [torch.autograd.grad(bent[:, row].sum(), z, retain_graph=True)[0] for row in range(LATENT)]
    jacobians = torch.stack(rows, dim=1)
    signs, expected = torch.linalg.slogdet(jacobians)
    assert (signs > 0).all() and bent.shape == z.shape
    torch.testing.assert_close(log_det, expected)


def test_planar_flows_begin_near_the_identity() -> None:
    torch.manual_seed(0)
    z = torch.randn(1000, LATENT)
    bent, log_det = PlanarFlows(20, LATENT)(z)
    assert (bent - z).norm(dim=1).median() < z.norm(dim=1).median() / 2 and log_det.abs().median() < 1
    bent, log_det = PlanarFlows(0, LATENT)(z)
    assert bent is z and not log_det.any()


def test_the_prior_is_a_dense_normal() -> None:
    """z = O s + e with s the sums of unit steps: the covariance by matrices."""
    rng = np.random.default_rng(0)
    sums = np.tril(np.ones((STEPS, STEPS)))
    dense = multivariate_normal(cov=sums @ sums.T + np.eye(STEPS))
    z = 3 * rng.normal(size=(5, STEPS, LATENT))
    expected = [sum(dense.logpdf(one[:, number]) for number in range(LATENT)) for one in z]
    np.testing.assert_allclose(RandomWalk(STEPS).double()(torch.from_numpy(z)), expected, rtol=1e-6)


def gru(weights: dict[str, np.ndarray], name: str, series: np.ndarray) -> np.ndarray:
    """What two dense layers make of the states of a GRU over (T, D), step by step."""
    state, found = np.zeros(5), []
    for x in series:
        told = weights[f"{name}.gru.weight_ih_l0"] @ x + weights[f"{name}.gru.bias_ih_l0"]
        kept = weights[f"{name}.gru.weight_hh_l0"] @ state + weights[f"{name}.gru.bias_hh_l0"]
        (r, u, n), (hr, hu, hn) = np.split(told, 3), np.split(kept, 3)
        update = expit(u + hu)
        state = (1 - update) * np.tanh(n + expit(r + hr) * hn) + update * state
        dense = state
        for number in range(2):
            dense = weights[f"{name}.dense.{number}.weight"] @ dense + weights[f"{name}.dense.{number}.bias"]
        found.append(dense)
    return np.array(found)


def normal(weights: dict[str, np.ndarray], name: str, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, raw = np.split(weights[f"{name}.out.weight"] @ told + weights[f"{name}.out.bias"], 2)
    return mean, np.log1p(np.exp(raw)) + 1e-4


def slowly(made: OmniAnomaly, window: np.ndarray, deviates: np.ndarray) -> tuple[np.ndarray, float, float]:
    """log p(x|z) by step and column, log p(z) by a Kalman filter, and log q(z|x) of one window."""
    weights = {name: parameter.detach().numpy() for name, parameter in made.named_parameters()}
    before, log_q, codes = np.zeros(LATENT), 0.0, []
    for told, eps in zip(gru(weights, "encoder", window), deviates, strict=True):
        mean, deviation = normal(weights, "encoder", np.concatenate([told, before]))
        before = mean + deviation * eps
        log_q += norm.logpdf(before, mean, deviation).sum()
        z = before
        for w, u, b in zip(weights["flows.weight"], weights["flows.shift"], weights["flows.bias"], strict=True):
            v = u + (-1 + np.log1p(np.exp(w @ u)) - w @ u) * w / (w @ w)
            log_q -= np.log(abs(1 + v @ w * (1 - np.tanh(w @ z + b) ** 2)))
            z = z + v * np.tanh(w @ z + b)
        codes.append(z)
    log_prior, place, variance = 0.0, np.zeros(LATENT), 1.0
    for z in codes:
        log_prior += norm.logpdf(z, place, np.sqrt(variance + 1)).sum()
        gain = variance / (variance + 1)
        place, variance = place + gain * (z - place), variance * (1 - gain) + 1
    told = gru(weights, "decoder", np.array(codes))
    moments = [normal(weights, "decoder", one) for one in told]
    return np.array([norm.logpdf(x, *both) for x, both in zip(window, moments, strict=True)]), log_prior, log_q


@BOTH
def test_the_loss_and_its_terms_are_those_of_a_loop(variant: str) -> None:
    made, x = network(variant), windows()
    torch.manual_seed(3)
    loss = made.loss(WindowBatch(x))
    torch.manual_seed(3)
    drawn = torch.randn(6, STEPS, LATENT)
    expected = [slowly(made, *pair) for pair in zip(x.numpy(), drawn.double().numpy(), strict=True)]
    found = [term.detach().numpy() for term in made.terms(x, drawn.double())]
    wanted = np.array([[likelihood.sum(), prior, log_q] for likelihood, prior, log_q in expected]).T
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    signs = [1, 1, -1] if variant == "paper" else [1, 0, -1]
    assert loss.item() == pytest.approx(-(np.array(signs) @ wanted).mean(), rel=1e-5)


def test_errors_are_the_likelihoods_of_the_last_steps() -> None:
    made, x = network(), windows()
    expected = np.array([-slowly(made, window, made.noise.numpy())[0] for window in x.numpy()])
    for last in (1, 3, STEPS):
        np.testing.assert_allclose(made.errors(x, last).detach(), expected[:, -last:], rtol=1e-6)


@BOTH
def test_a_gradient_reaches_every_parameter(variant: str) -> None:
    """In the variant of the code too: what it cuts is the way through the codes before, not a parameter."""
    made = network(variant)
    made.loss(WindowBatch(windows())).backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(), name


@pytest.mark.parametrize(("variant", "ways"), [("paper", STEPS), ("code", 1)])
def test_the_gradient_through_the_codes_before(variant: str, ways: int) -> None:
    """The last code is a sum of powers of the recurrence W times the bias: of all of them, or of the first alone."""
    made, recurrence = network(variant, planar_flows=0), torch.randn(LATENT, LATENT, dtype=torch.float64) / 2
    with torch.no_grad():
        made.encoder.out.weight.zero_()
        made.encoder.out.weight[:LATENT, -LATENT:] = recurrence
    z, _ = made.codes(windows(1), noise(1))
    z[0, -1].sum().backward()
    expected = sum(np.ones(LATENT) @ np.linalg.matrix_power(recurrence.numpy(), power) for power in range(ways))
    np.testing.assert_allclose(made.encoder.out.bias.grad[:LATENT], expected)


def test_the_settings_are_those_published() -> None:
    config = load_config(keywords={"detector": "omnianomaly"})
    assert (config.window, config.hidden, config.latent, config.planar_flows) == (100, 500, 3, 20)
    assert (config.batch_size, config.meta_epochs * config.sub_epochs, config.stride) == (50, 10, 1)
    assert (config.lr, config.weight_decay, config.grad_clip, config.variant) == (1e-3, 1e-4, 10.0, "paper")
    (objective,) = network().objectives(config)
    assert objective.optimizer.param_groups[0]["weight_decay"] == 1e-4


# The command

TINY = {"window": 12, "hidden": 16, "latent": 2, "planar-flows": 2, "stride": 3, "batch-size": 16, "lr": 0.01}
EVENT = slice(150, 180)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two channels of two columns that go together, but for an event within the range of the training."""
    folder = write_telemanom(tmp_path / "telemetry", {"P-1": (420, 300), "S-1": (360, 240)}, columns=2)
    for file in folder.rglob("*.npy"):
        angles = np.arange(len(np.load(file))) / 4
        series = np.stack([np.sin(angles), np.cos(angles)], axis=1)
        if file.parent.name == "test":
            series[EVENT, 1] *= -1
        np.save(file, series + 0.05 * np.random.default_rng(len(series)).normal(size=series.shape))
    return folder


def run(data: Path, work_dir: str, *flags: str) -> Path:
    """The folder of a run of main.py."""
    tiny = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]
    places = ("--data-path", str(data), "--work-dir", str(data.parent / work_dir), "--device", "cpu")
    assert main.main(["--dataset", "smap", "--detector", "omnianomaly", *places, *tiny, "--mode", "train", *flags]) == 0
    (last,) = (data.parent / work_dir).rglob("last.pt")
    return last.parent


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_it_learns_and_finds_an_event(data: Path) -> None:
    folder = run(data, "runs", "--meta-epochs", "16")
    course, detector = losses(folder), reopened(folder).detector
    assert np.mean(course[-3:]) < course[0] - 10
    for channel in ("P-1", "S-1"):
        (scores,) = detector.scores(channel, np.load(data / "test" / f"{channel}.npy")).rows
        assert scores[EVENT].mean() > np.delete(scores, EVENT).mean() + 1


def test_the_variant_of_the_code_learns(data: Path) -> None:
    course = losses(run(data, "runs", "--meta-epochs", "4", "--variant", "code"))
    assert course == sorted(course, reverse=True)


def test_scores_do_not_depend_on_how_much_is_scored_at_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = reopened(run(data, "runs", "--meta-epochs", "1")).detector
    series, begin = np.load(data / "test" / "P-1.npy"), 20 * detector.grid
    whole, part = detector.scores("P-1", series).rows, detector.scores("P-1", series[begin:]).rows
    edge = detector.reach
    np.testing.assert_allclose(part[:, edge:], whole[:, begin + edge :], rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(windowed, "VALUES_AT_ONCE", 1)
    np.testing.assert_allclose(detector.scores("P-1", series).rows, whole, rtol=1e-4, atol=1e-5)


def test_a_resumed_training_is_the_same_bit_for_bit(data: Path) -> None:
    once = run(data, "once", "--meta-epochs", "2")
    run(data, "twice", "--meta-epochs", "1")
    twice = run(data, "twice", "--meta-epochs", "2", "--resume")
    first, second = (read_checkpoint(folder / "last.pt")["network"] for folder in (once, twice))
    assert first.keys() == second.keys() and "noise" in first
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert losses(once) == losses(twice) and len(losses(once)) == 2
    series = np.load(data / "test" / "S-1.npy")
    found, again = (reopened(folder).detector.scores("S-1", series).rows for folder in (once, twice))
    np.testing.assert_array_equal(found, again)
