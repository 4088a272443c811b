"""The bound is judged with exact rationals: no rounding of any order of summation may pass it, and faults must."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn

from export.proof.allowed_error import affine_output
from export.proof.oracle import Oracle
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.affine import Affine
from linreg.errors import ExportError
from tests import nets


def output_of(model, x):
    """The expected output, with zeros for eager's answers, which it only passes on."""
    return affine_output(model, x, np.zeros((len(x), len(model.weight)), model.weight.dtype))


def affine(weight, bias=None, dtype=np.float32):
    weight = np.atleast_2d(np.asarray(weight, dtype))
    return Affine(weight=weight, bias=None if bias is None else np.array([bias], dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_those_of_exact_arithmetic(dtype):
    generator = np.random.default_rng(1)
    model = affine(generator.standard_normal(40), 0.3, dtype)
    x = (generator.standard_normal((25, 40)) * 1e3).astype(dtype)
    expected = output_of(model, x)
    for row, value, allowed in zip(x, expected.values[:, 0], expected.allowed[:, 0], strict=True):
        products = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(row, model.weight[0], strict=True)]
        exact = sum(products) + Fraction(float(model.bias[0]))
        magnitude = sum(map(abs, products)) + abs(Fraction(float(model.bias[0])))
        unit = Fraction(1, 2**24 if dtype is np.float32 else 2**53)
        assert abs(Fraction(float(value)) - exact) < Fraction(float(allowed)) / 20
        assert float(allowed) == pytest.approx(float(44 * unit * magnitude), rel=1e-6)


def test_every_order_of_summation_is_within_the_bound():
    x = np.array([[1e4, -1e4, 1e-3, 3.0]], np.float32)
    model = affine([0.1, 0.1000001, 7.0, -1e-5], 0.25)
    expected = output_of(model, x)
    for order in permutations(range(5)):
        terms = [*(x[0] * model.weight[0]), model.bias[0]]
        total = np.float32(0)
        for place in order:
            total = np.float32(total + terms[place])
        assert abs(float(total) - expected.values[0, 0]) <= expected.allowed[0, 0]


def test_underflow_is_allowed_for():
    tiny = np.float32(1.5e-45)
    expected = output_of(affine([0.4, 0.4]), np.array([[tiny, tiny]], np.float32))
    assert abs(0.0 - expected.values[0, 0]) <= expected.allowed[0, 0]


def test_classes():
    model = affine([2.0, -1.0], 0.5)
    rows = [[np.nan, 1], [np.inf, 1], [-np.inf, 1], [np.inf, np.inf], [3e38, 1], [3e38, 3e38], [1, 1]]
    x = np.array(rows, np.float32)
    expected = output_of(model, x)
    values = expected.values[:, 0]
    assert np.isnan(values[[0, 3]]).all()
    assert values[1] == np.inf
    assert values[2] == -np.inf
    assert np.isfinite(values[4:]).all()
    assert expected.any_class[:, 0].tolist() == [False] * 4 + [True, True, False]


def test_float16_is_accumulated_in_float32_and_rounded_once():
    generator = np.random.default_rng(3)
    model = affine(generator.standard_normal(300), 0.1, np.float16)
    x = generator.standard_normal((500, 300)).astype(np.float16)
    expected = output_of(model, x)
    rounded = (x.astype(np.float32) @ model.weight.T.astype(np.float32) + np.float32(model.bias)).astype(np.float16)
    assert (np.abs(rounded - expected.values) <= expected.allowed).all()
    assert (np.abs(expected.values) > expected.allowed).mean() > 0.9, "zeros would pass"


def test_a_module_that_casts_inside_is_still_judged_in_float64():
    """Against NumPy in float64; a float32 oracle would be wrong by 1e-8."""
    module = nets.make(nets.DoubleBuffers).eval()
    source = from_module(module, [parse_input("x=float32[batch,4]")])
    (x,) = source.random_inputs({"batch": 200}, 1.0, 1)
    (expected,) = Oracle(source).answers((x,))
    state = {key: value.double().numpy() for key, value in module.state_dict().items()}
    wanted = (x.astype(np.float64) - state["mean"]) @ state["layer.weight"].T + state["layer.bias"]
    assert expected.values.dtype == np.float64
    np.testing.assert_allclose(expected.values, wanted, rtol=1e-14, atol=1e-15)
    own = np.abs(expected.eager - wanted).max()
    assert expected.allowed.min() == pytest.approx(4 * max(own, 4 * 2.0**-23 * np.abs(wanted).max()), rel=1e-3)
    assert expected.allowed.max() < 4 * expected.allowed.min()


class Cancelling(nn.Module):
    """Loses every digit in float32: (x + 1e9) - 1e9."""

    def forward(self, x):
        return (x + 1e9) - 1e9


def test_a_module_of_which_nothing_can_be_proved_is_refused():
    source = from_module(Cancelling(), [parse_input("x=float32[batch,4]")])
    with pytest.raises(ExportError, match=r"own float32 outputs .* exported files could not be verified"):
        Oracle(source).answers(source.random_inputs({"batch": 7}, 1.0, 1))


def test_whole_numbers_must_be_equal():
    class Argmax(nn.Module):
        def forward(self, x):
            return x.argmax(1)

    source = from_module(Argmax(), [parse_input("x=float32[batch,4]")])
    (expected,) = Oracle(source).answers(source.random_inputs({"batch": 7}, 1.0, 1))
    assert expected.values.dtype == np.int64
    assert (expected.allowed == 0).all()


def normalised(width: int, seed: int):
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.LayerNorm(width))
    return from_module(module, [parse_input("x=float32[batch,3]")])


def test_what_rounding_moves_is_known_for_each_answer():
    """LayerNorm over two numbers divides by their difference: the float32 formula, by hand, is within the bound, which
    is wider in the few rows where rounding moves the answers most."""
    source = normalised(2, 5)
    (x,) = source.random_inputs({"batch": 4096}, 1.0, 3)
    (expected,) = Oracle(source).answers((x,), 1.0)
    layer = source.module[0]
    hidden = np.tanh(
        (x[:, None, :] * layer.weight.detach().numpy()).sum(2, dtype=np.float32) + layer.bias.detach().numpy()
    )
    centred = hidden - hidden.mean(1, keepdims=True)
    by_hand = centred / np.sqrt((centred**2).mean(1, keepdims=True) + np.float32(1e-5))
    assert by_hand.dtype == np.float32
    assert (np.abs(by_hand - expected.values) <= expected.allowed).all()
    own = np.abs(expected.eager - expected.values).max()
    narrowest = 4 * max(own, 4 * 2.0**-23 * np.abs(expected.values).max())
    assert expected.allowed.min() == pytest.approx(narrowest, rel=1e-6)
    assert expected.allowed.max() > 2 * narrowest
    assert np.median(expected.allowed) < 1.1 * narrowest


def test_one_row_is_seen_beside_the_largest_answer_of_many():
    """A row of saturated activations has answers of next to nothing: alone it would look like nothing but rounding."""
    source = normalised(4, 7)
    (x,) = source.random_inputs({"batch": 4096}, 1.0, 3)
    (all_rows,) = Oracle(source).answers((x,), 1.0)
    small = x[np.abs(all_rows.values).max(1).argmin()][None]
    (alone,) = Oracle(source).answers((small,), 1.0)
    assert alone.allowed.min() >= 16 * 2.0**-23 * np.abs(all_rows.values).max() / 2


class Chaotic(nn.Module):
    """Three sound answers, and two that are nothing but rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.sound, self.wild = nn.Linear(16, 3), nn.Linear(16, 2)

    def forward(self, x):
        return torch.cat([self.sound(x), torch.sin(3e7 * self.wild(x))], 1)


def test_a_whole_column_that_cannot_be_proved_refuses_the_module():
    torch.manual_seed(0)
    source = from_module(Chaotic(), [parse_input("x=float32[batch,16]")])
    with pytest.raises(ExportError, match="exported files could not be verified"):
        Oracle(source).answers(source.random_inputs({"batch": 64}, 1.0, 1), 1.0)


@pytest.mark.parametrize("inplace", [True, False], ids=["in-place", "out-of-place"])
def test_operators_that_write_in_place_are_moved_as_well(inplace):
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(3, 4), nn.SiLU(inplace=inplace), nn.LayerNorm(4))
    source = from_module(module, [parse_input("x=float32[batch,3]")])
    oracle = Oracle(source)
    (moved,) = oracle._moved(
        source.random_inputs({"batch": 64}, 1.0, 1), oracle.float64.outputs(source.random_inputs({"batch": 64}, 1.0, 1))
    )
    assert float(np.median(moved)) > 2e-7


class Turned(nn.Module):
    """Relies on layouts, as attention with several heads does: the exp of a transposed tensor is transposed."""

    def forward(self, x):
        return (x.transpose(1, 2) * 1.5).exp().transpose(1, 2).view(len(x), -1)


def test_perturbed_values_keep_their_layout_in_memory():
    source = from_module(Turned(), [parse_input("x=float32[batch,3,4]")])
    (expected,) = Oracle(source).answers(source.random_inputs({"batch": 5}, 1.0, 1), 1.0)
    assert expected.values.shape == (5, 12)
    assert (expected.allowed > 0).all()
