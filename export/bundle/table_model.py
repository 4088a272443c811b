"""Open a model that predicts the rows of a table: a linear model, an .onnx file, or a module that takes columns."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.runners.base import Runner
from linreg.affine import predict
from linreg.changes import read_settled
from linreg.checkpoint import load
from linreg.errors import LinregError, ModelError
from linreg.manifest import read_manifest
from linreg.predictions import Model

if TYPE_CHECKING:
    from export.bundle.prediction import ArrayModel

# onnx and onnxruntime are imported only when needed: a linear model in a .pth needs neither.


@dataclass(frozen=True, kw_only=True)
class TableModel:
    """A model that was opened.

    Attributes:
        model: how to predict.
        path: its file.
        runner: runs the file; None if it is a state_dict.
    """

    model: Model
    path: Path
    runner: Runner | None


def open_table_model(path: Path, columns: tuple[str, ...] | None = None) -> TableModel:
    """Open a model.

    Args:
        path: a bundle of a linear model or its .pth, an .onnx file, or the bundle of a module.
        columns: names of the columns of a module's input; None for a linear model, which names its own.

    Raises:
        LinregError: the model cannot be read, or its inputs are not the columns of a table.
    """
    if columns is not None:
        return _module(path, columns)
    if path.suffix == ".onnx":
        from export.runners.deployed import OnnxModel

        found = read_settled(path.parent, lambda: OnnxModel.open(path))
        model = Model(features=found.features, target=found.target, predict=found.predict)
        return TableModel(model=model, path=path, runner=found.runner)
    checkpoint = load(path)
    card, affine = checkpoint.card, checkpoint.affine
    if card is None:
        raise ModelError(f"{path}: has no card.json, so its columns have no names; use a bundle made by linreg train")
    model = Model(features=card.features, target=card.target, predict=lambda rows: predict(affine, rows), how=card.read)
    return TableModel(model=model, path=checkpoint.path, runner=None)


def check_with_vectors(opened: TableModel) -> None:
    """Run the test vectors of a bundle, if it has those of this file.

    Raises:
        MismatchError: an output differs.
    """
    from export.bundle.artifact_checks import has_vectors
    from export.bundle.vectors import check_vectors

    folder = opened.path.parent
    manifest = read_manifest(folder)
    entry = None if manifest is None else manifest.entry(opened.path.name)
    if opened.runner is not None and manifest is not None and entry is not None and has_vectors(manifest, entry):
        check_vectors(opened.runner, folder)


def _module(path: Path, columns: tuple[str, ...]) -> TableModel:
    from export.bundle.prediction import open_array_model

    opened = open_array_model(path, trust=False)
    entry, output = opened.card.inputs[0], opened.card.outputs[0]
    batch, *rest = entry.shape if len(entry.shape) == 2 else (None,)
    any_batch = any(
        axis.name == batch and (axis.least, axis.most, axis.step) == (1, None, 1) for axis in opened.card.axes
    )
    if not (
        len(opened.card.inputs) == len(opened.card.outputs) == 1
        and any_batch
        and entry.dtype.startswith("float")
        and output.shape in ((batch,), (batch, 1))
    ):
        shown = ", ".join(each.text for each in opened.card.inputs)
        raise LinregError(
            f"{path}: takes {shown}; --features fits a module with one input of floats, [batch,K], and one output, "
            "[batch] or [batch,1]; give it arrays instead, in an .npz"
        )
    if rest != [len(columns)]:
        raise LinregError(f"{path}: takes {rest[0]} columns, and --features names {len(columns)}")
    model = Model(features=columns, target=output.name, predict=lambda rows: _run(opened, rows))
    return TableModel(model=model, path=opened.path, runner=opened.runner)


def _run(opened: "ArrayModel", rows: NDArray[np.float64]) -> NDArray[Any]:
    entry = opened.card.inputs[0]
    dtype = entry.dtype if opened.precision is None else str(opened.precision)
    filled = rows if len(rows) else np.zeros((1, rows.shape[1]))
    with np.errstate(over="ignore"):
        (output,) = opened.predict({entry.name: np.ascontiguousarray(filled, dtype)}).values()
    return output.reshape(len(filled))[: len(rows)]
