"""Read a state_dict from a file without running code.

A state_dict is data, but torch reads it with pickle and verifies no checksum. So the archive is checked first, then
unpickled with weights_only=True, and only dense tensors by name are kept, with the versions of their modules.
"""

import io
import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linreg.config import MAX_EXPANDED_BYTES
from linreg.errors import ModelError
from linreg.manifest import Manifest
from linreg.safetensors import is_safetensors, read_safetensors
from linreg.state_archive import records_of
from linreg.state_dict import StateDict, read_weights, state_dict_of

UNSAFE = re.compile(r"Unsupported global: GLOBAL ([\w.]+) was not an allowed global")
"""Matches torch's message about a class that weights_only=True refuses."""


def load_state(path: Path, manifest: Manifest | None = None) -> StateDict:
    """Read a state_dict from a file without running code.

    Args:
        path: path of the file.
        manifest: manifest of its folder, if it was already read.

    Raises:
        ModelError: the file is damaged, or holds anything but dense tensors by name.
        MismatchError: the file differs from the manifest of its folder.
    """
    return read_state(str(path), read_weights(path, manifest))


def read_state(name: str, data: bytes) -> StateDict:
    """Read a state_dict from the contents of a torch.save or safetensors file, without running code.

    If the file is a checkpoint that holds one dictionary of tensors among other things, that dictionary is returned,
    with a note.

    Args:
        name: name of the file, used in messages.
        data: contents of the file.

    Raises:
        ModelError: the file is damaged, or holds anything but dense tensors by name.
    """
    if is_safetensors(data):
        tensors, versions = read_safetensors(name, data), None
        return state_dict_of(tensors, versions)
    content = _unpickled(name, data)
    if not isinstance(content, dict):
        raise ModelError(f"{name}: holds {type(content).__name__}, expected a state_dict; save model.state_dict()")
    weights: dict[Any, Any] = content
    notes: tuple[str, ...] = ()
    if (place := _place_of_weights(name, content)) is not None:
        others = [str(key) for key in dict.keys(content) if key != place]
        weights = dict.get(content, place, {})
        notes = (f"its weights are under {place[:60]!r}" + (f" ({_listed(others)} left out)" if others else ""),)
    metadata = _checked_metadata(name, weights)
    if not weights and metadata is None:
        raise ModelError(f"{name}: holds {type(weights).__name__}, expected a state_dict; save model.state_dict()")
    return state_dict_of(_checked_tensors(name, weights), metadata, notes)


def storage_problem(tensor: Tensor) -> str | None:
    """Say why a tensor cannot be read, or return None.

    A tensor cannot be read if it is not dense, or if its shape claims more numbers than are stored.
    """
    kind = _kind_of(tensor)
    if kind is not None:
        return f"is not a dense tensor; save model.state_dict() of an ordinary model; got {kind}"
    if _claimed_bytes(tensor) > tensor.untyped_storage().nbytes():
        return "claims more numbers than it stores; the file is damaged or hostile, or save a .contiguous() copy of it"
    return None


def _unpickled(name: str, data: bytes) -> object:
    """Unpickle the contents of a torch.save file.

    Raises:
        ModelError: the file is damaged, or weights_only=True refuses it.
    """
    records = records_of(name, data)
    try:
        with warnings.catch_warnings():  # whatever torch warns about, such as a sparse tensor, is refused below
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many classes here, and its message advises turning weights_only off
        whole_module = b"_parameters" in bytes(records.get("data.pkl", b""))
        raise ModelError(f"{name}: {_not_plain(name, error, whole_module=whole_module)}") from None


def _not_plain(name: str, error: Exception, *, whole_module: bool) -> str:
    found = UNSAFE.search(" ".join(str(error).split()))
    if found is not None and found[1].endswith(("UninitializedParameter", "UninitializedBuffer")):
        return "is of a lazy module that has no shapes yet; run the module once, then save model.state_dict()"
    held = (
        f"it holds {found[1][:80]!r}" if found else f"{type(error).__name__}: it holds more than tensors, or is damaged"
    )
    if whole_module and found is not None:
        return (
            f"is not a plain state_dict but a whole module ({held}), and loading it runs its code; if you trust "
            f"it: import torch; model = torch.load({name!r}, weights_only=False); "
            "torch.save(model.state_dict(), 'weights.pth'); otherwise save model.state_dict() and nothing else"
        )
    return f"is not a plain state_dict ({held}); save model.state_dict() and nothing else"


def _place_of_weights(name: str, content: dict[Any, Any]) -> str | None:
    """Return the key of the only dictionary of tensors in a checkpoint, or None if it holds no such dictionary.

    Raises:
        ModelError: the checkpoint holds several such dictionaries.
    """
    items = list(dict.items(content))
    if not any(isinstance(value, dict) for _, value in items):
        return None
    places = [key for key, value in items if isinstance(key, str) and _are_tensors(value)]
    places = [key for key in places if not key.endswith("_extra_state")]
    if len(places) == 1:
        return places[0]
    if len(places) > 1:
        raise ModelError(
            f"{name}: is a checkpoint with several dictionaries of tensors, {_listed(places)}; save the one that is "
            f"the module's: torch.save(torch.load({name!r})[{places[0]!r}], 'weights.pth')"
        )
    return None


def _are_tensors(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in dict.items(value))
    )


def _checked_tensors(name: str, content: dict[Any, Any]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    expanded = 0
    for key, value in dict.items(content):
        if not isinstance(key, str) or not isinstance(value, Tensor):
            shown = repr(key[:60]) if isinstance(key, str) else f"a key of type {type(key).__name__}"
            raise ModelError(f"{name}: {shown} is {type(value).__name__}, expected a tensor by name")
        # A fresh tensor on the same storage, without attributes that the file may have set.
        tensor = Tensor.detach(value)
        if type(tensor) is not Tensor:
            raise ModelError(f"{name}: {key[:60]!r} is {type(tensor).__name__}, expected an ordinary tensor")
        if _kind_of(tensor) is None:
            tensor = tensor.resolve_conj().resolve_neg()
            # torch loads expanded views (stride 0), in which a few numbers represent many.
            if _claimed_bytes(tensor) > tensor.untyped_storage().nbytes():
                expanded += _claimed_bytes(tensor)
                tensor = tensor.contiguous() if expanded <= MAX_EXPANDED_BYTES else tensor
        if (problem := storage_problem(tensor)) is not None:
            raise ModelError(f"{name}: {key[:60]!r} {problem}")
        tensors[key] = tensor
    return tensors


def _checked_metadata(name: str, content: dict[Any, Any]) -> dict[str, dict[str, Any]] | None:
    metadata = vars(content).get("_metadata") if isinstance(content, OrderedDict) else None
    if metadata is None:
        return None
    good = isinstance(metadata, dict) and all(
        isinstance(key, str) and isinstance(value, dict) and isinstance(value.get("version", 1), int | None)
        for key, value in dict.items(metadata)
    )
    if not good:
        raise ModelError(f"{name}: its _metadata is not what torch writes; save model.state_dict() again")
    return {key: dict(dict.items(value)) for key, value in dict.items(metadata)}


def _kind_of(tensor: Tensor) -> str | None:
    """Say what kind of tensor this is and how to make it dense, or return None if it is dense."""
    if tensor.device.type != "cpu":
        return f"one on the device {tensor.device.type}, which holds no numbers: load the weights first"
    if tensor.is_quantized:
        return f"a quantized one ({str(tensor.dtype).removeprefix('torch.')}): tensor.dequantize()"
    if tensor.is_nested:
        return "a nested one: torch.nested.to_padded_tensor"
    if tensor.layout is not torch.strided:
        return f"a sparse one ({str(tensor.layout).removeprefix('torch.')}): tensor.to_dense()"
    return None


def _claimed_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names[:5]) + (" ..." if len(names) > 5 else "")
