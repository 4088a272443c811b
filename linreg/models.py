"""The two linear models as modules of torch, and modules as affine maps."""

import torch
from torch import Tensor, nn

from linreg.affine import NAMES, Affine, check_architecture
from linreg.config import Architecture, Precision

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
    check_architecture(architecture, features, bias=bias)
    if architecture is Architecture.LINEAR:
        return LinearRegressionModelV2(features, bias=bias, dtype=dtype)
    return LinearRegressionModel(dtype)


def module_of(affine: Affine) -> LinearRegressionModel | LinearRegressionModelV2:
    """Return a model in eval mode whose parameters share the memory of the arrays.

    It is made outside torch.inference_mode even where the first use is inside, so that it can be exported and trained.
    """
    with torch.inference_mode(False):
        with torch.device("meta"):
            module = make_model(affine.architecture, affine.weight.shape[1], bias=affine.bias is not None)
        module.load_state_dict({key: torch.from_numpy(array) for key, array in affine.state().items()}, assign=True)
        return module.eval()


def affine_of(module: nn.Module) -> Affine | None:
    """Return the affine map of one of linreg's models or of a bare nn.Linear; None for any other module.

    A module with hooks, with its own `forward`, or with a dtype that NumPy lacks counts as another module.
    """
    if any(_altered(part) for part in module.modules()):
        return None
    if type(module) is LinearRegressionModel:
        weight, bias = module.weights.reshape(1, 1), module.bias
        return Affine(
            weight=weight.detach().cpu().numpy(), bias=bias.detach().cpu().numpy(), names=NAMES[Architecture.PARAMETER]
        )
    linear = module.linear_layer if type(module) is LinearRegressionModelV2 else module
    if type(linear) is not nn.Linear:
        return None
    return Affine(
        weight=linear.weight.detach().cpu().numpy(),
        bias=None if linear.bias is None else linear.bias.detach().cpu().numpy(),
        names=("weight", "bias") if linear is module else NAMES[Architecture.LINEAR],
    )


def _altered(module: nn.Module) -> bool:
    hooked = bool(module._forward_hooks or module._forward_pre_hooks) or "forward" in vars(module)
    return hooked or any(parameter.dtype not in NUMPY_FLOATS for parameter in module.parameters())
