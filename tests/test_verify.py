"""The rule must be able to fail: every planted fault is caught, and no good module is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from export.runners import Call, Runner, torch_runner
from export.source import Source
from export.verify import cases, special_rows, verify
from linreg.errors import MismatchError
from linreg.models import affine_of

SIZES = [1, 13, 300, 4096]


def source_of(module: nn.Module) -> Source:
    from export.source import Input

    affine = affine_of(module)
    return Source(
        module=module.eval(),
        affine=affine,
        inputs=(Input(name="input", dtype=affine.weight.dtype, shape=(None, affine.weight.shape[1])),),
        output_names=("output",),
        metadata={},
        state_sha256="0" * 64,
    )


def linear(features: int, *, dtype: torch.dtype = torch.float32, bias: bool = True) -> nn.Linear:
    torch.manual_seed(features)
    return nn.Linear(features, 1, bias=bias, dtype=dtype)


def answering(module: nn.Module, source: Source) -> Runner:
    """A runner that answers as `module` but shows the right parameters: only its outputs can give it away."""
    good, bad = torch_runner("good", source.module), torch_runner("planted", module)
    return Runner(name="planted", bind=bad.bind, parameters=good.parameters)


@pytest.mark.parametrize("features", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_good_module_is_accepted(features, dtype):
    source = source_of(linear(features, dtype=dtype))
    result = verify(torch_runner("eager", source.module), source)
    assert 0 < result.worst_error <= 1
    assert result.bytes_equal
    assert result.cases == 19


def fault_weight(copy: nn.Linear) -> None:
    copy.weight.data[0, -1] *= 1.001


def fault_bfloat16(copy: nn.Linear) -> None:
    copy.weight.data = copy.weight.data.bfloat16().to(copy.weight.dtype)


def fault_float16(copy: nn.Linear) -> None:
    copy.weight.data = copy.weight.data.half().to(copy.weight.dtype)


def fault_swap(copy: nn.Linear) -> None:
    copy.weight.data = copy.weight.data.flip(1)


def fault_bias(copy: nn.Linear) -> None:
    copy.bias.data.zero_()


def fault_sign(copy: nn.Linear) -> None:
    copy.bias.data.neg_()


FAULTS = [fault_weight, fault_bfloat16, fault_float16, fault_swap, fault_bias, fault_sign]


@pytest.mark.parametrize(
    ("features", "fault"),
    [(size, fault) for size in SIZES for fault in FAULTS if not (fault is fault_swap and size == 1)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_wrong_answers_are_caught_by_the_outputs_alone(features, fault):
    source, copy = source_of(linear(features)), linear(features)
    fault(copy)
    with pytest.raises(MismatchError, match=r"output \(\d+, 0\) is .*, expected .* within"):
        verify(answering(copy, source), source)


@pytest.mark.parametrize("features", SIZES)
def test_one_bit_of_one_weight_is_caught_by_the_parameters(features):
    source, copy = source_of(linear(features)), linear(features)
    copy.weight.data.view(torch.int32)[0, 0] ^= 1
    with pytest.raises(MismatchError, match="'weight' has other bits"):
        verify(torch_runner("planted", copy), source)


def outputs_of(source: Source, change) -> Runner:
    """A runner whose outputs are `change` of the right ones."""
    good = torch_runner("good", source.module)

    def bind(inputs):
        call = good.bind(inputs)
        return Call(run=call.run, outputs=lambda: (change(call.outputs()[0]),), context=call.context)

    return Runner(name="planted", bind=bind, parameters=good.parameters)


@pytest.mark.parametrize("features", SIZES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: np.full_like(y, np.nan), "is nan"),
        (lambda y: np.full_like(y, np.inf), "is inf"),
        (lambda y: np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype), "expected"),
        (lambda y: np.zeros_like(y), "is 0.0"),
        (lambda y: np.where(np.isnan(y), np.float32(0), y), "expected nan"),
        (lambda y: y.astype(np.float64), "got float64"),
        (lambda y: y[:, 0], "of shape"),
        (lambda y: y[:1], "of shape"),
    ],
    ids=["nan", "inf", "random", "zeros", "nan-hidden", "dtype", "rank", "static-batch"],
)
def test_wrong_outputs_are_caught(features, change, message):
    source = source_of(linear(features))
    with pytest.raises(MismatchError, match=message):
        verify(outputs_of(source, change), source)


def test_the_users_own_rows_are_a_case():
    source = source_of(linear(3))
    rows = np.full((5, 3), 123.456)
    assert cases_named(source, rows)["your rows"].inputs[0].dtype == np.float32
    assert "your rows" not in cases_named(source, None)


def cases_named(source, rows):
    return {case.name: case for case in cases(source, rows)}


def test_a_missing_output_is_caught():
    source = source_of(linear(2))
    good = torch_runner("good", source.module)
    runner = Runner(
        name="planted",
        bind=lambda _inputs: SimpleNamespace(outputs=lambda: ()),
        parameters=good.parameters,
    )
    with pytest.raises(MismatchError, match="gives 0 outputs, expected 1"):
        verify(runner, source)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_special_rows_hold_every_special_value(dtype):
    rows = special_rows(4, np.dtype(dtype))
    assert rows.dtype == dtype
    assert np.isnan(rows).any()
    assert {np.inf, -np.inf, float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)} <= set(rows.ravel())
    assert (np.signbit(rows) & (rows == 0)).any()
