"""The two linear models, and modules as affine maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linreg.config import Architecture, Precision
from linreg.errors import ModelError

NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


class LinearRegressionModel(nn.Module):
    """The model y = weights * x + bias, with two nn.Parameter and a single feature.

    The parameters are drawn by torch.randn, `weights` first. `forward` maps (rows, 1) to (rows, 1).
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(1, dtype=dtype))
        self.bias = nn.Parameter(torch.randn(1, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Predict; maps shape (rows, 1) to (rows, 1)."""
        return self.weights * x + self.bias


class LinearRegressionModelV2(nn.Module):
    """The model y = linear_layer(x), with one nn.Linear and any number of features.

    `forward` maps (rows, features) to (rows, 1).
    """

    def __init__(self, features: int = 1, *, bias: bool = True, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(features, 1, bias=bias, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Predict; maps shape (rows, features) to (rows, 1)."""
        prediction: Tensor = self.linear_layer(x)
        return prediction


@dataclass(frozen=True, kw_only=True)
class Affine:
    """The affine map y = x weight^T + bias, with the model's own numbers.

    Attributes:
        weight: shape (outputs, features), in the model's dtype.
        bias: shape (outputs,), in the model's dtype; None if the model has no bias.
    """

    weight: NDArray[Any]
    bias: NDArray[Any] | None


def torch_dtype(precision: Precision) -> torch.dtype:
    """Return the torch dtype of a precision."""
    return {Precision.FLOAT32: torch.float32, Precision.FLOAT64: torch.float64}[precision]


def make_model(
    architecture: Architecture, features: int, *, bias: bool = True, dtype: torch.dtype = torch.float32
) -> LinearRegressionModel | LinearRegressionModelV2:
    """Create a model on the CPU, with parameters drawn from torch's generator.

    Raises:
        ModelError: the architecture is `parameter`, but there are several features or no bias.
    """
    if architecture is Architecture.LINEAR:
        return LinearRegressionModelV2(features, bias=bias, dtype=dtype)
    if features != 1:
        raise ModelError(
            f"architecture parameter: got {features} features, expected 1; "
            "use --architecture linear, or name one with --features"
        )
    if not bias:
        raise ModelError("architecture parameter: always has a bias; use --architecture linear with --no-bias")
    return LinearRegressionModel(dtype)


def recognise(state: Mapping[str, Tensor]) -> tuple[Architecture, int, bool]:
    """Infer the architecture, the number of features and whether there is a bias from the tensors of a state_dict.

    Raises:
        ModelError: the keys match neither model.
    """
    keys = set(state)
    if keys == {"weights", "bias"}:
        return Architecture.PARAMETER, 1, True
    if keys in ({"linear_layer.weight", "linear_layer.bias"}, {"linear_layer.weight"}):
        shape = state["linear_layer.weight"].shape
        if len(shape) == 2 and shape[1] > 0:
            return Architecture.LINEAR, shape[1], "linear_layer.bias" in keys
    shown = ", ".join(repr(key[:60]) for key in sorted(keys)[:5]) + (" ..." if len(keys) > 5 else "")
    raise ModelError(
        f"its keys are {shown or 'none'}, "
        "expected 'weights' and 'bias', or 'linear_layer.weight' and 'linear_layer.bias'"
    )


def affine_of(module: nn.Module) -> Affine | None:
    """Return the affine map of one of linreg's models or of a bare nn.Linear; None for any other module.

    A module with hooks, with its own `forward`, or with a dtype that NumPy lacks counts as another module.
    """
    if any(_altered(part) for part in module.modules()):
        return None
    if type(module) is LinearRegressionModel:
        weight, bias = module.weights.reshape(1, 1), module.bias
        return Affine(weight=weight.detach().cpu().numpy(), bias=bias.detach().cpu().numpy())
    linear = module.linear_layer if type(module) is LinearRegressionModelV2 else module
    if type(linear) is not nn.Linear:
        return None
    return Affine(
        weight=linear.weight.detach().cpu().numpy(),
        bias=None if linear.bias is None else linear.bias.detach().cpu().numpy(),
    )


def _altered(module: nn.Module) -> bool:
    hooked = bool(module._forward_hooks or module._forward_pre_hooks) or "forward" in vars(module)
    return hooked or any(parameter.dtype not in NUMPY_FLOATS for parameter in module.parameters())


@torch.no_grad()
def set_affine(
    model: LinearRegressionModel | LinearRegressionModelV2, weight: NDArray[np.float64], bias: float
) -> None:
    """Set the weight, of shape (features,), and the bias of a model.

    They are rounded to its dtype; overflow becomes infinity.
    """
    if isinstance(model, LinearRegressionModel):
        model.weights.copy_(torch.from_numpy(weight))
        model.bias.copy_(torch.tensor(bias, dtype=torch.float64))
        return
    model.linear_layer.weight.copy_(torch.from_numpy(weight)[None])
    if model.linear_layer.bias is not None:
        model.linear_layer.bias.copy_(torch.tensor(bias, dtype=torch.float64))
