"""Units of columns, learnt from their training values, against numpy."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import SCALINGS
from drawing.ranges import Ranges
from drawing.scaling import CONSTANT_SHARE, Scaling, learn_scaling

OWN_UNITS = [name for name in SCALINGS if name != "none"]
own_units = pytest.mark.parametrize("name", OWN_UNITS)
values = np.random.default_rng(0).gamma(2.0, 30.0, size=1000) - 50


def scaled(name: str, train: np.ndarray, new: np.ndarray | None = None) -> np.ndarray:
    return learn_scaling(name, [train])((train if new is None else new)[:, None])[:, 0]


def test_the_range_becomes_minus_one_to_one() -> None:
    found = scaled("range", values)
    np.testing.assert_allclose([found.min(), found.max()], [-1, 1])
    np.testing.assert_allclose(found, 2 * (values - values.min()) / np.ptp(values) - 1, atol=1e-12)


def test_the_quantiles_become_minus_one_to_one() -> None:
    found = scaled("quantile", values)
    np.testing.assert_allclose(np.quantile(found, [0.01, 0.99]), [-1, 1])
    low, high = np.percentile(values, [1, 99])
    np.testing.assert_allclose(found, (values - (low + high) / 2) / ((high - low) / 2), atol=1e-12)


def test_the_mean_becomes_zero_and_two_deviations_one() -> None:
    found = scaled("deviation", values)
    np.testing.assert_allclose([found.mean(), found.std()], [0, 0.5], atol=1e-12)


def test_none_leaves_values_as_they_are() -> None:
    np.testing.assert_array_equal(scaled("none", values), values)


def test_every_column_has_units_of_its_own() -> None:
    columns = np.column_stack([values, 1e6 * values + 7, values**2])
    together = learn_scaling("quantile", columns.T)(columns)
    for number, column in enumerate(columns.T):
        np.testing.assert_array_equal(together[:, number], scaled("quantile", column))


def test_new_values_are_measured_by_the_training() -> None:
    np.testing.assert_allclose(scaled("range", np.array([10.0, 30]), np.array([20.0, 40, 0])), [0, 2, -2])


def test_a_few_spikes_do_not_flatten_the_rest() -> None:
    wave = np.sin(np.arange(1000) / 7)
    spiked = wave.copy()
    spiked[[100, 500, 900]] = [1e6, -1e6, 1e5]
    rest = (np.abs(wave) < 0.9) & (np.abs(spiked) < 1)
    np.testing.assert_allclose(scaled("quantile", spiked)[rest], scaled("quantile", wave)[rest], rtol=0.02, atol=0.01)
    assert np.ptp(scaled("range", spiked)[rest]) < 1e-5  # where the range is flattened


def test_a_column_that_only_spikes_is_measured_by_its_spikes() -> None:
    rare = np.zeros(1000)
    rare[[100, 500]] = 40.0  # both quantiles are 0
    assert scaled("quantile", rare)[[0, 100]].tolist() == [-1, 1]


@own_units
@pytest.mark.parametrize(("constant", "spread"), [(50.0, 5.0), (-3.0, 0.3), (0.0, 1.0), (1e-9, 1e-10)])
def test_a_constant_column_has_a_tenth_of_its_size_for_a_spread(name: str, constant: float, spread: float) -> None:
    scaling = learn_scaling(name, [np.full(300, constant)])
    np.testing.assert_allclose([scaling.centre[0], scaling.spread[0]], [constant, spread], rtol=1e-12)
    assert CONSTANT_SHARE == 0.1


@own_units
def test_what_was_not_measured_does_not_count(name: str) -> None:
    holed = np.insert(values, [0, 10, 10, 1000], np.nan)
    found, expected = learn_scaling(name, [holed]), learn_scaling(name, [values])
    assert (found.centre.tolist(), found.spread.tolist()) == (expected.centre.tolist(), expected.spread.tolist())
    nothing = learn_scaling(name, [np.full(5, np.nan), values])
    assert (nothing.centre[0], nothing.spread[0]) == (0, 1)
    assert np.isnan(found(np.array([[np.nan]]))).all()


finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@settings(deadline=None, max_examples=100, database=None)
@given(
    st.sampled_from(OWN_UNITS),
    st.lists(finite, min_size=2, max_size=50).filter(lambda x: np.ptp(x) > 1),
    st.floats(1e-4, 1e6),
    st.floats(-1e6, 1e6),
    st.sampled_from([1, -1]),
)
def test_units_do_not_matter(name: str, train: list[float], factor: float, offset: float, sign: int) -> None:
    """a x + b is scaled to what x is, or to its mirror image where a is negative."""
    there = sign * factor * np.array(train) + offset
    lost = (abs(offset) + factor * 1e6) / (factor * np.ptp(train)) * 1e-15  # what adding the offset rounds off
    np.testing.assert_allclose(
        scaled(name, there), sign * scaled(name, np.array(train)), rtol=0, atol=1e-9 + 100 * lost
    )


@settings(deadline=None, max_examples=50, database=None)
@given(st.lists(finite, min_size=1, max_size=30))
def test_quantiles_by_exact_arithmetic(train: list[float]) -> None:
    ordered = sorted(map(Fraction, train))

    def quantile(share: Fraction) -> Fraction:
        place = share * (len(ordered) - 1)
        left = ordered[int(place)]
        return left + (place - int(place)) * (ordered[min(int(place) + 1, len(ordered) - 1)] - left)

    low, high = quantile(Fraction(1, 100)), quantile(Fraction(99, 100))
    if high - low > Fraction(1, 1000):
        scaling = learn_scaling("quantile", [np.array(train)])
        assert scaling.centre[0] == pytest.approx(float((low + high) / 2), rel=1e-9, abs=1e-9)
        assert scaling.spread[0] == pytest.approx(float((high - low) / 2), rel=1e-9, abs=1e-9)


def test_the_largest_readings_stay_finite() -> None:
    for name in OWN_UNITS:
        assert np.isfinite(scaled(name, np.array([-3e38, 0, 3e38]))).all()


def test_a_scaling_knows_nothing_but_centre_and_spread() -> None:
    scaling = Scaling(np.array([1.0, 2]), np.array([2.0, 4]))
    np.testing.assert_array_equal(scaling(np.array([[3.0, 2], [1, -2]])), [[1, 0], [0, -1]])


@own_units
def test_ranges_of_several_series_are_those_of_all_their_values(name: str) -> None:
    """Whether every one of them has a column or not."""
    short, long = values[:300, None], np.column_stack([values[300:], np.full(700, np.nan), values[300:] ** 2])
    found = Ranges.of([short, long], name)
    for number, known in enumerate([values, None, values[300:] ** 2]):
        units = None if known is None else learn_scaling(name, [known])
        expected = (None,) * 4 if units is None else (known.min(), known.max(), units.centre[0], units.spread[0])
        assert (found.low[number], found.high[number], found.centre[number], found.spread[number]) == expected
    assert found.steps == 1000
