"""Read the state_dict of a linear model: as arrays if the file is plain, or with torch in any other form."""

from pathlib import Path

from linreg.errors import ModelError
from linreg.manifest import Manifest
from linreg.pth import read_pth
from linreg.safetensors import is_safetensors
from linreg.state_archive import records_of
from linreg.state_dict import StateDict, read_weights, state_dict_of
from linreg.state_pickle import NotPlainError


def load_arrays(path: Path, manifest: Manifest | None = None) -> StateDict:
    """Read a state_dict as arrays, without torch, or as tensors if it is not plain; no code of the file runs.

    Args:
        path: path of the file.
        manifest: manifest of its folder, if it was already read.

    Raises:
        ModelError: the file is damaged, holds anything but dense tensors by name, or is not plain and torch is missing.
        MismatchError: the file differs from the manifest of its folder.
    """
    data = read_weights(path, manifest)
    try:
        return state_dict_of(read_pth(str(path), data), None)
    except NotPlainError as error:
        problem = str(error)
    if is_safetensors(data):
        problem = "it is in the format of safetensors"
    else:
        records_of(str(path), data)  # a damaged file is no reason to install torch
    try:
        from linreg.state_reading import read_state  # reads other forms, and says what is wrong
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelError(
            f"{path}: can only be read with torch, which is not installed: {problem}; save a float32 or float64 "
            "state_dict alone, with torch.save, or install torch: pip install torch"
        ) from None
    return read_state(str(path), data)
