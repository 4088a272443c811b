"""Compare the weights in a file with the state_dict by content, under any name."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from export.proof.file_tensors import FileTensors, same_bits
from export.proof.folded import possible_folds
from export.proof.packed import packed_weights
from export.runners.base import Runner
from export.source.arrays import bits_of
from export.source.source import Source
from linreg.errors import MismatchError

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class FoundWeights:
    """Which tensors of a state_dict are in a file.

    Attributes:
        identical: the keys found bit for bit: as they are, transposed, reshaped, split or packed.
        folded: the keys found in tensors into which a BatchNorm was folded, equal to the fold computed again.
        missing: the keys not found.
    """

    identical: frozenset[str]
    folded: frozenset[str]
    missing: tuple[str, ...]


def find_weights(runner: Runner, source: Source) -> FoundWeights:
    """Find every tensor of the state_dict in a file.

    Raises:
        MismatchError: a tensor with the name of a parameter has other bits, which no folded BatchNorm explains; a
            tensor with another name is a damaged copy; or a parameter is missing in a format that keeps all.
    """
    state = {key: bits_of(value) for key, value in source.module.state_dict().items()}
    tensors = FileTensors(runner.parameters())
    complete = not runner.folds or source.affine is not None
    identical, differing = set(), []
    for key, wanted in state.items():
        if key not in tensors.by_name:
            if complete:
                raise MismatchError(f"{runner.name}: has no parameter {key!r}, expected that of the state_dict")
        elif same_bits(tensors.by_name[key], wanted):
            identical.add(key)
            tensors.explain(key)
        else:
            differing.append(key)
    folded = _folded(runner.name, tensors, source.module, differing) if runner.folds and differing else set()
    if wrong := [key for key in differing if key not in folded]:
        raise MismatchError(f"{runner.name}: parameter {wrong[0]!r} differs from the state_dict; export again")
    if not complete:
        elsewhere = {key: value for key, value in state.items() if key not in identical | folded}
        identical |= _found_elsewhere(tensors, source.module, elsewhere)
        _refuse_damaged(runner.name, tensors, source.module, state)
    found = identical | folded
    return FoundWeights(
        identical=frozenset(identical),
        folded=frozenset(folded - identical),
        missing=tuple(key for key in state if key not in found),
    )


def _folded(name: str, tensors: FileTensors, module: nn.Module, differing: list[str]) -> set[str]:
    """The keys whose values are in tensors with a BatchNorm folded into them.

    Raises:
        MismatchError: a folded weight is right, and its bias is not.
    """
    state, found = module.state_dict(), set[str]()
    for key in differing:
        if key in found:
            continue
        layer = key.rpartition(".")[0]
        weight = tensors.by_name.get(f"{layer}.weight" if layer else "weight")
        folds = [
            fold
            for fold in possible_folds(module, key, weight)
            if weight is not None and same_bits(weight, fold.weight)
        ]
        whole = [fold for fold in folds if _has(tensors, fold.bias_name, fold.bias)]
        if folds and not whole:
            raise MismatchError(f"{name}: parameter {folds[0].bias_name!r} differs from the state_dict; export again")
        if whole:
            # Layers that were never trained may fit the same BatchNorm; each has one of its own.
            fold = next((fold for fold in whole if not fold.bias_keys & found), whole[0])
            tensors.explain(fold.weight_name)
            tensors.explain(fold.bias_name)
            found |= (fold.weight_keys | fold.bias_keys) & state.keys()
    return found


def _has(tensors: FileTensors, name: str, wanted: Array) -> bool:
    return name in tensors.by_name and same_bits(tensors.by_name[name], wanted)


def _found_elsewhere(tensors: FileTensors, module: nn.Module, wanted: dict[str, Array]) -> set[str]:
    """The keys found under other names."""
    counters = {
        key for key, value in wanted.items() if value.size == 1 and value.dtype.kind in "biu"
    }  # equal by chance
    found = {key for key, value in wanted.items() if key not in counters and tensors.finds(value)}
    for keys, packed in packed_weights(module):
        if tensors.finds(packed):
            found.update(keys)
    for _, value in _parametrized(module):
        tensors.finds(value)  # what it is computed from is not in the file, and almost equal to it at first
    return found


def _refuse_damaged(name: str, tensors: FileTensors, module: nn.Module, state: dict[str, Array]) -> None:
    """Refuse a tensor of unknown content that is almost the copy of a parameter, of which another may be right.

    Raises:
        MismatchError: there is one.
    """
    packed = [(keys[0], value) for keys, value in packed_weights(module)]
    for key, value in [*state.items(), *packed, *_parametrized(module)]:
        if (damaged := tensors.damaged_copy(value)) is not None:
            tensor, count = damaged
            raise MismatchError(
                f"{name}: tensor {tensor!r} differs from the state_dict's {key!r} in {count} of {value.size} "
                "elements and is equal in all others, or rounded; export again"
            )


def _parametrized(module: nn.Module) -> list[tuple[str, Array]]:
    """The values of parametrized parameters, which the state_dict lacks."""
    return [
        (f"{prefix}.{name}" if prefix else name, bits_of(getattr(part, name)))
        for prefix, part in module.named_modules()
        if is_parametrized(part)
        for name in part.parametrizations
    ]
