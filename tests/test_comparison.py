"""Every metric of the model beside those of trivial scores: parts of the steps, the verdict, files and messages."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import plain_policy, tiny_flags, tiny_folder
from sklearn.metrics import average_precision_score, roc_auc_score

import eval_smap_timestep
import main
from evaluation import evaluate as evaluation
from evaluation.judge import HEAVY, LIGHT, PER_CHANNEL, POOLED, SECOND_HALF, Result, Scoring, judge, parts_of, verdict
from evaluation.quiet import holds_out
from metrics.metric import Options
from metrics.table import columns
from settings.load import load_config

OPTIONS = Options(vus_window=8, bootstrap=50, point_adjust=True)
POLICY = plain_policy("q0.9")


def made(seed: int = 0) -> tuple[Scoring, list[np.ndarray]]:
    """Scores and labels of four channels; the last one has no anomaly, the first holds most labelled steps."""
    rng = np.random.default_rng(seed)
    labels = [np.zeros(steps, dtype=np.uint8) for steps in (120, 80, 101, 60)]
    labels[0][60:110], labels[1][10:14], labels[2][90:] = 1, 1, 1
    test = [rng.normal(size=len(channel)) + 2 * channel for channel in labels]
    train = [rng.normal(size=200) for _ in labels]
    return Scoring("model", ["A-1", "A-2", "A-3", "A-4"], test, train), labels


def judged(scoring: Scoring, labels: list[np.ndarray], **options: int) -> Result:
    return judge(scoring, labels, POLICY, replace(OPTIONS, **options))


def test_parts_hold_the_steps_they_name() -> None:
    scoring, labels = made()
    result = judged(scoring, labels)
    pieces = {
        POOLED: [(n, slice(None)) for n in range(4)],
        SECOND_HALF: [(0, slice(60, 120)), (1, slice(40, 80)), (2, slice(50, 101)), (3, slice(30, 60))],
        HEAVY: [(0, slice(None))],
        LIGHT: [(n, slice(None)) for n in (1, 2, 3)],
    }
    for part, places in pieces.items():
        truth = np.concatenate([labels[n][steps] for n, steps in places])
        scores = np.concatenate([scoring.test[n][steps] for n, steps in places])
        assert result.parts[part]["roc_auc"] == pytest.approx(roc_auc_score(truth, scores)), part
        assert result.parts[part]["average_precision"] == pytest.approx(average_precision_score(truth, scores)), part
    means = np.mean([roc_auc_score(labels[n], scoring.test[n]) for n in range(3)])
    assert result.parts[PER_CHANNEL]["roc_auc"] == pytest.approx(means)
    assert result.channels[3]["roc_auc"] is None
    assert set(result.parts[POOLED]) == {column.name for column in columns()}


def test_channels_are_heavy_above_twice_the_mean_number_of_labels() -> None:
    counts = [22, 17, 5, 4, 2]  # 2.2, 1.7, 0.5, 0.4 and 0.2 times their mean
    parts = parts_of([np.repeat(np.array([0, 1], dtype=np.uint8), [30, count]) for count in counts])
    assert [number for number, _ in parts[HEAVY]] == [0]
    assert [number for number, _ in parts[LIGHT]] == [1, 2, 3, 4]
    exactly_twice = [np.repeat(np.array([0, 1], dtype=np.uint8), [30, count]) for count in (20, 17, 7, 4, 2)]
    assert HEAVY not in parts_of(exactly_twice)


def test_alarms_are_above_the_quantile_of_the_channels_own_training_scores() -> None:
    scoring, labels = made()
    result = judged(scoring, labels)
    thresholds = [np.quantile(train, 0.9) for train in scoring.train]
    assert [learnt.threshold for learnt in result.learnt] == thresholds
    assert [learnt.usual for learnt in result.learnt] == [np.median(train) for train in scoring.train]
    alarmed = [np.zeros(len(channel), dtype=bool) for channel in labels]
    for mask, alarms in zip(alarmed, result.alarms, strict=True):
        for alarm in alarms:
            mask[alarm.start : alarm.end + 1] = True
    for mask, scores, threshold in zip(alarmed, scoring.test, thresholds, strict=True):
        assert (mask == (scores > threshold)).all()
    found = sum(mask[channel == 1].any() for mask, channel in zip(alarmed, labels, strict=True))
    assert result.parts[POOLED]["events_found"] == found


def test_confidence_holds_the_pooled_value_and_can_be_left_out() -> None:
    scoring, labels = made()
    result = judged(scoring, labels)
    for metric in ("roc_auc", "average_precision"):
        low, high = result.confidence[metric]
        assert low <= result.parts[POOLED][metric] <= high
    assert judged(scoring, labels, bootstrap=0).confidence == {}
    assert "point_adjusted_f1" not in judged(scoring, labels, point_adjust=False).parts[POOLED]


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_leaves_rank_metrics_undefined(value: int) -> None:
    scoring, labels = made()
    labels = [np.full(len(channel), value, dtype=np.uint8) for channel in labels]
    result = judged(scoring, labels)
    assert result.parts[POOLED]["roc_auc"] is None
    assert verdict(result, [result]) == ("All steps have one label: no metric that ranks them is defined.", None)
    assert set(parts_of(labels)) == {POOLED, SECOND_HALF}


def test_the_verdict_names_the_best_trivial_score() -> None:
    scoring, labels = made()
    model, best = judged(scoring, labels), judged(replace(made(1)[0], name="best"), labels)
    worst = judged(Scoring("worst", scoring.channels, [-s for s in scoring.test], scoring.train), labels)
    text, above = verdict(best, [worst, model])
    assert ("BELOW" in text) == (not above)
    assert "of model" in text and "worst" not in text
    text, above = verdict(model, [worst])
    assert above and "BELOW" not in text
    text, above = verdict(worst, [model, best])
    assert not above and text.count("BELOW") == 2


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data and the scores folder of a tiny run."""
    from conftest import write_telemanom

    folder = tmp_path_factory.mktemp("scored")
    data = write_telemanom(folder / "telemetry", {"P-1": (120, 200), "S-1": (90, 260), "E-1": (150, 180)})
    assert main.main([*tiny_flags(data, folder / "runs"), "--no-report", "--meta-epochs", "1"]) == 0
    return data, tiny_folder(folder / "runs") / "scores"


def evaluate(scored: tuple[Path, Path], *flags: str) -> int:
    return eval_smap_timestep.main(["--scores-dir", str(scored[1]), *flags])


def test_metrics_json_holds_every_figure_with_its_definition(scored, capsys: pytest.CaptureFixture) -> None:
    assert evaluate(scored, "--report", "--bootstrap", "20", "--vus-window", "5") == 0
    found = json.loads((scored[1] / "metrics.json").read_text())
    assert list(found["scores"])[:3] == ["model", "random", "position t/T"] and len(found["scores"]) == 6
    assert found["settings"]["vus_window"] == 5
    assert found["weights"] == "random (seed 0)"
    for score in found["scores"].values():
        assert set(score["parts"]) <= set(found["parts"])
        for part in score["parts"].values():
            assert set(part) <= set(found["definitions"])
        assert list(score["channels"]) == ["P-1", "S-1", "E-1"]
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Time-step ROC AUC"))
    assert f"{found['scores']['model']['parts']['pooled']['roc_auc']:.4f}" in line


@pytest.mark.parametrize("threshold", ["maxima", "0.5"])
def test_scores_of_pictures_of_whole_series_are_not_held_out_which_is_said(scored, threshold: str) -> None:
    """And no alarm on them is an alarm on quiet data; those of trivial scores are."""
    assert evaluate(scored, "--report", "--threshold", threshold, "--bootstrap", "0", "--vus-window", "0") == 0
    found = json.loads((scored[1] / "metrics.json").read_text())
    told = [caution for caution in found["cautions"] if "scores of the very steps that the model has learnt" in caution]
    assert len(told) == (threshold == "maxima")  # a number is not learnt
    quiet = {name: score["parts"]["pooled"]["quiet_alarms"] for name, score in found["scores"].items()}
    assert quiet.pop("model") is None and None not in quiet.values()


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"layout": "stretch"}, False),
        ({"layout": "stretch", "timestep_map": "nll", "head": "gaussian"}, False),
        ({"layout": "line"}, True),
        ({"layout": "gasf"}, True),
        ({"detector": "another"}, True),
    ],
    ids=str,
)
def test_which_training_scores_are_held_out(chosen: dict[str, str], expected: bool) -> None:
    assert holds_out(replace(load_config(), **chosen)) == expected


def test_other_thresholds_are_tried_for_a_report_only(scored, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(evaluation, "operating_points", lambda *_: asked.append(True) or [])
    assert evaluate(scored, "--no-report") == 0 and not asked
    assert evaluate(scored, "--report", "--bootstrap", "0", "--vus-window", "0") == 0 and asked


def test_drop_leaves_channels_out(scored, capsys: pytest.CaptureFixture) -> None:
    assert evaluate(scored, "--drop", "S-1", "--save-npy") == 0
    assert "Time steps: 380," in capsys.readouterr().out
    assert np.load(scored[1] / "timestep_scores.npy").shape == (380,)
    assert evaluate(scored, "--drop", "S-2") == 2
    assert "unknown channel to drop 'S-2'. Did you mean 'S-1'?" in capsys.readouterr().err
    assert evaluate(scored, "--drop", "S-1", "P-1", "E-1") == 2
    assert "leaves no channel to evaluate" in capsys.readouterr().err


def test_point_adjusted_f1_stands_beside_that_of_the_random_score(scored, capsys: pytest.CaptureFixture) -> None:
    assert evaluate(scored, "--no-report") == 0
    assert "PA-F1" not in capsys.readouterr().out
    assert evaluate(scored, "--no-report", "--point-adjust") == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith("PA-F1"))
    assert [line.split()[0] for line in lines[start + 1 : start + 3]] == ["model", "random"]
    assert all(0 < float(line.split()[-1]) <= 1 for line in lines[start + 1 : start + 3])


def test_missing_or_broken_scores_are_named(scored, capsys: pytest.CaptureFixture) -> None:
    maps = scored[1] / "train" / "anomaly_score_map_add.npy"
    whole = maps.read_bytes()
    broken = np.load(maps)
    broken[1, 3, 3] = np.nan
    np.save(maps, broken)
    assert evaluate(scored) == 2
    assert f"{maps}: is damaged: not what the test wrote" in capsys.readouterr().err
    described = maps.with_name("config.json")
    record = described.read_text()  # of a run that kept no checksums, too
    described.write_text(json.dumps({k: v for k, v in json.loads(record).items() if k not in ("checksum", "files")}))
    assert evaluate(scored) == 2
    described.write_text(record)
    assert "channel S-1 has scores that are not finite" in capsys.readouterr().err
    maps.unlink()
    assert evaluate(scored) == 2
    assert f"{maps}: missing. Make the scores first" in capsys.readouterr().err
    maps.write_bytes(whole)
