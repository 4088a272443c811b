"""Write an affine module or a small feed-forward network as C source that allocates no memory.

model.c begins with the whole text of model.h, so it compiles alone, and its proof covers both files. The user's names
and metadata are written as JSON in a comment and as strings in macros. They are escaped so that they cannot end the
comment or a string early. An affine module gives the same bits as onnxruntime.
"""

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.formats.c_functions import TYPES, hexadecimal
from export.formats.c_steps import CWriter, c_writer
from export.formats.c_text import END_OF_HEADER, FIRST_LINE, FIRST_LINE_OF_NETWORK
from export.formats.source_code.steps import Constant, Dense, Network, Tensor
from export.source.source import Source
from linreg.affine import Affine
from linreg.errors import ExportError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Array = NDArray[Any]

DEFAULT_PREFIX = "linreg"
PREFIX = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_WEIGHTS = 2**20
"""At this limit the source has 18 MB, and a compiler takes 4 s and half a gigabyte."""

MAX_SCRATCH = 2**24

_HEADER = """\
#ifndef {macro}_MODEL_H
#define {macro}_MODEL_H

#include <stddef.h>
{guard}
#define {macro}_FEATURES {features}
#define {macro}_OUTPUTS {outputs}
{scratch}{dims}#define {macro}_NUMBER {type}
#define {macro}_STATE_SHA256 "{state_sha256}"
{names}
#ifdef __cplusplus
extern "C" {{
#endif

/* Predict `batch` rows: `input` holds batch * {macro}_FEATURES numbers, row by row, `output` takes
 * batch * {macro}_OUTPUTS. They must not overlap; neither is read or written where batch is 0.
{remarks}
void {prefix}_predict({parameters});

#ifdef __cplusplus
}}
#endif

#endif
"""

_AFFINE_REMARK = """\
 * A sum begins at 0, adds input * weight feature by feature with one rounding each ({fma}), then the bias. */\
"""

_NETWORK_REMARK = """\
{scratch} * Needs {functions} of math.h.
 * Compile with -std=c99 or -ffp-contract=off, since a * b + c with one rounding has other bits. */\
"""

_SCRATCH_REMARK = """\
 * `scratch` holds {macro}_SCRATCH numbers, whatever the batch, and overlaps neither; each thread needs its own.
"""

_GUARD = """
#ifdef __FAST_MATH__
#error "{prefix}_predict was verified with the arithmetic of the standard; compile it without -ffast-math"
#endif
"""

_CONTRACTION = """
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif
"""

_BODY = """
#include <math.h>
{contraction}
{arrays}{functions}void {prefix}_predict({parameters})
{{
    for (size_t row = 0; row < batch; ++row) {{
{rows}        input += {macro}_FEATURES;
        output += {macro}_OUTPUTS;
    }}
}}
"""


def to_c(source: Source, *, prefix: str = DEFAULT_PREFIX, program: "ExportedProgram | None" = None) -> bytes:
    """Return the text of model.c, in ASCII.

    Args:
        source: the module to export. One that is not affine is exported to ONNX first, and written from that file.
        prefix: prefix of the C identifiers, in lower case.
        program: the capture of the module; None captures it if needed. An affine module needs no capture.

    Raises:
        ExportError: `prefix` is invalid, an operator of the module cannot be written as C, the module is too large, its
            batch size is fixed, or C cannot express its dtype or values as constants.
    """
    affine = None if source.affine is None else _exportable(source, source.affine)
    if not PREFIX.fullmatch(prefix):
        raise ExportError(f"--prefix: got {prefix!r}, expected lower-case letters, digits and single _, such as linreg")
    network = _network(source, program) if affine is None else _only_layer(affine)
    written = c_writer(network, prefix)
    if written.scratch.size > MAX_SCRATCH:
        raise ExportError(
            f"c: a row needs {written.scratch.size} numbers of memory, expected {MAX_SCRATCH} at most; use onnx"
        )
    return _text(source, written, affine=affine is not None).encode("ascii")


def _text(source: Source, written: CWriter, *, affine: bool) -> str:
    network, macro = written.network, written.prefix.upper()
    kind, scratch = written.kind, written.scratch.size
    parameters = f"size_t batch, const {kind} *input, {kind} *output{f', {kind} *scratch' if scratch else ''}"
    words = {"prefix": written.prefix, "macro": macro, "type": kind, "parameters": parameters}
    arrays = "".join(
        _array(f"{kind} {written.names[constant.name]}", constant.values, written.suffix)
        for constant in network.constants()
    )
    body = _BODY.format(
        **words,
        contraction="" if affine else _CONTRACTION,
        arrays=arrays,
        functions=written.functions(),
        rows=written.rows(),
    )
    if affine:
        remarks = _AFFINE_REMARK.format(fma=f"fma{written.suffix}")
    else:
        needed = ", ".join(sorted({f"{name}{written.suffix}" for name in _MATH.findall(body)})) or "nothing"
        remark = _SCRATCH_REMARK.format(**words) if scratch else ""
        remarks = _NETWORK_REMARK.format(scratch=remark, functions=needed)
    header = _HEADER.format(
        **words,
        guard="" if affine else _GUARD.format(**words),
        features=network.input.size,
        outputs=network.output.size,
        scratch=f"#define {macro}_SCRATCH {scratch}\n" if scratch else "",
        dims=_dims(f"{macro}_INPUT_DIMS", network.input) + _dims(f"{macro}_OUTPUT_DIMS", network.output),
        state_sha256=source.state_sha256,
        names=_names(source, macro),
        remarks=remarks,
    )
    state = source.module.state_dict()
    described = (
        [(key, str(value.dtype).removeprefix("torch."), list(value.shape)) for key, value in state.items()]
        if affine
        else [(entry.name, str(entry.values.dtype), list(entry.values.shape)) for entry in network.constants()]
    )
    first = FIRST_LINE if affine else FIRST_LINE_OF_NETWORK
    return _comment(source, first, described) + header + END_OF_HEADER + body


_MATH = re.compile(r"\b(fma|exp|expm1|log|log1p|pow|fabs|sqrt|erf|tanh)f?\(")


def _dims(macro: str, tensor: Tensor) -> str:
    """Define the sizes of an input or output whose rows have not one axis; 0 stands for the batch."""
    sizes = ", ".join(map(str, (0, *tensor.shape)))
    return "" if len(tensor.shape) == 1 else f"#define {macro} {{{sizes}}}\n"


def _network(source: Source, program: "ExportedProgram | None") -> Network:
    """The steps of a module, read from the ONNX file that is written for it."""
    from export.formats.onnx import to_onnx
    from export.formats.source_code.reading import read_steps

    if source.static:
        raise ExportError("c: the function takes any number of rows; leave out --static")
    network = read_steps(to_onnx(source, program=program), "c")
    _check_count(sum(constant.values.size for constant in network.constants()))
    return network


def _only_layer(affine: Affine) -> Network:
    """An affine module is the case of one step."""
    weight_name, bias_name = affine.names
    outputs, features = affine.weight.shape
    given, made = Tensor(buffer=0, shape=(features,)), Tensor(buffer=1, shape=(outputs,))
    bias = None if affine.bias is None else Constant(name=bias_name, values=affine.bias)
    layer = Dense(input=given, output=made, weight=Constant(name=weight_name, values=affine.weight), bias=bias)
    return Network(dtype=affine.weight.dtype, input=given, output=made, steps=(layer,))


def _check_count(count: int) -> None:
    if not 0 < count <= MAX_WEIGHTS:
        raise ExportError(f"c: the module has {count} weights, expected 1 to {MAX_WEIGHTS}; use onnx")


def _exportable(source: Source, affine: Affine) -> Affine:
    if str(affine.weight.dtype) not in TYPES:
        raise ExportError(
            f"c: standard C has no {affine.weight.dtype}, expected float32 or float64; use --dtype float32"
        )
    if source.static:
        raise ExportError("c: the function takes any number of rows; leave out --static")
    _check_count(affine.weight.size)
    bias = np.zeros(1) if affine.bias is None else affine.bias
    if not (np.isfinite(affine.weight).all() and np.isfinite(bias).all()):
        raise ExportError("c: a weight is NaN or infinite, which C has no constants for; use onnx")
    return affine


def _array(declaration: str, values: Array, suffix: str) -> str:
    numbers = [f"{hexadecimal(float(value))}{suffix}" for value in values.reshape(-1)]
    lines = [", ".join(numbers[place : place + 4]) for place in range(0, len(numbers), 4)]
    return f"static const {declaration}[{len(numbers)}] = {{\n    " + ",\n    ".join(lines) + "};\n\n"


def _comment(source: Source, first: str, described: list[tuple[str, str, list[int]]]) -> str:
    """Return the metadata as a comment that holds ASCII JSON without / and ?, so that no text can end or change it."""
    parameters = [{"name": name, "dtype": dtype, "shape": shape} for name, dtype, shape in described]
    entries = sorted({**source.metadata, "parameters": parameters}.items())
    lines = [f" *  {_json(key)}: {_json(value)}" for key, value in entries]
    return first + " * {\n" + ",\n".join(lines) + "\n * }\n */\n"


def _json(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text.replace("/", "\\u002f").replace("?", "\\u003f").replace("\x7f", "\\u007f")


def _names(source: Source, macro: str) -> str:
    """Return macros with the names of the columns; they cost nothing unless they are used."""
    lines = []
    features, target = source.metadata.get("features"), source.metadata.get("target")
    if isinstance(features, list) and len(features) == source.inputs[0].shape[1]:
        strings = ", \\\n    ".join(_string(name) for name in features)
        lines.append(f"#define {macro}_FEATURE_NAMES {{ \\\n    {strings}}}\n")
    if isinstance(target, str):
        lines.append(f"#define {macro}_TARGET_NAME {_string(target)}\n")
    return "".join(lines)


def _string(text: object) -> str:
    """Return a C string literal in UTF-8. Special bytes become three octal digits, which no later digit can extend."""
    data = str(text).encode("utf-8", "surrogatepass")
    return '"' + "".join(chr(byte) if _is_plain(byte) else f"\\{byte:03o}" for byte in data) + '"'


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and chr(byte) not in '"\\?'
