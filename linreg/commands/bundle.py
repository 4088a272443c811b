"""Find the model that a command is to use."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from linreg.changes import settle
from linreg.commands.terminal import note
from linreg.config import DEFAULT_BUNDLE, LINE_DEFAULTS, MODEL_FILE, LineSettings
from linreg.errors import ModelError

if TYPE_CHECKING:
    from linreg.checkpoint import Checkpoint


def find_model(model: Path | None) -> Path:
    """The path given, or the default bundle, trained on the default line first where it is missing.

    Raises:
        ModelError: the path given does not exist, or is a folder without a model.
    """
    if model is None:
        settle(DEFAULT_BUNDLE)
        if not (DEFAULT_BUNDLE / MODEL_FILE).exists():
            _train_default()
        return DEFAULT_BUNDLE
    require(model)
    settle(model if model.is_dir() else model.parent)
    if model.is_dir() and not (model / MODEL_FILE).exists():
        raise ModelError(f"{model}: has no {MODEL_FILE}; train one with: linreg train -o {model}")
    return model


def require(path: Path) -> None:
    """See that a bundle or a file is there.

    Raises:
        ModelError: it is not; the message names what is there instead, or how to make it.
    """
    if path.exists():
        return
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, beside, n=1)
    hint = f"did you mean {path.parent / near[0]}?" if near else "check the name and the folder"
    if not near and not path.suffix and MODEL_FILE not in beside:
        hint = f"train one with: linreg train -o {path}"
    raise ModelError(f"{path}: no such bundle or file; {hint}")


def open_model(model: Path | None) -> "Checkpoint":
    """Reload the model of a command.

    Raises:
        ModelError: it is missing or damaged.
    """
    path = find_model(model)
    if path.suffix in (".onnx", ".torchscript", ".pt2", ".c"):
        raise ModelError(f"{path}: is an exported file, and this command needs its bundle; use -m {path.parent}")

    from linreg.checkpoint import load

    checkpoint = load(path)
    show_notes(checkpoint.path, checkpoint.notes)
    return checkpoint


def show_notes(path: Path, notes: tuple[str, ...]) -> None:
    """Say in one line what was stripped or converted while a state_dict was read; nothing where it was not."""
    if notes:
        note(f"note: {path}: {'; '.join(notes)}")


def _train_default() -> None:
    from linreg.commands.train import train_line

    note(f"no model given and {DEFAULT_BUNDLE} is missing: training the line y = 0.7 x + 0.3 there first")
    train_line(LineSettings(), LINE_DEFAULTS, DEFAULT_BUNDLE, split_text="0.8", force=False)
