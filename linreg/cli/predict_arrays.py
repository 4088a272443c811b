"""`linreg predict` on arrays: run the bundle of a user's own module."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from linreg.cli.bundle import require
from linreg.cli.file_kinds import is_artifact
from linreg.cli.predict_output import check_npz, check_output, write_output
from linreg.cli.terminal import note
from linreg.errors import DataError, LinregError, ModelError

if TYPE_CHECKING:
    from linreg.module_card import ModuleCard

COLUMNS = "; or, if its input is columns of the table, name them in order: --features a,b,c"
SUFFIXES = (".npz", ".npy")


def is_arrays(path: Path) -> bool:
    """Return whether the name is that of a file of arrays."""
    return path.suffix.lower() in SUFFIXES


def predict_arrays(arrays: Path, model: Path | None, output: Path | None, *, trust: bool, force: bool) -> None:
    """Run an artifact of a module's bundle on a file of arrays, and write its outputs to an .npz.

    Raises:
        LinregError: the arrays are not those of the module, or the bundle holds a linear model.
        typer.BadParameter: there is no model or no output file.
    """
    if model is None:
        raise typer.BadParameter("arrays are the inputs of a module; name its bundle with -m BUNDLE")
    if output is None:
        raise typer.BadParameter("predictions for arrays are not written to stdout; add -o OUT.npz")
    check_npz(output)
    require(model)
    _refuse_linear(arrays, model)
    check_output(output, arrays)

    from export.bundle.array_files import npz_bytes, read_arrays
    from export.bundle.prediction import beyond_limits, open_array_model

    opened = open_array_model(model, trust=trust)
    given = read_arrays(arrays, [entry.name for entry in opened.card.inputs])
    try:
        outputs = opened.predict(given)
    except DataError as error:
        raise DataError(f"{arrays}: {error}") from None
    for remark in beyond_limits(opened.card, given):
        note(f"note: {arrays}: {remark}")
    shown = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in outputs.items())
    write_output(output, npz_bytes(outputs), shown, force=force)


def refuse_table(table: Path, model: Path) -> None:
    """Refuse a table for the bundle of a module, and say what the module takes.

    Raises:
        LinregError: the model is such a bundle, or an artifact or state_dict in it.
    """
    card = module_card_of(model)
    if card is None:
        return
    folder = model if model.is_dir() else model.parent
    names = ", ".join(f"{entry.argument}=..." for entry in card.inputs)
    inputs = ", ".join(entry.text for entry in card.inputs)
    command = f"linreg predict batch.npz -m {shlex.quote(str(folder))} -o out.npz"
    raise LinregError(
        f"{table}: is a table, and {model} holds a module that was exported with --module, which takes arrays: "
        f"{inputs}; write them with numpy.savez('batch.npz', {names}), and run: {command}"
        f"{COLUMNS if len(card.inputs) == 1 and len(card.inputs[0].shape) == 2 else ''}"
    )


def _refuse_linear(arrays: Path, model: Path) -> None:
    from linreg.manifest import read_manifest

    folder = model if model.is_dir() else model.parent
    if module_card_of(model) is not None:
        if model.is_dir() or is_artifact(model):
            return
        raise ModelError(f"{model}: is not an exported file; use -m {shlex.quote(str(folder))}")
    manifest = read_manifest(folder)
    if manifest is not None and manifest.of_module:
        raise ModelError(
            f"{model}: has no card.json that describes its inputs, since an older linreg exported it; export it again"
        )
    raise LinregError(
        f"{arrays}: holds arrays, and {model} is a linear model, which takes a table: "
        f"linreg predict TABLE.csv -m {shlex.quote(str(model))} -o OUT.csv"
    )


def module_card_of(model: Path) -> "ModuleCard | None":
    """Return the card of the module in a bundle, of which a file may be named; None for a linear model."""
    from linreg.changes import read_settled
    from linreg.module_card_file import read_module_card

    folder = model if model.is_dir() else model.parent
    return read_settled(folder, lambda: read_module_card(folder))
