"""Run an .onnx file as a deployed program does: with onnxruntime and the column names in its metadata, and no torch."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.external_data import read_external_data
from export.formats.names import Format
from export.runners.base import Runner
from export.runners.load import load_artifact
from export.runners.trust import Trust
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError, MismatchError, ModelError
from linreg.manifest import read_listed


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """An ONNX model with one output, and the names of its columns.

    Attributes:
        runner: runs the model.
        features: the names of the input's columns, in order.
        target: the name of the predicted column.
        dtype: the dtype of the input.
    """

    runner: Runner
    features: tuple[str, ...]
    target: str
    dtype: np.dtype[Any]

    @classmethod
    def open(cls, path: Path) -> "OnnxModel":
        """Load an .onnx file that linreg exported; a file that this user did not export runs in a child process.

        Raises:
            ModelError: the file cannot be read, or does not name its columns.
            MismatchError: the bytes of the file differ from the manifest beside it.
        """
        import onnx

        try:
            data = read_listed(path.parent, path.name, limit=MAX_STATE_BYTES)
            external = read_external_data(path, data)
        except MismatchError:
            raise
        except LinregError as error:
            raise ModelError(str(error)) from None
        runner = load_artifact(Format.ONNX, str(path), data, Trust.LEDGER, external=external)
        runner.parameters()  # a child process starts with the first request: onnxruntime checks the file before onnx
        model = onnx.load_model_from_string(data)
        texts = {entry.key: entry.value for entry in model.metadata_props}
        if "linreg.features" not in texts and "linreg.inputs" in texts:
            raise ModelError(
                f"{path}: was exported from a module or a state_dict whose columns have no names, so they cannot be "
                f"found in a table; show its inputs with: linreg inspect {shlex.quote(str(path))}, "
                "and run it with onnxruntime"
            )
        try:
            features, target = json.loads(texts["linreg.features"]), json.loads(texts["linreg.target"])
            if not isinstance(target, str) or not all(isinstance(name, str) for name in features):
                raise ValueError("they are not names")
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"{path}: does not name its columns (linreg.features and linreg.target: {error}); export it with linreg"
            ) from None
        entry = model.graph.input[0].type.tensor_type
        sizes = [axis.dim_value for axis in entry.shape.dim]
        if len(sizes) != 2 or sizes[1] != len(features):
            raise ModelError(f"{path}: its input has shape {sizes}, expected (batch, {len(features)}) for its names")
        dtype = onnx.helper.tensor_dtype_to_np_dtype(entry.elem_type)
        return cls(runner=runner, features=tuple(features), target=target, dtype=dtype)

    def predict(self, rows: NDArray[np.float64]) -> NDArray[Any]:
        """Predict from raw features of shape (rows, features); return shape (rows,) in the model's dtype."""
        with np.errstate(over="ignore"):
            inputs = rows.astype(self.dtype)
        output: NDArray[Any] = self.runner.bind((inputs,)).outputs()[0]
        return output[:, 0]
