"""The largest window of range-based metrics, from the period of a series."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import next_fast_len

MOST_STEPS = 20_000  # of a series that are looked at
LAGS = range(3, 401)  # that may hold a peak, the first and last as neighbours only
FARTHEST = 300  # from the first lag
USUAL = 125  # steps, where there is no period


def period_window(values: ArrayLike) -> int:
    """The period of a series (T,) of finite values in steps, by the rule of TSB-AD; 125 where it has none.

    It is the lag of the highest peak of the autocorrelation (biased, as of statsmodels) of the first 20,000 steps, at
    lags 3 to 400, a peak being higher than both of its neighbours. Where that lies nearer than 3 or farther than 300
    from lag 3, which are lags 4, 5 and 304 on, or where there is no peak, it is 125. Of peaks of one height, which only
    rounding tells apart, the last counts, as in the authors' `find_length_rank` (rank 1).
    """
    series = np.asarray(values, dtype=float)[:MOST_STEPS]
    series = series - series.mean() if len(series) else series
    if not series.any():
        return USUAL
    # complex, and of the length that statsmodels takes: what rounding decides is decided alike
    spectrum = np.fft.fft(series, next_fast_len(2 * len(series) + 1, real=True))
    products = np.fft.ifft(spectrum * np.conjugate(spectrum))[: len(series)].real
    correlation = (products / products[0])[LAGS.start : LAGS.stop]
    if not len(correlation):
        return USUAL
    peaks = 1 + np.flatnonzero((correlation[1:-1] > correlation[:-2]) & (correlation[1:-1] > correlation[2:]))
    if not len(peaks):
        return USUAL
    highest = int(peaks[np.argsort(correlation[peaks])[-1]])
    return highest + LAGS.start if LAGS.start <= highest <= FARTHEST else USUAL
