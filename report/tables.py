"""Tables and cells of the page as HTML: the result, the key of the curves, terms. Every text is escaped here.

The table of channels is in fleet.py, the list of alarms in alarms.py.
"""

import html
import math
from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np

from report.data import Cell, Curve, Table
from report.style import curve_style


def headline_table(table: Table) -> str:
    """The model beside the trivial scores; the best of every ranked column is bold. Empty columns are left out."""
    table = _without_empty_columns(table)
    edges = np.cumsum([width for _, width in table.groups])
    starts = set(edges[:-1].tolist())
    heads = "".join(
        f'<th scope="col"{_class(number in starts and "starts", number > 0 and "num")}>{html.escape(name)}</th>'
        for number, name in enumerate(table.columns)
    )
    best = {
        number: max(filter(is_number, (row[number] for row in table.rows)), default=None) for number in table.ranked
    }
    rows = []
    for index, row in enumerate(table.rows):
        cells = "".join(
            cell_html(cell, number in starts and "starts", is_number(cell) and cell == best.get(number) and "best")
            for number, cell in enumerate(row[1:], start=1)
        )
        name = f'<th scope="row">{html.escape(format_cell(row[0]))}</th>'
        rows.append(f"<tr{_class(index == table.highlight and 'model')}>{name}{cells}</tr>")
    return (
        f'<table class="headline"><thead>{_group_heads(table.groups)}<tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def sort_head(name: str, kind: str, order: str = "none") -> str:
    """The <th> of a column that fleet.js sorts by, as "number" or as "text"; `order` is how the rows stand now."""
    return (
        f'<th scope="col" data-kind="{kind}" aria-sort="{order}"{_class(kind == "number" and "num")}>'
        f'<button type="button">{html.escape(name)}</button></th>'
    )


def curve_key(curves: list[Curve], area: str) -> str:
    """Line and area of each curve; `area` is the heading."""
    rows = "".join(
        f"<tr><td>{line_sample(place)}{html.escape(curve.name)}</td>{cell_html(curve.area)}</tr>"
        for place, curve in enumerate(curves)
    )
    return (
        f'<table class="key"><thead><tr><th scope="col">score</th><th scope="col" class="num">{area}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def line_sample(place: int) -> str:
    """A short piece of the line of the curve at this place in the list."""
    style = curve_style(place)
    dashes = " ".join(map(str, style.dashes))
    return (
        f'<svg class="line curve-{style.number}" viewBox="0 0 36 8" aria-hidden="true">'
        f'<path d="M0 4H36" stroke-dasharray="{dashes}"/></svg>'
    )


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Rows of a <dl>."""
    return "".join(f"<div><dt>{html.escape(term)}</dt><dd>{html.escape(text)}</dd></div>" for term, text in pairs)


def format_cell(cell: Cell, short: bool = False) -> str:
    """A cell as text: counts with a comma per thousand, other numbers with three decimals, nothing for None and NaN.

    `short`: other numbers with three digits.
    """
    if isinstance(cell, str):
        return cell
    if not is_number(cell):
        return ""
    if isinstance(cell, Integral):
        text = f"{int(cell):,}"
    elif cell and not 0.001 <= abs(cell) < 10_000:
        text = f"{float(cell):.3g}"
    elif short:
        text = three_digits(float(cell))
    else:
        text = f"{float(cell):,.3f}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


def three_digits(value: float) -> str:
    """14.8, 3.20, 1,234, 2.5e+06."""
    if abs(value) >= 10_000:
        return f"{value:.2g}"
    return f"{value:,.{2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0}f}"


def cell_html(cell: Cell, *classes: str | bool, label: str = "", short: bool = False) -> str:
    """A <td>; data-value holds what fleet.js sorts by, and is left out where there is no value.

    `label` is the heading of its column, which stands before it where the row is shown as a card.
    """
    text = html.escape(format_cell(cell, short))
    attributes = f' data-label="{html.escape(label)}"' if label else ""
    if isinstance(cell, str):
        return f'<td{_class(*classes)}{attributes} data-value="{text}">{text}</td>'
    if not is_number(cell):
        return f"<td{_class('num', 'none', *classes)}{attributes}></td>"
    value = int(cell) if isinstance(cell, Integral) else float(cell)
    return f'<td{_class("num", *classes)}{attributes} data-value="{value!r}">{text}</td>'


def has_value(cell: Cell) -> bool:
    """Whether the cell holds a text or a finite number."""
    return isinstance(cell, str) or is_number(cell)


def is_number(cell: Cell) -> bool:
    """Whether the cell holds a finite number."""
    return isinstance(cell, Real) and math.isfinite(cell)


def _without_empty_columns(table: Table) -> Table:
    """The table without the columns in which no row has a value."""
    kept = [n for n in range(len(table.columns)) if n == 0 or any(has_value(row[n]) for row in table.rows)]
    if len(kept) == len(table.columns):
        return table
    edges = np.cumsum([0, *(width for _, width in table.groups)]).tolist()
    spans = zip(edges[:-1], edges[1:], strict=True)
    widths = [sum(start <= number < stop for number in kept) for start, stop in spans]
    return Table(
        [table.columns[number] for number in kept],
        [[row[number] for number in kept] for row in table.rows],
        [(title, width) for (title, _), width in zip(table.groups, widths, strict=True) if width],
        tuple(kept.index(number) for number in table.ranked if number in kept),
        table.highlight,
    )


def _group_heads(groups: list[tuple[str, int]]) -> str:
    cells = []
    for number, (title, width) in enumerate(groups):
        group = f'<th scope="colgroup" colspan="{width}"{_class(number > 0 and "starts")}>'
        cells.append(f"{group}<span>{html.escape(title)}</span></th>" if title else f'<td colspan="{width}"></td>')
    return f'<tr class="groups">{"".join(cells)}</tr>' if cells else ""


def _class(*names: str | bool) -> str:
    chosen = " ".join(filter(None, names))
    return f' class="{chosen}"' if chosen else ""
