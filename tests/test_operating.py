"""The alarms of other thresholds than the learnt ones, and what they are worth."""

from dataclasses import replace

import numpy as np
import pytest
from alarm_references import slow_alarms
from conftest import plain_policy
from metric_references import slow_event_counts

from evaluation import alarms
from evaluation.alarms import limits
from evaluation.judge import POOLED, Labelled, Result, Scoring, judge
from evaluation.operating import FACTORS, operating_points
from metrics import METRICS
from metrics.metric import Options

NAN = np.nan
OPTIONS = Options(vus_window=0, bootstrap=0, point_adjust=False)
POLICIES = {
    "plain": plain_policy("q0.95"),
    "all": replace(
        plain_policy("maxima"),
        risk=100.0,
        contrast=0.3,
        release=0.5,
        join=6,
        prune=0.05,
        cool_down=9,
        moved_after=30,
        drift=20,
    ),
    "causal": replace(plain_policy("pot"), contrast=0.3, release=0.5, join=6, moved_after=30, causal=True),
}


def made() -> tuple[Scoring, Labelled]:
    """Scores of four channels, of which one is not labelled and one has no threshold; some steps were not measured."""
    rng = np.random.default_rng(1)
    labels: Labelled = [
        np.zeros(300, dtype=np.uint8),
        np.zeros(200, dtype=np.uint8),
        None,
        np.zeros(80, dtype=np.uint8),
    ]
    labels[0][100:130], labels[0][200:205], labels[1][20:60], labels[3][5:9] = 1, 1, 1, 1
    test = [rng.gamma(2, size=steps) for steps in (300, 200, 150, 80)]
    test[0][105:120] += 6
    test[0][250:253] += 9
    test[1][25:] *= 3
    test[2][70:80] += 8
    test[0][110:113], test[2][::9] = NAN, NAN
    train = [rng.gamma(2, size=500) for _ in range(3)] + [np.full(4, NAN)]
    return Scoring("model", ["a", "b", "c", "d"], test, train), labels


@pytest.fixture(params=POLICIES)
def judged(request: pytest.FixtureRequest) -> tuple[str, Scoring, Labelled, Result]:
    scoring, labels = made()
    return request.param, scoring, labels, judge(scoring, labels, POLICIES[request.param], OPTIONS)


def test_thresholds_go_from_a_quarter_to_four_times_and_the_learnt_one_is_in_the_middle() -> None:
    assert (FACTORS[0], FACTORS[len(FACTORS) // 2], FACTORS[-1]) == (0.25, 1.0, 4.0) and len(FACTORS) % 2
    np.testing.assert_allclose(np.diff(np.log(FACTORS)), np.log(16) / (len(FACTORS) - 1))


def test_the_learnt_threshold_gives_the_alarms_of_the_result(judged: tuple) -> None:
    name, scoring, labels, result = judged
    points = operating_points(scoring, result, labels, POLICIES[name])
    assert tuple(point.factor for point in points) == FACTORS
    assert points[len(FACTORS) // 2].alarms == result.alarms and sum(map(len, result.alarms)) > 1


def test_and_its_worth(judged: tuple) -> None:
    name, scoring, labels, result = judged
    point = operating_points(scoring, result, labels, POLICIES[name])[len(FACTORS) // 2]
    names = ("event_precision", "event_recall", "event_f1", "normal_alarmed_share")
    expected = [result.parts[POOLED][metric] for metric in names]
    assert [point.precision, point.recall, point.f1, point.normal_share] == expected and None not in expected


def test_a_channel_without_a_threshold_counts_in_no_figure_of_alarms(judged: tuple) -> None:
    """But in all others: how its steps rank is known."""
    name, scoring, labels, result = judged
    some = Scoring("model", *(values[:3] for values in (scoring.channels, scoring.test, scoring.train)))
    without = judge(some, labels[:3], POLICIES[name], OPTIONS)
    of_alarms = [c.name for _, metric in METRICS.items() if metric.needs_alarms for c in metric.columns]
    for figure in of_alarms:
        assert result.parts[POOLED][figure] == without.parts[POOLED][figure]
        assert result.channels[3][figure] is None
    assert result.parts[POOLED]["roc_auc"] != without.parts[POOLED]["roc_auc"]
    none = judge(replace(scoring, train=None), labels, POLICIES[name], OPTIONS)
    assert {none.parts[POOLED][figure] for figure in of_alarms} == {None}


def test_what_every_threshold_is_worth(judged: tuple) -> None:
    name, scoring, labels, result = judged
    for point in operating_points(scoring, result, labels, POLICIES[name]):
        policy = replace(POLICIES[name], factor=point.factor)
        for number, (scores, learnt) in enumerate(zip(scoring.test, result.learnt, strict=True)):
            expected = [] if learnt.threshold is None else slow_alarms(scores, learnt, policy)[0]
            assert point.alarms[number] == expected
        measured = sum(int(np.isfinite(scores).sum()) for scores in scoring.test[:3])  # the last has no threshold
        assert point.alarms_per_1000 == pytest.approx(1000 * sum(map(len, point.alarms)) / measured)
        truth, covered, lengths = [], [], []
        for number in (0, 1):
            steps = {step for alarm in point.alarms[number] for step in range(alarm.start, alarm.end + 1)}
            kept = [step for step, score in enumerate(scoring.test[number]) if not np.isnan(score)]
            truth += [labels[number][step] for step in kept]
            covered += [step in steps for step in kept]
            lengths.append(len(kept))
        found, missed, false_alarms = slow_event_counts(np.array(truth), np.array(covered), lengths)
        assert point.recall == pytest.approx(found / (found + missed))
        assert point.precision == (pytest.approx(found / (found + false_alarms)) if found + false_alarms else None)
        assert point.f1 == pytest.approx(2 * found / (2 * found + missed + false_alarms))
        normal = [alarmed for alarmed, label in zip(covered, truth, strict=True) if not label]
        assert point.normal_share == pytest.approx(sum(normal) / len(normal))


def test_what_all_thresholds_share_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Medians of the last steps are what takes long."""
    scoring, labels = made()
    result = judge(scoring, labels, POLICIES["all"], OPTIONS)
    asked = []
    monkeypatch.setattr(alarms, "limits", lambda scores, *others: asked.append(len(scores)) or limits(scores, *others))
    operating_points(scoring, result, labels, POLICIES["all"])
    assert asked == [297, 200, 133]  # the measured steps of the channels with a threshold


def test_a_higher_threshold_raises_no_more_where_runs_are_alarms() -> None:
    scoring, labels = made()
    points = operating_points(scoring, judge(scoring, labels, POLICIES["plain"], OPTIONS), labels, POLICIES["plain"])
    shares, recalls = [point.normal_share for point in points], [point.recall for point in points]
    assert shares == sorted(shares, reverse=True) and recalls == sorted(recalls, reverse=True)
    assert shares[0] > shares[-1]


def test_without_labels_only_alarms_are_counted() -> None:
    scoring, labels = made()
    result = judge(scoring, [None] * 4, POLICIES["plain"], OPTIONS)
    for point in operating_points(scoring, result, [None] * 4, POLICIES["plain"]):
        assert point.precision is point.recall is point.f1 is point.normal_share is None
        assert point.alarms_per_1000 > 0 or point.factor > 1
    nothing = Scoring("model", ["a"], [np.full(9, NAN)], None)
    policy = plain_policy("maxima")
    points = operating_points(nothing, judge(nothing, [None], policy, OPTIONS), [None], policy)
    assert {point.alarms_per_1000 for point in points} == {0.0}
