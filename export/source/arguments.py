"""How flat tensors become the arguments of forward: by position or keyword, and packed into tuples and dicts."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from linreg.errors import ExportError

Item = TypeVar("Item")
PATH = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
MAX_PATHS = 10_000
MAX_PARTS = 32


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """How flat tensors become the arguments of forward.

    Attributes:
        paths: where each tensor goes: the name of an argument, followed by the place in a tuple or the key of a dict if
            the argument is one, such as `x`, `state.0` or `batch.ids`. The parts of an argument follow each other.
        positional: the number of arguments, from the first on, that are passed by position; the others are passed by
            keyword.
    """

    paths: tuple[str, ...]
    positional: int

    @property
    def plain(self) -> bool:
        """Whether every argument is a tensor that is passed by position."""
        return self.positional == len(self.paths) and not any("." in path for path in self.paths)

    def bind(self, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the positional and the keyword arguments of a call.

        Args:
            leaves: one tensor, or whatever stands for it, per path.
        """
        values = _nested(zip(self.paths, leaves, strict=True))
        names = list(values)
        return (
            tuple(values[name] for name in names[: self.positional]),
            {name: values[name] for name in names[self.positional :]},
        )

    @classmethod
    def by_position(cls, count: int) -> "Arguments":
        """Return those of a function that takes `count` tensors by position."""
        return cls(paths=tuple(f"x{place}" for place in range(count)), positional=count)

    def names(self) -> tuple[str, ...]:
        """Return the names of the arguments."""
        return tuple(dict.fromkeys(map(argument_of, self.paths)))

    def described(self) -> dict[str, Any]:
        """Return the paths and the number of positional arguments as JSON values."""
        return {"paths": list(self.paths), "positional": self.positional}


def call(module: Callable[..., Any], arguments: Arguments, tensors: Sequence[Any]) -> Any:
    """Call a module with the arguments that flat tensors become."""
    args, kwargs = arguments.bind(tensors)
    return module(*args, **kwargs)


def arguments_from_json(value: object) -> Arguments:
    """Read what `Arguments.described` returns.

    Raises:
        ExportError: the value is not of this form.
    """
    if isinstance(value, dict) and set(value) == {"paths", "positional"}:
        paths, positional = value["paths"], value["positional"]
        if _are_paths(paths) and type(positional) is int:
            arguments = Arguments(paths=tuple(paths), positional=positional)
            in_file = [path for path, _ in in_order((path, path) for path in paths)]
            if in_file == paths and 0 <= positional <= len(arguments.names()):
                return arguments
    raise ExportError("the arguments of forward are not described by paths, such as 'x' or 'state.0'")


def argument_of(path: str) -> str:
    """Return the name of the argument that a tensor belongs to."""
    return path.partition(".")[0]


def in_order(pairs: Iterable[tuple[str, Item]]) -> list[tuple[str, Item]]:
    """Put the parts of each argument behind each other, those of a tuple by their place.

    Raises:
        ExportError: two paths are the same, an argument is both a tensor and made of parts, a tuple lacks a place, or
            parts have both places and keys.
    """
    return _ordered("", list(pairs))


def _ordered(above: str, pairs: list[tuple[str, Item]]) -> list[tuple[str, Item]]:
    groups: dict[str, list[tuple[str, Item]]] = {}
    for path, item in pairs:
        first, _, rest = path.partition(".")
        groups.setdefault(first, []).append((rest, item))
    if above:
        groups = _places_in_order(above, groups)
    found: list[tuple[str, Item]] = []
    for name, parts in groups.items():
        whole = f"{above}{name}"
        if all(rest for rest, _ in parts):
            found += _ordered(f"{whole}.", parts)
        elif len(parts) == 1:
            found.append((whole, parts[0][1]))
        else:
            rests = [rest for rest, _ in parts if rest]
            how = f"both as a tensor and by its part {whole}.{rests[0]}" if rests else "twice"
            raise ExportError(f"argument {whole} is given {how}")
    return found


def _places_in_order(above: str, groups: dict[str, Any]) -> dict[str, Any]:
    places = [name for name in groups if name.isdecimal()]
    if not places:
        return groups
    wanted = [str(place) for place in range(len(groups))]
    if set(groups) != set(wanted):
        raise ExportError(
            f"the parts of argument {above[:-1]} are {', '.join(groups)}; expected {', '.join(wanted)} for a tuple, or "
            "keys that do not start with a digit for a dict"
        )
    return {name: groups[name] for name in wanted}


def _nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    groups: dict[str, list[tuple[str, Any]]] = {}
    for path, leaf in pairs:
        first, _, rest = path.partition(".")
        groups.setdefault(first, []).append((rest, leaf))
    return {name: _value(parts) for name, parts in groups.items()}


def _value(parts: list[tuple[str, Any]]) -> Any:
    """Return a tensor, or a tuple or dict of the parts."""
    if not parts[0][0]:
        return parts[0][1]
    inner = _nested(parts)
    return tuple(inner.values()) if next(iter(inner)).isdecimal() else inner


def _are_paths(value: object) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_PATHS
        and all(
            isinstance(path, str) and PATH.fullmatch(path) is not None and path.count(".") < MAX_PARTS for path in value
        )
    )
