"""Every figure of metrics.json under its own name: what `judge` returns against slow references of each metric."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import plain_policy
from metric_references import (
    moved,
    slow_affiliation,
    slow_affiliation_f1,
    slow_best_f1,
    slow_corrected_event_f05,
    slow_delays,
    slow_event_counts,
    slow_intervals,
    slow_point_adjusted_best_f1,
    slow_repeated_alarms,
    slow_volumes,
)
from references import slow_auroc, slow_average_precision
from sklearn.metrics import precision_recall_curve, roc_curve

from evaluation.judge import HEAVY, LIGHT, PER_CHANNEL, POOLED, SECOND_HALF, Result, Scoring, judge
from metrics.affiliation_gain import NUM_SHIFTS, random_shifts
from metrics.metric import Options
from metrics.table import columns

THRESHOLD = 1.2
NAMES = [column.name for column in columns()]
OPTIONS = Options(vus_window=6, bootstrap=0, point_adjust=True)
POLICY = plain_policy(str(THRESHOLD))
WHOLE = slice(None)
PLACES = {
    POOLED: [(0, WHOLE), (1, WHOLE), (2, WHOLE), (3, WHOLE)],
    SECOND_HALF: [(0, slice(40, 80)), (1, slice(25, 50)), (2, slice(20, 41)), (3, slice(15, 30))],
    HEAVY: [(0, WHOLE)],
    LIGHT: [(1, WHOLE), (2, WHOLE), (3, WHOLE)],
}


def made() -> tuple[Scoring, list[np.ndarray]]:
    """Four channels on which no two metrics agree; labels go on across a border, and the last channel has none."""
    rng = np.random.default_rng(5)
    labels = [np.zeros(steps, dtype=np.uint8) for steps in (80, 50, 41, 30)]
    for channel, start, end in ((0, 8, 11), (0, 30, 52), (0, 74, 80), (1, 0, 4), (1, 33, 36), (2, 25, 31)):
        labels[channel][start:end] = 1
    test = [rng.normal(size=len(channel)) + 1.1 * channel for channel in labels]
    train = [rng.normal(size=20) for _ in labels]
    return Scoring("model", ["A-1", "A-2", "A-3", "A-4"], test, train), labels


def slow_metrics(labels: list[np.ndarray], scores: list[np.ndarray], train: list[np.ndarray]) -> dict[str, float]:
    """Every metric by the slow references, of channels joined one after the other, `train` not cut."""
    lengths = [len(channel) for channel in labels]
    truth, pooled = np.concatenate(labels), np.concatenate(scores)
    alarms = pooled > THRESHOLD
    range_roc, range_pr, vus_roc, vus_pr = slow_volumes(truth, pooled, lengths, OPTIONS.vus_window)
    precision, recall = slow_affiliation(truth, alarms, lengths)
    found, missed, false_alarms = slow_event_counts(truth, alarms, lengths)
    f1, threshold = slow_best_f1(truth, pooled)
    shifts = random_shifts(lengths, NUM_SHIFTS, seed=0)
    chance = np.mean([slow_affiliation_f1(truth, moved(alarms, lengths, row), lengths) for row in shifts])
    delays = slow_delays(truth, alarms, lengths)
    quiet = np.concatenate(train) > THRESHOLD
    return {
        "roc_auc": slow_auroc(truth, pooled),
        "average_precision": slow_average_precision(truth, pooled),
        "best_f1": f1,
        "best_f1_threshold": threshold,
        "range_auc_roc": range_roc,
        "range_auc_pr": range_pr,
        "vus_roc": vus_roc,
        "vus_pr": vus_pr,
        "affiliation_precision": precision,
        "affiliation_recall": recall,
        "affiliation_f1": 2 * precision * recall / (precision + recall),
        "affiliation_gain": slow_affiliation_f1(truth, alarms, lengths) - chance,
        "event_precision": found / (found + false_alarms),
        "event_recall": found / (found + missed),
        "event_f1": 2 * found / (2 * found + missed + false_alarms),
        "events_found": found,
        "events_missed": missed,
        "false_alarms": false_alarms,
        "corrected_event_f05": slow_corrected_event_f05(truth, alarms, lengths),
        "alarmed_share": sum(map(bool, alarms)) / len(alarms),
        "normal_alarmed_share": sum(map(bool, alarms[truth == 0])) / sum(truth == 0),
        "quiet_alarms": 10_000 * len(slow_intervals(quiet, list(map(len, train)))) / len(quiet),
        "repeated_alarms": slow_repeated_alarms(truth, alarms, lengths),
        "delay_median": np.quantile(delays, 0.5),
        "delay_90": np.quantile(delays, 0.9),
        "point_adjusted_f1": slow_point_adjusted_best_f1(truth, pooled, lengths)[0],
    }


@pytest.fixture(scope="module")
def judged() -> Result:
    scoring, labels = made()
    return judge(scoring, labels, POLICY, OPTIONS)


def test_no_two_metrics_agree_on_the_data_of_these_tests() -> None:
    scoring, labels = made()
    values = slow_metrics(labels, scoring.test, scoring.train)
    assert set(values) == set(NAMES)
    assert np.diff(sorted(values.values())).min() > 1e-3


@pytest.mark.parametrize("part", PLACES)
def test_every_metric_of_a_part_equals_its_slow_reference(judged: Result, part: str) -> None:
    scoring, labels = made()
    pieces = [[channels[number][steps] for number, steps in PLACES[part]] for channels in (labels, scoring.test)]
    train = [scoring.train[number] for number, _ in PLACES[part]]
    assert judged.parts[part] == pytest.approx(slow_metrics(*pieces, train), rel=1e-9)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_metric_of_a_channel_equals_its_slow_reference(judged: Result, number: int) -> None:
    scoring, labels = made()
    expected = slow_metrics([labels[number]], [scoring.test[number]], [scoring.train[number]])
    assert judged.channels[number] == pytest.approx(expected, rel=1e-9)


def test_the_mean_per_channel_is_over_the_channels_that_define_the_metric(judged: Result) -> None:
    unlabelled = judged.channels[3]
    assert unlabelled["roc_auc"] is unlabelled["event_recall"] is unlabelled["affiliation_f1"] is None
    assert unlabelled["false_alarms"] > 0 and unlabelled["alarmed_share"] > 0
    for name in NAMES:
        values = [channel[name] for channel in judged.channels if channel[name] is not None]
        assert judged.parts[PER_CHANNEL][name] == pytest.approx(sum(values) / len(values)), name


def test_the_curves_are_those_of_scikit_learn_and_none_where_labels_are_all_alike(judged: Result) -> None:
    scoring, labels = made()
    truth, pooled = np.concatenate(labels), np.concatenate(scoring.test)
    false, true, _ = roc_curve(truth, pooled, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(truth, pooled)
    np.testing.assert_allclose(judged.curves[0], (false, true))
    np.testing.assert_allclose(judged.curves[1], (recall[::-1], precision[::-1]))
    assert judge(scoring, [np.zeros_like(channel) for channel in labels], POLICY, OPTIONS).curves is None


def test_the_window_of_the_settings_is_the_largest_of_the_range_metrics() -> None:
    scoring, labels = made()
    truth, pooled = np.concatenate(labels), np.concatenate(scoring.test)
    pieces = judge(scoring, labels, POLICY, replace(OPTIONS, vus_window=3)).parts[POOLED]
    found = [pieces[name] for name in ("range_auc_roc", "range_auc_pr", "vus_roc", "vus_pr")]
    assert found == pytest.approx(slow_volumes(truth, pooled, [80, 50, 41, 30], 3), rel=1e-9)
