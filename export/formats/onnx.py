"""Export to ONNX: an affine module becomes one Gemm, and torch.onnx's dynamo exporter writes every other module.

The Gemm needs neither onnxscript nor a capture, takes a tenth of the bytes, and is the same on every machine. From what
torch writes, everything that is not part of the computation is removed: stack traces, paths, the graph signature and
repeated shapes.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.formats import external_writer
from export.formats.external_data import DTYPES, SUFFIX
from export.formats.external_writer import LEAST_BYTES, ExternalWriter, described
from export.formats.onnx_checks import check_model
from export.formats.onnx_names import name_ends
from export.source.source import Source, metadata_text
from linreg.errors import ExportError
from linreg.files import Contents

if TYPE_CHECKING:
    from torch.export import ExportedProgram

DEFAULT_OPSET = 18
"""The newest opset that onnxruntime 1.15 reads; see export/bundle/compatibility.py."""

SYMBOL = re.compile(r"[A-Za-z_]\w*")


def to_onnx(source: Source, *, opset: int = DEFAULT_OPSET, program: "ExportedProgram | None" = None) -> bytes:
    """Return the bytes of an ONNX model that has passed `check_model`.

    Args:
        source: the module to export.
        opset: ONNX opset version; a file with another one is refused.
        program: the capture of the module; None captures it if needed. An affine module needs no capture.

    Raises:
        ExportError: the module cannot be exported, or the file fails a check.
    """
    files = to_onnx_files(source, f"model.onnx{SUFFIX}", opset=opset, program=program)
    if files.weights is not None:
        raise ExportError("onnx: the model needs a second file for its weights; export it into a bundle")
    return files.model


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxFiles:
    """The contents of an ONNX model.

    Attributes:
        model: bytes of the model.
        weights: the contents of the file beside it; None if the model holds all weights.
    """

    model: bytes
    weights: Contents | None


def to_onnx_files(
    source: Source, location: str, *, opset: int = DEFAULT_OPSET, program: "ExportedProgram | None" = None
) -> OnnxFiles:
    """Do what `to_onnx` does, but put the weights of a large model into a second file.

    Args:
        source: the module to export.
        location: name of the second file.
        opset: ONNX opset version.
        program: the capture of the module.

    Raises:
        ExportError: the module cannot be exported, or the file fails a check.
    """
    outside = ExternalWriter()
    if source.affine is not None:
        model = gemm_model(source, opset, outside, location)
    else:
        from export.formats.capture import capture

        model = dynamo_model(source, opset, program or capture(source), outside, location)
    data = serialise(model, source, opset, outside=outside, location=location)
    return OnnxFiles(model=data, weights=outside.write if outside.size else None)


def gemm_model(
    source: Source, opset: int, outside: ExternalWriter | None = None, location: str = ""
) -> onnx.ModelProto:
    """Build an ONNX model of an affine module with one Gemm: output = input @ weight.T + bias."""
    affine, entry, output_name = source.affine, source.inputs[0], source.output_names[0]
    assert affine is not None
    kind = helper.np_dtype_to_tensor_dtype(entry.dtype)
    weight_key, bias_key = affine.names
    initializers = {weight_key: affine.weight} | ({} if affine.bias is None else {bias_key: affine.bias})
    if outside is None or sum(values.nbytes for values in initializers.values()) <= external_writer.SINGLE_FILE_BYTES:
        tensors = [_tensor(name, values) for name, values in initializers.items()]
    else:
        tensors = [
            _tensor(name, values)
            if values.nbytes < LEAST_BYTES
            else _outside(name, values, outside.add(values, values.nbytes), location)
            for name, values in initializers.items()
        ]
    graph = helper.make_graph(
        [helper.make_node("Gemm", [entry.name, *initializers], [output_name], transB=1)],
        "linreg",
        [helper.make_tensor_value_info(entry.name, kind, list(entry.shape))],
        [helper.make_tensor_value_info(output_name, kind, [entry.shape[0], affine.weight.shape[0]])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def dynamo_model(
    source: Source, opset: int, program: "ExportedProgram", outside: ExternalWriter | None = None, location: str = ""
) -> onnx.ModelProto:
    """Export a capture with torch.onnx, and rename its inputs and outputs."""
    import torch

    from export.formats.capture import symbols
    from export.formats.float64_numbers import TRANSLATIONS, has_float64, with_float64_numbers
    from export.formats.quiet import quiet, reason
    from export.formats.recurrent import dynamic_steps

    shapes = tuple(
        {axis: size for axis, size in enumerate(entry.shape) if isinstance(size, str)} or None
        for entry in source.inputs
    )
    try:
        with quiet(), torch.no_grad(), dynamic_steps():
            exported = torch.onnx.export(
                with_float64_numbers(program),
                dynamo=True,
                custom_translation_table=TRANSLATIONS if has_float64(program) else None,
                opset_version=opset,
                external_data=False,
                verbose=False,
                dynamic_shapes=None if source.static else shapes,
            )
    except Exception as error:  # the exporter raises a dozen classes
        raise ExportError(f"onnx: torch cannot export the module: {reason(error)}") from error
    assert exported is not None
    if outside is not None:
        _move_outside(exported.model, outside, location)
    model: onnx.ModelProto = exported.model_proto
    wanted = [entry.name for entry in source.inputs]
    if len(model.graph.input) != len(wanted) or len(model.graph.output) != len(source.output_names):
        raise ExportError(
            f"onnx: torch wrote {len(model.graph.input)} inputs and {len(model.graph.output)} outputs, expected "
            f"{len(wanted)} and {len(source.output_names)}; does forward use every input?"
        )
    name_ends(model.graph, wanted, source.output_names)
    if not source.static:
        _name_axes(model.graph, symbols(program, source))
    return model


def _move_outside(model: Any, outside: ExternalWriter, location: str) -> None:
    """Replace the initializers of an onnx_ir model that is too large for one file by references to a second one."""
    import onnx_ir

    values = [value for value in model.graph.initializers.values() if value.const_value is not None]
    if sum(value.const_value.nbytes for value in values) <= external_writer.SINGLE_FILE_BYTES:
        return
    for value in values:
        tensor = value.const_value
        if tensor.nbytes >= LEAST_BYTES and int(tensor.dtype) in DTYPES:
            value.const_value = onnx_ir.ExternalTensor(
                location, outside.add(tensor, tensor.nbytes), tensor.nbytes, tensor.dtype,
                shape=tensor.shape, name=tensor.name, base_dir="",
            )  # fmt: skip


def _name_axes(graph: onnx.GraphProto, symbols: dict[str, str]) -> None:
    """Write the names of dynamic axes, in place of torch's symbols, into the shapes of outputs."""
    for output in graph.output:
        for axis in output.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = SYMBOL.sub(lambda match: symbols.get(match[0], match[0]), axis.dim_param)


def serialise(
    model: onnx.ModelProto,
    source: Source,
    opset: int,
    *,
    outside: ExternalWriter | None = None,
    location: str = "",
) -> bytes:
    """Strip a model, set the oldest IR version that its opset allows, add linreg's metadata, and check the bytes.

    Raises:
        ExportError: the model fails a check.
    """
    _strip(model)
    model.ir_version = helper.find_min_ir_version_for(list(model.opset_import))
    model.producer_name = "linreg"
    external = outside if outside is not None and outside.size else None
    helper.set_model_props(model, metadata_text(source) | ({} if external is None else described(external)))
    data: bytes = model.SerializeToString(deterministic=True)
    check_model(data, source, opset, location=None if external is None else location)
    return data


def _strip(model: onnx.ModelProto) -> None:
    """Remove everything but the computation; a runtime infers the inner shapes again."""
    for field in ("producer_name", "producer_version", "doc_string", "domain", "model_version", "metadata_props"):
        model.ClearField(field)
    graph = model.graph
    graph.name = "linreg"
    for field in ("value_info", "metadata_props", "doc_string"):
        graph.ClearField(field)
    parts: list[Any] = [*graph.node, *graph.input, *graph.output, *graph.initializer]
    for function in model.functions:
        function.ClearField("metadata_props")
        function.ClearField("doc_string")
        parts += function.node
    while parts:
        part = parts.pop()
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
        for attribute in getattr(part, "attribute", ()):
            inner_graphs = [attribute.g] if attribute.HasField("g") else []
            for inner in (*inner_graphs, *attribute.graphs):
                parts += [*inner.node, *inner.input, *inner.output, *inner.initializer]
                inner.ClearField("value_info")
    used = {node.domain for node in graph.node} | {function.domain for function in model.functions} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _outside(name: str, values: NDArray[Any], offset: int, location: str) -> TensorProto:
    tensor = TensorProto(
        name=name,
        data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
        dims=values.shape,
        data_location=TensorProto.EXTERNAL,
    )
    for key, value in (("location", location), ("offset", offset), ("length", values.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _tensor(name: str, values: NDArray[Any]) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
