"""Predictions and coefficients of the two models as modules of torch."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linreg.affine import Affine, rounded
from linreg.config import Architecture
from linreg.models import LinearRegressionModel, LinearRegressionModelV2, affine_of


def predict(module: nn.Module, features: NDArray[np.float64]) -> NDArray[Any]:
    """What the module itself returns, shape (rows,)."""
    parameter = next(module.parameters())
    with torch.inference_mode():
        outputs = module.eval()(torch.from_numpy(np.array(features, np.float64)).to(parameter.dtype))
    return np.asarray(outputs.squeeze(1).numpy())


def arrays_of(module: nn.Module) -> Affine:
    """The module as arrays, which share its memory."""
    affine = affine_of(module)
    assert affine is not None
    return affine


def set_affine(
    module: LinearRegressionModel | LinearRegressionModelV2, weight: NDArray[np.float64], bias: float
) -> None:
    """Set the coefficients of a module, rounded to its dtype."""
    parameter = isinstance(module, LinearRegressionModel)
    dtype = str(next(module.parameters()).dtype).removeprefix("torch.")
    biased = len(list(module.parameters())) > 1
    architecture = Architecture.PARAMETER if parameter else Architecture.LINEAR
    affine = rounded(architecture, weight, bias if biased else None, dtype)
    module.load_state_dict({key: torch.from_numpy(array) for key, array in affine.state().items()})
