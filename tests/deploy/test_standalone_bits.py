"""The C of a model has onnxruntime's bits, and sums by fused steps in order."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from export.bundle.build import build
from export.formats.c import to_c
from export.formats.names import Format
from export.proof.verify import verify
from export.runners.c import c_runner
from export.runners.onnxruntime import onnxruntime_runner
from tests.deploy.standalone import linear, tool
from tests.judged_cases import judged_cases


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("features", [1, 2, 13, 64, 255, 256, 257, 300, 4096])
def test_the_bits_are_onnxruntimes_up_to_256_features(monkeypatch, compiler, features, outputs):
    monkeypatch.setenv("CC", tool(compiler))
    source = linear(features, outputs)
    runner = c_runner("model.c", to_c(source))
    if features <= 256:
        assert differing_cases(source, runner) == []
    else:
        assert verify(runner, source).worst_error <= 1, "beyond, onnxruntime sums in another order: the bound holds"


@pytest.mark.parametrize("features", [1, 2, 13, 64, 255, 256])
def test_so_are_those_of_float64_and_of_a_model_without_bias(features):
    wide = linear(features, 1, torch.float64)
    assert differing_cases(wide, c_runner("model.c", to_c(wide))) == []
    bare = linear(features, 2, bias=False)
    assert differing_cases(bare, c_runner("model.c", to_c(bare))) == []


def differing_cases(source, runner) -> list[str]:
    """The cases (batches, scales, unit and special rows) where C and onnxruntime differ in a bit; a NaN is a NaN."""
    other = onnxruntime_runner("model.onnx", build(source, Format.ONNX))
    found = []
    for case in judged_cases(source):
        ((ours,), (theirs,)) = (each.bind(case.inputs).outputs() for each in (runner, other))
        for array in (ours, theirs):
            array[np.isnan(array)] = np.nan
        if ours.tobytes() != theirs.tobytes():
            found.append(case.name)
    assert verify(runner, source).cases == 24
    return found


def test_sums_are_fused_and_in_order():
    """Against exact rationals, each step rounded once; the other order gives other bits, so the test sees an order."""
    source = linear(13)
    (rows,) = source.random_inputs({"batch": 40}, 1.0, 1)
    weight, bias = source.affine.weight[0], source.affine.bias[0]
    (got,) = c_runner("model.c", to_c(source)).bind((rows,)).outputs()
    assert got[:, 0].tobytes() == np.array([chain(row, weight, bias) for row in rows]).tobytes()
    backwards = np.array([chain(row[::-1], weight[::-1], bias) for row in rows])
    assert got[:, 0].tobytes() != backwards.tobytes()


def chain(row, weight, bias) -> np.float32:
    total = np.float32(0)
    for x, w in zip(row, weight, strict=True):
        total = rounded(Fraction(float(x)) * Fraction(float(w)) + Fraction(float(total)))
    return rounded(Fraction(float(total)) + Fraction(float(bias)))


def rounded(value: Fraction) -> np.float32:
    """To the nearest float32, the even one of two; the first guess is rounded twice, so its neighbours are tried."""
    guess = np.float32(float(value))
    near = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    return min(near, key=lambda each: (abs(Fraction(float(each)) - value), int(each.view(np.uint32)) & 1))
