"""The threshold of pictures: from good ones that the detector has not seen, and from nothing else."""

from pathlib import Path

import numpy as np
import pytest
import torch
from picture_folders import save
from picture_runs import Result, run
from scipy import stats

from detectors.msflow.pictures import every_so_many
from evaluation.thresholds import learn_of_pictures
from models.checkpoints import read_checkpoint
from models.extractors import build_extractor
from models.flows import make_pool
from post_process import energy_score_map

pytestmark = pytest.mark.usefixtures("elsewhere")
ONE_EPOCH = ("--meta-epochs", "1")


def of_head(many: Path, head: str) -> Result:
    result = run("mvtec", many.parent, "--head", head, "--keep-features")
    assert result.code == 0, result.err
    return Result(0, result.out, result.err, next(Path("work").glob(f"*_{head}")).resolve() / "mvtec")


def test_the_maxima_are_those_of_a_gumbel_distribution_with_their_moments() -> None:
    scores = np.random.default_rng(0).gumbel(3.0, 0.4, 40) ** 2
    roots = np.sqrt(scores)
    scale = roots.std(ddof=1) * np.sqrt(6) / np.pi
    fitted = stats.gumbel_r(roots.mean() - np.euler_gamma * scale, scale)
    assert learn_of_pictures("maxima", 20.0, scores) == pytest.approx(fitted.isf(20 / 10_000) ** 2)
    assert learn_of_pictures("maxima", 200.0, scores) < learn_of_pictures("maxima", 20.0, scores)


def test_other_rules() -> None:
    scores = np.arange(100.0)
    assert learn_of_pictures("2.5", 20.0, scores[:0]) == 2.5
    assert learn_of_pictures("q0.9", 20.0, scores) == pytest.approx(np.quantile(scores, 0.9))
    assert learn_of_pictures("maxima", 20.0, scores[:2]) is None
    assert learn_of_pictures("maxima", 20.0, np.array([0.5, 0.9, 0.7]), highest=1.0) == 0.9


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(10, 0.2, [4, 9]), (5, 0.5, [1, 3]), (4, 0.0, []), (1, 0.9, [])]
)
def test_those_left_out_are_evenly_spaced(count: int, share: float, expected: list[int]) -> None:
    assert every_so_many(count, share) == expected


def test_a_memory_scores_each_fifth_by_the_other_four(many: Path) -> None:
    result = of_head(many, "memory")
    bank = read_checkpoint(result.folder / "tile" / "last.pt")["memory"]
    scores = np.load(result.folder / "tile" / "scores" / "train" / "anomaly_score.npy")
    assert len(scores) == 12
    levels = [np.load(path) for path in sorted((result.folder / "tile" / "features" / "train").glob("level*.npy"))]
    for number in (0, 7):
        others = [n for n in range(12) if n % 5 != number % 5]
        total = np.zeros((64, 64))
        for place, level in enumerate(levels):
            asked, known = (x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1]) for x in (level[[number]], level[others]))
            nearest = np.square(asked[:, None] - known[None]).sum(axis=2).min(axis=1)
            energy = 0.5 * nearest / level.shape[1] / float(bank[f"unit_{place}"])
            cells = level.shape[2]
            rows = [
                np.interp(np.arange(64) * cells / 64, np.arange(cells), row) for row in energy.reshape(cells, cells)
            ]
            total += [np.interp(np.arange(64) * cells / 64, np.arange(cells), column) for column in np.array(rows).T]
        expected = np.sort(total, axis=None)[-int(0.03 * 64 * 64) :].mean()
        assert scores[number] == pytest.approx(float(expected), rel=1e-3)


def test_a_flow_never_learns_from_what_its_threshold_comes_from(many: Path) -> None:
    def trained() -> tuple[dict, np.ndarray, list[str]]:
        result = run("mvtec", many.parent, *ONE_EPOCH)
        assert result.code == 0, result.err
        scores = result.folder / "tile" / "scores" / "train"
        names = [Path(name).name for name in np.load(scores / "filenames.npy")]
        return read_checkpoint(result.folder / "tile" / "last.pt"), np.load(scores / "anomaly_score.npy"), names

    before, scores, names = trained()
    assert names == ["004.png", "009.png"]
    save(many / "train" / "good" / "004.png", np.full((64, 64), 250))
    after, others, _ = trained()
    for part in ("fusion_flow", *range(3)):
        pair = [c["fusion_flow"] if part == "fusion_flow" else c["parallel_flows"][part] for c in (before, after)]
        assert all(torch.equal(pair[0][name], pair[1][name]) for name in pair[0])
    assert others[0] != scores[0] and others[1] == scores[1]


def test_the_threshold_is_printed_and_owes_nothing_to_the_test(many: Path) -> None:
    def threshold() -> float:
        result = of_head(many, "gaussian")
        return float(result.out.rsplit("threshold ", 1)[1])

    before = threshold()
    for path in (many / "test").rglob("*.png"):
        save(path, np.full((64, 64), 20))
    assert threshold() == before > 0


def test_without_enough_pictures_there_is_no_threshold_and_it_is_said(tile: Path) -> None:
    result = run("mvtec", tile.parent, *ONE_EPOCH)  # one of five is held out
    assert result.code == 0 and "threshold none: too few good pictures" in result.out
    given = run("mvtec", tile.parent, *ONE_EPOCH, "--threshold", "0.75")
    assert "threshold 0.75" in given.out


def test_best_checkpoints_are_said_to_be_chosen_by_the_test(tile: Path) -> None:
    result = run("mvtec", tile.parent, *ONE_EPOCH)
    assert "best_detection.pt, best_localisation.pt: chosen by the test pictures" in result.out
    best = str(result.folder / "tile" / "best_detection.pt")
    again = run("mvtec", tile.parent, *ONE_EPOCH, "--mode", "test", "--eval-ckpt", best)
    assert "best_detection.pt was chosen by the test pictures" in again.err
    assert '"checkpoint": "best_detection.pt"' in (result.folder / "tile" / "scores" / "config.json").read_text()


def test_a_run_leaves_little_and_keeps_the_features_where_it_is_told_to(many: Path) -> None:
    result = run("mvtec", many.parent, *ONE_EPOCH)
    assert not (result.folder / "tile" / "features").exists()
    scores = list((result.folder / "tile" / "scores").glob("anomaly_score_map_*.npy"))
    assert sum(path.stat().st_size for path in scores) == pytest.approx(2 * 6 * 64 * 64 * 2, rel=0.01)
    again = run("mvtec", many.parent, *ONE_EPOCH, "--keep-features")
    assert {path.name for path in (again.folder / "tile" / "features").iterdir()} == {"train", "test"}
    kept = [np.load(r.folder / "tile" / "scores" / "anomaly_score.npy") for r in (result, again)]
    np.testing.assert_array_equal(*kept)


@pytest.mark.parametrize("place", [(20, 40), (76, 84)])
def test_energies_lie_where_the_picture_is_odd(place: tuple[int, int]) -> None:
    """What a dot changes in the features of a network has its middle at the dot, wherever that is."""
    extractor, pool = build_extractor("resnet18", "random", 0), make_pool("avg", line=False)
    pictures = torch.zeros(2, 3, 96, 96)
    pictures[1, :, place[0], place[1]] = 5.0
    with torch.inference_mode():
        logp = [-(level[1:] - level[:1]).abs().mean(dim=1) for level in map(pool, extractor(pictures))]
        energies = energy_score_map(logp[:1], (96, 96))[0]
    heavy = energies * (energies > energies.max() / 4)
    middles = [float((heavy.sum(dim=1 - axis) * torch.arange(96)).sum() / heavy.sum()) for axis in (0, 1)]
    assert middles == pytest.approx(place, abs=2)
