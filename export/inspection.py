"""What is in a file, read and never run: ONNX, TorchScript, .pt2, C source of ours and state_dicts."""

import io
import json
import pickletools
import re
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.c_text import is_c, read_c
from linreg.archive import read_archive
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError, ModelError
from linreg.files import read_bytes, sha256
from linreg.safetensors import is_safetensors

MAX_RECORD_BYTES = 64 * 2**20
"""A record of text or JSON larger than this is not looked at."""

SCALAR_TYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"}
SCALAR_TYPES |= {12: "bool", 13: "bfloat16"}
"""Of torch._export.serde.schema.ScalarType."""

OPERATOR = re.compile(r"\b(?:torch|ops\.\w+)\.(\w+)\(")
CLASS = re.compile(r"^class (\w+)\(Module\):", re.MULTILINE)
FORWARD = re.compile(r"def forward\(self: [^,)]+,?\s*(?P<arguments>[^)]*)\) -> (?P<result>[^:]+):")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a file says of itself.

    Attributes:
        kind: `onnx`, `torchscript`, `pt2`, `c` or `state_dict`.
        bytes: its size.
        sha256: of its bytes.
        inputs: name, dtype and shape, as far as the file says.
        outputs: likewise.
        facts: opset, IR version and the like, by name.
        metadata: what exporters left, by key.
        operators: how often each stands in the file.
        parameters: name, dtype and shape.
    """

    kind: str
    bytes: int
    sha256: str
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    parameters: list[dict[str, Any]] = field(default_factory=list)


def inspect_file(path: Path) -> Inspection:
    """Read a file; its contents decide what it is, not its name.

    Raises:
        ModelError: it is missing, damaged, or none of the five.
    """
    try:
        data = read_bytes(path, limit=MAX_STATE_BYTES)
    except LinregError as error:
        raise ModelError(str(error)) from None
    common: dict[str, Any] = {"bytes": len(data), "sha256": sha256(data)}
    if is_c(data):
        return _c(path, data, common)
    if is_safetensors(data):
        return _state_dict(path, data, common)
    if data[:4] != b"PK\x03\x04":
        return _onnx(path, data, common)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            read_archive(str(path), data)
            names = {name.split("/", 1)[-1]: name for name in archive.namelist()}
            if "models/model.json" in names:
                return _pt2(path, archive, names, common)
            if "constants.pkl" in names:
                return _torchscript(archive, names, common)
    except ModelError:
        raise
    except Exception as error:  # zipfile and json raise half a dozen classes on damaged files
        raise ModelError(f"{path}: is a damaged archive: {type(error).__name__}: {error}") from None
    return _state_dict(path, data, common)


def _onnx(path: Path, data: bytes, common: dict[str, Any]) -> Inspection:
    import onnx

    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's classes
        raise ModelError(
            f"{path}: is none of ONNX, TorchScript, .pt2 and state_dict ({type(error).__name__})"
        ) from None
    if not model.graph.node and not model.graph.output:
        raise ModelError(f"{path}: is none of ONNX, TorchScript, .pt2 and state_dict")
    graph = model.graph
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    facts: dict[str, Any] = {"opset": opsets.get("ai.onnx"), "ir_version": model.ir_version}
    facts |= {key: getattr(model, key) for key in ("producer_name", "producer_version") if getattr(model, key)}
    facts |= {f"opset of {domain}": version for domain, version in opsets.items() if domain != "ai.onnx"}
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        facts["external_data"] = "yes: the weights stand in another file"
    return Inspection(
        kind="onnx",
        **common,
        inputs=[_value(entry) for entry in graph.input],
        outputs=[_value(entry) for entry in graph.output],
        facts=facts,
        metadata={entry.key: _json_or_text(entry.value) for entry in model.metadata_props},
        operators=dict(Counter(node.op_type for node in graph.node)),
        parameters=[
            {"name": tensor.name, "dtype": _onnx_dtype(tensor.data_type), "shape": list(tensor.dims)}
            for tensor in graph.initializer
        ],
    )


def _torchscript(archive: zipfile.ZipFile, names: dict[str, str], common: dict[str, Any]) -> Inspection:
    metadata = _metadata(archive, names)
    code = [
        _text(archive, name) for short, name in names.items() if short.startswith("code/") and short.endswith(".py")
    ]
    operators = Counter(match for text in code for match in OPERATOR.findall(text))
    top = _top_class(archive.read(names["data.pkl"]))
    signature = None
    for text in code:
        for place in CLASS.finditer(text):
            if place[1] == top.rpartition(".")[2]:
                signature = FORWARD.search(text, place.end())
    facts: dict[str, Any] = {"class": top, "debug_records": sum(name.endswith(".debug_pkl") for name in names)}
    if signature is not None:
        facts["forward"] = f"({' '.join(signature['arguments'].split())}) -> {' '.join(signature['result'].split())}"
    return Inspection(
        kind="torchscript",
        **common,
        inputs=metadata.get("inputs", []),
        outputs=metadata.get("outputs", []),
        facts=facts,
        metadata=metadata,
        operators=dict(operators),
    )


def _top_class(data: bytes) -> str:
    """The first class that data.pkl names; pickletools reads the opcodes and builds nothing."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            return str(argument).replace(" ", ".")
    return "unknown"


def _pt2(path: Path, archive: zipfile.ZipFile, names: dict[str, str], common: dict[str, Any]) -> Inspection:
    model = json.loads(_text(archive, names["models/model.json"]))
    try:
        graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
        tensors = graph["tensor_values"]
        arguments = [entry["user_input"]["arg"] for entry in signature["input_specs"] if "user_input" in entry]
        results = [entry["user_output"]["arg"] for entry in signature["output_specs"] if "user_output" in entry]
        parameters = [
            {**_pt2_tensor(tensors, spec["arg"]["name"]), "name": spec.get("parameter_name", spec.get("buffer_name"))}
            for entry in signature["input_specs"]
            for spec in (entry.get("parameter") or entry.get("buffer"),)
            if spec
        ]
        version = model["schema_version"]
        return Inspection(
            kind="pt2",
            **common,
            inputs=[_pt2_tensor(tensors, entry["as_tensor"]["name"]) for entry in arguments if "as_tensor" in entry],
            outputs=[_pt2_tensor(tensors, entry["as_tensor"]["name"]) for entry in results if "as_tensor" in entry],
            facts={
                "schema": f"{version['major']}.{version['minor']}",
                "ranges": model.get("range_constraints", {}),
                **({"torch_version": model["torch_version"]} if model.get("torch_version") else {}),
            },
            metadata=_metadata(archive, names),
            operators=dict(Counter(node["target"].removeprefix("torch.ops.") for node in graph["nodes"])),
            parameters=parameters,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: is a .pt2 archive of a form that is not known: {error!r}") from None


def _pt2_tensor(tensors: dict[str, Any], name: str) -> dict[str, Any]:
    meta = tensors[name]
    # A size is a number, or an expression such as Symbol('s77', positive=True, integer=True).
    sizes = [
        size["as_int"] if "as_int" in size else re.sub(r"Symbol\('(\w+)'[^)]*\)", r"\1", size["as_expr"]["expr_str"])
        for size in meta["sizes"]
    ]
    return {"name": name, "dtype": SCALAR_TYPES.get(meta["dtype"], f"scalar type {meta['dtype']}"), "shape": sizes}


def _c(path: Path, data: bytes, common: dict[str, Any]) -> Inspection:
    """C source and its header say the same, but for the weights."""
    text = read_c(str(path), data)
    metadata = dict(text.metadata)
    return Inspection(
        kind="c",
        **common,
        inputs=metadata.pop("inputs"),
        outputs=metadata.pop("outputs"),
        parameters=metadata.pop("parameters"),
        facts={"function": f"{text.prefix}_predict", "weights": "yes" if text.weights else "no: this is the header"},
        metadata=metadata,
    )


def _state_dict(path: Path, data: bytes, common: dict[str, Any]) -> Inspection:
    from linreg.state_dict import describe_state, read_state

    state = read_state(str(path), data)
    facts = {"note": "; ".join(state.notes)} if state.notes else {}
    return Inspection(kind="state_dict", **common, facts=facts, parameters=describe_state(state))


def _value(entry: Any) -> dict[str, Any]:
    tensor = entry.type.tensor_type
    shape = [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]
    return {"name": entry.name, "dtype": _onnx_dtype(tensor.elem_type), "shape": shape}


def _onnx_dtype(number: int) -> str:
    import onnx

    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(number))
    except (KeyError, ValueError):
        return f"data type {number}"


def _metadata(archive: zipfile.ZipFile, names: dict[str, str]) -> dict[str, Any]:
    """The extra files: ours is JSON, others are shown as text."""
    found: dict[str, Any] = {}
    for short, name in names.items():
        if short == "extra/linreg.json":
            value = _json_or_text(_text(archive, name))
            found |= value if isinstance(value, dict) else {"linreg": value}
        elif short.startswith("extra/"):
            found[short.removeprefix("extra/")] = _text(archive, name)[:1000]
    return found


def _text(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > MAX_RECORD_BYTES:
        raise ModelError(f"{name!r} has more than {MAX_RECORD_BYTES} bytes")
    return archive.read(name).decode(errors="replace")


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
