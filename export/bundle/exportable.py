"""Turn whatever `export` accepts as a model into a source and the files that a bundle keeps of it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray
from torch import Tensor, nn

from export.bundle.rows import rows_to_verify
from export.precision import ExportPrecision
from export.proof.cases import batches, check_batches
from export.source.example import inputs_of_example, rows_of_example
from export.source.own_copy import COPIED_BYTES
from export.source.source import Source, from_checkpoint, from_module
from export.source.unfit import ALREADY_EXPORTED, check_module
from export.source.unwrapping import unwrap
from export.source.user_module import parse_input
from linreg.checkpoint import Checkpoint, load_settled, model_bytes, state_bytes
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import ExportError, LinregError
from linreg.files import Contents
from linreg.fitted import FittedModel
from linreg.manifest import read_listed
from linreg.state_dict import write_state

Note = Callable[[str], None]
Item = TypeVar("Item")
MODULES = (nn.Module, *ALREADY_EXPORTED)


Exported = str | os.PathLike[str] | Checkpoint | FittedModel | nn.Module
"""A bundle or .pth file of `linreg train`, a reloaded or fitted model, or any module."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Exportable:
    """A source, and the other files and rows that its bundle needs.

    Attributes:
        source: the module and its inputs.
        files: the state_dict and the card, by file name; empty if the model is exported into its own bundle.
        state_file: name of the state_dict in the bundle.
        rows: the user's own inputs, on which the artifacts are also verified.
    """

    source: Source
    files: Mapping[str, Contents]
    state_file: str = MODEL_FILE
    rows: NDArray[Any] | None = None


def ignore(_note: str) -> None:
    """Discard a remark."""


def exportable(
    model: Exported,
    folder: Path,
    *,
    inputs: str | Sequence[str] | None = None,
    example: Sequence[Tensor] | Tensor | None = None,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    precision: ExportPrecision | None = None,
    static: bool = False,
    units: Mapping[str, str] | None = None,
    data: Path | None = None,
    note: Note = ignore,
) -> Exportable:
    """Prepare a model for `write_bundle`; `export.bundle.export.export` documents the arguments.

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
            _listed("example", example, Tensor, "a torch.Tensor"),
            note,
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
    rows = None if data is None else rows_to_verify(data, checkpoint.card, checkpoint.path)
    source = from_checkpoint(
        checkpoint,
        input_names=input_names,
        output_names=output_names,
        precision=precision,
        static=static,
        units=dict(units or {}),
    )
    files: Mapping[str, Contents] = model.files if isinstance(model, FittedModel) else _files_of(checkpoint, folder)
    return Exportable(source=source, files=files, state_file=MODEL_FILE if files else checkpoint.path.name, rows=rows)


def _of_module(
    module: nn.Module, inputs: Sequence[str] | None, example: Sequence[Tensor] | None, note: Note, **settings: Any
) -> Exportable:
    """Prepare a user's module, after checking that it runs at every batch size at which its files will be verified."""
    inside, around = unwrap(check_module(module))
    if around:
        note(f"exporting the module inside {', '.join(around)}")
    rows = None
    if inputs and example is None:
        entries = [parse_input(text) for text in inputs]
    elif example and inputs is None:
        entries = list(inputs_of_example(inside, example, static=settings["static"]))
        if len(example) == 1 and not settings["static"]:
            rows = rows_of_example(example)
        else:
            note("the values of the example are not verified; only those of a single tensor with a dynamic batch are")
    else:
        raise ExportError(
            'a module needs either inputs=["x=float32[batch,16]"], one for each argument of forward, or '
            "example=(torch.randn(2, 16),)"
        )
    source = from_module(inside, entries, **settings)
    check_batches(source, batches(source))
    return Exportable(source=source, files={MODEL_FILE: _contents(inside)}, rows=rows)


def _contents(module: nn.Module) -> Contents:
    """The contents of the state_dict's file; those of a large module are not kept in memory."""
    state = module.state_dict()
    if sum(tensor.nbytes for tensor in state.values()) <= COPIED_BYTES:
        return state_bytes(state)
    return partial(write_state, state)


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
        return {MODEL_FILE: model_bytes(checkpoint.model)}
    files: dict[str, Contents] = {MODEL_FILE: read_listed(home, checkpoint.path.name, limit=MAX_STATE_BYTES)}
    if checkpoint.card is not None:
        files[CARD_FILE] = read_listed(home, CARD_FILE, limit=MAX_STATE_BYTES)
    return files
