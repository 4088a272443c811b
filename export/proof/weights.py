"""Compare the weights in a file with the state_dict by content, under any name."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from export.proof.constants import Constant, used_constants
from export.proof.file_tensors import CLOSE_UNITS, FileTensors, same_bits
from export.proof.folded import Fold, deviations, possible_folds
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
        folded: the keys found in tensors computed from them, such as a layer with its BatchNorm folded into it, that
            equal the same tensors computed again.
        close: those of `folded` whose tensors are equal only to within a few roundings of each element.
        missing: the keys not found.
        unused: those of `missing` that the module does not read.
        constants: floating tensors of the file that are neither a tensor of the module nor computed from one, nor a
            number that an operator was given; only the outputs show whether they are right.
    """

    identical: frozenset[str]
    folded: frozenset[str]
    missing: tuple[str, ...]
    close: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    constants: tuple[str, ...] = ()


def find_weights(runner: Runner, source: Source) -> FoundWeights:
    """Find every tensor of the state_dict in a file.

    Raises:
        MismatchError: a tensor with the name of a parameter has other bits, which no folded BatchNorm explains; a
            tensor with another name is a damaged copy; or a parameter is missing in a format that keeps all.
    """
    state = {key: bits_of(value) for key, value in source.module.state_dict().items()}
    tensors = FileTensors(runner.parameters())
    identical, differing = _by_name(tensors, state)
    if not runner.folds:
        if absent := [key for key in state if key not in tensors.by_name]:
            raise MismatchError(f"{runner.name}: has no parameter {absent[0]!r}, expected that of the state_dict")
        if differing:
            raise _differs(runner.name, differing[0])
        return FoundWeights(identical=frozenset(identical), folded=frozenset(), missing=())
    folded = _folded(runner.name, tensors, source.module, differing)
    if wrong := [key for key in differing if key not in folded]:
        raise _differs(runner.name, wrong[0])
    identical |= _elsewhere(tensors, source.module, {k: v for k, v in state.items() if k not in identical | folded})
    folded |= _folded_twins(tensors, source.module, [key for key in state if key not in identical | folded])
    folded |= {key for key, value in deviations(source.module) if key not in identical and tensors.finds(value)}
    computed, close, unused = _computed(runner.name, tensors, source, frozenset(state) - identical - folded)
    _refuse_damaged(runner.name, tensors, _named(source.module, state))
    found = identical | folded | computed
    return FoundWeights(
        identical=frozenset(identical),
        folded=frozenset((folded | computed) - identical),
        missing=tuple(key for key in state if key not in found),
        close=close - identical,
        unused=unused,
        constants=tensors.unexplained(),
    )


def _differs(name: str, key: str) -> MismatchError:
    return MismatchError(f"{name}: parameter {key!r} differs from the state_dict; export again")


def _by_name(tensors: FileTensors, state: dict[str, Array]) -> tuple[set[str], list[str]]:
    """The keys whose tensors have their names and bits in the file, and those with other bits."""
    identical, differing = set(), []
    for key, wanted in state.items():
        if key in tensors.by_name:
            if same_bits(tensors.by_name[key], wanted):
                identical.add(key)
                tensors.explain(key)
            else:
                differing.append(key)
    return identical, differing


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
        folds = [fold for fold in possible_folds(module, key, weight) if _has_weight(tensors, fold)]
        whole = [fold for fold in folds if _has_bias(tensors, fold)]
        if folds and not whole:
            raise _differs(name, folds[0].bias_name)
        if whole:
            # Layers that were never trained may fit the same BatchNorm; each has one of its own.
            fold = next((fold for fold in whole if not fold.bias_keys & found), whole[0])
            found |= _keys_of(tensors, fold) & state.keys()
    return found


def _folded_twins(tensors: FileTensors, module: nn.Module, missing: list[str]) -> set[str]:
    """The keys of layers whose folded weight equals that of another layer, so that the file holds only one."""
    state, found = module.state_dict(), set[str]()
    for key in missing:
        if key not in found:
            for fold in possible_folds(module, key, None):
                if _has_weight(tensors, fold) and _has_bias(tensors, fold):
                    found |= _keys_of(tensors, fold) & state.keys()
                    break
    return found & set(missing)


def _has_weight(tensors: FileTensors, fold: Fold) -> bool:
    return _has(tensors, fold.weight_name, fold.weight)


def _has_bias(tensors: FileTensors, fold: Fold) -> bool:
    """Whether the folded bias is in the file; an exporter leaves out one that is 0."""
    left_out = fold.bias_name not in tensors.by_name and not fold.bias.any()
    return left_out or _has(tensors, fold.bias_name, fold.bias)


def _has(tensors: FileTensors, name: str, wanted: Array) -> bool:
    """Whether the tensor of a name has these bits; without that name, an equal tensor has taken its place."""
    return same_bits(tensors.by_name[name], wanted) if name in tensors.by_name else tensors.finds(wanted)


def _keys_of(tensors: FileTensors, fold: Fold) -> frozenset[str]:
    tensors.explain(fold.weight_name)
    tensors.explain(fold.bias_name)
    return fold.weight_keys | fold.bias_keys


def _elsewhere(tensors: FileTensors, module: nn.Module, wanted: dict[str, Array]) -> set[str]:
    """The keys found under other names."""
    counters = {
        key for key, value in wanted.items() if value.size == 1 and value.dtype.kind in "biu"
    }  # equal by chance
    found = {key for key, value in wanted.items() if key not in counters and tensors.finds(value)}
    for keys, packed in packed_weights(module):
        if tensors.finds(packed):
            found.update(keys)
    return found & wanted.keys()


def _computed(
    name: str, tensors: FileTensors, source: Source, missing: frozenset[str]
) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Look for what the module computes from its tensors alone, which an exporter writes in their place.

    Returns:
        The keys of `missing` whose computed tensors are all found, those found only to within rounding, and those that
        the module does not read.

    Raises:
        MismatchError: a tensor is a damaged copy of what is computed.
    """
    others = [(key, value) for key, value in source.module.named_buffers() if key not in source.module.state_dict()]
    for _, value in (*others, *_parametrized(source.module)):
        tensors.finds(bits_of(value))
    if not missing and not tensors.unexplained():
        return frozenset(), frozenset(), frozenset()
    used = used_constants(source)
    if used is None:
        return frozenset(), frozenset(), frozenset()
    tensors.explain_numbers(used.numbers)
    exact, close, lost = set[str](), set[str](), set[str]()
    copies = FileTensors({key: bits_of(value) for key, value in source.module.state_dict().items()})
    for constant in used.constants:
        array = bits_of(_unexpanded(constant))
        if not constant.keys & missing and not tensors.may_explain(array):
            continue
        if tensors.finds(array):
            exact |= constant.keys
        elif not (copy := copies.finds(array)) and tensors.finds_close(array):
            close |= constant.keys
        else:
            lost |= constant.keys
            made_from = (
                f"a tensor computed from {min(constant.keys)!r}" if constant.keys else "a constant of the module"
            )
            if copy and len(constant.keys) == 1:
                made_from = f"the state_dict's {min(constant.keys)!r}"
            _refuse_damaged(name, tensors, {made_from: array}, 0 if copy else CLOSE_UNITS)  # a copy needs no rounding
    return (
        frozenset((exact | close) - lost) & missing,
        frozenset(close - lost) & missing,
        missing - used.touched,
    )


def _unexpanded(constant: Constant) -> Tensor:
    """A constant without the repetitions that broadcasting made."""
    value = constant.value
    for axis, step in enumerate(value.stride()):
        if step == 0 and value.shape[axis] > 1:
            value = value.narrow(axis, 0, 1)
    return value


def _named(module: nn.Module, state: dict[str, Array]) -> dict[str, Array]:
    """The tensors that a file may hold a damaged copy of, and what they are."""
    packed = {keys[0]: value for keys, value in packed_weights(module)}
    parametrized = {name: bits_of(value) for name, value in _parametrized(module)}
    return {
        **{f"the state_dict's {key!r}": value for key, value in (state | parametrized).items()},
        **{f"the state_dict's {key!r}, packed": value for key, value in packed.items()},
    }


def _refuse_damaged(name: str, tensors: FileTensors, named: dict[str, Array], units: int = 0) -> None:
    """Refuse a tensor of unknown content that is almost a copy of a right one, which may be in the file too.

    Raises:
        MismatchError: there is one.
    """
    for what, value in named.items() if tensors.unexplained() else ():
        if (damaged := tensors.damaged_copy(value, units=units)) is not None:
            tensor, count = damaged
            raise MismatchError(
                f"{name}: tensor {tensor!r} differs from {what} in {count} of {value.size} "
                "elements and is equal in all others, or rounded; export again"
            )


def _parametrized(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The values of parametrized parameters, which the state_dict lacks."""
    for prefix, part in module.named_modules():
        for name in getattr(part, "parametrizations", {}) if is_parametrized(part) else ():
            yield f"{prefix}.{name}" if prefix else name, getattr(part, name)
