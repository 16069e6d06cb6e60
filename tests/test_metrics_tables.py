"""The printed tables of metrics: which figure stands in which, and that a terminal is wide enough."""

from collections import Counter
from typing import get_args

import pytest

from metrics.metric import Column, PrintedTable
from metrics.table import columns, printed_columns

ROW_NAME = 24  # characters
TABLES = get_args(PrintedTable)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_with_every_figure_fits_a_terminal(table: str) -> None:
    shown = printed_columns(table, {column.name: None for column in columns()})
    assert shown and ROW_NAME + sum(column.width for column in shown) <= 80
    heads = "".join(f"{column.printed:>{column.width}}" for column in shown)
    row = "".join(column.cell(0.5) for column in shown)
    assert len(heads) == len(row) == sum(column.width for column in shown)
    assert heads.startswith(" ") and all(f" {column.printed}" in heads for column in shown)


def test_every_printed_figure_stands_in_one_table_under_a_heading_of_its_own() -> None:
    everything = {column.name: None for column in columns()}
    shown = [column for table in TABLES for column in printed_columns(table, everything)]
    assert Counter(column.name for column in shown) == Counter(c.name for c in columns() if c.printed)
    assert max(Counter(column.printed for column in shown).values()) == 1
    ranking, alarms = ({c.name for c in printed_columns(table, everything)} for table in TABLES)
    assert {"roc_auc", "average_precision", "best_f1", "vus_pr"} <= ranking
    assert {
        "event_f1",
        "events_found",
        "false_alarms",
        "normal_alarmed_share",
        "delay_median",
        "quiet_alarms",
    } <= alarms


def test_figures_that_were_not_asked_for_have_no_column() -> None:
    asked = {column.name: None for column in columns() if column.name != "point_adjusted_f1"}
    names = {column.name for column in printed_columns("ranking", asked)}
    assert "best_f1" in names and "point_adjusted_f1" not in names


def test_values_stand_with_their_digits_at_the_right_of_their_column() -> None:
    share, count = Column("a", "", printed="share"), Column("b", "", printed="false alarms", digits=0)
    assert share.cell(0.12345) == " 0.123" and share.cell(None) == "     -"
    assert count.cell(12) == "           12" and count.cell(None) == "            -"
    assert Column("c", "", printed="R").cell(0.5) == " 0.500"
