"""Find and load the model that a command works on."""

import shlex
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from linreg.cli.file_kinds import RECORDS, is_artifact, is_model, is_table, kind_of
from linreg.cli.terminal import note
from linreg.config import CARD_FILE, DEFAULT_BUNDLE, MODEL_FILE
from linreg.errors import ModelError

if TYPE_CHECKING:
    from linreg.checkpoint import Checkpoint


def find_model(model: Path | None) -> Path:
    """Return the given path or, if none is given, the default bundle, which is trained on the default line if needed.

    This is for `export` and `bench`; the other commands need an existing model (see `find_existing`).

    Raises:
        ModelError: the given path does not exist or is not a model.
    """
    if model is None:
        _settle(DEFAULT_BUNDLE)
        if not (DEFAULT_BUNDLE / MODEL_FILE).exists():
            _train_default()
        return DEFAULT_BUNDLE
    _check(model)
    return model


def find_existing(model: Path | None, table: Path | None = None) -> Path:
    """Return the given path, or the existing default bundle if no path is given.

    Args:
        model: value of `-m`.
        table: the table to read; if no model is given, a note says which model is used.

    Raises:
        ModelError: the model does not exist, was not made by `linreg train`, or was given instead of the table.
    """
    if table is not None and table.exists() and is_model(table) and not _may_be_table(table):
        given = "" if model is None else f", beside -m {model}"
        swapped = model is not None and model.exists() and is_table(model)
        rows, named = (shlex.quote(str(model)), table) if swapped else ("TABLE", model or table)
        raise ModelError(
            f"{table}: is {_named(table)}{given}, expected a table with the model's columns; "
            f"name the table first: linreg COMMAND {rows} -m {shlex.quote(str(named))}"
        )
    if model is None:
        if not (DEFAULT_BUNDLE / MODEL_FILE).exists():
            rows = "" if table is None else f" for {table}"
            raise ModelError(
                f"no model was given{rows}, and {DEFAULT_BUNDLE} does not exist; name one with -m BUNDLE, "
                "or train it first: linreg train"
            )
        if table is not None:
            note(f"no model was given: using {DEFAULT_BUNDLE}; choose another with -m BUNDLE")
        model = DEFAULT_BUNDLE
    _check(model)
    if not is_artifact(model):
        _refuse_module(model)
    return model


def find_bundle(bundle: Path | None) -> Path:
    """Return the given path, or the existing default bundle if no path is given.

    Raises:
        ModelError: no path was given, and there is no default bundle.
    """
    if bundle is None and not DEFAULT_BUNDLE.exists():
        raise ModelError(f"no bundle was given, and {DEFAULT_BUNDLE} does not exist; name one: linreg COMMAND BUNDLE")
    return DEFAULT_BUNDLE if bundle is None else bundle


def require(path: Path) -> None:
    """Check that a bundle or a file exists.

    Raises:
        ModelError: the path does not exist; the message suggests a similar name, or how to make the bundle.
    """
    if path.exists():
        return
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, beside, n=1)
    hint = f"did you mean {path.parent / near[0]}?" if near else "check the name and the folder"
    if not near and not path.suffix and MODEL_FILE not in beside:
        hint = f"check the name, or train one: {_training(path)}"
    raise ModelError(f"{path}: no such bundle or file; {hint}")


def open_model(model: Path | None) -> "Checkpoint":
    """Load the model for `export` or `bench`, after training the default one if it is missing.

    Raises:
        ModelError: the model is missing or damaged, or was not made by `linreg train`.
    """
    path = find_model(model)
    refuse_artifact(path)
    _refuse_module(path)

    return _load(path)


def show_notes(path: Path, notes: tuple[str, ...]) -> None:
    """Print, on one line, what was stripped or converted while a state_dict was read; without notes, print nothing."""
    if notes:
        note(f"note: {path}: {'; '.join(notes)}")


def open_existing(model: Path | None, table: Path | None) -> "Checkpoint":
    """Load an existing model.

    Raises:
        ModelError: the model is missing or damaged, or was not made by `linreg train`.
    """
    path = find_existing(model, table)
    refuse_artifact(path)
    return _load(path)


def _load(path: Path) -> "Checkpoint":
    from linreg.checkpoint import load_settled

    checkpoint = load_settled(path)
    show_notes(checkpoint.path, checkpoint.notes)
    return checkpoint


def _settle(folder: Path) -> None:
    from linreg.changes import settle

    settle(folder)


def _check(model: Path) -> None:
    """Check that a path exists, and that its name is not that of another kind of file."""
    require(model)
    _settle(model if model.is_dir() else model.parent)
    quoted = shlex.quote(str(model))
    if model.is_dir():
        if not (model / MODEL_FILE).exists():
            inside = sorted(entry.name for entry in model.glob("*.pth"))
            hint = f"did you mean {model / inside[0]}?" if inside else f"train one: {_training(model)}"
            raise ModelError(f"{model}: has no {MODEL_FILE}; {hint}")
    elif is_table(model):
        raise ModelError(
            f"{model}: is a table, expected a model: a bundle or .pth; "
            f"train one on it: linreg train {quoted} --target COLUMN -o BUNDLE"
        )
    elif model.name in RECORDS:
        raise ModelError(f"{model}: is {kind_of(model)}, expected the bundle; use -m {shlex.quote(str(model.parent))}")
    elif model.suffix == ".py":
        raise ModelError(
            f"{model}: is Python code, expected a bundle or .pth; "
            "to export your own module, use: linreg export --module FILE.py:NAME"
        )


def refuse_artifact(path: Path) -> None:
    """Refuse an exported file where a bundle is needed.

    Raises:
        ModelError: the path is an exported file.
    """
    if not is_artifact(path):
        return
    if (path.parent / MODEL_FILE).exists():
        hint = f"use -m {shlex.quote(str(path.parent))}"
    else:
        hint = f"there is no {MODEL_FILE} beside it; name the bundle that it was exported from with -m"
    raise ModelError(f"{path}: is an exported file, and this command needs its bundle; {hint}")


def _refuse_module(path: Path) -> None:
    """Refuse a bundle of a user's own module, which linreg cannot rebuild.

    The message says what works instead.

    Raises:
        ModelError: the bundle holds such a module.
    """
    from linreg.manifest import read_manifest
    from linreg.module_card_file import read_module_card

    folder = path if path.is_dir() else path.parent
    state_file = path / MODEL_FILE if path.is_dir() else path
    if (manifest := read_manifest(folder)) is None:
        return
    card = read_module_card(folder, manifest)
    if card is None and (folder / CARD_FILE).exists():
        return

    from linreg.affine import recognise
    from linreg.state_arrays import load_arrays

    state = load_arrays(state_file, manifest)
    try:
        if manifest.of_module:
            raise ModelError
        recognise(state)
    except ModelError:
        quoted = shlex.quote(str(folder))
        bench = f"linreg bench --module FILE.py:NAME --state-dict {shlex.quote(str(state_file))}"
        if card is not None:
            bench = f"linreg bench -m {quoted} --module {shlex.quote(card.place)}"
        raise ModelError(
            f"{path}: holds a module that was exported with --module; use linreg verify {quoted}, {bench}, "
            "or, for another format, linreg export --module as before"
        ) from None


def _training(folder: Path) -> str:
    return f"linreg train TABLE --target COLUMN -o {shlex.quote(str(folder))}"


def _may_be_table(path: Path) -> bool:
    """Return whether a path is a folder of tables, and not a bundle: its files may be the parts of one table."""
    return path.is_dir() and not (path / MODEL_FILE).exists() and any(map(is_table, path.iterdir()))


def _named(path: Path) -> str:
    return "a bundle" if (path / MODEL_FILE).exists() else "a folder" if path.is_dir() else kind_of(path) or "a file"


def _train_default() -> None:
    from linreg.fitting import fit, straight_line

    note(f"no model given and {DEFAULT_BUNDLE} is missing: training the line y = 0.7 x + 0.3 there first")
    fit(straight_line()).save(DEFAULT_BUNDLE)
