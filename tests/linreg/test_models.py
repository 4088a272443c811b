"""The two models of the course, their affine map and how they are recognised."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linreg.affine import Affine, recognise
from linreg.config import Architecture, Precision
from linreg.errors import ModelError
from linreg.models import (
    LinearRegressionModel,
    LinearRegressionModelV2,
    affine_of,
    make_model,
    module_of,
    torch_dtype,
)


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_parameter_model_is_weights_times_x_plus_bias(rows: int, dtype: torch.dtype) -> None:
    model = LinearRegressionModel(dtype)
    x = torch.randn(rows, 1, dtype=dtype)
    prediction = model(x)
    assert prediction.shape == (rows, 1)
    assert prediction.dtype == dtype
    assert torch.equal(prediction, model.weights * x + model.bias)
    assert [(name, value.shape) for name, value in model.named_parameters()] == [("weights", (1,)), ("bias", (1,))]


def test_the_parameters_are_drawn_by_randn_weights_first() -> None:
    torch.manual_seed(3)
    model = LinearRegressionModel()
    torch.manual_seed(3)
    assert torch.equal(model.weights, torch.randn(1))
    assert torch.equal(model.bias, torch.randn(1))


@pytest.mark.parametrize("features", [1, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_the_linear_model_is_one_nn_linear(features: int, bias: bool) -> None:
    model = LinearRegressionModelV2(features, bias=bias, dtype=torch.float64)
    x = torch.randn(4, features, dtype=torch.float64)
    prediction = model(x)
    assert prediction.shape == (4, 1)
    wanted = x.numpy() @ model.linear_layer.weight.detach().numpy().T
    if bias:
        wanted = wanted + model.linear_layer.bias.detach().numpy()
    assert prediction.detach().numpy() == pytest.approx(wanted, rel=1e-14)
    assert (model.linear_layer.bias is not None) == bias


def test_make_model_draws_what_the_class_draws() -> None:
    torch.manual_seed(1)
    made = make_model(Architecture.LINEAR, 3, dtype=torch.float64)
    torch.manual_seed(1)
    wanted = LinearRegressionModelV2(3, dtype=torch.float64)
    assert all(torch.equal(value, wanted.state_dict()[key]) for key, value in made.state_dict().items())
    assert isinstance(make_model(Architecture.PARAMETER, 1), LinearRegressionModel)


def test_make_model_refuses_what_two_parameters_cannot_hold() -> None:
    with pytest.raises(ModelError, match="got 2 features, expected 1; use --architecture linear"):
        make_model(Architecture.PARAMETER, 2)
    with pytest.raises(ModelError, match="always has a bias; use --architecture linear with --no-bias"):
        make_model(Architecture.PARAMETER, 1, bias=False)


def test_torch_dtypes() -> None:
    assert torch_dtype(Precision.FLOAT32) is torch.float32
    assert torch_dtype(Precision.FLOAT64) is torch.float64


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (LinearRegressionModel(), (Architecture.PARAMETER, 1, True)),
        (LinearRegressionModelV2(1), (Architecture.LINEAR, 1, True)),
        (LinearRegressionModelV2(7), (Architecture.LINEAR, 7, True)),
        (LinearRegressionModelV2(7, bias=False), (Architecture.LINEAR, 7, False)),
    ],
)
def test_recognised_by_keys(model: nn.Module, wanted: tuple[Architecture, int, bool]) -> None:
    assert recognise(model.state_dict()) == wanted
    assert recognise(dict(reversed(model.state_dict().items()))) == wanted


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ([], "its keys are none,"),
        (["weights"], "its keys are 'weights',"),
        (["weights", "bias", "more"], "its keys are 'bias', 'more', 'weights',"),
        (["weight", "bias"], "its keys are 'bias', 'weight',"),
        (["module.weights", "module.bias"], "'module.bias', 'module.weights'"),
        (["linear_layer.bias"], "its keys are 'linear_layer.bias',"),
        ([f"k{place}" for place in range(9)], "'k0', 'k1', 'k2', 'k3', 'k4' ...,"),
        (["k" * 1000], f"'{'k' * 60}',"),
    ],
)
def test_keys_of_neither_model(keys: list[str], shown: str) -> None:
    with pytest.raises(ModelError) as raised:
        recognise({key: torch.zeros(1) for key in keys})
    assert shown in str(raised.value)
    assert str(raised.value).endswith("expected 'weights' and 'bias', or 'linear_layer.weight' and 'linear_layer.bias'")


@pytest.mark.parametrize("shape", [(), (3,), (1, 1, 3), (1, 0)])
def test_a_weight_of_no_linear_shape_is_not_recognised(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="its keys are"):
        recognise({"linear_layer.weight": torch.zeros(shape), "linear_layer.bias": torch.zeros(1)})


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_affine_map_is_what_the_module_computes(dtype: torch.dtype) -> None:
    modules: list[nn.Module] = [
        LinearRegressionModel(dtype),
        LinearRegressionModelV2(3, dtype=dtype),
        LinearRegressionModelV2(3, bias=False, dtype=dtype),
        nn.Linear(4, 2, dtype=dtype),
        nn.Linear(4, 2, bias=False, dtype=dtype),
    ]
    for module in modules:
        affine = affine_of(module)
        assert affine is not None
        x = np.eye(affine.weight.shape[1])
        with torch.no_grad():
            output = module(torch.from_numpy(x).to(dtype)).numpy()
        wanted = x @ affine.weight.astype(np.float64).T + (0 if affine.bias is None else affine.bias.astype(np.float64))
        assert output.shape == wanted.shape
        assert output.astype(np.float64) == pytest.approx(wanted, rel=2e-3 if dtype == torch.float16 else 1e-6)
        assert affine.weight.dtype == output.dtype
        assert affine.bias is None or affine.bias.shape == (affine.weight.shape[0],)


class Doubled(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def hooked(when: str) -> nn.Module:
    model = LinearRegressionModelV2(2)
    if when == "before":
        model.linear_layer.register_forward_pre_hook(lambda _module, inputs: (inputs[0] + 1,))
    elif when == "after":
        model.register_forward_hook(lambda _module, _inputs, output: output * 2)
    else:
        model.linear_layer.forward = lambda x: x.sum(dim=1, keepdim=True)  # type: ignore[method-assign]
    return model


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(2, 1)),
        Doubled(2, 1),
        nn.Bilinear(2, 2, 1),
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 1)),
        hooked("before"),
        hooked("after"),
        hooked("never"),
        nn.Linear(2, 1, dtype=torch.bfloat16),
    ],
    ids=["sequential", "subclass", "bilinear", "weight-norm", "pre-hook", "hook", "own-forward", "bfloat16"],
)
def test_any_other_module_is_not_affine(module: nn.Module) -> None:
    assert affine_of(module) is None


def test_a_replaced_layer_is_not_affine() -> None:
    model = LinearRegressionModelV2(2)
    model.linear_layer = Doubled(2, 1)
    assert affine_of(model) is None


def test_a_model_that_is_made_within_inference_mode_can_be_trained():
    affine = Affine(weight=np.float32([[1, 2]]), bias=np.float32([3]))
    with torch.inference_mode():
        module = module_of(affine)
    assert not any(parameter.is_inference() for parameter in module.parameters())
    module(torch.ones(4, 2)).sum().backward()
    assert module.linear_layer.bias.grad.item() == 4
