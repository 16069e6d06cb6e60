"""Plain data -> pictures and one self-contained HTML page about the anomalies found in time series."""

from collections.abc import Collection
from pathlib import Path

from report.curves import draw_pr, draw_roc
from report.data import ChannelView, Curve, Report, Table, count
from report.figures import write_channels
from report.found import (
    ALARM_RATE,
    ALARMS,
    EVENT_F1,
    EVENT_PRECISION,
    EVENT_RECALL,
    AlarmView,
    IncidentView,
    SweepPoint,
)
from report.page import render_page
from report.style import DPI
from runtime.files import atomic_file, atomic_folder

__all__ = [
    "ALARMS",
    "ALARM_RATE",
    "EVENT_F1",
    "EVENT_PRECISION",
    "EVENT_RECALL",
    "AlarmView",
    "ChannelView",
    "Curve",
    "IncidentView",
    "Report",
    "SweepPoint",
    "Table",
    "count",
    "write_report",
]


def write_report(folder: Path, report: Report, drawn: Collection[str] | None = None) -> Path:
    """Write roc.png, pr.png, channels/<channel>.png and report.html into `folder`; returns the html file.

    Of the channels those named in `drawn` have a picture, by default all; the page shows every one. Each file is there
    whole or not at all, and the page comes last. Without a headline and without curves there is no roc.png and no
    pr.png, not even of an earlier report. Raises InputError where the folder cannot be written.
    """
    for name, draw, curves in (("roc.png", draw_roc, report.roc), ("pr.png", draw_pr, report.pr)):
        if report.headline is None and not curves:
            (folder / name).unlink(missing_ok=True)
            continue
        with atomic_file(folder / name) as temporary:
            draw(report).savefig(temporary, dpi=DPI, format="png")
    with atomic_folder(folder / "channels") as channels:
        chosen = [channel for channel in report.channels if drawn is None or channel.name in drawn]
        write_channels(channels, chosen, report.labelled)
    page = folder / "report.html"
    with atomic_file(page) as temporary:
        temporary.write_text(render_page(report), encoding="utf-8", errors="backslashreplace")  # names of any bytes
    return page
