"""What is odd about a data set of telemetry: the report that `eval_smap_timestep.py --check-labels` prints."""

import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.labels import Interval, LabelRow
from data.source import Labels, SeriesSource

SHORT_TRAIN = 500
SCALE_TOLERANCE = 1e-3  # the published scaling to [-1, 1] is exact to three decimals


@dataclass(frozen=True)
class Finding:
    """One kind of oddity: `found` names every channel or row that has it, in words; empty where there is none."""

    title: str
    found: list[str]


def check_rows(rows: list[LabelRow], num_steps: dict[str, int]) -> list[Finding]:
    """What is odd about label rows, given the length of every test series, channel -> steps."""

    def rows_where(describe: Callable[[LabelRow], str]) -> list[str]:
        return [f"{row.channel} {text}" for row in rows if (text := describe(row))]

    def listed(intervals: Iterable[Interval]) -> str:
        return " ".join(f"[{start}, {end}]" for start, end in intervals)

    def wrong_length(row: LabelRow) -> str:
        differs = row.num_values is not None and row.num_values != num_steps[row.channel]
        return f"num_values {row.num_values}, series {num_steps[row.channel]}" if differs else ""

    def duplicates(channel: str) -> str:
        same = [row for row in rows if row.channel == channel]
        return f"{channel} {len(same)} rows: {' | '.join(listed(row.intervals) for row in same)}"

    def disorder(row: LabelRow) -> str:
        return "" if list(row.intervals) == sorted(row.intervals) else listed(row.intervals)

    def overlaps(row: LabelRow) -> str:
        ordered = sorted(row.intervals)
        return listed(x for pair in zip(ordered, ordered[1:], strict=False) if pair[0][1] >= pair[1][0] for x in pair)

    def outside(row: LabelRow) -> str:
        last = num_steps[row.channel] - 1
        return listed((s, e) for s, e in row.intervals if s > e or s < 0 or e > last)

    def at_the_end(row: LabelRow) -> str:
        return listed((s, e) for s, e in row.intervals if s <= e and e >= num_steps[row.channel] - 1)

    channels = [row.channel for row in rows]
    repeated = [channel for channel in dict.fromkeys(channels) if channels.count(channel) > 1]
    return [
        Finding("num_values is not the length of the test series", rows_where(wrong_length)),
        Finding("several rows of one channel", [duplicates(channel) for channel in repeated]),
        Finding("intervals out of time order", rows_where(disorder)),
        Finding("intervals that overlap", rows_where(overlaps)),
        Finding("intervals reversed or outside the series", rows_where(outside)),
        Finding("intervals that touch the end of the series", rows_where(at_the_end)),
        Finding("rows without an interval", [row.channel for row in rows if not row.intervals]),
    ]


def check_series(channel: str, train: NDArray, test: NDArray) -> dict[str, str]:
    """What is odd about one channel's series (T, D): title -> description, only where something is."""
    constant, both = (train == train[0]).all(axis=0), min(train.shape[1], test.shape[1])
    varies = (test[:, :both] != train[0, :both]).any(axis=0)
    unseen = np.count_nonzero(constant[1:both] & varies[1:])
    columns = "" if train.shape[1] == test.shape[1] else f"{channel} {train.shape[1]} and {test.shape[1]}"
    largest = max(np.abs(train[:, 0]).max(), np.abs(test[:, 0]).max())
    odd = {
        "telemetry value (column 0) constant in train": f"{channel} at {train[0, 0]:.4g}" if constant[0] else "",
        "other numbers of columns in train and test": columns,
        "every column constant in train": channel if constant.all() else "",
        f"fewer than {SHORT_TRAIN} training steps": f"{channel} {len(train)}" if len(train) < SHORT_TRAIN else "",
        "telemetry values outside [-1, 1]": f"{channel} up to {largest:.4g}" if largest > 1 + SCALE_TOLERANCE else "",
        "commands (columns 1..) that vary in test but not in train": f"{channel} {unseen}" if unseen else "",
    }
    return odd


def check_labels(labels: Labels) -> list[Finding]:
    """Everything odd about the label rows and the series of their source, and how its labelled steps are spread.

    Raises InputError where a series is missing or damaged.
    """
    source, rows = labels.source, _rows(labels.source)
    num_steps, of_series, test_arrays = {}, defaultdict(list), defaultdict(list)
    shares, late, positives = [], 0, {}
    for channel in source.channels:
        train, test = (source.series(channel, split) for split in ("train", "test"))
        num_steps[channel] = len(test)
        for title, text in check_series(channel, train, test).items():
            of_series[title] += [text] if text else []
        test_arrays[test.tobytes()].append(channel)
        labelled = labels.steps(channel)
        if labelled is not None:
            positives[channel] = int(labelled.sum())
            shares.append(f"{channel} {labelled.mean():.1%}")
            late += int(labelled[len(labelled) // 2 :].sum())
    total = sum(positives.values())
    alike = [" = ".join(same) for same in test_arrays.values() if len(same) > 1]
    return [
        *check_rows(rows, num_steps),
        Finding("series without a label row", source.unlabelled()),
        *(Finding(title, found) for title, found in of_series.items()),
        Finding("channels with the same test series", alike),
        Finding("share of labelled steps per channel", shares),
        Finding("share of all labelled steps that lie in the second half", [f"{late / total:.1%}"] if total else []),
    ]


def _rows(source: SeriesSource) -> list[LabelRow]:
    return [row for channel in source.channels for row in source.label_rows(channel) or ()]


def print_check(labels: Labels) -> None:
    """Print what `check_labels` finds, one heading per oddity, those that nothing has at the end."""
    findings, source = check_labels(labels), labels.source
    print(f"{source.origin}: {len(_rows(source))} rows, {len(source.channels)} channels")
    for finding in findings:
        if finding.found:
            count = f" ({len(finding.found)})" if len(finding.found) > 1 else ""
            print(f"\n{finding.title}{count}:")
            print(textwrap.fill(", ".join(finding.found), 110, initial_indent="  ", subsequent_indent="  "))
    print("\nnot found:")
    print(textwrap.indent("\n".join(finding.title for finding in findings if not finding.found), "  "))
