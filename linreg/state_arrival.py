"""Check that torch loaded every tensor unchanged.

torch may silently drop, round or overwrite numbers: if two names share a parameter, the later one wins, and a hook may
do anything. So each tensor of the file is looked up in the module and compared bit for bit. There is one exception: if
a module has its own loading code and the file is of an older version, whatever torch makes of the file is right by
definition.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from linreg.errors import ModelError
from linreg.state_dict import StateDict, metadata_of

WIDER = {
    torch.float16: (torch.float32, torch.float64),
    torch.bfloat16: (torch.float32, torch.float64),
    torch.float32: (torch.float64,),
}
"""For each dtype, the wider ones that represent all its values exactly."""


def check_arrival(module: nn.Module, state: StateDict, loaded: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Check that the module holds every tensor of the file that was loaded into it.

    Args:
        module: the module, after loading.
        state: the state_dict of the file.
        loaded: the tensors of the module.

    Returns:
        Notes on what the module's own loading code changed, renamed or set.

    Raises:
        ModelError: a tensor is missing or changed, and no migration of an older version explains it.
    """
    changed, renamed = [], []
    left = {key: value for key, value in loaded.items() if key not in state}
    for key, tensor in state.items():
        if key in loaded and same_numbers(tensor, loaded[key]):
            continue
        if migrates(module, state, key):
            changed.append(key)
            continue
        other = next((name for name, value in left.items() if same_numbers(tensor, value)), None)
        if key in loaded or other is None:
            raise ModelError(
                f"{key[:60]!r} is not loaded unchanged: the module's own loading code drops or alters it, although "
                "the file has the current version; load the file in Python and save the module's state_dict() again"
            )
        renamed.append(key)
        del left[other]
    done = {"changes": changed, "renames": renamed, "sets": [] if changed else sorted(left)}
    return tuple(
        f"the module's own loading {verb} {', '.join(repr(name[:60]) for name in names[:3])}"
        + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        for verb, names in done.items()
        if names
    )


def check_tied(module: nn.Module, state: StateDict) -> None:
    """Check that all names of a tied parameter have the same numbers, and fill in missing names.

    safetensors stores a tied parameter under only one of its names.

    Raises:
        ModelError: the numbers differ.
    """
    for names in _tied(module):
        given = [name for name in names if name in state]
        for name in given[1:]:
            if not _equal(state[name], state[given[0]]):
                raise ModelError(
                    f"{given[0][:60]!r} and {name[:60]!r} are one parameter in the module, but differ in the file; "
                    "untie them in the module, or save the state_dict of one in which they are tied"
                )
        for name in names:
            if given and name not in state:
                state[name] = state[given[0]]


def migrates(module: nn.Module, state: StateDict, key: str) -> bool:
    """Return whether a module that contains this key has its own loading code and a newer version than the file."""
    metadata = metadata_of(state) or {}
    for name, part in _around(module, key):
        version = metadata.get(name, {}).get("version") or 1
        if version < part._version and _has_own_loading(part):
            return True
    return False


def holds(wide: torch.dtype, narrow: torch.dtype) -> bool:
    """Return whether `wide` represents every value of `narrow` exactly."""
    return wide == narrow or wide in WIDER.get(narrow, ())


def same_numbers(tensor: Tensor, loaded: Tensor) -> bool:
    """Return whether two tensors are equal bit for bit, after widening the first to the dtype of the second."""
    if tensor.shape != loaded.shape or not holds(loaded.dtype, tensor.dtype):
        return False
    return _equal(tensor.to(loaded.dtype), loaded.detach().cpu())


def _equal(tensor: Tensor, other: Tensor) -> bool:
    if tensor.shape != other.shape or tensor.dtype != other.dtype:
        return False
    one, two = (each.contiguous().reshape(-1).view(torch.uint8) for each in (tensor, other))
    return torch.equal(one, two)


def _tied(module: nn.Module) -> list[list[str]]:
    """Return the names of each parameter or buffer that has more than one name."""
    found: dict[int, list[str]] = {}
    for key, value in module.state_dict(keep_vars=True).items():
        if isinstance(value, Tensor):
            found.setdefault(id(value), []).append(key)
    return [names for names in found.values() if len(names) > 1]


def _around(module: nn.Module, key: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that contain a key, from the outermost to the innermost."""
    name, part = "", module
    yield name, part
    for step in key.split(".")[:-1]:
        child = part._modules.get(step)
        if child is None:
            return
        name, part = f"{name}.{step}" if name else step, child
        yield name, part


def _has_own_loading(module: nn.Module) -> bool:
    overridden = type(module)._load_from_state_dict is not nn.Module._load_from_state_dict
    return bool(overridden or module._load_state_dict_pre_hooks or module._load_state_dict_post_hooks)
