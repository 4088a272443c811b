"""Coefficients with errors, t, p and interval against NIST and SciPy, and how a summary shows them."""

import math
import re

import numpy as np
import pytest
from scipy import stats

import linreg
from linreg.card import BIAS_NAME
from linreg.coefficients import Coefficient
from linreg.rounding import p_value, to_error
from linreg.summary import Summary
from tests.conftest import PENGUINS
from tests.least_squares_problems import nist


@pytest.mark.parametrize("name", ["Norris", "Longley", "Wampler5"])
def test_errors_t_p_and_interval_are_those_of_nist(name: str) -> None:
    features, target, certified, _ = nist(name)
    model = linreg.fit((features, target), split="1", shuffle=False, dtype="float64")
    freedom = len(target) - len(certified)
    for got, (estimate, deviation) in zip([model.coefficients[-1], *model.coefficients[:-1]], certified, strict=True):
        assert got.value == pytest.approx(estimate, rel=1e-9)
        assert got.standard_error == pytest.approx(deviation, rel=1e-9)
        assert got.t == pytest.approx(estimate / deviation, rel=1e-8)
        wanted = 2 * (1 - stats.t.cdf(abs(estimate / deviation), freedom))
        assert got.p == pytest.approx(wanted, rel=1e-6, abs=1e-14)
        assert got.interval == pytest.approx(stats.t.interval(0.95, freedom, loc=estimate, scale=deviation), rel=1e-8)


def test_one_feature_is_what_scipys_linregress_finds() -> None:
    generator = np.random.default_rng(5)
    x = generator.normal(size=40)
    y = 0.4 * x + 3 + generator.normal(size=40)
    slope, bias = linreg.fit((x, y), split="1", dtype="float64").coefficients
    wanted = stats.linregress(x, y)
    assert slope.value == pytest.approx(wanted.slope)
    assert slope.standard_error == pytest.approx(wanted.stderr)
    assert slope.p == pytest.approx(wanted.pvalue)
    assert (bias.name, bias.value) == (BIAS_NAME, pytest.approx(wanted.intercept))
    assert bias.standard_error == pytest.approx(wanted.intercept_stderr)


def test_the_degrees_of_freedom_are_those_of_the_training_part() -> None:
    model = linreg.fit(PENGUINS, target="body_mass_g", split="0.5")
    entry = model.coefficients[0]
    rows = model.metrics["train"]["rows"]
    assert rows == 172  # of 344, half are for training; the two incomplete rows are in the other half
    assert entry.standard_error is not None
    low, high = stats.t.interval(0.95, rows - 5, loc=entry.value, scale=entry.standard_error)
    assert entry.interval == pytest.approx((low, high))


@pytest.mark.parametrize("method", ["sgd", "adam", "lbfgs"])
def test_a_gradient_method_claims_no_errors(method: str) -> None:
    model = linreg.fit(PENGUINS, target="body_mass_g", method=method, epochs=3, device="cpu")
    for entry in model.coefficients:
        assert (entry.standard_error, entry.t, entry.p, entry.interval) == (None, None, None, None)
    assert "std. error" not in str(model.summary())


def test_collinear_columns_and_an_exact_line_have_no_t() -> None:
    x = np.arange(8.0)
    y = np.array([1.0, 3, 2, 5, 4, 6, 9, 7])
    collinear = linreg.fit((np.column_stack([x, 2 * x]), y), split="1", allow_collinear=True)
    assert all(entry.standard_error is None for entry in collinear.coefficients)
    assert "No standard errors" in str(collinear.summary())
    none_left = linreg.fit((x[:2], y[:2]), split="1")
    assert all(entry.interval is None for entry in none_left.coefficients)


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (18.6879082, 15.52, "18.7"),
        (-5780.41, 352.9, "-5780"),
        (52.5123, 0.0271, "52.5123"),
        (227634.0, 58812.0, "227600"),
        (0.9999, 0.999, "1.000"),
        (9.996, 9.996, "10.0"),
        (0.0, 1.0, "0.00"),
        (3.5, None, "3.5"),
        (0.696809351, None, "0.6968094"),
        (2.0, 0.0, "2"),
        (1.23456789e-9, 2e-11, "1.2346e-09"),
        (123456789.0, 1234.0, "1.2345679e+08"),
        (1e-20, 5e12, "1e-20"),
    ],
)
def test_a_value_ends_where_its_error_does(value: float, error: float | None, shown: str) -> None:
    assert to_error(value, error) == shown


def test_rounding_moves_no_value_by_more_than_half_a_percent_of_its_error() -> None:
    generator = np.random.default_rng(1)
    for _ in range(2000):
        error = float(10 ** generator.uniform(-12, 12))
        value = float(generator.normal() * 10 ** generator.uniform(-3, 3) * error)
        shown = float(to_error(value, error))
        assert abs(shown - value) <= 0.0051 * error, (value, error, shown)


def test_p_values_have_three_decimals() -> None:
    assert [p_value(p) for p in (1.0, 0.05049, 0.0005, 0.00049, 0.0)] == ["1.000", "0.050", "0.001", "<0.001", "<0.001"]


def summary(name: str, **changes: object) -> Summary:
    values = {"name": name, "value": 1.5, "standard_error": 0.25, "t": 6.0, "p": 0.01, "interval": (1.0, 2.0)}
    part = {"rows": 5, "r2": 0.5, "rmse": 1.0, "mae": 0.5}
    entry = Coefficient(**{**values, **changes})  # type: ignore[arg-type]
    return Summary(title="y", coefficients=(entry,), metrics={"train": part})


def test_a_summary_fits_80_columns_and_repeats_as_text() -> None:
    long = summary("a" * 200, value=-1.23456789e-300, standard_error=1e-302, t=-123456.7, interval=(-1e-300, 1e-300))
    lines = str(long).splitlines()
    assert max(map(len, lines)) <= 80
    assert "aaaaaaaaaaaaaaaaaaaaa..." in str(long)
    assert "-1.0000e-300 to 1.0000e-300" in str(long)
    assert repr(long) == str(long)


def test_names_from_files_are_escaped_in_text_and_html() -> None:
    hostile = summary("<script>alert(1)</script>\x1b[31m\u202e")
    assert "\x1b" not in str(hostile)
    assert "\u202e" not in str(hostile)
    page = hostile._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert set(re.findall(r"<(\w+)", page)) == {"p", "b", "table", "thead", "tbody", "tr", "th", "td"}


def test_the_summary_of_the_line_stands_beside_the_truth() -> None:
    text = str(linreg.fit(linreg.straight_line(weight=0.25), epochs=20, device="cpu").summary())
    row = next(line for line in text.splitlines() if line.startswith("x "))
    assert row.split()[2] == "0.25"
    assert "true value" in text


def test_an_undefined_r2_says_so() -> None:
    model = linreg.fit(linreg.straight_line(weight=0.0, bias=0.5), epochs=2, device="cpu")
    assert "undefined" in str(model.summary())
    assert not math.isnan(model.metrics["train"]["rmse"])
