"""The inputs on which a file is bisected."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper

from export.bundle.vectors import Vectors, read_vectors
from export.bundle.write import FAILED_INPUTS
from export.proof.cases import SEED
from export.source.source import Source
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError, ModelError, one_line
from linreg.files import read_bytes
from linreg.inside import vector_folders

Array = NDArray[Any]

ROWS = 7
"""The batch size of random inputs, and the one that is preferred among the test vectors."""


def was_refused(path: Path) -> bool:
    """Return whether the last export of a file was refused, so that an older file may be in its place."""
    return _failed(path).exists()


def inputs_to_run(path: Path, model: ModelProto, source: Source | None) -> dict[str, Array]:
    """The inputs that showed a fault, else those of a test vector, else random ones, by name.

    Test vectors come before random inputs because they hold values that the module accepts, such as ids below a limit.

    Args:
        path: the ONNX file.
        model: its model, or a fresh export if the file was refused.
        source: the module and its inputs, for random inputs.

    Raises:
        ModelError: the stored inputs are damaged, or they are not those of the model.
        LinregError: there are no inputs.
    """
    names = [entry.name for entry in model.graph.input]
    if was_refused(path):
        arrays = _read(_failed(path))
        if not _fit(model, arrays):
            raise ModelError(f"{_failed(path)}: its arrays are not the inputs {', '.join(names)}; remove it")
    else:
        vectors = list(read_vectors(path.parent)) if vector_folders(path.parent) else []
        fitting = [entry.inputs for entry in sorted(vectors, key=_preference) if _fit(model, entry.inputs)]
        if not fitting and source is None:
            raise LinregError(
                f"{path}: there are no test vectors of its precision, so there are no inputs to run; name its module: "
                f"linreg bisect {path} --module FILE.py:NAME"
            )
        arrays = fitting[0] if fitting else _random(source)
    return dict(zip(names, arrays, strict=True))


def _random(source: Source | None) -> tuple[Array, ...]:
    assert source is not None, "there are test vectors, or a module"
    return source.random_inputs(source.sizes(batch=ROWS), 1.0, SEED)


def _preference(vectors: Vectors) -> int:
    return abs(len(vectors.inputs[0]) - ROWS) if vectors.inputs[0].ndim else 0


def _fit(model: ModelProto, arrays: tuple[Array, ...]) -> bool:
    kinds = [helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type) for entry in model.graph.input]
    return [array.dtype for array in arrays] == kinds


def _read(path: Path) -> tuple[Array, ...]:
    try:
        with np.load(io.BytesIO(read_bytes(path, limit=MAX_STATE_BYTES)), allow_pickle=False) as arrays:
            return tuple(arrays.values())
    except (ValueError, OSError, KeyError) as error:
        raise ModelError(f"{path}: is not an .npz of arrays: {one_line(error)}; remove it") from None


def _failed(path: Path) -> Path:
    return path.with_name(path.name + FAILED_INPUTS)
