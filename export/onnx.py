"""ONNX: for an affine module one Gemm, written by onnx.helper.

torch's exporter would import onnxscript for it, write ten times the bytes, and put paths of this machine into them.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.source import Source, metadata_text
from linreg.errors import ExportError

OPSET = 18
"""Reads in every onnxruntime since 1.15, together with the IR version that it allows."""

MAX_FILE_BYTES = 2**31 - 1
"""protobuf's limit for one message; beyond it ONNX needs a second file."""

_WEIGHT_KEYS = {"weights": "bias", "linear_layer.weight": "linear_layer.bias", "weight": "bias"}


def to_onnx(source: Source, *, opset: int = OPSET) -> bytes:
    """The bytes of an ONNX model: the same for the same weights, on every machine.

    Raises:
        ExportError: the model is too large for one file, or onnx's checker refuses it.
    """
    model = _gemm(source, opset)
    helper.set_model_props(model, metadata_text(source))
    data: bytes = model.SerializeToString(deterministic=True)
    if len(data) > MAX_FILE_BYTES:
        raise ExportError(
            f"onnx: the model has {len(data)} bytes, expected at most {MAX_FILE_BYTES}; use another format"
        )
    try:
        onnx.checker.check_model(data, full_check=True)
    except Exception as error:  # the checker and shape inference raise classes of their own
        raise ExportError(f"onnx: the checker refuses the model: {' '.join(str(error).split())[:300]}") from error
    return data


def _gemm(source: Source, opset: int) -> onnx.ModelProto:
    """One Gemm: output = input weight^T + bias with a symbolic batch axis."""
    affine, entry, output_name = source.affine, source.inputs[0], source.output_names[0]
    kind = helper.np_dtype_to_tensor_dtype(entry.dtype)
    outputs, features = affine.weight.shape
    weight_key = next(key for key in _WEIGHT_KEYS if key in source.module.state_dict())
    initializers = {weight_key: affine.weight}
    if affine.bias is not None:
        initializers[_WEIGHT_KEYS[weight_key]] = affine.bias
    graph = helper.make_graph(
        [helper.make_node("Gemm", [entry.name, *initializers], [output_name], transB=1)],
        "linreg",
        [helper.make_tensor_value_info(entry.name, kind, ["batch", features])],
        [helper.make_tensor_value_info(output_name, kind, ["batch", outputs])],
        [_tensor(name, values) for name, values in initializers.items()],
    )
    opset_id = helper.make_opsetid("", opset)
    return helper.make_model(
        graph,
        opset_imports=[opset_id],
        ir_version=helper.find_min_ir_version_for([opset_id]),
        producer_name="linreg",
    )


def _tensor(name: str, values: NDArray[Any]) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
