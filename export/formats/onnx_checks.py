"""Check the bytes of an ONNX file that was just made."""

import signal
import subprocess
import sys
from typing import Any

import onnx
import onnxruntime

from export.formats.external_data import external_tensors
from export.source.source import Source
from linreg.errors import ExportError, one_line

MAX_FILE_BYTES = 2**31 - 1
"""protobuf's limit for one message; a larger ONNX model needs a second file."""

LOAD = """
import sys, onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
data = sys.stdin.buffer.read()
if b"location" in data:
    import numpy, onnx
    outside = [t for t in onnx.load_model_from_string(data).graph.initializer if t.data_location == 1]
    dtypes = [onnx.helper.tensor_dtype_to_np_dtype(t.data_type) for t in outside]
    zeros = [numpy.zeros(tuple(t.dims), dtype) for t, dtype in zip(outside, dtypes)]
    values = [onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(z, t.data_type) for z, t in zip(zeros, outside)]
    options.add_external_initializers([t.name for t in outside], values)
onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
"""
TIMEOUT_S = 120

RANDOM_OPERATORS = frozenset(
    {
        "Dropout",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
    }
)


def check_model(data: bytes, source: Source, opset: int, *, location: str | None = None) -> None:
    """Check that an ONNX file is valid and matches what was requested.

    Args:
        data: bytes of the file.
        source: what it was exported from.
        opset: ONNX opset version that was requested.
        location: name of the second file, which holds the weights of a large model; None if there is none.

    Raises:
        ExportError: the file is too large, has another opset, other input or output names, a fixed batch size, an
            operator that draws random numbers or belongs to training, or weights at an odd place; or onnx's checker
            rejects it, or onnxruntime crashes while loading it.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ExportError(f"onnx: the model has {len(data)} bytes, expected at most {MAX_FILE_BYTES}; use --format pt2")
    model = onnx.load_model_from_string(data)
    graph = model.graph
    found = {entry.domain: entry.version for entry in model.opset_import}
    if found.get("") != opset:
        raise ExportError(f"onnx: torch wrote opset {found.get('')}, expected {opset}; use --opset {found.get('')}")
    _check_names(graph, source)
    if not source.static:
        _check_axes(graph, source)
    random = sorted({node.op_type for node in graph.node if node.op_type in RANDOM_OPERATORS})
    if random:
        raise ExportError(
            f"onnx: the model contains {', '.join(random)}, which is not allowed at inference; call module.eval()"
        )
    outside = [tensor.name for tensor in graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    if outside and (location is None or any(tensor.location != location for tensor in external_tensors("onnx", data))):
        raise ExportError(f"onnx: {outside[0]!r} and others are stored outside the file; this is a bug in linreg")
    half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.initializer)
    try:
        onnx.checker.check_model(_without_outside(model) if outside else data, full_check=True)
    except Exception as error:  # the checker and shape inference raise private classes
        raise ExportError(f"onnx: the checker rejects the model: {one_line(error, 300)}") from error
    if source.affine is None and half:
        _check_that_it_loads(data)


def _without_outside(model: onnx.ModelProto) -> bytes:
    """Turn every external initializer into an input, in place, since the checker would look for its file."""
    graph = model.graph
    inside = [tensor for tensor in graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL]
    for tensor in graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    del graph.initializer[:]
    graph.initializer.extend(inside)
    data: bytes = model.SerializeToString()
    return data


def _check_that_it_loads(data: bytes) -> None:
    """Load a file in a child process, because onnxruntime 1.32 crashes while optimising a float16 transformer.

    Raises:
        ExportError: the child crashed, or did not load the file within `TIMEOUT_S`.
    """
    command = [sys.executable, "-P", "-c", LOAD]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as expired:
        raise ExportError(
            f"onnx: onnxruntime does not load the model within {TIMEOUT_S} s; use --format pt2"
        ) from expired
    if done.returncode < 0:
        raise ExportError(
            f"onnx: onnxruntime {onnxruntime.__version__} crashes on the model "
            f"({signal.Signals(-done.returncode).name} while loading it); use --dtype float32, or --format pt2"
        )


def _check_names(graph: onnx.GraphProto, source: Source) -> None:
    inputs, outputs = [entry.name for entry in graph.input], [entry.name for entry in graph.output]
    if inputs != [entry.name for entry in source.inputs] or outputs != list(source.output_names):
        raise ExportError(
            f"onnx: torch wrote inputs {inputs} and outputs {outputs}, expected "
            f"{[entry.name for entry in source.inputs]} and {list(source.output_names)}; does forward use every input?"
        )


def _check_axes(graph: onnx.GraphProto, source: Source) -> None:
    for entry, wanted in zip(graph.input, source.inputs, strict=True):
        for size, axis in zip(wanted.shape, axes(entry), strict=True):
            if size != axis and (isinstance(size, str) or isinstance(axis, str)):
                raise ExportError(
                    f"onnx: input {entry.name!r} has the shape {axes(entry)}, expected {wanted.described()['shape']}"
                )


def axes(entry: Any) -> list[int | str]:
    """Return the size, or the name, of each axis of a graph's input or output."""
    return [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
