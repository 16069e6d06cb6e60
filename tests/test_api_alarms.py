"""Alarms from Python are those of the policy: of a series against a loop over its scores, of a stream against both."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from alarm_references import slow_alarms
from test_api import faulty, pump

import msflow
from evaluation.alarms import Policy
from metrics.events import Alarm
from serving.fitted import RECIPES
from settings.load import load_config

NAN = np.nan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fitted = msflow.fit(pump(0), name="pump", weights="random", time_scales=[1, 2], smooth=8)
    return fitted.save(tmp_path_factory.mktemp("run") / "pump")


def judging(folder: Path, **chosen) -> msflow.Fitted:
    """What was learnt, with other settings of alarms."""
    policy = Policy.of(load_config(RECIPES / "telemetry.py", keywords=chosen))
    settings = {name: value for name, value in asdict(policy).items() if name != "factor"}
    return msflow.load(folder, replace(msflow.load(folder).config, **settings))


def new() -> pd.DataFrame:
    """Two faults, far apart, with a gap behind each."""
    return pd.concat([faulty(), faulty("current").set_axis(faulty().index + pd.Timedelta(2, "D"))])


def expected(fitted: msflow.Fitted, scores: pd.DataFrame) -> tuple[list[Alarm], list[int]]:
    """The alarms of a loop over the scores, and the steps that keep them going."""
    steps = np.full(scores["step"].max() + 1, NAN)
    steps[scores["step"]] = scores["score"].astype(float)
    alarms, going = slow_alarms(steps, fitted._learnt.learnt("pump"), Policy.of(fitted.config))
    return alarms, np.flatnonzero(going).tolist()


CHOSEN = [
    {},
    {"causal": True},
    {"threshold": "pot", "cool_down": 30, "least_length": 3},
    {"threshold": "q0.9", "moved_after": 20, "join": 5, "prune": 0.0},
    {"threshold": "40", "join": 0},
]


@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_alarms_are_those_of_the_policy(folder: Path, chosen: dict) -> None:
    fitted = judging(folder, **chosen)
    scores, alarms = fitted.score(new()), fitted.alarms(new())
    found, going = expected(fitted, scores)
    assert alarms[["start", "end", "peak"]].to_numpy().tolist() == [[a.start, a.end, a.at] for a in found] != []
    np.testing.assert_allclose(alarms["threshold"].astype(float), [alarm.limit for alarm in found])
    np.testing.assert_allclose(alarms["peak_score"].astype(float), [alarm.peak for alarm in found])
    assert scores["step"][scores["alarm"] == 1].tolist() == going
    rows, moved = alarms["row"].str.fullmatch(r"scale [12] level [123]"), [alarm.moved for alarm in found]
    assert rows.all() and (alarms["kind"] == "the level has moved").tolist() == moved
    assert set(alarms["kind"][~np.array(moved)]) <= {"spike", "change"}
    assert alarms[["nearest_start", "nearest_end"]].isna().all(axis=None)  # the training series is not kept
    assert alarms["incident"].tolist() == list(range(1, len(alarms) + 1))


@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_a_stream_raises_those_of_a_causal_policy(folder: Path, chosen: dict) -> None:
    """Whether or not the run's settings are causal."""
    causal, stream = judging(folder, **chosen | {"causal": True}), judging(folder, **chosen).stream()
    told, alarms, lasted, rows = [], [], set(), new()
    for start in range(0, len(rows), 40):
        told.append(stream.push(rows[start : start + 40]))
        alarms += stream.ended()
        lasted |= {stream.alarm.start} if stream.alarm else set()
    told.append(stream.finish())
    alarms += stream.ended(last=True)
    assert stream.alarm is None and stream.ended(last=True) == []
    found, going = expected(causal, causal.score(rows))
    assert lasted <= {alarm.start for alarm in found} and (lasted or "join" in chosen)
    frame = pd.concat([part for part in told if len(part)])
    assert frame["step"][frame["alarm"] == 1].tolist() == going
    assert [(a.start, a.end, a.at, a.moved) for a in alarms] == [(a.start, a.end, a.at, a.moved) for a in found]
    heights = [[alarm.peak, alarm.limit] for alarm in alarms]
    np.testing.assert_allclose(heights, [[alarm.peak, alarm.limit] for alarm in found], rtol=1e-4)
