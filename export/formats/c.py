"""Write an affine module as C source that needs only fma, allocates no memory and gives the same bits as onnxruntime.

model.c begins with the whole text of model.h, so it compiles alone, and its proof covers both files. The user's names
and metadata are written as JSON in a comment and as strings in macros. They are escaped so that they cannot end the
comment or a string early.
"""

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.c_text import END_OF_HEADER, FIRST_LINE
from export.source.source import Source
from linreg.affine import Affine
from linreg.errors import ExportError

Array = NDArray[Any]

DEFAULT_PREFIX = "linreg"
PREFIX = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_WEIGHTS = 2**20
"""At this limit the source has 18 MB, and a compiler takes 4 s and half a gigabyte."""

_HEADER = """\
#ifndef {macro}_MODEL_H
#define {macro}_MODEL_H

#include <stddef.h>

#define {macro}_FEATURES {features}
#define {macro}_OUTPUTS {outputs}
#define {macro}_NUMBER {type}
#define {macro}_STATE_SHA256 "{state_sha256}"
{names}
#ifdef __cplusplus
extern "C" {{
#endif

/* Predict `batch` rows: `input` holds batch * {macro}_FEATURES numbers, row by row, `output` takes
 * batch * {macro}_OUTPUTS. They must not overlap; neither is read or written where batch is 0.
 * A sum begins at 0, adds input * weight feature by feature with one rounding each ({fma}), then the bias. */
void {prefix}_predict(size_t batch, const {type} *input, {type} *output);

#ifdef __cplusplus
}}
#endif

#endif
"""

_BODY = """
#include <math.h>

{arrays}void {prefix}_predict(size_t batch, const {type} *input, {type} *output)
{{
    for (size_t row = 0; row < batch; ++row) {{
        for (size_t place = 0; place < {macro}_OUTPUTS; ++place) {{
            const {type} *weight = {prefix}_weight + place * {macro}_FEATURES;
            {type} sum = 0;
            for (size_t feature = 0; feature < {macro}_FEATURES; ++feature) {{
                sum = {fma}(input[feature], weight[feature], sum);
            }}
            output[place] = {result};
        }}
        input += {macro}_FEATURES;
        output += {macro}_OUTPUTS;
    }}
}}
"""

_TYPES = {"float32": ("float", "fmaf", "f"), "float64": ("double", "fma", "")}


def to_c(source: Source, *, prefix: str = DEFAULT_PREFIX) -> bytes:
    """Return the text of model.c, in ASCII.

    Args:
        source: the module to export.
        prefix: prefix of the C identifiers, in lower case.

    Raises:
        ExportError: `prefix` is invalid, the module is not affine or too large, its batch size is fixed, or C cannot
            express its dtype or values as constants.
    """
    affine = _exportable(source)
    if not PREFIX.fullmatch(prefix):
        raise ExportError(f"--prefix: got {prefix!r}, expected lower-case letters, digits and single _, such as linreg")
    kind, fma, suffix = _TYPES[str(affine.weight.dtype)]
    outputs, features = affine.weight.shape
    arrays = _array(f"{kind} {prefix}_weight", affine.weight, suffix)
    if affine.bias is not None:
        arrays += _array(f"{kind} {prefix}_bias", affine.bias, suffix)
    words = {"prefix": prefix, "macro": prefix.upper(), "type": kind, "fma": fma}
    header = _HEADER.format(
        **words,
        features=features,
        outputs=outputs,
        state_sha256=source.state_sha256,
        names=_names(source, prefix.upper()),
    )
    result = "sum" if affine.bias is None else f"sum + {prefix}_bias[place]"
    body = _BODY.format(**words, arrays=arrays, result=result)
    return (_comment(source) + header + END_OF_HEADER + body).encode("ascii")


def _exportable(source: Source) -> Affine:
    affine = source.affine
    if affine is None:
        raise ExportError("c: only an affine module can be written as C source, and this one is not affine; use onnx")
    if str(affine.weight.dtype) not in _TYPES:
        raise ExportError(
            f"c: standard C has no {affine.weight.dtype}, expected float32 or float64; use --dtype float32"
        )
    if source.static:
        raise ExportError("c: the function takes any number of rows; leave out --static")
    if not 0 < affine.weight.size <= MAX_WEIGHTS:
        raise ExportError(f"c: the module has {affine.weight.size} weights, expected 1 to {MAX_WEIGHTS}; use onnx")
    bias = np.zeros(1) if affine.bias is None else affine.bias
    if not (np.isfinite(affine.weight).all() and np.isfinite(bias).all()):
        raise ExportError("c: a weight is NaN or infinite, which C has no constants for; use onnx")
    return affine


def _array(declaration: str, values: Array, suffix: str) -> str:
    numbers = [f"{_hexadecimal(float(value))}{suffix}" for value in values.reshape(-1)]
    lines = [", ".join(numbers[place : place + 4]) for place in range(0, len(numbers), 4)]
    return f"static const {declaration}[{len(numbers)}] = {{\n    " + ",\n    ".join(lines) + "};\n\n"


def _hexadecimal(value: float) -> str:
    """Return the exact value as a hexadecimal float such as 0x1.8p+1, in Python's notation without trailing zeros."""
    mantissa, _, exponent = value.hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"


def _comment(source: Source) -> str:
    """Return the metadata as a comment that holds ASCII JSON without / and ?, so that no text can end or change it."""
    parameters = [
        {"name": key, "dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape)}
        for key, value in source.module.state_dict().items()
    ]
    entries = sorted({**source.metadata, "parameters": parameters}.items())
    lines = [f" *  {_json(key)}: {_json(value)}" for key, value in entries]
    return FIRST_LINE + " * {\n" + ",\n".join(lines) + "\n * }\n */\n"


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
