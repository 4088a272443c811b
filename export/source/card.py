"""Describe a module in the card of its bundle, and make its source from the card again."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from export.source.axes import Axis
from export.source.forward import match_inputs
from export.source.inputs import Input
from export.source.module_source import from_module
from export.source.source import Source
from linreg.module_card import CardAxis, CardInput, CardOutput, ModuleCard, is_relative_place

if TYPE_CHECKING:
    from export.precision import ExportPrecision


def card_of(source: Source, entries: Sequence[Input], code: str | None) -> ModuleCard:
    """Describe a user's module.

    Args:
        source: the source of the export.
        entries: the inputs as the user described them, with the names of forward's arguments and the module's own
            dtypes.
        code: the place of the module's code; None if it is not known.
    """
    _, ordered = match_inputs(source.module, entries)
    shapes = [entry["shape"] for entry in source.metadata["outputs"]]
    return ModuleCard(
        code=code,
        state_sha256=source.state_sha256,
        inputs=tuple(_described(given, named) for given, named in zip(ordered, source.inputs, strict=True)),
        axes=tuple(CardAxis(**vars(axis)) for axis in source.axes),
        outputs=tuple(
            CardOutput(name=name, shape=tuple(shape)) for name, shape in zip(source.output_names, shapes, strict=True)
        ),
    )


def source_of_card(module: nn.Module, card: ModuleCard, precision: "ExportPrecision | None" = None) -> Source:
    """Make the source that a card describes.

    Args:
        module: the module, with the weights of the bundle.
        card: the card of the bundle.
        precision: the dtype of floating parameters and inputs; None keeps the module's own.

    Raises:
        ExportError: the module does not take the inputs or return the outputs of the card.
    """
    return from_module(
        module,
        inputs_of_card(card),
        input_names=[entry.name for entry in card.inputs],
        output_names=[entry.name for entry in card.outputs],
        precision=precision,
        static=card.static,
    )


def inputs_of_card(card: ModuleCard) -> list[Input]:
    """Return the inputs that a card describes, with the names of forward's arguments."""
    return [_input(entry, card) for entry in card.inputs]


def place_in_file(place: str) -> str | None:
    """Return the place of `--module` as a card may hold it: without the names of folders outside the current one."""
    file, colon, name = place.rpartition(":")
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    shown = f"{path if is_relative_place(str(path)) else path.name}{colon}{name}"
    return shown if is_relative_place(shown) else None


def place_of_class(module: nn.Module) -> str | None:
    """Return the place of a module's class, such as `nets:Net`; None if no other program could import it."""
    kind = type(module)
    found: object = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    place = f"{kind.__module__}:{kind.__qualname__}"
    return place if found is kind and kind.__module__ != "__main__" and is_relative_place(place) else None


def _described(given: Input, named: Input) -> CardInput:
    integer = given.dtype.kind in "iu"
    return CardInput(
        argument=given.name,
        name=named.name,
        dtype=str(given.dtype),
        shape=named.shape,
        least=given.least if integer else None,
        below=given.below if integer else None,
        prefix=given.prefix,
    )


def _input(entry: CardInput, card: ModuleCard) -> Input:
    least, below = (0, 2) if entry.least is None or entry.below is None else (entry.least, entry.below)
    return Input(
        name=entry.argument,
        dtype=np.dtype(entry.dtype),
        shape=entry.shape,
        least=least,
        below=below,
        prefix=entry.prefix,
        axes=tuple(Axis(**vars(axis)) for axis in card.axes if axis.name in entry.shape),
    )
