"""The two linear models as arrays: their names in a state_dict, their predictions and their identity, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg.config import Architecture
from linreg.errors import ModelError

Array = NDArray[Any]

NAMES = {
    Architecture.PARAMETER: ("weights", "bias"),
    Architecture.LINEAR: ("linear_layer.weight", "linear_layer.bias"),
}
"""The names of weight and bias in the state_dict of each model."""

CHUNK_ROWS = 2**14


@dataclass(frozen=True, kw_only=True)
class Affine:
    """The affine map y = x weight^T + bias, with the model's own numbers.

    Attributes:
        weight: shape (outputs, features), in the model's dtype.
        bias: shape (outputs,), in the model's dtype; None if the model has no bias.
        names: the names of weight and bias in the model's state_dict.
    """

    weight: Array
    bias: Array | None
    names: tuple[str, str] = NAMES[Architecture.LINEAR]

    @property
    def architecture(self) -> Architecture:
        """The architecture of one of the two models."""
        return next(architecture for architecture, names in NAMES.items() if names == self.names)

    def state(self) -> dict[str, Array]:
        """Return the state_dict, which shares the memory of the arrays."""
        weight = self.weight.reshape(1) if self.names == NAMES[Architecture.PARAMETER] else self.weight
        return {self.names[0]: weight} | ({} if self.bias is None else {self.names[1]: self.bias})


def affine_of_state(state: Mapping[str, Array]) -> Affine:
    """Return a copy of the state_dict of one of the two models as an affine map.

    Raises:
        ModelError: the keys match neither model.
    """
    architecture, features, _ = recognise(state)
    weight, bias = NAMES[architecture]
    return Affine(
        weight=np.array(state[weight], order="C").reshape(1, features),
        bias=np.array(state[bias], order="C") if bias in state else None,
        names=NAMES[architecture],
    )


def rounded(architecture: Architecture, weight: NDArray[np.float64], bias: float | None, dtype: str) -> Affine:
    """Return a model with coefficients rounded to a dtype; overflow becomes infinity.

    Args:
        architecture: architecture of the model.
        weight: shape (features,).
        bias: the bias; None if the model has none.
        dtype: float32 or float64.
    """
    with np.errstate(over="ignore"):
        return Affine(
            weight=weight.astype(dtype)[None],
            bias=None if bias is None else np.array([bias]).astype(dtype),
            names=NAMES[architecture],
        )


def check_architecture(architecture: Architecture, features: int, *, bias: bool) -> None:
    """Check that an architecture can hold a model.

    Raises:
        ModelError: the architecture is `parameter`, but there are several features or no bias.
    """
    if architecture is Architecture.LINEAR:
        return
    if features != 1:
        raise ModelError(
            f"architecture parameter: got {features} features, expected 1; "
            "use --architecture linear, or name one with --features"
        )
    if not bias:
        raise ModelError("architecture parameter: always has a bias; use --architecture linear with --no-bias")


def recognise(state: Mapping[str, Any]) -> tuple[Architecture, int, bool]:
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
            return Architecture.LINEAR, int(shape[1]), "linear_layer.bias" in keys
    shown = ", ".join(repr(key[:60]) for key in sorted(keys)[:5]) + (" ..." if len(keys) > 5 else "")
    raise ModelError(
        f"its keys are {shown or 'none'}, "
        "expected 'weights' and 'bias', or 'linear_layer.weight' and 'linear_layer.bias'"
    )


def predict(affine: Affine, features: NDArray[np.float64]) -> NDArray[np.floating]:
    """Predict with a model that has a single output.

    The prediction of a row does not depend on the rows around it, nor on the memory layout.

    Args:
        affine: the model.
        features: raw values, shape (rows, features), any layout and byte order; rounded to the model's dtype.

    Returns:
        Predictions, shape (rows,), in the model's dtype.
    """
    weight = affine.weight[0]
    predicted = np.zeros(len(features), weight.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(features), CHUNK_ROWS):
            sums = predicted[start : start + CHUNK_ROWS]
            # Unlike a product by BLAS, this adds up every row in the same order.
            for column, factor in zip(features[start : start + CHUNK_ROWS].T, weight, strict=True):
                sums += factor * column.astype(weight.dtype)
            if affine.bias is not None:
                sums += affine.bias[0]
    return predicted
