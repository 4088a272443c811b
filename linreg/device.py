"""Find the device of a gradient method."""

from typing import TYPE_CHECKING

from linreg.config import DeviceChoice
from linreg.errors import LinregError

if TYPE_CHECKING:
    import torch


def resolve_device(choice: DeviceChoice) -> "torch.device":
    """Resolve a device choice; `auto` uses CUDA if it is available.

    Raises:
        LinregError: CUDA is requested but not available.
    """
    import torch

    if choice is DeviceChoice.CUDA and not torch.cuda.is_available():
        raise LinregError("--device cuda: this torch sees no CUDA device; use --device cpu, and see 'linreg doctor'")
    if choice is DeviceChoice.AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)
