"""Editing any one line of default.py changes the run, with the real entry point on tiny data."""

from pathlib import Path

import numpy as np
import pytest
from settings_edits import ALONE, EDITS, IN_FOLDER, SETTINGS, UNDER
from settings_runs import RUN, Outcome, Place, edited, outcome


def test_the_same_settings_give_the_same_run(place: Place, base: Outcome) -> None:
    assert base.code == 0
    assert len(base.log) == 4
    assert {"anomaly_score.npy", "anomaly_score_map_add.npy", "scores.csv"} <= set(base.scores)
    assert str(RUN / "last.pt") in base.files
    assert outcome(place.text, place.folder / "again") == base


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in ALONE])
def test_editing_a_line_changes_the_run(name: str, place: Place, base: Outcome) -> None:
    value, parts = EDITS[name]
    value = str(place.folder / value) if name in IN_FOLDER else value
    under = {n: str(place.folder / v) if n in IN_FOLDER else v for n, v in UNDER.get(name, {}).items()}
    text = edited(place.text, **under)
    before = outcome(text, place.folder / f"before {name}") if name in UNDER else base
    now = outcome(edited(text, **{name: value}), place.folder / name)
    assert before.code == now.code == 0, now.output
    for part in parts:
        assert getattr(now, part) != getattr(before, part), part
    if name != "mode":
        assert "anomaly_score.npy" in now.scores
    if "log" not in parts:
        assert now.log == before.log, "it should not have touched the training"


def test_only_the_scores_of_top_k_differ(place: Place, base: Outcome) -> None:
    now = outcome(edited(place.text, top_k=1.0), place.folder / "top_k_1")
    differing = {name for name in base.scores if now.scores[name] != base.scores[name]}
    assert differing == {"anomaly_score.npy", "scores.csv"}
    folder = place.folder / "top_k_1" / RUN / "scores"
    maps = np.load(folder / "anomaly_score_map_mul.npy")
    np.testing.assert_allclose(np.load(folder / "anomaly_score.npy"), maps.mean(axis=(1, 2)), rtol=1e-5)


def test_only_the_chosen_channels_are_used(place: Place) -> None:
    outcome(edited(place.text, class_names=["E-1", "P-1"], meta_epochs=1), place.folder / "two_channels")
    (names,) = (place.folder / "two_channels").rglob("scores/filenames.npy")
    assert [Path(name).stem for name in np.load(names)] == ["P-1", "E-1"], "in the order of the label file"
