"""Read the state_dict of a linear model: as arrays if the file is plain, or with torch in any other form."""

from pathlib import Path

from linreg.manifest import Manifest
from linreg.pth import read_pth
from linreg.state_dict import StateDict, read_weights, state_dict_of
from linreg.state_pickle import NotPlainError


def load_arrays(path: Path, manifest: Manifest | None = None) -> StateDict:
    """Read a state_dict as arrays, without torch, or as tensors if it is not plain; no code of the file runs.

    Args:
        path: path of the file.
        manifest: manifest of its folder, if it was already read.

    Raises:
        ModelError: the file is damaged, or holds anything but dense tensors by name.
        MismatchError: the file differs from the manifest of its folder.
        ModuleNotFoundError: the file is not plain, and torch is not installed.
    """
    data = read_weights(path, manifest)
    try:
        return state_dict_of(read_pth(str(path), data), None)
    except NotPlainError:
        from linreg.state_reading import read_state  # reads other forms, and says what is wrong

        return read_state(str(path), data)
