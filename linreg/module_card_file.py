"""The card.json of a module of the user's own: write it, and check all that a file says before it is relied on."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from linreg.config import CARD_FILE, MAX_JSON_BYTES
from linreg.errors import LinregError, ModelError
from linreg.json_files import parse_json
from linreg.manifest import Manifest, read_listed, read_manifest
from linreg.module_card import MAX_SIZE, CardAxis, CardInput, CardOutput, ModuleCard, is_relative_place

KIND = "module"
SCHEMA_VERSION = 2
"""A linreg that knows only the cards of linear models, whose schema is 1, says that it must be updated."""

INTEGERS = {
    f"{sign}int{bits}": (0 if sign else -(2 ** (bits - 1)), 2 ** (bits if sign else bits - 1))
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
"""The smallest value of each integer dtype, and the first value beyond its largest."""

DTYPES = ("float16", "float32", "float64", "bool", *INTEGERS)

MAX_TEXT = 1_000
MAX_ENTRIES = 10_000
MAX_ELEMENTS = 2**29
"""Limit on the elements of an input at sizes that every proof tries, so that no hostile card fills the memory."""


def module_card_to_json(card: ModuleCard) -> dict[str, Any]:
    """Return a card as JSON values; `module_card_from_json` is the inverse."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "code": card.code,
        "state_sha256": card.state_sha256,
        "inputs": [{**vars(entry), "shape": list(entry.shape)} for entry in card.inputs],
        "axes": [dict(vars(axis)) for axis in card.axes],
        "outputs": [{**vars(entry), "shape": list(entry.shape)} for entry in card.outputs],
    }


_KEYS: dict[str, tuple[type, ...]] = {
    "schema_version": (int,),
    "kind": (str,),
    "code": (str, type(None)),
    "state_sha256": (str,),
    "inputs": (list,),
    "axes": (list,),
    "outputs": (list,),
}
_INPUT: dict[str, tuple[type, ...]] = {
    "argument": (str,),
    "name": (str,),
    "dtype": (str,),
    "shape": (list,),
    "least": (int, type(None)),
    "below": (int, type(None)),
    "prefix": (bool,),
}
_AXIS: dict[str, tuple[type, ...]] = {"name": (str,), "least": (int,), "most": (int, type(None)), "step": (int,)}
_OUTPUT: dict[str, tuple[type, ...]] = {"name": (str,), "shape": (list,)}


def module_card_from_json(path: Path, value: dict[str, Any]) -> ModuleCard:
    """Parse and check a card.

    Raises:
        ModelError: a key is missing, unknown or of the wrong type, a value is impossible, or the card has a later
            schema.
    """
    version = value.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(f"{path}: has schema {version}, this linreg reads up to {SCHEMA_VERSION}; update linreg")
    try:
        _check_keys(value, _KEYS, "the card")
        for key, wanted in (("inputs", _INPUT), ("axes", _AXIS), ("outputs", _OUTPUT)):
            if len(value[key]) > MAX_ENTRIES:
                raise ValueError(f"{key!r} has {len(value[key])} entries, expected at most {MAX_ENTRIES}")
            for entry in value[key]:
                _check_keys(entry, wanted, f"{key!r}")
        card = ModuleCard(
            code=value["code"],
            state_sha256=value["state_sha256"],
            inputs=tuple(CardInput(**{**entry, "shape": _shape(entry)}) for entry in value["inputs"]),
            axes=tuple(CardAxis(**entry) for entry in value["axes"]),
            outputs=tuple(CardOutput(name=entry["name"], shape=_output_shape(entry)) for entry in value["outputs"]),
        )
        _check(card)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; export the module again") from None
    return card


def is_module_card(value: Mapping[str, Any]) -> bool:
    """Return whether the contents of a card.json describe a user's own module, not a linear model."""
    return value.get("kind") == KIND


def read_module_card(folder: Path, manifest: Manifest | None = None) -> ModuleCard | None:
    """Read the card of a bundle; return None if it has none, or that of a linear model.

    Raises:
        ModelError: the card or the manifest is damaged.
        MismatchError: the card differs from the manifest.
    """
    manifest = manifest or read_manifest(folder)
    if manifest is None or manifest.entry(CARD_FILE) is None:
        return None
    path = folder / CARD_FILE
    value = parse_json(path, read_listed(folder, CARD_FILE, limit=MAX_JSON_BYTES, manifest=manifest))
    return module_card_from_json(path, value) if is_module_card(value) else None


def required_card(folder: Path, manifest: Manifest | None = None) -> ModuleCard:
    """Return the card of a module's bundle.

    Raises:
        LinregError: the bundle has none.
    """
    card = read_module_card(folder, manifest)
    if card is None:
        raise LinregError(
            f"{folder}: has no card of a module, since it holds a linear model, or was exported by an older linreg; "
            "leave the module out, or export the module again"
        )
    return card


def _check_keys(entry: object, wanted: Mapping[str, tuple[type, ...]], where: str) -> None:
    if type(entry) is not dict:
        raise ValueError(f"{where} holds {type(entry).__name__}, expected an object")
    if surplus := set(entry) - set(wanted):
        raise ValueError(f"{where} has unexpected keys {[key[:60] for key in sorted(surplus)[:5]]}")
    for key, kinds in wanted.items():
        if key not in entry:
            raise ValueError(f"{where} has no {key!r}")
        if type(entry[key]) not in kinds:
            raise ValueError(f"{key!r} is {type(entry[key]).__name__}, expected {kinds[0].__name__}")
        if isinstance(entry[key], str) and not 0 < len(entry[key]) <= MAX_TEXT:
            raise ValueError(f"{key!r} has {len(entry[key])} characters, expected 1 to {MAX_TEXT}")


def _shape(entry: Mapping[str, Any]) -> tuple[int | str, ...]:
    for size in entry["shape"]:
        if type(size) not in (int, str) or (type(size) is int and not 0 <= size <= MAX_SIZE):
            raise ValueError(f"the shape of {entry['name'][:60]!r} has {str(size)[:60]!r}, expected a size or a name")
    return tuple(entry["shape"])


def _output_shape(entry: Mapping[str, Any]) -> tuple[int | str | None, ...]:
    known = iter(_shape({**entry, "shape": [size for size in entry["shape"] if size is not None]}))
    return tuple(None if size is None else next(known) for size in entry["shape"])


def _check(card: ModuleCard) -> None:
    """Check what the values of a card say about each other."""
    if card.code is not None and not is_relative_place(card.code):
        raise ValueError(f"its code is {card.code[:60]!r}, expected a relative place such as nets.py:make_net")
    for names in ([e.name for e in card.inputs], [e.name for e in card.axes], [e.name for e in card.outputs]):
        if len(set(names)) != len(names):
            raise ValueError("a name is used twice")
    if not card.inputs or not card.outputs:
        raise ValueError("it has no input or no output")
    tried = {axis.name: max(8, 2 * axis.least) for axis in card.axes}
    for axis in card.axes:
        if not (1 <= axis.least <= (axis.most or MAX_SIZE) <= MAX_SIZE and 1 <= axis.step <= MAX_SIZE):
            raise ValueError(f"the axis {axis.name[:60]!r} has no possible size")
    for entry in card.inputs:
        if unknown := [size for size in entry.shape if isinstance(size, str) and size not in tried]:
            raise ValueError(f"the shape of {entry.name[:60]!r} has the axis {unknown[0][:60]!r}, which is not listed")
        if prod(tried[size] if isinstance(size, str) else size for size in entry.shape) > MAX_ELEMENTS:
            raise ValueError(f"{entry.name[:60]!r} has more than {MAX_ELEMENTS} elements, more than any real input")
        _check_values(entry)


def _check_values(entry: CardInput) -> None:
    if entry.dtype not in DTYPES:
        raise ValueError(f"{entry.name[:60]!r} is {entry.dtype[:60]!r}, expected a dtype of {', '.join(DTYPES)}")
    smallest, beyond = INTEGERS.get(entry.dtype, (None, None))
    if smallest is None or beyond is None:
        if entry.least is not None or entry.below is not None:
            raise ValueError(f"{entry.name[:60]!r} is {entry.dtype}, but has limits of integers")
    elif entry.least is None or entry.below is None or not smallest <= entry.least < entry.below <= beyond:
        raise ValueError(f"the limits of {entry.name[:60]!r} are not a range of {entry.dtype}")
