"""Training scores as if the steps were new: densities without a part of what they learnt."""

import numpy as np
import pytest
import torch

import msflow
from detectors.msflow.drawings import Drawings
from models.densities.apart import Apart
from models.densities.base import Density, LeftOut, Part
from models.densities.calibrated import Calibrated
from models.densities.fleet import Fleet, Tempered
from models.densities.flow import FlowDensity
from models.densities.gaussian import GaussianDensity
from models.densities.memory import MemoryDensity
from models.flows import MSFlow

FEATURES = [6, 4]
CELLS = [40, 20]
STEP = [4, 8]  # steps between cells, by level
SETTINGS = {"columns": ["all"], "time_scales": [1], "smooth": 1}
# for what the network of the recipe cannot read, and for one density by itself
RESNET = {"extractor": "resnet18", "weights": "random", "head": "gaussian", "fleet_size": 0, "clip": 2.0}
RESNET |= {"colours": ["value", "value", "spread"], "img_std": [0.25, 0.25, 0.25]}


def features(seed: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(1, f, 1, n, generator=random) for f, n in zip(FEATURES, CELLS, strict=True)]


def origins(channel: int, level: int) -> torch.Tensor:
    steps = torch.arange(CELLS[level]) * STEP[level]
    return torch.stack([torch.full_like(steps, channel), steps], dim=1)


def inside(level: int, part: Part) -> torch.Tensor:
    return torch.tensor([part.start <= n * STEP[level] < part.stop for n in range(CELLS[level])])


def fitted(density: Density, pyramids: list, told=origins) -> Density:
    density.fit(pyramids, 0, told)
    return density


def left_out_of(levels: list[torch.Tensor], part: Part) -> LeftOut:
    return [level[..., inside(n, part)] for n, level in enumerate(levels)], part


PART = Part(1, 40, 80)


def test_a_gaussian_without_a_part_is_that_of_the_rest() -> None:
    pyramids = [features(0), features(1)]
    whole = fitted(GaussianDensity(2, FEATURES, 0.3), pyramids)
    rest = whole.without(1, [left_out_of(pyramids[1], PART)])
    kept = [level[..., ~inside(n, PART)] for n, level in enumerate(pyramids[1])]
    for level, features_kept in enumerate(kept):
        values = features_kept[0, :, 0].double()
        floor = whole.get_buffer(f"floor_{level}")
        torch.testing.assert_close(rest.get_buffer(f"mean_{level}")[0].double(), values.mean(dim=1))
        expected = values.var(dim=1, correction=0) + floor
        torch.testing.assert_close(rest.get_buffer(f"variance_{level}")[0].double(), expected)
    asked = features(5)
    found, whole_found = (d(asked, torch.tensor([c])) for d, c in ((rest, 0), (whole, 1)))
    assert not torch.allclose(found[0], whole_found[0])


def test_what_nothing_would_be_left_of_stays() -> None:
    pyramids = [features(0), features(1)]
    for density in (GaussianDensity(2, FEATURES, 0.3), MemoryDensity(2, FEATURES, 100)):
        whole, part = fitted(density, pyramids), Part(1, 0, 1000)
        rest, asked = whole.without(1, [(pyramids[1], part)]), features(5)
        for found, expected in zip(rest(asked, torch.tensor([0])), whole(asked, torch.tensor([1])), strict=True):
            torch.testing.assert_close(found, expected)


def test_a_memory_without_a_part_looks_among_the_others_only() -> None:
    pyramids = [features(0), features(1)]
    whole = fitted(MemoryDensity(2, FEATURES, 100), pyramids)
    rest = whole.without(1, [([], PART)])
    found = rest(pyramids[1], torch.tensor([0]))
    for level, energies in enumerate(found):
        values, kept = pyramids[1][level][0, :, 0].T, ~inside(level, PART)
        unit = whole.get_buffer(f"unit_{level}")
        for cell, energy in enumerate(energies[0, 0]):
            distances = [(values[cell] - values[other]).square().mean() for other in torch.nonzero(kept)[:, 0]]
            assert float(energy) == pytest.approx(0.5 * float(min(distances) / unit), abs=1e-4)
    assert float(found[0][0, 0, ~inside(0, PART)].max()) < 1e-4 < float(found[0][0, 0, inside(0, PART)].min())


def test_the_fleet_forgets_a_part_of_its_own_channel_only() -> None:
    pyramids = [features(0), features(1)]
    whole = fitted(Tempered(GaussianDensity(2, FEATURES, 0.3), Fleet(FEATURES, 1000, 0.5)), pyramids)
    rest = whole.without(1, [left_out_of(pyramids[1], PART)])
    for level in range(len(FEATURES)):
        first = torch.tensor([0])
        other, own = (rest.fleet.distances(level, pyramid[level], 0, first)[0, 0] for pyramid in pyramids)
        assert other.max() < 1e-4 > own[~inside(level, PART)].max()
        assert own[inside(level, PART)].min() > 1e-2
        assert whole.fleet.distances(level, pyramids[1][level], 0).max() < 1e-4


@pytest.mark.parametrize("name", ["gaussian", "memory", "combined", "fleet"])
def test_without_several_parts_at_once_it_is_as_without_each(name: str) -> None:
    """Of an empty part, and of one that holds all, nothing is left out."""
    pyramids = [features(0), features(1)]
    made: dict[str, Density] = {"gaussian": GaussianDensity(2, FEATURES, 0.3), "memory": MemoryDensity(2, FEATURES, 30)}
    made["combined"] = Calibrated([GaussianDensity(2, FEATURES, 0.3), MemoryDensity(2, FEATURES, 30)], len(FEATURES))
    made["fleet"] = Tempered(GaussianDensity(2, FEATURES, 0.3), Fleet(FEATURES, 50, 0.5))
    whole = fitted(made[name], pyramids)
    parts = [PART, Part(1, 80, 160), Part(1, 500, 600), Part(1, 0, 1000), Part(0, 0, 40)]
    left_out = [left_out_of(pyramids[1], part) for part in parts]
    asked = [torch.cat([features(n)[level] for n in range(5, 10)]) for level in range(len(FEATURES))]
    together = whole.without(1, left_out)(asked, torch.arange(5))
    for number, one in enumerate(left_out):
        alone = whole.without(1, [one])([level[[number]] for level in asked], torch.tensor([0]))
        for found, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(found[[number]], expected)
            assert torch.isfinite(found).all()


def test_cells_are_put_back_where_they_were() -> None:
    line = torch.arange(24.0).reshape(1, 2, 1, 12)
    chosen = [torch.zeros(12, dtype=torch.bool) for _ in range(3)]
    chosen[0][[1, 2, 3, 9]] = True
    chosen[2][[0, 4]] = True
    apart = Apart.of(torch.stack(chosen))
    pictures = apart.pictures(line)
    assert pictures.shape == (3, 2, 1, 4)
    assert pictures[0, 0, 0].tolist() == [1, 2, 3, 9] and pictures[2, 1, 0, :2].tolist() == [12, 16]
    back = apart.line(pictures[:, 0] + 0.5, 12)[0, 0]
    known = [0, 1, 2, 3, 4, 9]
    assert back[known].tolist() == [place + 0.5 for place in known]
    assert back[[5, 6, 7, 8, 10, 11]].isnan().all()


def test_a_trained_density_cannot_be_taken_apart() -> None:
    flow = MSFlow(FEATURES, [8, 8], [1, 1], 1.9, "avg", condition="none", num_channels=1, line=True)
    assert FlowDensity(flow).without(0, [([], PART)]) is None


def odd(position: int | None) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(1500) / 9) + 0.1 * rng.normal(size=1500)
    if position is not None:
        values[position : position + 60] += 4
    return values


@pytest.mark.parametrize(
    "chosen",
    [
        *({}, {"head": "gaussian", "fleet_size": 0}, {"head": "memory", "fleet_size": 0}, {"fleet_size": 200}),
        *(RESNET, RESNET | {"fleet_size": 200}, RESNET | {"layout": "gasf"}),
    ],
    ids=lambda chosen: " ".join(str(chosen.get(name)) for name in ("layout", "extractor", "head", "fleet_size")),
)
def test_what_happened_once_in_training_is_odd_in_its_held_out_scores(chosen: dict) -> None:
    series = odd(700)
    detector = msflow.fit(series, **SETTINGS | chosen)._run.detector
    plain, held_out = (f("series", series[:, None]).rows.sum(axis=0) for f in (detector.scores, detector.held_out))
    assert plain.shape == held_out.shape == (1500,) and np.isfinite(held_out).all()
    assert held_out[700:760].mean() > 1.3 * plain[700:760].mean()
    elsewhere = np.r_[50:550, 950:1450]
    if chosen.get("head") == "memory":  # which finds itself where nothing is held out
        assert plain[elsewhere].mean() < 1e-3 < held_out[elsewhere].mean() < held_out[700:760].mean()
        return
    assert held_out[elsewhere].mean() == pytest.approx(plain[elsewhere].mean(), rel=0.5)


def test_every_drawing_is_drawn_once_for_its_held_out_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    values, drawn, planes = np.column_stack([odd(700), odd(None)]), [], Drawings.planes
    detector = msflow.fit(values, **SETTINGS | {"time_scales": [1, 2, 4]})._run.detector
    monkeypatch.setattr(Drawings, "planes", lambda *asked: drawn.append(asked[-1]) or planes(*asked))
    detector.held_out("series", values)
    assert drawn == [0, 1]


def test_drawings_share_a_density_but_no_number_of_a_series() -> None:
    """A part that is left out is told by the number of its series."""
    series = {name: np.column_stack([odd(None), odd(300), odd(900)]) for name in "abc"}
    for shared, numbers, total in ((False, [3, 4, 5], 9), (True, [0, 1, 2], 3)):
        drawings = msflow.fit(series, **SETTINGS, shared_density=shared)._run.detector.drawings
        assert drawings.numbers("b") == numbers and drawings.total == total
        assert [drawings.series_number(name, place) for name in "abc" for place in range(3)] == list(range(9))


def test_a_flow_has_held_out_scores_of_the_last_part_which_it_never_saw() -> None:
    settings = SETTINGS | {"head": "flow", "condition": "channel", "parallel_blocks": [1, 1, 1], "meta_epochs": 1}
    # units are of the whole series, so there are none
    settings |= {"sub_epochs": 1, "held_out": 0.25, "scaling": "none", "clip": 0.0, "img_std": [0.25, 0.25, 0.25]}
    found = []
    for position in (None, 1200):
        series = odd(position)
        fitted_flow = msflow.fit(series, **settings)
        scores = fitted_flow._run.detector.held_out("series", series[:, None]).rows
        assert np.isnan(scores[:, :1125]).all() and np.isfinite(scores[:, 1125:]).all()
        found.append(fitted_flow._run.detector.scores("series", odd(None)[:, None]).rows)
    np.testing.assert_allclose(*found, rtol=1e-4)  # what happened in the last part taught nothing


@pytest.mark.parametrize("layout", ["line", "gasf"])
def test_an_end_of_a_series_is_no_event(layout: str) -> None:
    """A wave that is cut anywhere scores at its ends as it does inside."""
    wave = np.sin(np.arange(3000) / 9)
    fitted_wave = msflow.fit(wave[:1500], **SETTINGS | RESNET | {"layout": layout})
    for start in (1500, 1517, 1533):
        scores = fitted_wave.score(wave[start : start + 1000])["score"].to_numpy()
        inside_highest = scores[200:800].max()
        assert max(scores[:64].max(), scores[-64:].max()) < 2 * inside_highest


@pytest.mark.parametrize("chosen", [{"head": "memory"}, {"fleet_size": 50}], ids=str)
@pytest.mark.parametrize("layout", ["stretch", "fold"])
def test_of_one_picture_of_all_nothing_is_held_out(layout: str, chosen: dict) -> None:
    """Its parts hold no picture of their own."""
    settings = SETTINGS | RESNET | {"layout": layout, "timestep_map": "nll", "columns": ["colours"]}
    settings |= {"smap_used_dims": [0, 0, 0], **chosen}
    series = odd(None)[:400]
    detector = msflow.fit(series, **settings)._run.detector
    plain, held_out = (f("series", series[:, None]).rows for f in (detector.scores, detector.held_out))
    np.testing.assert_allclose(held_out, plain, rtol=1e-4, atol=1e-6)
