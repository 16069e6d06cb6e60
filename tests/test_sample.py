"""The sample's folder layout, its reproducibility, and that its labels mean what they say."""

import ast
import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from data.sample import RECIPES, Anomaly, Kind, Recipe, Series, channel_series, write_sample

SEEDS = range(5)
each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.channel)
each_seed = pytest.mark.parametrize("seed", SEEDS)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "telemetry"
    write_sample(folder)
    return folder


def read_labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labeled_anomalies.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def labels(series: Series) -> np.ndarray:
    """True (T,) inside the anomalies."""
    inside = np.zeros(len(series.value), dtype=bool)
    for anomaly in series.anomalies:
        inside[anomaly.steps] = True
    return inside


def length(anomaly: Anomaly) -> int:
    return anomaly.last - anomaly.first + 1


def test_label_file_has_the_published_form(sample: Path) -> None:
    lines = (sample / "labeled_anomalies.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "chan_id,spacecraft,anomaly_sequences,class,num_values"
    assert lines[1].startswith('W-1,SAMPLE,"[[')

    rows = read_labels(sample)
    assert [row["chan_id"] for row in rows] == [recipe.channel for recipe in RECIPES]
    for row, recipe in zip(rows, RECIPES, strict=True):
        series = channel_series(recipe, "test", seed=0)
        assert row["spacecraft"] == "SAMPLE"
        assert ast.literal_eval(row["anomaly_sequences"]) == [[a.first, a.last] for a in series.anomalies]
        assert row["class"].strip("[]").split(", ") == [a.kind.value for a in series.anomalies]
        assert int(row["num_values"]) == len(np.load(sample / "test" / f"{recipe.channel}.npy"))


@pytest.mark.parametrize("split", ["train", "test"])
def test_arrays_are_telemetry_and_commands(sample: Path, split: str) -> None:
    files = sorted((sample / split).iterdir())
    assert [file.name for file in files] == sorted(f"{recipe.channel}.npy" for recipe in RECIPES)
    for file in files:
        table = np.load(file)
        assert table.dtype == np.float64
        assert table.shape[1:] == (4,)
        assert np.isfinite(table).all()
        assert np.abs(table[:, 0]).max() < 2
        assert set(np.unique(table[:, 1:])) == {0.0, 1.0}
        assert table[:, 1:].mean() < 0.25


def test_train_lengths_differ_and_test_is_two_to_three_times_as_long(sample: Path) -> None:
    train = [len(np.load(sample / "train" / f"{recipe.channel}.npy")) for recipe in RECIPES]
    test = [len(np.load(sample / "test" / f"{recipe.channel}.npy")) for recipe in RECIPES]
    assert len(set(train)) == len(RECIPES)
    assert all(500 <= steps <= 1200 for steps in train)
    assert all(2 <= long / short <= 3 for short, long in zip(train, test, strict=True))


def test_a_seed_gives_the_same_bytes_and_another_seed_gives_others(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "again")
    write_sample(tmp_path / "other", seed=1)
    first, again, other = contents(sample), contents(tmp_path / "again"), contents(tmp_path / "other")
    assert again == first
    assert other.keys() == first.keys()
    assert all(other[name] != first[name] for name in first)


def test_a_channel_depends_on_its_own_recipe_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_sample(tmp_path / "all")
    monkeypatch.setattr("data.sample.RECIPES", RECIPES[3:])
    write_sample(tmp_path / "some")
    everything, some = contents(tmp_path / "all"), contents(tmp_path / "some")
    arrays = [name for name in some if name.endswith(".npy")]
    assert len(arrays) == 2 * len(RECIPES[3:])
    assert all(some[name] == everything[name] for name in arrays)


def test_an_interrupted_write_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save, saved = np.save, []

    def save_until_interrupted(file: Path, array: np.ndarray) -> None:
        if len(saved) == 5:
            raise KeyboardInterrupt
        saved.append(file)
        save(file, array)

    monkeypatch.setattr(np, "save", save_until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "sample")
    assert len(saved) == 5
    assert list(tmp_path.iterdir()) == []


def test_every_kind_occurs_at_least_three_times() -> None:
    counts = Counter(kind for recipe in RECIPES for kind in recipe.anomalies)
    assert counts.keys() == set(Kind)
    assert min(counts.values()) >= 3


@each_seed
@each_recipe
def test_intervals_are_in_order_apart_and_of_fitting_length(recipe: Recipe, seed: int) -> None:
    series = channel_series(recipe, "test", seed)
    anomalies = series.anomalies
    assert 3 <= len(anomalies) <= 5
    assert Counter(anomaly.kind for anomaly in anomalies) == Counter(recipe.anomalies)
    assert anomalies[0].first >= 10
    assert anomalies[-1].last < len(series.value) - 10
    assert all(before.last + 1 < after.first for before, after in zip(anomalies, anomalies[1:], strict=False))
    for anomaly in anomalies:
        shortest, longest = (6, 12) if anomaly.kind is Kind.SPIKE else (40, 120)
        assert shortest <= length(anomaly) <= longest, anomaly


@each_seed
@each_recipe
def test_the_signal_is_abnormal_inside_the_intervals_only(recipe: Recipe, seed: int) -> None:
    series = channel_series(recipe, "test", seed)
    difference = np.abs(series.value - series.normal)
    assert (difference[~labels(series)] == 0).all()
    for anomaly in series.anomalies:
        assert difference[anomaly.steps].max() > 0.25, anomaly


@each_seed
@each_recipe
def test_normal_behaviour_is_that_of_train(recipe: Recipe, seed: int) -> None:
    train, test = (channel_series(recipe, split, seed) for split in ("train", "test"))
    assert train.anomalies == ()
    assert (train.value == train.normal).all()
    slack = 5 * recipe.noise
    assert train.value.min() - slack < test.normal.min()
    assert test.normal.max() < train.value.max() + slack


@each_seed
@each_recipe
def test_a_flat_line_stops_a_signal_that_would_move(recipe: Recipe, seed: int) -> None:
    series = channel_series(recipe, "test", seed)
    for anomaly in series.anomalies:
        if anomaly.kind is Kind.FLAT_LINE:
            assert np.ptp(series.value[anomaly.steps]) < 10 * recipe.noise
            assert np.ptp(series.normal[anomaly.steps]) > 10 * recipe.noise


@each_seed
@each_recipe
def test_a_missing_response_misses_a_command(recipe: Recipe, seed: int) -> None:
    series = channel_series(recipe, "test", seed)
    for anomaly in series.anomalies:
        if anomaly.kind is Kind.MISSING_RESPONSE:
            assert series.commands[anomaly.first, 0] == 1
            response = (series.normal - series.value)[anomaly.steps]
            assert response.max() > 0.5
            assert response.min() > -0.1


@each_seed
@pytest.mark.parametrize("recipe", RECIPES[-3:], ids=lambda recipe: recipe.channel)
def test_a_response_follows_every_command_otherwise(recipe: Recipe, seed: int) -> None:
    assert Kind.MISSING_RESPONSE in recipe.anomalies
    series = channel_series(recipe, "test", seed)
    starts = np.flatnonzero(np.diff(series.commands[:, 0], prepend=0) > 0)
    complete = starts[starts + 40 <= len(series.normal)]
    assert len(complete) > 10
    for start in complete:
        assert series.normal[start : start + 40].max() > 0.2, start


@each_seed
def test_position_tells_nothing_and_anomalies_are_rare(seed: int) -> None:
    all_series = [channel_series(recipe, "test", seed) for recipe in RECIPES]
    inside = np.concatenate([labels(series) for series in all_series])
    position = np.concatenate([np.arange(len(series.value)) / len(series.value) for series in all_series])
    assert 0.08 <= inside.mean() <= 0.16
    assert roc_auc_score(inside, position) == pytest.approx(0.5, abs=0.07 if seed == 0 else 0.12)
