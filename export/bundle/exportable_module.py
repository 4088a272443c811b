"""Prepare a user's own module for `write_bundle`."""

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from export.bundle.path_leaks import check_no_paths
from export.proof.runnable import check_sizes
from export.proof.sizes import sizes_within
from export.source.axes import BATCH, merged
from export.source.card import card_of, place_of_class
from export.source.fixing import fixed_sizes, parse_static
from export.source.forward import match_inputs
from export.source.given_inputs import GivenInputs, given_inputs
from export.source.inputs import Input
from export.source.module_source import from_module
from export.source.own_copy import COPIED_BYTES
from export.source.own_inputs import inputs_of, own_inputs, with_own_inputs
from export.source.source import Source
from export.source.unfit import check_module
from export.source.unwrapping import unwrap
from export.source.user_module import parse_input
from linreg.config import CARD_FILE, MODEL_FILE
from linreg.errors import ExportError
from linreg.files import Contents
from linreg.json_files import json_bytes
from linreg.module_card_file import module_card_from_json, module_card_to_json
from linreg.state_dict import state_bytes, write_state

Item = TypeVar("Item")


def exportable_module(
    module: nn.Module,
    *,
    inputs: str | Sequence[str] | None,
    example: Any,
    own: Sequence[GivenInputs],
    note: Callable[[str], None],
    code: str | None,
    **settings: Any,
) -> tuple[Source, dict[str, Contents]]:
    """Return the source of a user's module and the files of its bundle, after checking that it runs at every size."""
    inputs = _listed("inputs", inputs, str, "a text such as x=float32[batch,16]")
    own = [*own, *([] if example is None else given_inputs(example, "example"))]
    inside, around = unwrap(check_module(module))
    if around:
        note(f"exporting the module inside {', '.join(around)}")
    if inputs:
        entries = tuple(parse_input(text) for text in inputs)
    elif own:
        named = parse_static(settings["static"])
        static = named is True or named == {BATCH: None}  # the batch is then that of the example
        settings["static"] = static or named
        entries = inputs_of(inside, own, static=static)
        described = " ".join(f"--input {shlex.quote(entry.text())}" for entry in entries)
        note(f"inputs as in {own[0].name}: {described}")
    else:
        raise ExportError(
            'a module needs either inputs=["x=float32[batch,16]"], one for each argument of forward, or '
            "example=(torch.randn(2, 16),)"
        )
    _, entries = match_inputs(inside, entries)
    axes = merged(axis for entry in entries for axis in entry.dynamic())
    fitting = own_inputs(entries, own, fixed=fixed_sizes(settings["static"], axes))
    source = with_own_inputs(from_module(inside, entries, **settings), fitting)
    check_sizes(source, [entry.sizes for entry in sizes_within(source)])
    card = _card(source, entries, code or place_of_class(inside))
    return source, {MODEL_FILE: _contents(inside), CARD_FILE: card}


def _contents(module: nn.Module) -> Contents:
    """The contents of the state_dict's file; those of a large module are not kept in memory."""
    state = module.state_dict()
    if sum(tensor.nbytes for tensor in state.values()) <= COPIED_BYTES:
        return state_bytes(state)
    return partial(write_state, state)


def _card(source: Source, entries: Sequence[Input], code: str | None) -> bytes:
    """Return the bytes of the card of a module, as every reader accepts it.

    Raises:
        ExportError: the card would contain a local path.
        ModelError: no reader would accept the card.
    """
    values = module_card_to_json(card_of(source, entries, code))
    module_card_from_json(Path(CARD_FILE), values)
    data = json_bytes(values)
    check_no_paths(CARD_FILE, data)
    return data


def _listed(name: str, given: Any, kind: type[Item], expected: str) -> list[Item] | None:
    """Return an argument that takes one item or several as a list; None if it was not given."""
    if given is None:
        return None
    if isinstance(given, kind):
        return [given]
    if not isinstance(given, list | tuple):
        raise ExportError(f"{name}: got {type(given).__name__}, expected {expected}, or a list of them")
    for place, item in enumerate(given):
        if not isinstance(item, kind):
            raise ExportError(f"{name}: item {place} is {type(item).__name__}, expected {expected}")
    return list(given)
