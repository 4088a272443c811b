"""The three rules of inference in one place: eval mode, no gradients, everything on one device."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linreg.config import DeviceChoice
from linreg.errors import LinregError

CHUNK_ROWS = 2**18


def resolve_device(choice: DeviceChoice) -> torch.device:
    """The device of a choice; auto takes CUDA where there is one.

    Raises:
        LinregError: CUDA is asked for and not there.
    """
    if choice is DeviceChoice.CUDA and not torch.cuda.is_available():
        raise LinregError("--device cuda: this torch sees no CUDA device; use --device cpu, and see 'linreg doctor'")
    if choice is DeviceChoice.AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)


def predict(model: nn.Module, features: NDArray[np.float64]) -> NDArray[np.floating]:
    """The predictions of a model of one output.

    Args:
        model: a linear model; left in eval mode.
        features: raw units, shape (rows, features); rounded to the model's dtype.

    Returns:
        Shape (rows,), in the model's dtype, on the CPU.
    """
    parameter = next(model.parameters())
    model.eval()
    with torch.inference_mode():
        chunks = [
            model(torch.from_numpy(features[start : start + CHUNK_ROWS]).to(parameter.device, parameter.dtype)).cpu()
            for start in range(0, len(features), CHUNK_ROWS)
        ]
        outputs = torch.cat(chunks) if chunks else torch.empty((0, 1), dtype=parameter.dtype)
    return np.asarray(outputs.squeeze(1).numpy())
