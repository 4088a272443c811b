"""Strip what wrappers add to the names in a state_dict, and recognise a single nn.Linear under any name."""

from collections.abc import Collection
from typing import Any

from linreg.state_dict import StateDict, metadata_of, state_dict_of

WRAPPERS = ("module", "_orig_mod", "model")
"""Prefixes that DataParallel, torch.compile and Lightning add to every name."""

INNER_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts in the middle of names if only a submodule is wrapped."""


def without_wrappers(state: StateDict, expected: Collection[str]) -> StateDict:
    """Return a copy of a state_dict without what wrappers add to its names, with a note on what was stripped.

    Args:
        state: the state_dict, which is not changed.
        expected: names in the module; a part that also occurs in these is not stripped.
    """
    tensors, metadata = dict(state), metadata_of(state)
    stripped = ""
    while (prefix := _prefix(tensors, expected)) is not None:
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
        metadata = None if metadata is None else _metadata_below(metadata, prefix)
        stripped += prefix
    inner = [part for part in INNER_WRAPPERS if part in _parts(tensors) and part not in _parts(expected)]
    shorter = {_without(key, inner): value for key, value in tensors.items()}
    if inner and len(shorter) == len(tensors):
        tensors = shorter
        metadata = None if metadata is None else _metadata_without(metadata, inner)
        stripped = " and ".join([*([stripped] if stripped else []), *(f"{part}." for part in inner)])
    notes = (f"{stripped[:60]!r} is stripped from its names",) if stripped else ()
    return state_dict_of(tensors, metadata, (*state.notes, *notes))


def as_one_linear(state: StateDict) -> StateDict | None:
    """Rename the weights of a single nn.Linear with one output to the names of our model.

    Returns:
        The renamed state_dict; None if the state_dict is anything else.
    """
    weights = [key for key in state if key.rpartition(".")[2] == "weight"]
    if len(weights) != 1:
        return None
    layer = weights[0].removesuffix("weight")
    weight, bias = state[weights[0]], state.get(f"{layer}bias")
    if set(state) - {f"{layer}weight", f"{layer}bias"} or len(weight.shape) != 2:
        return None
    if weight.shape[0] != 1 or weight.shape[1] == 0 or (bias is not None and tuple(bias.shape) != (1,)):
        return None
    renamed = {"linear_layer.weight": weight} | ({} if bias is None else {"linear_layer.bias": bias})
    note = (
        f"{weights[0][:60]!r} is assumed to be the weight of a single nn.Linear; layers without weights, such as "
        "activations, do not appear in a state_dict"
    )
    return state_dict_of(renamed, None, (*state.notes, note))


def _prefix(names: Collection[str], expected: Collection[str]) -> str | None:
    """Return the wrapper prefix that all names have, or None; the module itself may have a submodule of that name."""
    if not names or set(names) & set(expected):
        return None
    for wrapper in WRAPPERS:
        prefix = f"{wrapper}."
        own = any(name.startswith(prefix) for name in expected)
        if all(name.startswith(prefix * 2 if own else prefix) for name in names):
            return prefix
    return None


def _parts(names: Collection[str]) -> set[str]:
    return {part for name in names for part in name.split(".")}


def _without(name: str, parts: Collection[str]) -> str:
    return ".".join(part for part in name.split(".") if part not in parts)


def _metadata_below(metadata: dict[str, dict[str, Any]], prefix: str) -> dict[str, dict[str, Any]]:
    """Drop the wrapper's metadata and keep that of the wrapped module, as torch does."""
    return {key[len(prefix) :]: value for key, value in metadata.items() if f"{key}.".startswith(prefix)}


def _metadata_without(metadata: dict[str, dict[str, Any]], parts: Collection[str]) -> dict[str, dict[str, Any]]:
    """Strip `parts` from the names; if two modules then share a name, the metadata of the innermost one wins."""
    names = sorted(metadata, key=lambda name: name.count("."))
    return {_without(name, parts): metadata[name] for name in names}
