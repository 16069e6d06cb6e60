"""The tables of the page as HTML: the result, the key of the curves, the channels. Every text is escaped here.

The table of alarms is in alarms.py.
"""

import html
import math
from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np

from report.data import Cell, ChannelView, Curve, Table
from report.style import curve_style
from report.thinning import spans_of

STRIP_CELLS = 320  # time cells of the strip that shows when a channel has labels and alarms
DASH = "–"


def headline_table(table: Table) -> str:
    """The model beside the trivial scores; the best value of every ranked column is bold."""
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


def channel_table(channels: list[ChannelView], says_labels: bool = True) -> str:
    """One row per channel, sortable by page.js: when its anomalies lie, then its metrics in order of appearance.

    Where the report does not speak of labels, metrics that no channel has are left out.
    """
    names = list(dict.fromkeys(name for channel in channels for name in channel.metrics))
    columns = [name for name in names if says_labels or any(has_value(each.metrics.get(name)) for each in channels)]
    texts = {name for channel in channels for name, cell in channel.metrics.items() if isinstance(cell, str)}
    first, *heads = (
        sort_head(name, "text" if name in texts or number == 0 else "number")
        for number, name in enumerate(["channel", *columns])
    )
    rows = []
    for number, channel in enumerate(channels):
        name = html.escape(channel.name)
        cells = "".join(cell_html(channel.metrics.get(column), none=DASH if says_labels else "") for column in columns)
        rows.append(
            f'<tr data-channel="{number}"><th scope="row" data-value="{name}">'
            f'<button type="button" aria-expanded="false">{name}</button></th>'
            f"<td>{_strip(channel, says_labels)}</td>{cells}</tr>"
        )
    return (
        f'<table class="sorted" id="channels"><thead><tr>{first}<th scope="col">when</th>{"".join(heads)}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def sort_head(name: str, kind: str, order: str = "none") -> str:
    """The <th> of a column that page.js sorts by, as "number" or as "text"; `order` is how the rows stand now."""
    return (
        f'<th scope="col" data-kind="{kind}" aria-sort="{order}"{_class(kind == "number" and "num")}>'
        f'<button type="button">{html.escape(name)}</button></th>'
    )


def curve_key(curves: list[Curve], area: str) -> str:
    """Line and area of each curve; `area` is the heading."""
    rows = []
    for number, curve in enumerate(curves):
        style = curve_style(number)
        dashes = " ".join(map(str, style.dashes))
        rows.append(
            f'<tr><td><svg class="line curve-{style.number}" viewBox="0 0 36 8" aria-hidden="true">'
            f'<path d="M0 4H36" stroke-dasharray="{dashes}"/></svg>{html.escape(curve.name)}</td>'
            f"{cell_html(curve.area)}</tr>"
        )
    return (
        f'<table class="key"><thead><tr><th scope="col">score</th><th scope="col" class="num">{area}</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Rows of a <dl>."""
    return "".join(f"<div><dt>{html.escape(term)}</dt><dd>{html.escape(text)}</dd></div>" for term, text in pairs)


def format_cell(cell: Cell) -> str:
    """A cell as text: counts with a comma per thousand, other numbers with three decimals, a dash for None and NaN."""
    if isinstance(cell, str):
        return cell
    if not is_number(cell):
        return DASH
    if isinstance(cell, Integral):
        text = f"{int(cell):,}"
    elif cell and not 0.001 <= abs(cell) < 10_000:
        text = f"{float(cell):.3g}"
    else:
        text = f"{float(cell):,.3f}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


def has_value(cell: Cell) -> bool:
    """Whether the cell holds a text or a finite number."""
    return isinstance(cell, str) or is_number(cell)


def is_number(cell: Cell) -> bool:
    """Whether the cell holds a finite number."""
    return isinstance(cell, Real) and math.isfinite(cell)


def _group_heads(groups: list[tuple[str, int]]) -> str:
    cells = []
    for number, (title, width) in enumerate(groups):
        group = f'<th scope="colgroup" colspan="{width}"{_class(number > 0 and "starts")}>'
        cells.append(f"{group}<span>{html.escape(title)}</span></th>" if title else f'<td colspan="{width}"></td>')
    return f'<tr class="groups">{"".join(cells)}</tr>' if cells else ""


def cell_html(cell: Cell, *classes: str | bool, none: str = DASH) -> str:
    """A <td>; data-value holds what page.js sorts by, and is left out where there is no value, but `none`."""
    text = html.escape(format_cell(cell))
    if isinstance(cell, str):
        return f'<td{_class(*classes)} data-value="{text}">{text}</td>'
    if not is_number(cell):
        return f"<td{_class('num', 'none', *classes)}>{none}</td>"
    value = int(cell) if isinstance(cell, Integral) else float(cell)
    return f'<td{_class("num", *classes)} data-value="{value!r}">{text}</td>'


def _class(*names: str | bool) -> str:
    chosen = " ".join(filter(None, names))
    return f' class="{chosen}"' if chosen else ""


def _strip(channel: ChannelView, says_labels: bool) -> str:
    """A small picture of when a channel has labels (above) and alarms (below), and was not measured (grey)."""
    alarms = [(alarm.start, alarm.end) for alarm in channel.alarms]
    masked = [] if channel.masked is None else spans_of(channel.masked, STRIP_CELLS)
    lane = 8 if says_labels else 4
    paths = "".join(
        f'<path class="{name}" d="{path}"/>'
        for name, spans, y, height in (
            ("gap", masked, 0, 14),
            ("label", channel.intervals or [], 0, 6),
            ("alarm", alarms, lane, 6),
        )
        if (path := _bars(spans, channel.num_steps, y, height))
    )
    text = f"alarms: {len(alarms)}"
    if says_labels:
        text = f"{_labels(channel)}, {text}"
    if masked:
        text += f", not measured: {channel.masked.mean():.1%}"
    return (
        f'<svg class="strip" viewBox="0 0 {STRIP_CELLS} 14" preserveAspectRatio="none" role="img" aria-label="{text}">'
        f'<title>{text}</title><path class="base" d="M0 7H{STRIP_CELLS}"/>{paths}</svg>'
    )


def _labels(channel: ChannelView) -> str:
    return "not labelled" if channel.intervals is None else f"labelled intervals: {len(channel.intervals)}"


def _bars(spans: list[tuple[int, int]], steps: int, y: int, height: int) -> str:
    """Inclusive spans of steps as bars of an SVG path, at least two cells wide, or a short one could not be seen."""
    filled = np.zeros(STRIP_CELLS + 2, dtype=bool)  # one empty cell more on either side
    for start, end in spans:
        first = min(start * STRIP_CELLS // steps, STRIP_CELLS - 2)
        last = max(end * STRIP_CELLS // steps, first + 1)
        filled[first + 1 : last + 2] = True
    edges = np.flatnonzero(np.diff(filled)).reshape(-1, 2)
    return "".join(f"M{start} {y}H{end}V{y + height}H{start}Z" for start, end in edges.tolist())
