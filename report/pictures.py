"""The report of pictures: one page, the worst picture first, where and how much each is unlike good ones."""

import base64
import html
import io
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from PIL import Image

from report.charts import pr_chart, roc_chart
from report.data import Curve, count
from report.tables import cell_html, curve_key, terms
from runtime.files import atomic_file

WEB = Path(__file__).parent / "web"
THUMBNAIL = 192  # pixels of the longer side
QUALITY = 82  # of JPEG
MOST = 240  # pictures in one page, about 15 kB each
GOOD, BAD = "good", "bad"
LEAD = "Point at a picture, or go to it by the tab key, to see where it is unlike the good ones."
CURVES_LEAD = (
    "Every threshold at once, over the pictures. ROC: the share of defective pictures found against the share of good "
    "ones judged bad. The dotted line is what guessing reaches."
)


@dataclass(frozen=True, eq=False)
class PictureView:
    """One picture of the page: `plain` and `over`, the latter with its heat, are small. `label` as in score files."""

    name: str
    score: float
    threshold: float | None
    verdict: str
    label: int
    plain: Image.Image
    over: Image.Image

    @property
    def mistaken(self) -> str:
        """What is wrong about the verdict, in words; empty where nothing is, or nobody knows."""
        if (self.verdict, self.label) == (GOOD, 1):
            return "missed"
        return "false alarm" if (self.verdict, self.label) == (BAD, 0) else ""


@dataclass(frozen=True, eq=False)
class KindTable:
    """Rows of a table, the first cell a name; `links` leads from a row's name to a page, `mean`: the last is a mean."""

    title: str
    lead: str
    columns: list[str]
    rows: list[list[str | float | int | None]]
    links: list[str] = field(default_factory=list)
    mean: bool = False


@dataclass(frozen=True, eq=False)
class PictureReport:
    """What the page of one class says, or of several, which have `classes` in place of pictures."""

    title: str
    verdict: str
    summary: dict[str, str]
    pictures: list[PictureView] = field(default_factory=list)
    left_out: int = 0
    kinds: KindTable | None = None
    classes: KindTable | None = None
    roc: list[Curve] = field(default_factory=list)
    pr: list[Curve] = field(default_factory=list)
    prevalence: float | None = None
    warnings: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def thumbnail_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a picture of `size` in the page."""
    scale = min(1.0, THUMBNAIL / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def write_picture_report(folder: Path, report: PictureReport) -> Path:
    """Write report.html into a folder; returns the file. Raises InputError where that cannot be written."""
    page = folder / "report.html"
    with atomic_file(page) as temporary:
        temporary.write_text(render_pictures(report), encoding="utf-8")
    return page


def render_pictures(report: PictureReport) -> str:
    """The HTML of a report of pictures."""
    return Template(_text("pictures.html")).substitute(
        title=html.escape(report.title),
        css=_text("page.css") + _text("pictures.css"),
        verdict=html.escape(report.verdict),
        verdict_class="neutral",
        warnings=_warnings(report.warnings),
        summary=terms(report.summary.items()),
        classes=_table(report.classes, "classes"),
        pictures=_pictures(report) if report.pictures else "",
        kinds=_table(report.kinds, "kinds"),
        curves=_curves(report) if report.roc else "",
        notes=terms(report.notes.items()),
        notes_hidden="" if report.notes else "hidden",
        facts=terms(report.facts.items()),
        facts_hidden="" if report.facts else "hidden",
        scripts="\n".join(f"<script>\n{_text(f'{name}.js')}</script>" for name in ("format", "charts")),
    )


def _text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _warnings(warnings: list[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{html.escape(text)}</li>" for text in warnings)
    return f'<div class="warnings"><h2>Worth knowing</h2><ul>{items}</ul></div>'


def _pictures(report: PictureReport) -> str:
    """The grid, with a choice of which pictures are shown where there are several kinds of them."""
    views = report.pictures
    choices = [("only-all", "all", len(views))]
    for name, says in (("bad", BAD), ("good", GOOD)):
        choices.append((f"only-{name}", says, sum(view.verdict == says for view in views)))
    choices.append(("only-mistaken", "judged wrongly", sum(bool(view.mistaken) for view in views)))
    shown = [choice for choice in choices if choice[2]]
    radios = "".join(
        f'<label><input type="radio" name="only" id="{name}"{" checked" if name == "only-all" else ""}>'
        f"{says} ({number})</label>"
        for name, says, number in (shown if len(shown) > 2 else [])
    )
    always = '<label><input type="checkbox" id="show-heat">always show where</label>'
    left_out = f", the worst of {report.left_out + len(views)}; scores.csv has all" if report.left_out else ""
    lead = f"{count(len(views), 'picture')}{left_out}. {LEAD}"
    return (
        '<section class="section-pictures" aria-labelledby="pictures-title">\n'
        f'<h2 id="pictures-title">Pictures, the worst first</h2><p class="lead">{lead}</p>\n'
        f'<fieldset class="choices"><legend>Show</legend>{radios}{always}</fieldset>\n'
        f'<ol class="pictures">\n{"".join(map(_card, views))}</ol></section>'
    )


def _card(view: PictureView) -> str:
    times = "" if not view.threshold else f" · {view.score / view.threshold:.2f} ×"
    wrong = f'<p class="mistaken">{view.mistaken}</p>' if view.mistaken else ""
    name, classes = html.escape(view.name), f"picture {view.verdict}{' wrong' if view.mistaken else ''}"
    return (
        f'<li class="{classes}" tabindex="0" data-score="{view.score:.6g}">'
        f'<span class="see"><img class="plain" alt="{name}" src="{_data(view.plain)}">'
        f'<img class="over" alt="" src="{_data(view.over)}"></span>'
        f'<p class="told"><b>{view.verdict or "score"}</b><span>{view.score:.4g}{times}</span></p>'
        f'<p class="file">{name}</p>{wrong}</li>\n'
    )


def _data(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _table(table: KindTable | None, name: str) -> str:
    if table is None or not table.rows:
        return ""
    heads = "".join(
        f'<th scope="col"{" class=num" if place else ""}>{html.escape(text)}</th>'
        for place, text in enumerate(table.columns)
    )
    rows = []
    for place, (first, *cells) in enumerate(table.rows):
        text = html.escape(str(first))
        if place < len(table.links) and table.links[place]:
            text = f'<a href="{html.escape(table.links[place])}">{text}</a>'
        mean = ' class="mean"' if table.mean and place == len(table.rows) - 1 else ""
        rows.append(f"<tr{mean}><th scope=row>{text}</th>{''.join(map(cell_html, cells))}</tr>")
    return (
        f'<section aria-labelledby="{name}-title"><h2 id="{name}-title">{table.title}</h2>'
        f'<p class="lead">{table.lead}</p><div class="scroll"><table class="kinds"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _curves(report: PictureReport) -> str:
    filled = Template(_text("curves.html")).substitute(
        roc=roc_chart(report.roc),
        pr=pr_chart(report.pr, report.prevalence),
        roc_key=curve_key(report.roc, "ROC AUC"),
        pr_key=curve_key(report.pr, "average precision"),
    )
    start, end = filled.index('<p class="lead">'), filled.index("</p>")
    return f'{filled[:start]}<p class="lead">{CURVES_LEAD}{filled[end:]}'
