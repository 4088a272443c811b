"""Match inputs to the arguments of a module's forward."""

import inspect
import types
import typing
from collections.abc import Sequence
from difflib import get_close_matches

from torch import nn

from export.source.arguments import Arguments, argument_of, in_order
from export.source.inputs import Input
from linreg.errors import ExportError

Parameter = inspect.Parameter
BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def argument_names(module: nn.Module, count: int) -> tuple[str, ...]:
    """Return the names of the first `count` arguments of forward; those taken by *args are called `x0`, `x1`, ..."""
    names = [entry.name for entry in _parameters_of_forward(module) if entry.kind in BY_POSITION][:count]
    return (*names, *(f"x{place}" for place in range(len(names), count)))


def match_inputs(module: nn.Module, inputs: Sequence[Input]) -> tuple[Arguments, tuple[Input, ...]]:
    """Match inputs to forward's arguments by name, and return them in the order of its arguments.

    Arguments are passed by position if they are the first ones of forward, otherwise by keyword. A single tensor may
    have any name, and *args take inputs in the order in which they are given.

    Raises:
        ExportError: an argument is unknown, missing, given twice, or a list.
    """
    parameters = _parameters_of_forward(module)
    ordered = in_order((entry.name, entry) for entry in inputs)
    given = list(dict.fromkeys(argument_of(path) for path, _ in ordered))
    by_position = [entry for entry in parameters if entry.kind in BY_POSITION]
    named = {entry.name for entry in parameters if entry.kind in (*BY_POSITION, Parameter.KEYWORD_ONLY)}
    variadic = any(entry.kind is Parameter.VAR_POSITIONAL for entry in parameters)
    keyword_only = {entry.name for entry in parameters if entry.kind is Parameter.KEYWORD_ONLY}
    if variadic and not keyword_only.intersection(given):
        return Arguments(paths=tuple(path for path, _ in ordered), positional=len(given)), _entries(ordered)
    needed = [entry.name for entry in parameters if entry.default is Parameter.empty and entry.name in named]
    if len(ordered) == 1 and given[0] not in named and by_position and needed in ([], [by_position[0].name]):
        return Arguments(paths=(ordered[0][0],), positional=1), _entries(ordered)
    _check_names(parameters, needed, inputs, given)
    _check_lists(module, given)
    places = {entry.name: place for place, entry in enumerate(parameters)}
    last = len(parameters)
    ordered.sort(key=lambda pair: places.get(argument_of(pair[0]), last))
    given.sort(key=lambda name: places.get(name, last))
    arguments = Arguments(paths=tuple(path for path, _ in ordered), positional=_positional(by_position, given))
    return arguments, _entries(ordered)


def _entries(ordered: Sequence[tuple[str, Input]]) -> tuple[Input, ...]:
    return tuple(entry for _, entry in ordered)


def _check_names(
    parameters: Sequence[Parameter], needed: Sequence[str], inputs: Sequence[Input], given: list[str]
) -> None:
    """Check that forward has all given arguments, and that none without a default is missing."""
    known = [entry.name for entry in parameters if entry.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)]
    any_keyword = any(entry.kind is Parameter.VAR_KEYWORD for entry in parameters)
    missing = [name for name in needed if name not in given]
    unknown = [name for name in given if name not in known and (not any_keyword or get_close_matches(name, known))]
    takes = f"forward takes {', '.join(known) or 'nothing'}"
    if not missing and not unknown:
        return
    if len(given) != len(inputs) or (missing and not unknown) or len(given) > len(known) or len(given) < len(needed):
        wrong = f"{', '.join(unknown)} is none of them" if unknown else f"{', '.join(missing)} is missing"
        raise ExportError(
            f"{takes}; got {len(inputs)} inputs: {wrong}; give one --input for each argument, by its name"
        )
    raise ExportError(
        f"{takes}; got inputs named {', '.join(entry.name for entry in inputs)}: "
        "use the argument names of forward (--input-names renames them in the graph)"
    )


def _positional(by_position: Sequence[Parameter], given: Sequence[str]) -> int:
    """Return how many of the given arguments are passed by position.

    Raises:
        ExportError: one that can only be passed by position follows one that is left out.
    """
    names = [entry.name for entry in by_position]
    if list(given) == names[: len(given)]:
        return len(given)
    only = [entry.name for entry in by_position if entry.kind is Parameter.POSITIONAL_ONLY and entry.name in given]
    if only != names[: len(only)]:
        skipped = next(name for name in names if name not in given)
        raise ExportError(
            f"forward takes {only[-1]} by position only, so {skipped} before it cannot be left out; remove the / in "
            "forward's signature"
        )
    return len(only)


def _check_lists(module: nn.Module, given: Sequence[str]) -> None:
    """Refuse arguments that are annotated as lists: an exported file would have the length of one of them."""
    try:
        hints = typing.get_type_hints(module.forward)
    except Exception:  # whatever evaluating the text of an annotation raises
        return
    for name in given:
        if _is_list(hints.get(name)):
            raise ExportError(
                f"forward takes {name} as a list, whose length a file cannot leave open; wrap the module in one whose "
                f"forward takes one tensor ({name} stacked along the batch axis), or a tuple: --input "
                f"'{name}.0=float32[batch,16]' for its first tensor"
            )


def _is_list(hint: object) -> bool:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(map(_is_list, typing.get_args(hint)))
    return list in (hint, origin)


def annotations_for_torchscript(module: nn.Module, arguments: Arguments) -> str:
    """Return the annotations that forward needs in TorchScript, which takes every other argument for a tensor."""
    given = {argument_of(path): path.split(".")[1:] for path in reversed(arguments.paths)}
    wanted = []
    for entry in _parameters_of_forward(module):
        if entry.annotation is not Parameter.empty:
            continue
        if parts := given.get(entry.name):
            count = len({path.split(".")[1] for path in arguments.paths if argument_of(path) == entry.name})
            inner = ", ".join(["Tensor"] * count)
            wanted.append(f"{entry.name}: {f'Tuple[{inner}]' if parts[0].isdecimal() else 'Dict[str, Tensor]'}")
        elif entry.default is None:
            wanted.append(f"{entry.name}: Optional[Tensor] = None")
    return ", ".join(wanted)


def _parameters_of_forward(module: nn.Module) -> list[Parameter]:
    """Return the parameters of forward.

    Raises:
        ExportError: the module has no forward, or its signature cannot be read.
    """
    name = type(module).__name__
    if getattr(module.forward, "__name__", "") == "_forward_unimplemented":
        raise ExportError(f"{name} has no forward, so it has no outputs; give the module whose forward calls its parts")
    try:
        return list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError) as error:
        raise ExportError(f"the forward of {name} has no readable signature; write it as a plain method") from error
