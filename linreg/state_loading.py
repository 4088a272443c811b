"""Load a state_dict into a module with torch, and check that every number of the file arrived.

torch's `load_state_dict(strict=True)` decides what fits, so hooks that rename keys and layers that migrate older
versions work as usual.
"""

import warnings
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from linreg.errors import ModelError, one_line
from linreg.state_arrival import check_arrival, check_tied, holds, migrates, same_numbers
from linreg.state_dict import StateDict, metadata_of, state_dict_of, state_sha256
from linreg.state_names import without_wrappers
from linreg.state_reading import storage_problem


def load_into(module: nn.Module, state: StateDict) -> tuple[str, ...]:
    """Load a state_dict into a module that it must fit exactly.

    Args:
        module: the module to load into; after an error it may be partly loaded.
        state: a state_dict from `linreg.state_reading.read_state`.

    Returns:
        Notes on what was left out, stripped, converted or migrated; empty if the file fits as it is.

    Raises:
        ModelError: a key, shape or dtype differs, or a number is not finite or did not arrive. A buffer may hold -inf,
            as an attention mask does, if the module was not created with other infinities.
    """
    expected = _tensors_of(module)
    odd = {key: value.clone() for key, value in expected.items() if not _is_finite(value)}
    masks = {name for name, _ in module.named_buffers()} - set(odd)
    state = without_wrappers(state, expected)
    check_tied(module, state)
    _check_kinds(module, state, expected)
    try:
        _load(module, state)
    except Exception as error:  # from torch, or from the module's own hooks
        raise ModelError(_load_error(state, expected, error)) from None
    loaded = _tensors_of(module)
    own = check_arrival(module, state, loaded)
    for key, tensor in loaded.items():
        # Values that the module was created with, such as a mask of -inf, are not the file's fault.
        if key in odd and same_numbers(odd[key], tensor):
            continue
        if not (_is_finite(tensor) or (key in masks and _is_mask(tensor))):
            raise ModelError(f"{key[:60]!r} holds NaN or infinity; restore the file from a copy, or train again")
    if own:
        _check_stable(module, loaded)
    widened = {
        f"{_short(state[key])} is widened to {_short(value)}": None
        for key, value in loaded.items()
        if key in state and state[key].dtype != value.dtype
    }
    return (*state.notes, *widened, *own)


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check a state_dict against that of a fresh instance: keys, layout, dtypes, shapes, finite values.

    Raises:
        ModelError: the state_dicts differ, or a value is not finite; the message names the first problems.
    """
    missing, surplus = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or surplus:
        raise ModelError(_difference(missing, surplus))
    for key, wanted in expected.items():
        tensor = state[key]
        if (problem := storage_problem(tensor)) is not None:
            raise ModelError(f"{key!r} {problem}")
        if tensor.dtype != wanted.dtype or tensor.shape != wanted.shape:
            raise ModelError(f"{key!r} is {_kind(tensor)}, expected {_kind(wanted)}")
        if not _is_finite(tensor):
            raise ModelError(f"{key!r} holds NaN or infinity; train again with a smaller --lr")


def _tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a module, without those of lazy layers that have no shape yet.

    Raises:
        ModelError: its state_dict holds something that is not a dense tensor.
    """
    found = {}
    for key, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise ModelError(f"the module's {key[:60]!r} is {type(value).__name__}, expected a tensor")
        if is_lazy(value):
            continue
        if value.device.type in ("cpu", "meta") and (problem := storage_problem(value)) is not None:
            raise ModelError(f"the module's {key[:60]!r} {problem}")
        found[key] = value
    return found


def _load(module: nn.Module, state: StateDict) -> None:
    """Load a copy of the state_dict, since a hook may change the one that it gets."""
    with warnings.catch_warnings():  # whatever torch warns about is checked afterwards
        warnings.simplefilter("ignore")
        module.load_state_dict(state_dict_of(state, metadata_of(state)))


def _check_kinds(module: nn.Module, state: StateDict, expected: Mapping[str, Tensor]) -> None:
    """Check that torch will not round or cut tensors whose names match."""
    for key, tensor in state.items():
        wanted = expected.get(key)
        if wanted is None:
            continue
        same_shape = tensor.shape == wanted.shape
        if holds(wanted.dtype, tensor.dtype) and (same_shape or migrates(module, state, key)):
            continue
        rounded = same_shape and tensor.is_floating_point() and wanted.is_floating_point()
        way = "; that would round it: make the module in the dtype of the file, or convert the file" if rounded else ""
        raise ModelError(f"{key[:60]!r} is {_kind(tensor)}, expected {_kind(wanted)}{way}")


def _check_stable(module: nn.Module, loaded: Mapping[str, Tensor]) -> None:
    """Check that the module reloads its own state_dict unchanged, since the bundle will hold that state_dict."""
    held = state_dict_of(
        {key: value.detach().clone() for key, value in loaded.items()}, metadata_of(module.state_dict())
    )
    try:
        _load(module, held)
    except Exception as error:  # from torch, or from the module's own hooks
        raise ModelError(f"the module does not load its own state_dict: {one_line(error)}") from None
    if state_sha256(_tensors_of(module)) != state_sha256(held):
        raise ModelError(
            "the module's own loading code changes the state_dict that the module saved, so it could not be reloaded; "
            "make that code check the version"
        )


def _load_error(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], error: Exception) -> str:
    """Say what differs; only keys that torch itself reports count, since hooks may rename others."""
    text = str(error)
    missing, surplus = (
        [key for key in sorted(keys) if f'"{key}"' in text]
        for keys in (set(expected) - set(state), set(state) - set(expected))
    )
    if missing or surplus:
        return _difference(missing, surplus)
    return f"does not load into the module: {one_line(error)}"


def _difference(missing: list[str], surplus: list[str]) -> str:
    return f"keys differ: missing {missing[:5]}, unexpected {[key[:60] for key in surplus[:5]]}"


def _is_finite(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex()) or bool(tensor.isfinite().all())


def _is_mask(tensor: Tensor) -> bool:
    """Whether the only numbers that are not finite are -inf, as in an attention mask."""
    return not bool((tensor.isnan() | tensor.isposinf()).any())


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}"


def _short(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
