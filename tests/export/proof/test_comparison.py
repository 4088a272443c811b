"""The rule that decides whether an output is right, by hand for every kind of element."""

import numpy as np
import pytest

from export.bundle.vectors import Vectors
from export.proof.comparison import ExpectedOutput, compare_output, compare_outputs
from linreg.errors import MismatchError

NAN, INF = np.nan, np.inf


def expected(values, allowed, any_class=False, dtype=np.float32):
    values = np.array(values, np.float64)
    with np.errstate(over="ignore"):
        eager = values.astype(dtype)
    shape = values.shape
    return ExpectedOutput(
        values=values,
        allowed=np.broadcast_to(np.array(allowed, np.float64), shape),
        any_class=np.broadcast_to(np.array(any_class), shape),
        eager=eager,
    )


@pytest.mark.parametrize(
    ("got", "wanted", "allowed", "ratio"),
    [
        (1.5, 1.0, 2.0, 0.25),
        (1.0, 1.0, 0.5, 0.0),
        (1.0, 1.0, 0.0, 0.0),
        (1.5, 1.0, 0.5, 1.0),
        (-1e30, 1.0, INF, 0.0),
        (NAN, NAN, NAN, 0.0),
        (INF, INF, NAN, 0.0),
        (-INF, -INF, 0.0, 0.0),
    ],
)
def test_an_output_within_what_is_allowed_passes(got, wanted, allowed, ratio):
    assert compare_output("net", np.array([got], np.float32), expected([wanted], allowed)) == ratio


@pytest.mark.parametrize(
    ("got", "wanted", "allowed"),
    [
        (1.75, 1.0, 0.5),
        (1.5, 1.0, 0.0),
        (1.5, 1.0, NAN),
        (NAN, 1.0, 1e9),
        (INF, 1.0, 1e9),
        (1.0, NAN, NAN),
        (INF, NAN, NAN),
        (INF, -INF, NAN),
        (1.0, INF, NAN),
        (NAN, 1.0, INF),
    ],
)
def test_an_output_off_by_more_or_of_another_class_fails(got, wanted, allowed):
    with pytest.raises(MismatchError, match=r"^net at row 1, is .*, expected .* within "):
        compare_output("net", np.array([2, got], np.float32), expected([2, wanted], [1, allowed]))


@pytest.mark.parametrize("got", [NAN, INF, -INF])
def test_any_class_passes_only_where_it_may(got):
    output = np.array([[got, 1]], np.float32)
    assert compare_output("net", output, expected([[3e38, 1]], 1.0, [[True, False]])) == 0
    with pytest.raises(MismatchError, match=r"at row 0, element \(0,\) is"):
        compare_output("net", output, expected([[3e38, 1]], 1.0, [[False, True]]))


def test_a_finite_output_is_held_to_the_bound_even_where_any_class_passes():
    with pytest.raises(MismatchError):
        compare_output("net", np.array([2], np.float32), expected([1], 0.5, [True]))


def test_an_infinite_allowance_in_a_vector_means_any_class():
    output, allowed = np.array([3e38, 1], np.float32), np.array([INF, 0.5])
    vectors = Vectors(name="test_data_set_0", inputs=(), outputs=(output,), allowed=(allowed,))
    for first in (NAN, INF, -1.0):
        assert compare_output("net", np.array([first, 1.25], np.float32), vectors.expected()[0]) == 0.5
    with pytest.raises(MismatchError, match="at row 1, is nan"):
        compare_output("net", np.array([1, NAN], np.float32), vectors.expected()[0])


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_whole_numbers_and_booleans_must_be_equal(dtype):
    wanted = np.array([0, 1, 1], dtype)
    vectors = Vectors(name="test_data_set_0", inputs=(), outputs=(wanted,), allowed=(np.zeros(3),))
    assert compare_output("net", wanted.copy(), vectors.expected()[0]) == 0
    with pytest.raises(MismatchError, match="at row 2, is"):
        compare_output("net", np.array([0, 1, 0], dtype), vectors.expected()[0])


@pytest.mark.parametrize("got", [np.ones(2, np.float64), np.ones((2, 1), np.float32), np.ones(3, np.float32)])
def test_another_dtype_or_shape_fails(got):
    with pytest.raises(MismatchError, match=r"^net is .* of shape .*, expected float32 of \(2,\)$"):
        compare_output("net", got, expected([1, 1], INF))


def test_the_worst_of_all_outputs_counts_and_every_byte():
    wanted = (expected([1.0], 1.0), expected([0.0], 1.0))
    near = compare_outputs("net", ("a", "b"), (np.array([1.5], np.float32), np.array([0.25], np.float32)), wanted)
    assert (near.worst_error, near.bytes_equal) == (0.5, False)
    minus_zero = compare_outputs("net", ("a", "b"), (np.array([1], np.float32), np.array([-0.0], np.float32)), wanted)
    assert (minus_zero.worst_error, minus_zero.bytes_equal) == (0, False)
    same = compare_outputs("net", ("a", "b"), tuple(one.eager for one in wanted), wanted)
    assert (same.worst_error, same.bytes_equal) == (0, True)
    with pytest.raises(MismatchError, match="net: b at row 0"):
        compare_outputs("net", ("a", "b"), (np.array([1], np.float32), np.array([2], np.float32)), wanted)
    with pytest.raises(MismatchError, match="net: gives 1 outputs, expected 2"):
        compare_outputs("net", ("a", "b"), (np.array([1], np.float32),), wanted)
