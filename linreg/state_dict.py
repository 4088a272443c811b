"""Work with state_dicts: read and write their bytes, and compute the hash that identifies their weights.

torch is imported only where tensors are handled: the state_dict of a linear model may hold arrays.
"""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError, MismatchError, ModelError
from linreg.manifest import Manifest, read_listed

if TYPE_CHECKING:
    from torch import Tensor

COPIED_BYTES = 2**26
"""Larger tensors are written to a file without a copy in memory."""


class StateDict(OrderedDict[str, Any]):
    """Tensors by name, as `Module.state_dict` gives them, or arrays.

    Attributes:
        notes: what was left out, stripped or converted while reading, one line each.
        _metadata: torch's metadata, which gives the version of each module by name; None if the file has none.
            `Module.load_state_dict` reads it.
    """

    notes: tuple[str, ...] = ()
    _metadata: dict[str, dict[str, Any]] | None = None


def state_dict_of(
    tensors: Mapping[str, Any], metadata: Mapping[str, Mapping[str, Any]] | None, notes: tuple[str, ...] = ()
) -> StateDict:
    """Make a state_dict from tensors, module versions and notes."""
    state = StateDict(tensors)
    state._metadata = None if metadata is None else {key: dict(value) for key, value in metadata.items()}
    state.notes = notes
    return state


def metadata_of(state: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Return the module versions in a state_dict, by name; None if it has none."""
    return getattr(state, "_metadata", None)


def state_sha256(state: "Mapping[str, Tensor | NDArray[Any]]") -> str:
    """Return the SHA-256 that identifies weights in any file format.

    It is computed over the sorted (key, dtype, shape, little-endian bytes) of every tensor.
    """
    digest = hashlib.sha256()
    for key in sorted(state):
        values = state[key]
        dtype = values.dtype.name if isinstance(values, np.ndarray) else str(values.dtype).removeprefix("torch.")
        digest.update(repr((key, dtype, tuple(values.shape))).encode())
        digest.update(_bytes_of(values).data)
    return digest.hexdigest()


def _bytes_of(values: "Tensor | NDArray[Any]") -> NDArray[np.uint8]:
    if isinstance(values, np.ndarray):
        little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        return little.reshape(-1).view(np.uint8)
    import torch

    return values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def state_bytes(state: "Mapping[str, Tensor]") -> bytes:
    """Serialise a state_dict as torch.save does, with module versions.

    This is done in memory, so that no file name is embedded.
    """
    buffer = io.BytesIO()
    write_state(state, buffer)
    return buffer.getvalue()


def write_state(state: "Mapping[str, Tensor]", stream: BinaryIO) -> None:
    """Write the bytes of `state_bytes` to a stream.

    Tensors that share memory are written apart, as if each were a copy. A large tensor is not copied in memory unless
    it shares its memory, or is a part of a larger one.
    """
    import torch

    plain: dict[str, Tensor] = {}
    written: set[int] = set()
    for key, tensor in state.items():
        own = tensor.detach().cpu().contiguous()
        memory = own.untyped_storage()
        whole = memory.nbytes() == own.nbytes and memory.data_ptr() not in written
        written.add(memory.data_ptr())
        plain[key] = own if whole and own.nbytes > COPIED_BYTES else own.clone()
    if (metadata := metadata_of(state)) is not None:
        plain = OrderedDict(plain)
        plain._metadata = OrderedDict((key, dict(value)) for key, value in metadata.items())  # type: ignore[attr-defined]
    torch.save(plain, stream)


def read_weights(path: Path, manifest: Manifest | None = None) -> bytes:
    """Read a file of weights that may belong to a bundle.

    Args:
        path: path of the file.
        manifest: manifest of its folder, if it was already read.

    Raises:
        MismatchError: the contents differ from the manifest.
        ModelError: the file cannot be read.
    """
    try:
        return read_listed(path.parent, path.name, limit=MAX_STATE_BYTES, manifest=manifest)
    except MismatchError:
        raise
    except LinregError as error:
        raise ModelError(str(error)) from None
