"""Pyramids of series: parts of a line against the whole, windows against loops, training batches, time kept right."""

import numpy as np
import pytest
import torch
from torch import Tensor

from detectors.msflow.pieces import LineMaker, PyramidMaker, WindowMaker
from detectors.msflow.pyramids import TrainingPyramids, training_pyramids
from detectors.msflow.training import Place, learn_pyramid
from drawing.line import Line
from drawing.pairwise import GramianAngularField
from drawing.steps import coarsen, refine
from models.densities.base import Density
from models.densities.fleet import Fleet
from models.densities.flow import FlowDensity
from models.densities.gaussian import GaussianDensity
from models.densities.memory import MemoryDensity
from models.extractors import build_extractor
from models.flows import MSFlow, make_pool

FEATURES = [64, 128, 256]
BLOCKS = [1, 2, 2]


def line_maker(max_columns: int = 1 << 20, pool_type: str = "avg") -> PyramidMaker:
    extractor = build_extractor("resnet18", "random", seed=1).as_line()
    return LineMaker(extractor, make_pool(pool_type, line=True), Line(), 2 * max(BLOCKS) + 10, max_columns)


def drawn(steps: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [np.sin(np.arange(steps) / 7), rng.normal(size=steps), np.cumsum(rng.normal(size=steps)) / 50]
    )


def heads() -> dict[str, Density]:
    torch.manual_seed(0)
    flow = MSFlow(FEATURES, [8, 8, 8], BLOCKS, 1.9, "avg", condition="both", num_channels=2, line=True)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    pyramids = [[0.3 * torch.randn(1, f, 1, 40 // 2**level) for level, f in enumerate(FEATURES)] for _ in range(2)]
    gaussian, memory = GaussianDensity(2, FEATURES, 0.3), MemoryDensity(2, FEATURES, 30)
    gaussian.fit(pyramids)
    memory.fit(pyramids, seed=0)
    return {"flow": FlowDensity(flow).eval(), "gaussian": gaussian, "memory": memory}


@torch.inference_mode()
def series_scores(maker: PyramidMaker, head: Density, series: np.ndarray) -> np.ndarray:
    found, kept = [], []
    for piece in maker.pieces(series):
        found.append(head(piece.levels, torch.tensor([1]), piece.offsets()))
        kept.append(piece.keep)
    return maker.to_series([list(maps) for maps in zip(*found, strict=True)], kept, len(series))


@pytest.mark.parametrize("name", ["flow", "gaussian", "memory"])
@pytest.mark.parametrize("max_columns", [1024, 1500])
def test_a_line_scored_in_pieces_equals_the_line_scored_whole(name: str, max_columns: int) -> None:
    head, series = heads()[name], drawn(7001)
    whole = series_scores(line_maker(), head, series)
    assert len(list(line_maker(max_columns).pieces(series))) >= 5
    in_pieces = series_scores(line_maker(max_columns), head, series)
    assert whole.shape == (3, 7001)
    np.testing.assert_allclose(in_pieces, whole, rtol=1e-3, atol=1e-4 * np.abs(whole).max())


def test_pieces_without_context_would_differ() -> None:
    head, series = heads()["flow"], drawn(7001)
    maker = line_maker(1024)
    maker.context = 32
    whole = series_scores(line_maker(), head, series)
    assert np.abs(series_scores(maker, head, series) - whole).max() > 1e-2 * np.abs(whole).max()


@pytest.mark.parametrize("pool_type", ["avg", "max", "none"])
@pytest.mark.parametrize("steps", [1, 20, 63, 64, 65, 312, 3000])
def test_every_length_has_levels_that_halve_and_scores_for_every_step(pool_type: str, steps: int) -> None:
    maker = line_maker(pool_type=pool_type)
    (piece,) = maker.pieces(drawn(steps))
    widths = [level.shape[-1] for level in piece.levels]
    assert widths[0] == 2 * widths[1] == 4 * widths[2]
    maps = [[level.mean(dim=1)] for level in piece.levels]
    assert maker.to_series(maps, [piece.keep], steps).shape == (3, steps)


@pytest.mark.parametrize("steps", [300, 1111, 5000])
def test_an_event_comes_back_at_its_step(steps: int) -> None:
    """The features of the drawn line change where the line changes."""
    maker, at = line_maker(), steps // 3
    flat, event = np.zeros((steps, 3)), np.zeros((steps, 3))
    event[at : at + 3] = 5
    changed = []
    for series in (flat, event):
        (piece,) = maker.pieces(series)
        changed.append(piece)
    maps = [[(b - a).square().mean(dim=1)] for a, b in zip(changed[0].levels, changed[1].levels, strict=True)]
    scores = maker.to_series(maps, [changed[0].keep], steps)
    for row, stride in zip(scores, maker.strides, strict=True):
        assert abs(int(row.argmax()) - (at + 1)) <= stride


def test_windows_are_scored_where_they_lie() -> None:
    extractor = build_extractor("resnet18", "random", seed=1)
    maker = WindowMaker(extractor, make_pool("avg"), GramianAngularField(32, "summation"), 16)
    series = drawn(200)
    pieces = list(maker.pieces(series))
    starts = maker.window_starts(200)
    assert starts.tolist() == [*range(0, 168, 16), 168]
    assert sum(len(piece.levels[0]) for piece in pieces) == len(starts)
    by_hand = extractor(torch.from_numpy(np.stack([maker.layout.to_image(series[s : s + 32]) for s in starts])))
    for level, expected in enumerate(by_hand):
        found = torch.cat([piece.levels[level] for piece in pieces])
        torch.testing.assert_close(found, maker.pool(expected), rtol=1e-4, atol=1e-5)
    maps = [
        [torch.full(piece.levels[level].shape[0:1] + piece.levels[level].shape[2:], 2.5) for piece in pieces]
        for level in range(3)
    ]
    np.testing.assert_allclose(maker.to_series(maps, [p.keep for p in pieces], 200), 2.5)


def training(noise: float = 0.0, window: int = 128) -> TrainingPyramids:
    maker = line_maker()
    channels = [
        learn_pyramid(maker, series, np.ones(len(series), dtype=bool), Place(0, 1, 64), window).levels
        for series in (drawn(700, 1), drawn(100, 2))
    ]
    return training_pyramids(maker, channels, batch_size=3, window=window, noise=noise)


def test_training_windows_are_cut_out_of_the_whole_line() -> None:
    pyramids = training()
    assert [len(levels[0]) for levels in pyramids.channels] == [1, 1]
    batches = list(pyramids.batches(seed=5))
    assert len(batches) == pyramids.num_batches
    for batch in batches:
        for level, features in enumerate(batch.levels):
            for row, channel, offset in zip(features, batch.channels, batch.offsets[level], strict=True):
                width = features.shape[-1]
                whole = pyramids.channels[int(channel)][level][0, :, :, int(offset) : int(offset) + width]
                torch.testing.assert_close(row, whole, rtol=0, atol=0)
    assert {int(c) for seed in range(20) for b in pyramids.batches(seed) for c in b.channels} == {0, 1}


def test_batches_follow_their_seed() -> None:
    pyramids = training(noise=0.1)
    once, again, other = ([level for b in pyramids.batches(s) for level in b.levels] for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(once, other, strict=True))


def test_noise_is_in_standard_deviations_of_each_feature() -> None:
    quiet, noisy = training(), training(noise=0.5)
    differences: list[Tensor] = []
    for seed in range(30):
        pairs = zip(quiet.batches(seed), noisy.batches(seed), strict=True)
        a, b = next(pairs)
        if torch.equal(a.channels, b.channels) and torch.equal(a.offsets[0], b.offsets[0]):
            differences.append((b.levels[0] - a.levels[0]).transpose(0, 1).flatten(1))
    spread = torch.cat(differences, dim=1).std(dim=1)
    expected = 0.5 * torch.cat([levels[0][0, :, 0] for levels in quiet.channels], dim=1).std(dim=1)
    alive = expected > 0
    torch.testing.assert_close(spread[alive], expected[alive], rtol=0.25, atol=1e-6)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
@pytest.mark.parametrize("steps", [1, 7, 300])
def test_coarse_steps_are_means_and_come_back_in_place(factor: int, steps: int) -> None:
    series = np.arange(steps, dtype=float)[:, None]
    coarse = coarsen(series, factor)
    assert len(coarse) == -(-steps // factor)
    groups = [series[start : start + factor, 0] for start in range(0, steps, factor)]
    full = [group for group in groups if len(group) == factor]
    np.testing.assert_allclose(coarse[: len(full), 0], [group.mean() for group in full])
    fine = refine(coarse.T, factor, steps)[0]
    inside = slice(factor, max(steps - 2 * factor, factor))
    np.testing.assert_allclose(fine[inside], series[inside, 0])  # a straight line stays where it is


def test_gaussian_head_by_hand() -> None:
    pyramids = [[torch.randn(1, 2, 1, 50) * (channel + 1)] for channel in range(2)]
    head = GaussianDensity(2, [2], floor=0.5)
    head.fit(pyramids)
    unit = torch.cat([p[0][0, :, 0].T for p in pyramids]).var(dim=0).mean()
    x = torch.randn(1, 2, 1, 4)
    for channel in range(2):
        values = pyramids[channel][0][0, :, 0]
        expected = (
            0.5
            * sum((x[0, f, 0] - values[f].mean()) ** 2 / (values[f].var(correction=0) + 0.25 * unit) for f in range(2))
            / 2
        )
        (found,) = head([x], torch.tensor([channel]), [])
        torch.testing.assert_close(found[0, 0], expected)


def test_a_standardised_flow_sees_unit_features_in_training_and_scoring() -> None:
    pyramids = training()
    raw = [[level.clone() for level in levels] for levels in pyramids.channels]
    gaussian = GaussianDensity(2, FEATURES, floor=1e-5)
    gaussian.fit(raw)
    pyramids.prepare(FlowDensity(heads()["flow"].flow, gaussian))
    for levels in pyramids.channels:
        for level in levels:
            values = level[0, :, 0]
            alive = values.std(dim=1) > 0.5
            assert alive.any() and values.mean(dim=1).abs().max() < 1e-3
            torch.testing.assert_close(
                values[alive].std(dim=1, correction=0), torch.ones(int(alive.sum())), rtol=0.1, atol=0
            )
    flow = heads()["flow"].flow
    number = torch.tensor([1])
    found = FlowDensity(flow, gaussian)(raw[1], number, None)
    expected = FlowDensity(flow)(pyramids.channels[1], number, None)
    torch.testing.assert_close(found, expected)


def test_memory_and_fleet_by_hand() -> None:
    pyramids = [[torch.randn(1, 3, 1, 20)] for _ in range(2)]
    places = [p[0][0, :, 0].T for p in pyramids]
    unit = torch.cat(places).var(dim=0).mean()
    head = MemoryDensity(2, [3], size=100)
    head.fit(pyramids, seed=0)
    x = torch.randn(1, 3, 1, 5)
    (found,) = head([x], torch.tensor([1]), [])
    expected = [min(float((step - place).square().mean()) for place in places[1]) for step in x[0, :, 0].T]
    torch.testing.assert_close(found[0, 0], 0.5 * torch.tensor(expected) / unit, rtol=1e-4, atol=1e-5)

    fleet = Fleet([3], size=100, offset=0.25)
    fleet.fit(pyramids, seed=0)
    known = [min(float((s - place).square().mean()) for place in torch.cat(places)) for s in x[0, :, 0].T]
    rest = 0.5 * torch.tensor(known) / unit + 0.25
    (tempered,) = fleet.temper([found], [x])
    torch.testing.assert_close(tempered[0, 0], 1 / (1 / found[0, 0] + 1 / rest), rtol=1e-4, atol=1e-5)
    (zero,) = fleet.temper([torch.zeros_like(found)], [x])
    assert (zero == 0).all()


def test_a_memory_keeps_no_more_than_its_size() -> None:
    pyramids = [[torch.randn(1, 3, 1, 20)], [torch.randn(1, 3, 1, 4)]]
    head = MemoryDensity(2, [3], size=10)
    head.fit(pyramids, seed=0)
    assert [len(head.get_buffer(f"bank_0_{channel}")) for channel in range(2)] == [10, 4]
