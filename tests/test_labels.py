"""Label rules by hand, the published counts, and what the check finds odd."""

from pathlib import Path

import numpy as np
import pytest
from conftest import published_folder, write_telemanom
from hypothesis import given, settings
from hypothesis import strategies as st

import eval_smap_timestep
from data.label_check import check_labels
from data.labels import AS_PUBLISHED, LabelRow, LabelRules, step_labels
from data.source import Labels
from data.telemanom import TelemanomSource
from datasets import DATASETS
from settings.load import load_config

ROWS = [LabelRow("P-2", ((50, 65),)), LabelRow("P-2", ((53, 60), (63, 70)))]


def rules(
    duplicate_rows: str = "last", interval_ends: str = "inclusive", merge_gap: int = 0, widen: int = 0
) -> LabelRules:
    return LabelRules(duplicate_rows, interval_ends, merge_gap, widen)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (rules(), [(53, 60), (63, 70)]),
        (rules("first"), [(50, 65)]),
        (rules("union"), [(50, 65), (53, 60), (63, 70)]),
        (rules(interval_ends="exclusive"), [(53, 59), (63, 69)]),
        (rules(merge_gap=2), [(53, 60), (63, 70)]),  # two normal steps lie between them, not fewer
        (rules(merge_gap=3), [(53, 70)]),
        (rules("union", merge_gap=1), [(50, 70)]),
        (rules(widen=2), [(51, 62), (61, 72)]),
        (rules(widen=60), [(0, 99), (3, 99)]),
        (rules(interval_ends="exclusive", merge_gap=4, widen=1), [(52, 70)]),
    ],
)
def test_rules(rule: LabelRules, expected: list[tuple[int, int]]) -> None:
    assert rule.intervals(ROWS, 100) == expected


def test_an_interval_of_one_step_is_none_where_ends_are_normal() -> None:
    rows = [LabelRow("P-1", ((5, 5), (7, 9)))]
    assert rules().intervals(rows, 20) == [(5, 5), (7, 9)]
    assert rules(interval_ends="exclusive").intervals(rows, 20) == [(7, 8)]


intervals = st.lists(st.tuples(st.integers(-5, 50), st.integers(-5, 50)), max_size=6).map(tuple)


@settings(deadline=None, database=None)
@given(intervals, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_rules_against_step_by_step_painting(
    row: tuple[tuple[int, int], ...], steps: int, merge_gap: int, widen: int
) -> None:
    painted = [any(start <= step <= end for start, end in row) for step in range(steps)]
    labelled = [step for step in range(steps) if painted[step]]
    for left, right in zip(labelled, labelled[1:], strict=False):
        if right - left - 1 < merge_gap:
            painted[left:right] = [True] * (right - left)
    near = [any(painted[max(step - widen, 0) : step + widen + 1]) for step in range(steps)]
    found = step_labels(rules(merge_gap=merge_gap, widen=widen).intervals([LabelRow("c", row)], steps), steps)
    assert found.astype(bool).tolist() == near


def test_the_defaults_are_the_published_reading() -> None:
    loaded = load_config()
    made = LabelRules(loaded.duplicate_rows, loaded.interval_ends, loaded.merge_gap, loaded.widen)
    assert made == AS_PUBLISHED
    assert loaded.drop == ()


@pytest.mark.parametrize(
    ("spacecraft", "rule", "without", "steps", "anomalous"),
    [
        ("SMAP", rules(), (), 435_826, 55_817),
        ("SMAP", rules("union"), (), 435_826, 55_972),
        ("SMAP", rules("first"), (), 435_826, 55_922),
        ("SMAP", rules(), ("P-2",), 427_617, 54_696),
        ("SMAP", rules(interval_ends="exclusive"), (), 435_826, 55_749),
        ("MSL", rules(), (), 73_729, 7_766),
        ("MSL", rules(interval_ends="exclusive"), (), 73_729, 7_730),
    ],
)
def test_published_counts(
    tmp_path_factory: pytest.TempPathFactory,
    spacecraft: str,
    rule: LabelRules,
    without: tuple[str, ...],
    steps: int,
    anomalous: int,
) -> None:
    source = TelemanomSource(published_folder(tmp_path_factory), spacecraft)
    rows = Labels(source, rule)
    labels = [rows.steps(channel) for channel in source.channels if channel not in without]
    assert sum(map(len, labels)) == steps
    assert sum(int(channel.sum()) for channel in labels) == anomalous


def findings(source: TelemanomSource) -> dict[str, list[str]]:
    return {finding.title: finding.found for finding in check_labels(Labels(source))}


def test_the_check_finds_what_is_odd(tmp_path: Path) -> None:
    lengths = {"P-1": (600, 200), "S-1": (90, 260), "E-1": (600, 180), "Z-9": (20, 20)}
    folder = write_telemanom(tmp_path / "odd", lengths)
    for name, change in {"train/P-1": ((slice(None), 0), -1.0), "test/E-1": ((3, 0), 258.0)}.items():
        series = np.load(folder / f"{name}.npy")
        series[change[0]] = change[1]
        np.save(folder / f"{name}.npy", series)
    np.save(folder / "train" / "S-1.npy", np.ones((90, 4)))
    (folder / "labeled_anomalies.csv").write_text(
        "chan_id,spacecraft,anomaly_sequences,class,num_values\n"
        'P-1,SMAP,"[[150, 199], [10, 20]]",[point],200\nS-1,SMAP,"[[5, 3], [10, 300]]",[point],261\n'
        'E-1,SMAP,"[[10, 20], [20, 25]]",[point],180\nE-1,SMAP,[],[],180\n'
    )
    found = findings(TelemanomSource(folder, "SMAP"))
    assert found["num_values is not the length of the test series"] == ["S-1 num_values 261, series 260"]
    assert found["several rows of one channel"] == ["E-1 2 rows: [10, 20] [20, 25] | "]
    assert found["intervals out of time order"] == ["P-1 [150, 199] [10, 20]"]
    assert found["intervals that overlap"] == ["E-1 [10, 20] [20, 25]"]
    assert found["intervals reversed or outside the series"] == ["S-1 [5, 3] [10, 300]"]
    assert found["intervals that touch the end of the series"] == ["P-1 [150, 199]", "S-1 [10, 300]"]
    assert found["rows without an interval"] == ["E-1"]
    assert found["series without a label row"] == ["Z-9"]
    assert found["telemetry value (column 0) constant in train"] == ["P-1 at -1", "S-1 at 1"]
    assert found["every column constant in train"] == ["S-1"]
    assert found["fewer than 500 training steps"] == ["S-1 90"]
    assert "E-1 up to 258" in found["telemetry values outside [-1, 1]"]
    assert found["commands (columns 1..) that vary in test but not in train"] == ["S-1 3"]
    assert found["share of labelled steps per channel"][0] == f"P-1 {61 / 200:.1%}"


def test_the_check_of_the_real_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = published_folder(tmp_path_factory)
    smap, msl = (findings(TelemanomSource(folder, spacecraft)) for spacecraft in ("SMAP", "MSL"))

    def names(found: list[str]) -> list[str]:
        return [text.split()[0] for text in found]

    assert names(smap["several rows of one channel"]) == ["P-2"]
    assert names(smap["intervals out of time order"]) == ["P-1", "E-12"]
    assert names(msl["intervals out of time order"]) == ["P-11"]
    assert len(smap["telemetry value (column 0) constant in train"]) == 11
    assert smap["every column constant in train"] == ["D-12", "D-13"]
    assert smap["fewer than 500 training steps"] == ["D-12 312"]
    assert len(smap["commands (columns 1..) that vary in test but not in train"]) == 41
    assert "M-6 up to 258.1" in msl["telemetry values outside [-1, 1]"]
    assert msl["channels with the same test series"] == ["P-10 = P-14"]
    assert len(smap["intervals that touch the end of the series"]) == 10
    assert smap["share of all labelled steps that lie in the second half"] == ["95.5%"]


def test_the_command(telemetry: Path, capsys: pytest.CaptureFixture) -> None:
    assert eval_smap_timestep.main(["--data-path", str(telemetry), "--check-labels"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert f"{telemetry / 'labeled_anomalies.csv'}: 3 rows, 3 channels" in output.out
    assert "fewer than 500 training steps (3):\n  P-1 120, S-1 90, E-1 150" in output.out
    assert "not found:" in output.out


def test_rules_reach_the_data_set_from_the_settings(telemetry: Path) -> None:
    plain = load_config(flags={"data_path": str(telemetry)})
    wide = load_config(flags={"data_path": str(telemetry), "widen": "3"})
    counts = [DATASETS["smap"].task(settings).labels.steps("P-1").sum() for settings in (plain, wide)]
    assert counts[1] == counts[0] + 6
