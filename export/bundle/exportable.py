"""Turn whatever `export` accepts as a model into a source and the files that a bundle keeps of it."""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from export.bundle.path_leaks import check_no_paths
from export.bundle.rows import rows_to_verify
from export.precision import ExportPrecision
from export.proof.cases import check_sizes
from export.proof.sizes import sizes_within
from export.source.axes import BATCH, merged
from export.source.card import card_of, place_of_class
from export.source.fixing import Static, fixed_sizes, parse_static
from export.source.forward import match_inputs
from export.source.inputs import Input
from export.source.own_copy import COPIED_BYTES
from export.source.own_inputs import GivenInputs, given_inputs, inputs_of, own_inputs, with_own_inputs, with_rows
from export.source.source import Source, from_checkpoint, from_module
from export.source.unfit import ALREADY_EXPORTED, check_module
from export.source.unwrapping import unwrap
from export.source.user_module import parse_input
from linreg.checkpoint import Checkpoint, load_settled
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import ExportError, LinregError
from linreg.files import Contents, json_bytes
from linreg.fitted import FittedModel
from linreg.manifest import read_listed
from linreg.module_card import module_card_from_json, module_card_to_json
from linreg.pth import pth_bytes
from linreg.state_dict import state_bytes, write_state

Note = Callable[[str], None]
Item = TypeVar("Item")
MODULES = (nn.Module, *ALREADY_EXPORTED)


Example = Tensor | Mapping[str, Tensor] | Sequence[Tensor] | Sequence[Mapping[str, Tensor] | Sequence[Tensor]]
"""A tensor, tensors in the order of forward's arguments or by their names, or several such sets."""

Exported = str | os.PathLike[str] | Checkpoint | FittedModel | nn.Module
"""A bundle or .pth file of `linreg train`, a reloaded or fitted model, or any module."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Exportable:
    """A source, and the other files that its bundle needs.

    Attributes:
        source: the module and its inputs.
        files: the state_dict and the card, by file name; empty if the model is exported into its own bundle.
        state_file: name of the state_dict in the bundle.
    """

    source: Source
    files: Mapping[str, Contents]
    state_file: str = MODEL_FILE


def ignore(_note: str) -> None:
    """Discard a remark."""


def exportable(
    model: Exported,
    folder: Path,
    *,
    inputs: str | Sequence[str] | None = None,
    example: Example | None = None,
    own: Sequence[GivenInputs] = (),
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    precision: ExportPrecision | None = None,
    static: Static = False,
    units: Mapping[str, str] | None = None,
    data: Path | None = None,
    code: str | None = None,
    note: Note = ignore,
) -> Exportable:
    """Prepare a model for `write_bundle`; `export.bundle.export.export` documents the arguments.

    `code` is the place of a module's code for its card, such as `nets.py:make_net`; by default that of its class, if it
    can be imported.

    The command line gives the sets of inputs of `example` as `own`.

    Raises:
        ModelError: the model cannot be loaded.
        ExportError: the module cannot be exported, or an argument does not apply to it.
    """
    _check_kind(model)
    if isinstance(model, MODULES):
        if units or data is not None:
            raise ExportError(
                "units and data belong to a model of linreg train, whose columns have names; leave them out"
            )
        return _of_module(
            model,
            _listed("inputs", inputs, str, "a text such as x=float32[batch,16]"),
            [*own, *([] if example is None else given_inputs(example, "example"))],
            note,
            code,
            input_names=input_names,
            output_names=output_names,
            precision=precision,
            static=static,
        )
    if inputs is not None or example is not None:
        raise ExportError("inputs and example apply to your own module; leave them out for a model of linreg train")
    if static and data is not None:
        raise ExportError("data may have any number of rows, but static fixes the batch size; leave one of them out")
    checkpoint = _checkpoint(model, note)
    source = from_checkpoint(
        checkpoint,
        input_names=input_names,
        output_names=output_names,
        precision=precision,
        static=static,
        units=dict(units or {}),
    )
    if data is not None:
        source = with_rows(source, rows_to_verify(data, checkpoint.card, checkpoint.path))
    files: Mapping[str, Contents] = model.files if isinstance(model, FittedModel) else _files_of(checkpoint, folder)
    return Exportable(source=source, files=files, state_file=MODEL_FILE if files else checkpoint.path.name)


def _of_module(
    module: nn.Module,
    inputs: Sequence[str] | None,
    own: Sequence[GivenInputs],
    note: Note,
    code: str | None,
    **settings: Any,
) -> Exportable:
    """Prepare a user's module, after checking that it runs at every batch size at which its files will be verified."""
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
    return Exportable(source=source, files={MODEL_FILE: _contents(inside), CARD_FILE: card})


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


def _checkpoint(model: str | os.PathLike[str] | Checkpoint | FittedModel, note: Note) -> Checkpoint:
    if isinstance(model, Checkpoint):
        return model
    if isinstance(model, str | os.PathLike):
        checkpoint = load_settled(Path(model))
        for text in checkpoint.notes:
            note(f"{checkpoint.path}: {text}")
        return checkpoint
    return model.checkpoint


def _check_kind(model: object) -> None:
    """Raise ExportError if `model` is not a model but, for example, a class or a function."""
    if isinstance(model, (str, os.PathLike, Checkpoint, FittedModel, *MODULES)):
        return
    expected = "expected the path of a bundle, a fitted model or a torch.nn.Module"
    if isinstance(model, type):
        raise ExportError(f"model: got the class {model.__name__}, {expected}; pass an instance of it")
    if callable(model):
        raise ExportError(
            f"model: got a {type(model).__name__}, {expected}; call it in the forward of a torch.nn.Module"
        )
    raise ExportError(f"model: got {type(model).__name__}, {expected}")


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


def _files_of(checkpoint: Checkpoint, folder: Path) -> dict[str, Contents]:
    """Return the state_dict and the card, by file name, to copy into a bundle; empty if it is the model's own bundle.

    Raises:
        LinregError: the folder is the model's own, and its state_dict was converted while loading.
    """
    home = checkpoint.path.parent
    if folder.exists() and folder.samefile(home):
        if checkpoint.notes:
            raise LinregError(
                f"{checkpoint.path}: was converted while loading ({'; '.join(checkpoint.notes)}), "
                f"so its folder cannot be the bundle; name another folder with -o"
            )
        return {}
    if checkpoint.notes:
        return {MODEL_FILE: pth_bytes(checkpoint.affine.state())}
    files: dict[str, Contents] = {MODEL_FILE: read_listed(home, checkpoint.path.name, limit=MAX_STATE_BYTES)}
    if checkpoint.card is not None:
        files[CARD_FILE] = read_listed(home, CARD_FILE, limit=MAX_STATE_BYTES)
    return files
