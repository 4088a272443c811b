"""Durations have a unit that fits, and ratios as many digits as they need."""

import math

import numpy as np
import pytest

from bench.report.numbers import duration, number


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.98e-6, "1.98 µs"),
        (5.46e-9, "5.46 ns"),
        (12.34e-6, "12.3 µs"),
        (0.000123456, "123 µs"),
        (0.0004, "400 µs"),
        (0.00999, "9.99 ms"),
        (1.0, "1 s"),
        (2.5, "2.5 s"),
        (999.4e-6, "999 µs"),
        (999.7e-6, "1 ms"),  # never 1e+03 µs
        (0.99999, "1 s"),
        (999.99e-9, "1 µs"),
        (1e-3, "1 ms"),
        (0.0, "0 ns"),
    ],
)
def test_durations_have_a_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_no_duration_of_a_call_is_in_powers_of_ten():
    for seconds in np.geomspace(1e-9, 999, 20_011):
        shown, unit = duration(float(seconds)).split(" ")
        assert "e" not in shown
        assert float(shown) * {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit] == pytest.approx(seconds, rel=5.1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.000"), (0.0995, "0.100"), (0.00144, "0.0014"), (0.00051, "0.00051"), (0.0, "0.000"), (12.3456, "12.346")],
)
def test_ratios_have_three_decimals_and_small_ones_two_digits(value, text):
    assert number(value) == text


def test_an_open_end_is_infinity():
    assert number(math.inf) == "∞"
