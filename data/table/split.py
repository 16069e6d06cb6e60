"""Where the training part of a table ends: at a share of its rows, after a number of rows, or at a time."""

import numpy as np

from data.recording import Recording
from data.table.times import one_stamp
from runtime.errors import InputError


def training_rows(recording: Recording, train_until: str, time_format: str, where: str) -> int:
    """How many rows are the training part: two or more, and one or more are left.

    Raises InputError where `train_until` is no share, number or time, or leaves either part without rows.
    """
    place = f"--train-until {train_until}"
    if train_until.isascii() and train_until.isdigit():
        rows = int(train_until[:18])
    elif (share := _share(train_until)) is not None:
        if not 0 < share < 1:
            raise InputError(f"{place}: a share lies between 0 and 1, such as 0.5; a number of rows is a whole one.")
        rows = int(share * len(recording))
    elif recording.times is None:
        raise InputError(f"{place}: {where} has no times. Set a share such as 0.5, or a number of rows.")
    else:
        stamp = one_stamp(train_until, time_format, recording.times.tz, f"--train-until, for {where}")
        rows = int((recording.times < stamp).sum())
    if not 2 <= rows < len(recording):
        span = "" if recording.times is None else f" from {recording.times[0]} to {recording.times[-1]}"
        raise InputError(
            f"{place}: {rows} of the {len(recording)} rows{span} of {where} would train. Two or more have to, and "
            "one or more have to be left to test."
        )
    return rows


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if np.isfinite(share) else 0.0
