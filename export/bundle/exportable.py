"""Turn whatever `export` accepts as a model into a source and the files that a bundle keeps of it."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from export.bundle.rows import rows_to_verify
from export.precision import ExportPrecision
from export.source.fixing import Static
from export.source.source import Source, from_checkpoint, with_rows
from linreg.checkpoint import Checkpoint, load_settled
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import ExportError, LinregError
from linreg.files import Contents
from linreg.manifest import read_listed
from linreg.pth import pth_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from export.source.given_inputs import GivenInputs
    from linreg.fitted import FittedModel

    Example = Tensor | Mapping[str, Tensor] | Sequence[Tensor] | Sequence[Mapping[str, Tensor] | Sequence[Tensor]]
    """A tensor, tensors in the order of forward's arguments or by their names, or several such sets."""

    Exported = str | os.PathLike[str] | Checkpoint | FittedModel | nn.Module
    """A bundle or .pth file of `linreg train`, a reloaded or fitted model, or any module."""

Note = Callable[[str], None]


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
    model: "Exported",
    folder: Path,
    *,
    inputs: str | Sequence[str] | None = None,
    example: "Example | None" = None,
    own: "Sequence[GivenInputs]" = (),
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
    if _is_module(model):
        from export.bundle.exportable_module import exportable_module

        if units or data is not None:
            raise ExportError(
                "units and data belong to a model of linreg train, whose columns have names; leave them out"
            )
        made, described = exportable_module(
            model,
            inputs=inputs,
            example=example,
            own=own,
            note=note,
            code=code,
            input_names=input_names,
            output_names=output_names,
            precision=precision,
            static=static,
        )
        return Exportable(source=made, files=described)
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
    files: Mapping[str, Contents] = model.files if _is_fitted(model) else _files_of(checkpoint, folder)
    return Exportable(source=source, files=files, state_file=MODEL_FILE if files else checkpoint.path.name)


def _checkpoint(model: "Exported", note: Note) -> Checkpoint:
    if isinstance(model, Checkpoint):
        return model
    if _is_fitted(model):
        return model.checkpoint
    assert isinstance(model, str | os.PathLike)
    checkpoint = load_settled(Path(model))
    for text in checkpoint.notes:
        note(f"{checkpoint.path}: {text}")
    return checkpoint


def _is_module(model: object) -> "TypeGuard[nn.Module]":
    """Return whether this is a module; there is none as long as torch is not imported."""
    if "torch" not in sys.modules:
        return False
    from torch import nn

    from export.source.unfit import ALREADY_EXPORTED

    return isinstance(model, (nn.Module, *ALREADY_EXPORTED))


def _is_fitted(model: object) -> "TypeGuard[FittedModel]":
    if isinstance(model, str | os.PathLike | Checkpoint):
        return False
    from linreg.fitted import FittedModel

    return isinstance(model, FittedModel)


def _check_kind(model: object) -> None:
    """Raise ExportError if `model` is not a model but, for example, a class or a function."""
    if isinstance(model, str | os.PathLike | Checkpoint) or _is_fitted(model) or _is_module(model):
        return
    expected = "expected the path of a bundle, a fitted model or a torch.nn.Module"
    if isinstance(model, type):
        raise ExportError(f"model: got the class {model.__name__}, {expected}; pass an instance of it")
    if callable(model):
        raise ExportError(
            f"model: got a {type(model).__name__}, {expected}; call it in the forward of a torch.nn.Module"
        )
    raise ExportError(f"model: got {type(model).__name__}, {expected}")


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
