"""TranAD in both variants: its losses, what its estimates know, and its training."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_telemanom
from torch import Tensor, nn

import main
from detectors.loop import LAST
from detectors.tranad import PublicCode, TranAD, tranad
from detectors.windowed import WindowBatch
from models.checkpoints import read_checkpoint
from settings.load import load_config

COLUMNS, WINDOW = 3, 6
NETWORKS = {"paper": TranAD, "code": PublicCode}
every_variant = pytest.mark.parametrize("variant", NETWORKS)


def network(variant: str, seed: int = 0) -> TranAD:
    torch.manual_seed(seed)
    made = NETWORKS[variant](COLUMNS, 8, 0.25).eval()
    made.epoch = 2
    return made


def windows(count: int = 4, seed: int = 1) -> Tensor:
    return torch.rand(count, WINDOW, COLUMNS, generator=torch.Generator().manual_seed(seed))


class Answers(nn.Module):
    """An output layer that gives constants in turn, in the shape of what the network would give."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values, self.asked = values, 0

    def forward(self, decoded: Tensor) -> Tensor:
        value = self.values[self.asked % len(self.values)]
        self.asked += 1
        return torch.full((*decoded.shape[:-1], COLUMNS), value)


# W = 0.5 everywhere; O1 = 0.6, O2 = 0.3, O2' = 0.9: squares 0.01, 0.04 and 0.16
HALVES = WindowBatch(torch.full((2, WINDOW, COLUMNS), 0.5))


@pytest.mark.parametrize(("epoch", "first", "second"), [(1, 0.01, 0.04), (2, 0.085, -0.06), (4, 0.1225, -0.11)])
def test_the_two_losses_of_the_paper(epoch: int, first: float, second: float) -> None:
    made = network("paper")
    made.output, made.epoch = Answers(0.6, 0.3, 0.9), epoch
    assert made.first_loss(HALVES).item() == pytest.approx(first, rel=1e-5)
    assert made.second_loss(HALVES).item() == pytest.approx(second, rel=1e-5)


@pytest.mark.parametrize(("epoch", "expected"), [(1, 0.01), (2, 0.085), (4, 0.1225)])
def test_the_loss_of_the_code_adds_both(epoch: int, expected: float) -> None:
    made = network("code")
    made.output, made.epoch = Answers(0.6, 0.9), epoch
    assert made.loss(HALVES).item() == pytest.approx(expected, rel=1e-5)


def test_the_score_of_the_paper_weighs_both_estimates() -> None:
    made = network("paper")  # with a first share of 1/4
    made.output = Answers(0.6, 0.3, 0.9)
    torch.testing.assert_close(made.errors(HALVES.windows, 2), torch.full((2, 2, COLUMNS), 0.25 * 0.01 + 0.75 * 0.16))


def test_the_score_of_the_code_is_the_second_estimate_s() -> None:
    made = network("code")
    made.output = Answers(0.6, 0.9)
    torch.testing.assert_close(made.errors(HALVES.windows, 2), torch.full((2, 2, COLUMNS), 0.16))


@pytest.mark.parametrize("step", range(WINDOW))
def test_first_estimates_of_the_paper_know_the_steps_before_only(step: int) -> None:
    made, before = network("paper"), windows()
    after = before.clone()
    after[:, step] += 0.5
    for old, new in list(zip(made.estimates(before), made.estimates(after), strict=True))[:2]:
        assert torch.equal(old[:, : step + 1], new[:, : step + 1])
        changes = (old[:, step + 1 :] - new[:, step + 1 :]).abs().amax(dim=2)
        assert (changes > 1e-6).all()


def test_the_focused_estimate_of_the_paper_knows_how_far_off_the_first_was_and_nothing_later() -> None:
    made, before = network("paper"), windows()
    own, _, focused = made.estimates(before)
    mirrored = before.clone()
    mirrored[:, -1] = 2 * own[:, -1] - before[:, -1]  # as far from it, on the other side
    farther = before.clone()
    farther[:, -1] += 0.5
    torch.testing.assert_close(made.estimates(mirrored)[2], focused)
    assert torch.equal(made.estimates(farther)[2][:, :-1], focused[:, :-1])
    assert ((made.estimates(farther)[2] - focused)[:, -1].abs() > 1e-6).any(dim=1).all()


def test_the_code_asks_with_the_answer() -> None:
    made, before = network("code"), windows()
    asked = []
    made.decoders[0].register_forward_pre_hook(lambda module, inputs: asked.append(inputs[0]))
    made.errors(before, 1)
    assert torch.equal(asked[0], torch.cat([before[:, -1:]] * 2, dim=2))
    leaking, _ = made.rebuilt(before, before[:, -1:])
    other, _ = made.rebuilt(before, before[:, -1:] + 0.5)
    assert ((leaking - other).abs() > 1e-6).any(dim=2).all()


def test_the_focus_of_the_code_is_how_far_every_step_is_from_the_first_estimate() -> None:
    made, some = network("code"), windows()
    seen = []
    made.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    own, _ = made.rebuilt(some, some[:, -1:])
    values, focus = ((seen[1] - seen[0]) / 3**0.5).split(COLUMNS, dim=2)
    torch.testing.assert_close(values, torch.zeros_like(values))
    expected = [
        [(window[step] - estimate[0]) ** 2 for step in range(WINDOW)]
        for window, estimate in zip(some, own, strict=True)
    ]
    torch.testing.assert_close(focus, torch.stack([torch.stack(row) for row in expected]))


def test_the_code_has_neither_norms_nor_bends() -> None:
    assert not [part for part in network("code").modules() if isinstance(part, nn.LayerNorm | nn.ReLU)]
    assert len([part for part in network("paper").modules() if isinstance(part, nn.LayerNorm)]) == 2 + 3 + 3
    layer, values = network("code").encoder, windows()[..., :1].expand(-1, -1, 2 * COLUMNS)
    bent = network("paper").encoder.linear
    linear, zero = layer.linear, torch.zeros_like(values)
    torch.testing.assert_close(linear(values) + linear(-values), 2 * linear(zero))
    assert not torch.allclose(bent(values) + bent(-values), 2 * bent(zero))


def test_positions_are_told_as_each_tells_them() -> None:
    paper, code = network("paper").positions(3, 4), network("code").positions(3, 4)
    for place in range(3):
        turns = [math.sin(place), math.cos(place), math.sin(place / 100), math.cos(place / 100)]
        np.testing.assert_allclose(paper[place], turns, rtol=1e-5)
        slowed = [place / 10**power for power in range(4)]
        np.testing.assert_allclose(code[place], [math.sin(angle) + math.cos(angle) for angle in slowed], rtol=1e-5)


@every_variant
def test_the_embedding_holds_values_and_focus(variant: str) -> None:
    made, values = network(variant), windows()
    nothing = torch.zeros_like(values)
    placed = made.embedded(nothing, nothing)
    torch.testing.assert_close(made.embedded(values, nothing)[..., :COLUMNS] - placed[..., :COLUMNS], 3**0.5 * values)
    torch.testing.assert_close(made.embedded(nothing, values)[..., COLUMNS:] - placed[..., COLUMNS:], 3**0.5 * values)


@every_variant
def test_the_last_steps_are_scored_as_each_alone(variant: str) -> None:
    made, some = network(variant), windows()
    several = made.errors(some, 3)
    assert several.shape == (4, 3, COLUMNS)
    torch.testing.assert_close(several[:, -1:], made.errors(some, 1))
    for number in range(3):
        step = WINDOW - 3 + number
        if variant == "code":
            _, alone = made.rebuilt(some, some[:, step : step + 1])
            expected = (alone - some[:, step : step + 1]).square()
        else:
            expected = made.errors(some[:, : step + 1], 1)  # nothing later counts
        torch.testing.assert_close(several[:, number : number + 1], expected)


@every_variant
def test_gradients_reach_every_parameter_by_the_objectives(variant: str) -> None:
    made = network(variant).train()
    objectives = made.objectives(load_config(keywords={"detector": "tranad"}))
    assert len(objectives) == {"paper": 2, "code": 1}[variant]
    reached = set()
    for objective in objectives:
        made.zero_grad()
        objective.loss(WindowBatch(windows())).backward()
        lowered = {id(parameter) for group in objective.optimizer.param_groups for parameter in group["params"]}
        named = {name for name, parameter in made.named_parameters() if id(parameter) in lowered}
        assert {n for n, p in made.named_parameters() if n in named and p.grad.abs().max() > 0} == named
        reached |= named
    assert reached == {name for name, _ in made.named_parameters()}


def test_each_loss_of_the_paper_has_a_decoder_of_its_own() -> None:
    made = network("paper").train()
    for number, objective in enumerate(made.objectives(load_config(keywords={"detector": "tranad"}))):
        before = copy.deepcopy(made.state_dict())
        made.zero_grad()
        objective.loss(WindowBatch(windows())).backward()
        objective.optimizer.step()
        moved = {name for name, value in made.state_dict().items() if not torch.equal(value, before[name])}
        parts = {name.rpartition(".")[0].split(".")[0] for name in moved if not name.startswith("decoders")}
        assert parts == {"encoder", "output"}
        assert {name.split(".")[1] for name in moved if name.startswith("decoders")} == {str(number)}


def test_weight_decay_shrinks_what_has_no_gradient() -> None:
    made = network("code")
    (objective,) = made.objectives(load_config(keywords={"detector": "tranad", "weight_decay": 0.5, "lr": 0.1}))
    for parameter in made.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = made.output[0].weight.detach().clone()
    objective.optimizer.step()
    torch.testing.assert_close(made.output[0].weight.detach(), before * (1 - 0.1 * 0.5))


def test_what_was_published() -> None:
    config = load_config(keywords={"detector": "tranad"})
    assert (config.window, config.hidden, config.batch_size, config.lr, config.weight_decay) == (
        10,
        16,
        128,
        1e-3,
        1e-5,
    )
    assert (config.meta_epochs * config.sub_epochs, config.variant, config.first_share) == (5, "paper", 0.5)


class Steps:
    """A course that takes its steps by itself, and keeps the losses."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.losses = epochs, []

    def train(self, module: TranAD, batches) -> None:
        objectives = module.objectives(load_config(keywords={"detector": "tranad", "lr": 3e-3}))
        module.train()
        for seed in range(self.epochs):
            module.epoch = 1 + seed
            for batch in batches.batches(seed):
                for objective in objectives:
                    loss = objective.loss(batch)
                    module.zero_grad()
                    loss.backward()
                    objective.optimizer.step()
                    self.losses.append(loss.item())


@every_variant
@pytest.mark.parametrize("stride", [1, 3])
def test_the_loss_falls_and_an_anomaly_stands_out(variant: str, stride: int) -> None:
    settings = {"detector": "tranad", "variant": variant, "stride": stride, "batch_size": 15 // stride, "device": "cpu"}
    time = np.arange(1000)
    series = np.stack([np.sin(time / 5), np.cos(time / 5), np.sin(time / 5 + 1)], axis=1)
    test = series[700:].copy()
    test[200:206] = [[2.0, -2.0, 2.0]]
    config = load_config(keywords=settings)
    detector = tranad(config, None, {"A": ["x", "y", "z"]}, Path(), torch.device("cpu"))
    course = Steps(2)
    detector.fit({"A": series[:700]}, course)
    each = len(detector.network.objectives(config))
    losses = np.array(course.losses).reshape(-1, each)[:, 0]
    assert losses[-10:].mean() < losses[:5].mean() * 0.6
    scores = detector.scores("A", test).rows[0]
    assert scores.shape == (300,)
    rest = np.delete(scores, np.r_[195:220])
    assert scores[200:206].min() > rest.max()


@every_variant
def test_a_continued_training_is_the_same_bit_by_bit(variant: str, tmp_path: Path) -> None:
    data = write_telemanom(tmp_path / "telemetry", {"P-1": (150, 120), "S-1": (120, 100)})
    flags = ["--data-path", str(data), "--detector", "tranad", "--variant", variant, "--device", "cpu", "--no-report"]
    flags += ["--bootstrap", "0", "--batch-size", "64", "--vis-top-k", "0"]
    for folder, *epochs in (("once", 2), ("twice", 1, 2)):
        for number in epochs:
            more = ["--work-dir", str(tmp_path / folder), "--meta-epochs", str(number)]
            assert main.main([*flags, *more, *(["--resume"] if number > epochs[0] else [])]) == 0
    whole, continued = (next((tmp_path / folder).rglob(LAST)) for folder in ("once", "twice"))
    states = [read_checkpoint(path)["network"] for path in (whole, continued)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    scores = [np.load(next(path.parent.rglob("P-1.npy"))) for path in (whole, continued)]
    np.testing.assert_array_equal(*scores)
