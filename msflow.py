"""MSFlow from Python: time series, and pictures that a run has learnt.

    import msflow
    fitted = msflow.fit(frame)               # a DataFrame, an array (T, D), or {channel: either}
    fitted.score(new)                        # channel, step, time, score, alarm, highest_column: one row per row
    fitted.alarms(new)                       # channel, start, end, peak_score, times, threshold, columns
    fitted.save("pump"); fitted = msflow.load("pump")
    stream = fitted.stream(); stream.push(rows); stream.finish()

    inspector = msflow.load("work_dirs/..")  # a run of pictures
    inspector.score("new.png")               # file, score, threshold, verdict, x0, y0, x1, y1: one row per picture

`load` takes the folder of a run of main.py too. Settings are keywords of `fit`: those of default.py.

>>> import numpy as np, pandas as pd
>>> rng = np.random.default_rng(0)
>>> def pump(hours):
...     wave = np.sin(np.arange(60 * hours) / 40)
...     times = pd.date_range("2026-01-01", periods=len(wave), freq="min", tz="UTC")
...     return pd.DataFrame({"current": 12 + wave, "pressure": 3e5 + 2e4 * wave}, index=times) + rng.normal(size=(1, 2))
>>> fitted = fit(pump(48), weights="random")
>>> fitted.channels, fitted.columns["series"]
(['series'], ['current', 'pressure'])
>>> new = pump(24)
>>> new.iloc[700:800, 0] += 2
>>> scores = fitted.score(new)
>>> int(scores["score"].idxmax()) in range(690, 810)
True
>>> scores.loc[750, "highest_column"]
'current'
"""

from runtime.errors import InputError
from serving.fitted import Fitted, fit, load
from serving.pictures import FittedPictures
from serving.stream import Stream

__all__ = ["Fitted", "FittedPictures", "InputError", "Stream", "fit", "load"]
