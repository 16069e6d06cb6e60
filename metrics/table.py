"""All metrics of time steps in one table: what metrics.json, the printed tables and the page are made of."""

from metrics import METRICS
from metrics.metric import Column, Steps, Value

Values = dict[str, Value]


def columns() -> list[Column]:
    """Every figure there is, in order."""
    return [column for _, metric in METRICS.items() for column in metric.columns]


def step_metrics(steps: Steps) -> Values:
    """Every figure that the options ask for, by name; None: undefined."""
    asked = [metric for _, metric in METRICS.items() if metric.asked(steps.options)]
    return {
        column.name: value
        for metric in asked
        for column, value in zip(metric.columns, metric.values(steps), strict=True)
    }
