"""The bound is judged with exact rationals: no rounding of any order of summation may pass it, and faults must."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from export.reference import affine_reference
from linreg.models import Affine


def affine(weight, bias=None, dtype=np.float32):
    weight = np.atleast_2d(np.asarray(weight, dtype))
    return Affine(weight=weight, bias=None if bias is None else np.array([bias], dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_those_of_exact_arithmetic(dtype):
    generator = np.random.default_rng(1)
    model = affine(generator.standard_normal(40), 0.3, dtype)
    x = (generator.standard_normal((25, 40)) * 1e3).astype(dtype)
    reference = affine_reference(model, x)
    for row, value, allowed in zip(x, reference.values[:, 0], reference.allowed[:, 0], strict=True):
        products = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(row, model.weight[0], strict=True)]
        exact = sum(products) + Fraction(float(model.bias[0]))
        magnitude = sum(map(abs, products)) + abs(Fraction(float(model.bias[0])))
        unit = Fraction(1, 2**24 if dtype is np.float32 else 2**53)
        assert abs(Fraction(float(value)) - exact) < Fraction(float(allowed)) / 20
        assert float(allowed) == pytest.approx(float(44 * unit * magnitude), rel=1e-6)


def test_every_order_of_summation_is_within_the_bound():
    x = np.array([[1e4, -1e4, 1e-3, 3.0]], np.float32)
    model = affine([0.1, 0.1000001, 7.0, -1e-5], 0.25)
    reference = affine_reference(model, x)
    for order in permutations(range(5)):
        terms = [*(x[0] * model.weight[0]), model.bias[0]]
        total = np.float32(0)
        for place in order:
            total = np.float32(total + terms[place])
        assert abs(float(total) - reference.values[0, 0]) <= reference.allowed[0, 0]


def test_underflow_is_allowed_for():
    tiny = np.float32(1.5e-45)
    reference = affine_reference(affine([0.4, 0.4]), np.array([[tiny, tiny]], np.float32))
    assert abs(0.0 - reference.values[0, 0]) <= reference.allowed[0, 0]


def test_classes():
    model = affine([2.0, -1.0], 0.5)
    rows = [[np.nan, 1], [np.inf, 1], [-np.inf, 1], [np.inf, np.inf], [3e38, 1], [3e38, 3e38], [1, 1]]
    x = np.array(rows, np.float32)
    reference = affine_reference(model, x)
    values = reference.values[:, 0]
    assert np.isnan(values[[0, 3]]).all()
    assert values[1] == np.inf
    assert values[2] == -np.inf
    assert np.isfinite(values[4:]).all()
    assert reference.any_class[:, 0].tolist() == [False] * 4 + [True, True, False]


def test_float16_is_accumulated_in_float32_and_rounded_once():
    generator = np.random.default_rng(3)
    model = affine(generator.standard_normal(300), 0.1, np.float16)
    x = generator.standard_normal((500, 300)).astype(np.float16)
    reference = affine_reference(model, x)
    rounded = (x.astype(np.float32) @ model.weight.T.astype(np.float32) + np.float32(model.bias)).astype(np.float16)
    assert (np.abs(rounded - reference.values) <= reference.allowed).all()
    assert (np.abs(reference.values) > reference.allowed).mean() > 0.9, "zeros would pass"
