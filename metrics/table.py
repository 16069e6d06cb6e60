"""All metrics of time steps in one table: what metrics.json, the printed tables and the page are made of."""

from metrics import METRICS
from metrics.metric import Column, PrintedTable, Steps, Value

Values = dict[str, Value]


def columns() -> list[Column]:
    """Every figure there is, in order."""
    return [column for _, metric in METRICS.items() for column in metric.columns]


def printed_columns(table: PrintedTable, values: Values) -> list[Column]:
    """The columns of one of the printed tables, in order: those whose figures were asked for."""
    return [column for column in columns() if column.printed and column.table == table and column.name in values]


def step_metrics(steps: Steps, watched: Steps) -> Values:
    """Every figure that the options ask for, by name; None: undefined. Those of alarms are of the steps `watched`."""
    asked = [metric for _, metric in METRICS.items() if metric.asked(steps.options)]
    return {
        column.name: value
        for metric in asked
        for column, value in zip(metric.columns, metric.values(watched if metric.needs_alarms else steps), strict=True)
    }
