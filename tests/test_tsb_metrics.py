"""The rule of the TSB-AD benchmark for the largest window, and its VUS, against numbers of the authors' own code."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import plain_policy, published_folder
from tsb_cases import REAL_CASES, labels_of, period_cases, rough_score, score_cases

import eval_smap_timestep
import main
from data.telemanom import TelemanomSource
from evaluation.judge import PER_CHANNEL, POOLED, Scoring, judge
from metrics.metric import Options
from metrics.ranges import at_quantiles, volume_under_surface
from metrics.windows import period_window
from settings.flags import make_parser
from settings.load import load_config

ORACLE = json.loads((Path(__file__).parent / "oracle" / "tsb_ad.json").read_text())


@pytest.mark.parametrize("name", period_cases())
def test_the_window_is_that_of_the_authors(name: str) -> None:
    assert period_window(period_cases()[name]) == ORACLE["windows"][name]


@pytest.mark.parametrize("steps", range(6))
def test_a_series_of_hardly_any_steps_has_no_period(steps: int) -> None:
    assert period_window(np.arange(steps) % 2) == 125


@pytest.mark.parametrize("name", score_cases())
def test_volumes_are_those_of_the_authors_where_their_thresholds_are_all_there_are(name: str) -> None:
    labels, scores, window, all_there = score_cases()[name]
    expected = ORACLE["volumes"][name]
    at_theirs = volume_under_surface(labels, at_quantiles(scores), [len(labels)], window)
    assert (at_theirs.vus_roc, at_theirs.vus_pr) == pytest.approx((expected["vus_roc"], expected["vus_pr"]), abs=1e-9)
    ours = volume_under_surface(labels, scores, [len(labels)], window)
    assert ours.vus_pr == pytest.approx(expected["vus_pr"], abs=1e-6 if all_there else 0.01)
    assert ours.vus_roc == pytest.approx(expected["vus_roc"], abs=1e-6 if all_there else 0.001)


def test_real_series_have_the_authors_windows(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = published_folder(tmp_path_factory)
    sources = [TelemanomSource(folder, spacecraft) for spacecraft in ("SMAP", "MSL")]
    found = {c: period_window(source.series(c, "test")[:, 0]) for source in sources for c in source.channels}
    assert found == ORACLE["real_windows"]


@pytest.mark.parametrize("channel", REAL_CASES)
def test_scores_of_real_series_have_the_authors_volumes(channel: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of few anomalous steps every threshold counts: here all of them give a PR volume that is higher by up to .05."""
    series = np.load(published_folder(tmp_path_factory) / "test" / f"{channel}.npy")
    intervals, window = REAL_CASES[channel]
    labels, scores, expected = labels_of(len(series), *intervals), rough_score(series), ORACLE["real_volumes"][channel]
    at_theirs = volume_under_surface(labels, at_quantiles(scores), [len(labels)], window)
    assert (at_theirs.vus_roc, at_theirs.vus_pr) == pytest.approx((expected["vus_roc"], expected["vus_pr"]), abs=1e-9)
    ours = volume_under_surface(labels, scores, [len(labels)], window)
    assert -0.005 < ours.vus_pr - expected["vus_pr"] < 0.05


def test_scores_at_quantiles_are_scores() -> None:
    scores = np.random.default_rng(0).random(1000)
    lowered = at_quantiles(scores, 7)
    assert set(lowered) < set(scores) and len(set(lowered)) == 7
    assert (lowered <= scores).all() and {lowered.min(), lowered.max()} == {scores.min(), scores.max()}
    assert (np.diff(lowered[np.argsort(scores)]) >= 0).all()
    np.testing.assert_array_equal(at_quantiles(scores[:200]), scores[:200])


def test_every_channel_is_judged_by_its_own_window_and_several_by_the_median_of_theirs() -> None:
    rng = np.random.default_rng(0)
    labels = [labels_of(90, (20, 30)).astype(np.uint8), labels_of(80, (50, 59)).astype(np.uint8)]
    labels.append(labels_of(70, (3, 9)).astype(np.uint8))
    scoring = Scoring("made", ["a", "b", "c"], [rng.random(len(x)) + 0.4 * x for x in labels], None)
    windows = (4, 30, 11)

    def judged(window: int | tuple[int, ...]):
        return judge(scoring, labels, plain_policy("0.5"), Options(window, bootstrap=0, point_adjust=False))

    found = judged(windows)
    for number, window in enumerate(windows):
        assert found.channels[number] == judged(window).channels[number]
    assert found.parts[POOLED] == judged(11).parts[POOLED]
    vus = [channel["vus_pr"] for channel in found.channels]
    assert found.parts[PER_CHANNEL]["vus_pr"] == pytest.approx(np.mean(vus)) and len(set(vus)) == 3


def test_auto_takes_the_period_of_the_channel(telemetry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = str(Path(main.__file__).parent / "configs" / "smap_line.py")
    flags = ["--config", recipe, "--data-path", str(telemetry), "--head", "gaussian", "--vis-top-k", "0"]
    flags += ["--bootstrap", "0", "--time-scales", "1"]
    assert main.main([*flags, "--vus-window", "auto"]) == 0
    (path,) = tmp_path.rglob("metrics.json")
    found = json.loads(path.read_text())
    assert found["settings"]["vus_window"] == "auto"
    channels = found["scores"]["model"]["channels"]
    for name in ("P-1", "S-1", "E-1"):
        window = period_window(np.load(telemetry / "test" / f"{name}.npy")[:, 0])
        assert channels[name]["vus_window"] == window != 125
    again = ["--scores-dir", str(path.parent), "--vus-window", str(channels["P-1"]["vus_window"])]
    assert eval_smap_timestep.main(again) == 0
    by_number = json.loads(path.read_text())["scores"]["model"]["channels"]["P-1"]
    assert by_number | {"vus_window": channels["P-1"]["vus_window"]} == channels["P-1"]
    assert "vus_window" not in by_number


def test_the_setting_takes_a_number_or_auto(capsys: pytest.CaptureFixture) -> None:
    def value(*words: str) -> int | str:
        given = vars(make_parser("").parse_args(["--vus-window", *words]))
        return load_config(given.pop("config"), given).vus_window

    assert value("auto") == "auto" and value("7") == 7
    assert main.main(["--vus-window", "period"]) == 2
    assert "vus_window = 'period' is not allowed. Allowed: int | auto." in capsys.readouterr().err
    assert main.main(["--vus-window", "-1"]) == 2
    assert "numbers from 0 on" in capsys.readouterr().err
