"""The rule must be able to fail: every planted fault is caught, and no good module is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from export.proof.verify import verify
from export.runners.base import Call, Runner
from export.runners.torch import torch_runner
from export.source.module_source import from_module
from export.source.source import Source
from export.source.user_module import parse_input
from linreg.errors import MismatchError
from tests import nets

SIZES = [1, 13, 300, 1024]
WIDE = 4096


def source_of(module: nn.Module) -> Source:
    weight = module.weight
    dtype = str(weight.dtype).removeprefix("torch.")
    return from_module(module, [parse_input(f"x={dtype}[batch,{weight.shape[1]}]")])


def linear(features: int, *, dtype: torch.dtype = torch.float32, bias: bool = True) -> nn.Linear:
    torch.manual_seed(features)
    return nn.Linear(features, 1, bias=bias, dtype=dtype)


def answering(module: nn.Module, source: Source) -> Runner:
    """A runner that answers as `module` but shows the right parameters: only its outputs can give it away."""
    good, bad = torch_runner("good", source.module), torch_runner("planted", module)
    return Runner(name="planted", bind=bad.bind, parameters=good.parameters)


@pytest.mark.parametrize("features", [*SIZES, pytest.param(WIDE, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_good_module_is_accepted(features, dtype):
    source = source_of(linear(features, dtype=dtype))
    result = verify(torch_runner("eager", source.module), source)
    assert 0 < result.worst_error <= 1
    assert result.bytes_equal
    assert result.cases == 24


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
    [
        pytest.param(size, fault, marks=[pytest.mark.slow] * (size == WIDE))
        for size in [*SIZES, WIDE]
        for fault in FAULTS
        if not (fault is fault_swap and size == 1)
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_wrong_answers_are_caught_by_the_outputs_alone(features, fault):
    source, copy = source_of(linear(features)), linear(features)
    fault(copy)
    with pytest.raises(MismatchError, match=r"'output' at row \d+, element \(0,\) is .*, expected .* within"):
        verify(answering(copy, source), source)


@pytest.mark.parametrize("features", [*SIZES, pytest.param(WIDE, marks=pytest.mark.slow)])
def test_one_bit_of_one_weight_is_caught_by_the_parameters(features):
    source, copy = source_of(linear(features)), linear(features)
    copy.weight.data.view(torch.int32)[0, 0] ^= 1
    with pytest.raises(MismatchError, match="'weight' differs from the state_dict"):
        verify(torch_runner("planted", copy), source)


def outputs_of(source: Source, change) -> Runner:
    """A runner whose outputs are `change` of the right ones."""
    good = torch_runner("good", source.module)

    def bind(inputs):
        call = good.bind(inputs)
        return Call(run=call.run, outputs=lambda: (change(call.outputs()[0]),), context=call.context)

    return Runner(name="planted", bind=bind, parameters=good.parameters)


@pytest.mark.parametrize("features", [*SIZES, pytest.param(WIDE, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: np.full_like(y, np.nan), "is nan"),
        (lambda y: np.full_like(y, np.inf), "is inf"),
        (lambda y: np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype), "expected"),
        (lambda y: np.zeros_like(y), "is 0.0"),
        (lambda y: np.where(np.isnan(y), np.float32(0), y), "expected nan"),
        (lambda y: y.astype(np.float64), "is float64 of shape"),
        (lambda y: y[:, 0], "of shape"),
        (lambda y: y[:1], "of shape"),
    ],
    ids=["nan", "inf", "random", "zeros", "nan-hidden", "dtype", "rank", "static-batch"],
)
def test_wrong_outputs_are_caught(features, change, message):
    source = source_of(linear(features))
    with pytest.raises(MismatchError, match=message):
        verify(outputs_of(source, change), source)


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


def fault_add_made_sub(module: nets.Mlp) -> None:
    first = module.net[0]
    module.net[0].register_forward_hook(lambda _module, _inputs, output: output - 2 * first.bias)


def fault_one_weight(module: nets.Mlp) -> None:
    module.net[0].weight.data[3, 5] *= 1.001


def fault_float16_weights(module: nets.Mlp) -> None:
    for parameter in module.parameters():
        parameter.data = parameter.data.half().float()


def fault_bfloat16_weights(module: nets.Mlp) -> None:
    for parameter in module.parameters():
        parameter.data = parameter.data.bfloat16().float()


def fault_dropped_bias(module: nets.Mlp) -> None:
    module.net[4].bias.data.zero_()


def fault_swapped_features(module: nets.Mlp) -> None:
    module.net[0].weight.data = module.net[0].weight.data.flip(1)


def fault_dropout_alive(module: nets.Mlp) -> None:
    module.net[3].train()


@pytest.mark.parametrize(
    "fault",
    [
        fault_add_made_sub,
        fault_one_weight,
        fault_float16_weights,
        fault_bfloat16_weights,
        fault_dropped_bias,
        fault_swapped_features,
        fault_dropout_alive,
    ],
    ids=lambda fault: fault.__name__,
)
def test_wrong_answers_of_an_mlp_are_caught_by_the_outputs_alone(fault):
    source = from_module(nets.make(nets.Mlp), [parse_input("x=float32[batch,16]")])
    copy = nets.make(nets.Mlp).eval()
    good = torch_runner("good", source.module)
    assert verify(Runner(name="same", bind=torch_runner("copy", copy).bind, parameters=good.parameters), source)
    fault(copy)
    with pytest.raises(MismatchError, match="expected") as caught:
        verify(answering(copy, source), source)
    assert caught.value.inputs is not None
    assert caught.value.inputs["x"].shape[1] == 16


def test_a_static_batch_is_caught_when_it_refuses():
    source = source_of(linear(3))
    good = torch_runner("good", source.module)

    def bind(inputs):
        if len(inputs[0]) != 2:
            raise ValueError("Got invalid dimensions for input")
        return good.bind(inputs)

    with pytest.raises(MismatchError, match=r"batch 1, scale 0.001: does not run: .*invalid dimensions"):
        verify(Runner(name="static", bind=bind, parameters=good.parameters), source)
