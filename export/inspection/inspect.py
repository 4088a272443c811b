"""Inspect ONNX, TorchScript, .pt2, safetensors and state_dict files, and linreg's source code, without running them.

Each format has its own reader; none needs torch, onnx or a runtime. Any file below 10 MB costs at most 2 s of CPU and
256 MB of memory: each reader makes one pass over the data and limits what it keeps.
"""

from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any

from export.inspection.inspected import Inspection, bounded, cut
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError, ModelError, one_line
from linreg.files import read_bytes, sha256
from linreg.safetensors import is_safetensors


def inspect_file(path: Path) -> Inspection:
    """Inspect a file. Its contents, not its name, decide its format.

    Raises:
        ModelError: the file is missing, damaged, of an unknown format, or larger than any real model.
    """
    try:
        data = read_bytes(path, limit=MAX_STATE_BYTES)
    except LinregError as error:
        raise ModelError(str(error)) from None
    kind, parts = _parts(path, data)
    return Inspection(kind=kind, bytes=len(data), sha256=sha256(data), **bounded(**parts))


def _parts(path: Path, data: bytes) -> tuple[str, dict[str, Any]]:
    if data.startswith(b"/*"):
        from export.formats.c_text import is_c

        if is_c(data):
            return "c", _c(path, data)
        from export.formats.js_text import is_js

        if is_js(data):
            return "js", _js(path, data)
        from export.formats.sql_text import is_sql

        if is_sql(data):
            return "sql", _sql(path, data)
    if data.startswith(b"PK\x03\x04"):
        return _archive(path, data)
    if is_safetensors(data):
        from export.inspection.safetensors import read_safetensors_header

        try:
            return "state_dict", read_safetensors_header(data)
        except ValueError as error:
            raise ModelError(f"{path}: is not a readable safetensors file: {cut(one_line(error))}") from None
    from export.inspection.onnx import read_onnx

    if path.name.endswith(".d.mts"):
        module = str(path).removesuffix(".d.mts") + ".mjs"
        raise ModelError(f"{path}: holds the TypeScript types of a model; run: linreg inspect {quote(module)}")
    try:
        return "onnx", read_onnx(data)
    except ValueError as error:
        known = "ONNX, TorchScript, .pt2, a state_dict or source code of linreg export"
        raise ModelError(f"{path}: is not {known} ({one_line(error)})") from None


def _archive(path: Path, data: bytes) -> tuple[str, dict[str, Any]]:
    from export.inspection.archive import open_archive
    from export.inspection.pt2 import read_pt2
    from export.inspection.state_dict import read_state
    from export.inspection.torchscript import read_torchscript

    try:
        archive = open_archive(str(path), data)
    except ValueError as error:
        raise ModelError(f"{path}: cannot be read: {cut(one_line(error))}; restore it from a copy") from None
    kind: str
    read: Callable[..., dict[str, Any]]
    if "models/model.json" in archive.records:
        kind, read = "pt2", read_pt2
    elif "constants.pkl" in archive.records:
        kind, read = "torchscript", read_torchscript
    else:
        kind, read = "state_dict", read_state
    try:
        return kind, read(archive)
    except Exception as error:  # pickletools and json raise half a dozen classes on damaged files
        missing = isinstance(error, KeyError)
        text = f"has no record {cut(one_line(error))}" if missing else cut(one_line(error))
        raise ModelError(f"{path}: is not a readable {kind} file: {text}") from None


def _c(path: Path, data: bytes) -> dict[str, Any]:
    """Return the parts of an inspection of model.c or model.h; only model.c has weights."""
    from export.formats.c_text import read_c

    text = read_c(str(path), data)
    metadata = dict(text.metadata)
    return {
        "inputs": metadata.pop("inputs"),
        "outputs": metadata.pop("outputs"),
        "parameters": metadata.pop("parameters"),
        "facts": {
            "function": f"{text.prefix}_predict",
            "weights": "yes" if text.weights else "no: this is the header",
            **({"scratch": f"{text.scratch} numbers"} if text.scratch else {}),
        },
        "metadata": metadata,
    }


def _js(path: Path, data: bytes) -> dict[str, Any]:
    from export.formats.js_text import read_js

    metadata = dict(read_js(str(path), data).metadata)
    return {
        "inputs": metadata.pop("inputs"),
        "outputs": metadata.pop("outputs"),
        "parameters": metadata.pop("parameters"),
        "facts": {"function": "predict"},
        "metadata": metadata,
    }


def _sql(path: Path, data: bytes) -> dict[str, Any]:
    """Return the parts of an inspection of model.sql."""
    from export.formats.sql_text import TABLE, read_sql

    text = read_sql(str(path), data)
    metadata = dict(text.metadata)
    return {
        "inputs": metadata.pop("inputs"),
        "outputs": metadata.pop("outputs"),
        "parameters": metadata.pop("parameters"),
        "facts": {"table": TABLE, "reads": ", ".join(text.columns), "adds": ", ".join(text.predicted)},
        "metadata": metadata,
    }
