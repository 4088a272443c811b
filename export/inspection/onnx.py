"""Inspect an ONNX file by reading its outer protobuf fields, without onnx and without building messages."""

from collections import Counter
from contextlib import suppress
from typing import Any

from export.bounded_json import parse_json
from export.formats.protobuf import Part, Reader, signed
from export.inspection.inspected import MAX_NAME, MAX_TENSORS, MAX_TEXT, cut

_NAMES = (
    "float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 complex128 "
    "bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz uint4 int4 float4_e2m1fn"
)
DTYPES = dict(enumerate(_NAMES.split(), start=1))
"""Values of TensorProto.DataType."""

MAX_AXES = 64
EXTERNAL = 1
MAX_METADATA = 10_000
METADATA_JSON_BYTES = 4 * 2**20

# The numbers of fields in onnx.proto.
MODEL = {"ir_version": 1, "producer_name": 2, "producer_version": 3, "graph": 7, "opset_import": 8, "metadata": 14}
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12


def read_onnx(data: bytes) -> dict[str, Any]:
    """Read the parts of an inspection from an ONNX file.

    Raises:
        ValueError: the data is not an ONNX model, or has more parts than any real model.
    """
    reader = Reader(data)
    scalars, parts = _grouped(reader, [(0, len(data))])
    graph: dict[int, list[Part]] = {}
    for number, value in reader.fields(parts.get(MODEL["graph"], [])):
        if isinstance(value, tuple) and number in (NODE, INITIALIZER, INPUT, OUTPUT):
            graph.setdefault(number, []).append(value)
    if NODE not in graph and OUTPUT not in graph:
        raise ValueError("no graph")
    if sum(len(graph.get(number, [])) for number in (INITIALIZER, INPUT, OUTPUT)) > MAX_TENSORS:
        raise ValueError(f"more than {MAX_TENSORS} inputs, outputs and parameters")
    opsets = dict(_opset(reader, part) for part in parts.get(MODEL["opset_import"], []))
    facts: dict[str, Any] = {
        "opset": opsets.pop("ai.onnx", None),
        "ir_version": signed(scalars.get(MODEL["ir_version"], 0)),
    }
    for key in ("producer_name", "producer_version"):
        if text := _last_text(reader, parts.get(MODEL[key], [])):
            facts[key] = text
    facts |= {f"opset of {domain}": version for domain, version in opsets.items()}
    parameters, external = [], False
    for part in graph.get(INITIALIZER, []):
        entry, outside = _tensor(reader, part)
        parameters.append(entry)
        external |= outside
    if external:
        facts["external_data"] = "yes: the weights are in another file"
    return {
        "inputs": [_value(reader, part) for part in graph.get(INPUT, [])],
        "outputs": [_value(reader, part) for part in graph.get(OUTPUT, [])],
        "facts": facts,
        "metadata": _metadata(reader, parts.get(MODEL["metadata"], [])),
        "operators": dict(Counter(_text(reader, [part], 4) for part in graph.get(NODE, []))),
        "parameters": parameters,
    }


def onnx_versions(data: bytes) -> tuple[int | None, int]:
    """Read the opset version, None if there is none, and the IR version.

    Raises:
        ValueError: the data is not protobuf.
    """
    reader = Reader(data)
    scalars, parts = _grouped(reader, [(0, len(data))])
    opsets = dict(_opset(reader, part) for part in parts.get(MODEL["opset_import"], []))
    return opsets.get("ai.onnx"), signed(scalars.get(MODEL["ir_version"], 0))


def _grouped(reader: Reader, message: list[Part]) -> tuple[dict[int, int], dict[int, list[Part]]]:
    """Group fields by number: the last value of each scalar, and the byte ranges of all other occurrences."""
    scalars: dict[int, int] = {}
    parts: dict[int, list[Part]] = {}
    for number, value in reader.fields(message):
        if isinstance(value, int):
            scalars[number] = value
        else:
            parts.setdefault(number, []).append(value)
    return scalars, parts


def _last_text(reader: Reader, parts: list[Part], limit: int = MAX_NAME) -> str:
    return cut(reader.text(parts[-1], limit), limit) if parts else ""


def _text(reader: Reader, message: list[Part], number: int, limit: int = MAX_NAME) -> str:
    return _last_text(reader, reader.messages(message, number), limit)


def _opset(reader: Reader, part: Part) -> tuple[str, int]:
    scalars, parts = _grouped(reader, [part])
    return _last_text(reader, parts.get(1, [])) or "ai.onnx", signed(scalars.get(2, 0))


def _dtype(number: int) -> str:
    return DTYPES.get(number, f"data type {signed(number)}")


def _value(reader: Reader, part: Part) -> dict[str, Any]:
    """Read the name, dtype and shape of an input or output."""
    _, parts = _grouped(reader, [part])
    tensor = reader.messages(parts.get(2, []), 1)
    scalars, inner = _grouped(reader, tensor)
    axes = reader.messages(inner.get(2, []), 1)
    if len(axes) > MAX_AXES:
        raise ValueError(f"a tensor of more than {MAX_AXES} axes")
    shape: list[int | str] = []
    for axis in axes:
        size, name = _grouped(reader, [axis])
        shape.append(_last_text(reader, name.get(2, [])) or signed(size.get(1, 0)))
    return {"name": _last_text(reader, parts.get(1, [])), "dtype": _dtype(scalars.get(1, 0)), "shape": shape}


def _tensor(reader: Reader, part: Part) -> tuple[dict[str, Any], bool]:
    """Read the name, dtype and shape of a parameter, and whether its values are stored in another file."""
    sizes: list[int] = []
    names: list[Part] = []
    dtype = location = 0
    for number, value in reader.fields([part]):
        if number == 1:
            sizes += [value] if isinstance(value, int) else reader.varints(value)
        elif number == 8 and isinstance(value, tuple):
            names = [value]
        elif number == 2 and isinstance(value, int):
            dtype = value
        elif number == 14 and isinstance(value, int):
            location = value
        if len(sizes) > MAX_AXES:
            raise ValueError(f"a tensor of more than {MAX_AXES} axes")
    entry = {"name": _last_text(reader, names), "dtype": _dtype(dtype), "shape": [signed(size) for size in sizes]}
    return entry, location == EXTERNAL


def _metadata(reader: Reader, entries: list[Part]) -> dict[str, Any]:
    """Return the metadata by key; values that are JSON are parsed."""
    found: dict[str, Any] = {}
    left = METADATA_JSON_BYTES
    for entry in entries[:MAX_METADATA]:
        _, parts = _grouped(reader, [entry])
        key, values = _last_text(reader, parts.get(1, [])), parts.get(2, [(0, 0)])
        length = values[-1][1] - values[-1][0]
        found[key] = _last_text(reader, values, MAX_TEXT)
        if length <= left:
            left -= length
            with suppress(ValueError):
                found[key] = parse_json(reader.bytes(values[-1]), max_bytes=16 * METADATA_JSON_BYTES)
    if len(entries) > MAX_METADATA:
        found["..."] = f"{len(entries) - MAX_METADATA} more entries"
    return found
